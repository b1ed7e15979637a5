// Shell: what the desktop hears and sees of the person in control: the microphone and the camera of this browser.
import type { Notices } from "../chrome/notices";
import { senderOf } from "../connection/sdp";
import { SenseControl } from "./control";
import { FACE, VOICE } from "./sense";

/** A camera takes no more of the network: enough for its size, and little beside a desktop. */
const MAX_CAMERA_BPS = 2_000_000;

export class Senses {
  #microphone: SenseControl;
  #camera: SenseControl;
  #limited: RTCRtpSender | null = null;

  constructor(find: <E extends HTMLElement>(id: string) => E, devices: MediaDevices | null, notices: Pick<Notices, "add">, done: () => void) {
    this.#microphone = new SenseControl("microphone", [find("microphone"), find("speaking"), find("microphoneMeaning")], devices, VOICE, notices, done);
    this.#camera = new SenseControl("camera", [find("camera"), find("showing"), find("cameraMeaning")], devices, FACE, notices, done);
  }

  /** Follows the connection, and whether this page may be heard and seen. */
  use(peer: RTCPeerConnection | null, allowed: boolean): void {
    this.#microphone.use(senderOf(peer, "audio"), allowed);
    const camera = senderOf(peer, "video");
    if (camera && camera !== this.#limited) {
      this.#limited = camera;
      limit(camera).catch((error: unknown) => {
        console.warn("gst-vdi: the camera has no limit:", error);
      });
    }
    this.#camera.use(camera, allowed);
  }
}

async function limit(sender: RTCRtpSender): Promise<void> {
  const parameters = sender.getParameters();
  for (const encoding of parameters.encodings) encoding.maxBitrate = MAX_CAMERA_BPS;
  await sender.setParameters(parameters);
}
