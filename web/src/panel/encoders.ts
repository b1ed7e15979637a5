// Decision: whether an encoder, by its GStreamer factory name, runs on a GPU or on the CPU.

const HARDWARE = /^(nv|va|vaapi|qsv|msdk|amf|v4l2|vulkan)/;
const SOFTWARE = /^(x26[45]|openh264|vp[89]|av1|svtav1|rav1|theora|avenc_|libde)/;

export function encoderKind(factory: string): "hardware" | "software" | null {
  if (HARDWARE.test(factory)) return "hardware";
  return SOFTWARE.test(factory) ? "software" : null;
}
