// Decision: what offers and answers mean for the page, and how it begins its sound anew.
export { giveUpSurround } from "./surround";
import type { IceServers } from "../wire/protocol";
import { answerTo, disguised, undisguised } from "./surround";

/** As `RTCPeerConnection` takes them: lists that may be changed. */
export function rtcServers({ iceServers, iceTransportPolicy }: IceServers): RTCConfiguration {
  return { iceServers: iceServers.map((server) => ({ ...server })), iceTransportPolicy };
}

/** Hands the server's offer to the browser. */
export function takeOffer(peer: RTCPeerConnection, offer: string): Promise<void> {
  return peer.setRemoteDescription({ type: "offer", sdp: disguised(offer) });
}

/** Hands the browser's answer to that offer back to it; returns what the server is to be told. */
export async function takeAnswer(peer: RTCPeerConnection, offer: string, { type, sdp = "" }: RTCSessionDescriptionInit): Promise<string> {
  await peer.setLocalDescription({ type, sdp: undisguised(offer, sdp) });
  return answerTo(offer, peer.localDescription?.sdp ?? sdp);
}

/**
 * Lets the page send sound and pictures where the server would take them, as soon as it has some: an answer that refuses it cannot be
 * changed without another offer. Nothing is sent before there is a track.
 */
export function openVoice(peer: RTCPeerConnection, offer: string): void {
  for (const section of offer.split(/^(?=m=)/m)) {
    const mid = /^m=(?:audio|video)[^]*^a=recvonly\r?$/m.test(section) ? /^a=mid:(\S+)/m.exec(section)?.[1] : undefined;
    const transceiver = mid === undefined ? undefined : peer.getTransceivers().find((one) => one.mid === mid);
    if (transceiver) transceiver.direction = "sendonly";
  }
}

/** Where what the page says or shows goes out; `null` where the server does not take it. */
export function senderOf(peer: RTCPeerConnection | null, kind: "audio" | "video"): RTCRtpSender | null {
  return peer?.getTransceivers().find((one) => one.currentDirection === "sendonly" && one.receiver.track.kind === kind)?.sender ?? null;
}

/** The codec of the offered video, as SDP names it. */
export function offeredVideo(offer: string): string | null {
  const at = offer.search(/^m=video /m);
  return at < 0 ? null : (/^a=rtpmap:\d+ ([^/\r\n]+)/m.exec(offer.slice(at))?.[1] ?? null);
}

/** Whether a connection was offered for another codec than this. */
export function isForAnother(peer: RTCPeerConnection | null | undefined, codec = ""): boolean {
  const negotiated = offeredVideo(peer?.remoteDescription?.sdp ?? "");
  return negotiated !== null && codec !== "" && codec !== negotiated;
}

/** The codec of the offered video if the answer refuses it (port 0), else `null`. The first is the desktop's. */
export function refusedVideo(offer: string, answer: string): string | null {
  if (/^m=video (\d+) /m.exec(answer)?.[1] !== "0") return null;
  return offeredVideo(offer) ?? "?";
}

/** The offer as it would be if no sound were sent for the moment; `null` if it has none. */
export function withoutSound(offer: string): string | null {
  const sections = offer.split(/^(?=m=)/m);
  const quiet = sections.map((section) => (section.startsWith("m=audio") ? section.replace(/^a=send(?:only|recv)(?=\r?$)/m, "a=inactive") : section)).join("");
  return quiet === offer ? null : quiet;
}

/**
 * Gives the sound a receiver that knows nothing of a gap: the old one plays what piled up, and what it learnt of delays
 * keeps the sound late for minutes. The server, which goes on sending, is not part of this.
 */
export async function renewSound(peer: RTCPeerConnection, offer: string): Promise<void> {
  const quiet = withoutSound(offer);
  if (quiet === null) return;
  for (const sdp of [quiet, offer]) {
    await takeOffer(peer, sdp);
    await takeAnswer(peer, sdp, await peer.createAnswer());
  }
}
