import { describe, expect, it } from "vitest";
import { FakePeer } from "../testing";
import { openVoice, voiceOf, withoutSound } from "./sdp";

const OFFER = [
  "v=0\r\ns=-\r\n",
  "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:video0\r\na=sendonly\r\n",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:audio1\r\na=sendonly\r\n",
  "m=audio 9 UDP/TLS/RTP/SAVPF 110\r\na=mid:audio2\r\na=recvonly\r\n",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:application3\r\n",
].join("");

function peer(...mids: string[]): RTCPeerConnection {
  const made = new FakePeer({});
  made.transceivers = mids.map((mid) => ({ mid, direction: "recvonly", currentDirection: null, sender: mid })) as unknown as RTCRtpTransceiver[];
  return made as unknown as RTCPeerConnection;
}

describe("the page's voice", () => {
  it("has a way where the server listens, and nowhere else", () => {
    const all = peer("video0", "audio1", "audio2");
    openVoice(all, OFFER);
    expect(all.getTransceivers().map((one) => one.direction)).toEqual(["recvonly", "recvonly", "sendonly"]);
    const none = peer("video0", "audio1");
    openVoice(none, OFFER.replace(/m=audio 9 UDP\/TLS\/RTP\/SAVPF 110[^]*(?=m=application)/, ""));
    expect(none.getTransceivers().map((one) => one.direction)).toEqual(["recvonly", "recvonly"]);
  });

  it("is known by what was agreed", () => {
    const all = peer("audio1", "audio2");
    expect([voiceOf(null), voiceOf(all)]).toEqual([null, null]);
    Object.assign(all.getTransceivers()[1] ?? {}, { currentDirection: "sendonly" });
    expect(voiceOf(all)).toBe("audio2");
  });

  it("is not part of it when the desktop's sound begins anew", () => {
    expect(withoutSound(OFFER)).toBe(OFFER.replace("a=mid:audio1\r\na=sendonly", "a=mid:audio1\r\na=inactive"));
  });
});
