import { describe, expect, it } from "vitest";
import { FakePeer } from "../testing";
import { openVoice, refusedVideo, senderOf, withoutSound } from "./sdp";

const OFFER = [
  "v=0\r\ns=-\r\n",
  "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:video0\r\na=sendonly\r\n",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:audio1\r\na=sendonly\r\n",
  "m=audio 9 UDP/TLS/RTP/SAVPF 110\r\na=mid:audio2\r\na=recvonly\r\n",
  "m=video 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:video3\r\na=recvonly\r\n",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:application4\r\n",
].join("");

function peer(...mids: string[]): RTCPeerConnection {
  const made = new FakePeer({});
  made.transceivers = mids.map((mid) => ({ mid, direction: "recvonly", currentDirection: null, sender: mid, receiver: { track: { kind: mid.slice(0, 5) } } })) as unknown as RTCRtpTransceiver[];
  return made as unknown as RTCPeerConnection;
}

describe("the page's voice and face", () => {
  it("have a way where the server takes them, and nowhere else", () => {
    const all = peer("video0", "audio1", "audio2", "video3");
    openVoice(all, OFFER);
    expect(all.getTransceivers().map((one) => one.direction)).toEqual(["recvonly", "recvonly", "sendonly", "sendonly"]);
    const none = peer("video0", "audio1");
    openVoice(none, OFFER.replace(/m=audio 9 UDP\/TLS\/RTP\/SAVPF 110[^]*(?=m=application)/, ""));
    expect(none.getTransceivers().map((one) => one.direction)).toEqual(["recvonly", "recvonly"]);
  });

  it("are known by what was agreed", () => {
    const all = peer("video0", "audio1", "audio2", "video3");
    expect([senderOf(null, "audio"), senderOf(all, "audio"), senderOf(all, "video")]).toEqual([null, null, null]);
    Object.assign(all.getTransceivers()[3] ?? {}, { currentDirection: "sendonly" });
    expect([senderOf(all, "audio"), senderOf(all, "video")]).toEqual([null, "video3"]);
    Object.assign(all.getTransceivers()[2] ?? {}, { currentDirection: "sendonly" });
    expect([senderOf(all, "audio"), senderOf(all, "video")]).toEqual(["audio2", "video3"]);
  });

  it("does not count where the browser refuses it: the desktop's pictures come first", () => {
    expect(refusedVideo(OFFER, "m=video 9 X 96\r\nm=audio 9 X 97\r\nm=video 0 X 109\r\n")).toBeNull();
  });

  it("is not part of it when the desktop's sound begins anew", () => {
    expect(withoutSound(OFFER)).toBe(OFFER.replace("a=mid:audio1\r\na=sendonly", "a=mid:audio1\r\na=inactive"));
  });
});
