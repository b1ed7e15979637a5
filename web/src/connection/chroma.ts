// Decision: which codecs this browser decodes, and in which of them 4:4:4, by what it says of itself. The server looks for a codec that every
// page decodes, and sends 4:4:4 only where every page that watches has said so.
import { VIDEO_CODECS, type VideoCodec } from "../wire/settings";

/** `profile_idc` of H.264 High 4:4:4 Predictive, as `profile-level-id` begins with it (RFC 6184, 8.1). */
const HIGH_444 = /(^|;)\s*profile-level-id=f4/i;
/** VP9 profile 1: eight bits, 4:4:4. */
const PROFILE_1 = /(^|;)\s*profile-id=1\s*(;|$)/;

interface CodecCapability {
  readonly mimeType: string;
  readonly sdpFmtpLine?: string | undefined;
}

/** Their names, as SDP has them. */
export function fullChroma(codecs: readonly CodecCapability[]): string[] {
  const decodes = (mimeType: string, parameters: RegExp): boolean =>
    codecs.some((codec) => codec.mimeType.toLowerCase() === mimeType && parameters.test(codec.sdpFmtpLine ?? ""));
  return [...(decodes("video/h264", HIGH_444) ? ["H264"] : []), ...(decodes("video/vp9", PROFILE_1) ? ["VP9"] : [])];
}

/** What this browser says; nothing where it says nothing. */
function own(): readonly CodecCapability[] {
  const receiver = (globalThis as { RTCRtpReceiver?: typeof RTCRtpReceiver }).RTCRtpReceiver;
  return receiver?.getCapabilities("video")?.codecs ?? [];
}

/** In which codecs this browser decodes 4:4:4. */
export function ownFullChroma(): string[] {
  return fullChroma(own());
}

/** Those that there are a name for. */
export function decoded(codecs: readonly CodecCapability[]): VideoCodec[] {
  return VIDEO_CODECS.filter((name) => codecs.some(({ mimeType }) => mimeType.toLowerCase() === `video/${name.toLowerCase()}`));
}

/** Which codecs this browser decodes. */
export function ownVideo(): VideoCodec[] {
  return decoded(own());
}
