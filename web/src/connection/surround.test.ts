import { expect, test, vi } from "vitest";
import { answerTo, disguised, giveUpSurround, ownSurround, takesSurround, undisguised } from "./surround";

const section = (codec: string, mapping: string) =>
  `v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 112\r\na=mid:audio1\r\na=rtpmap:112 ${codec}\r\na=fmtp:112 num_streams=4;coupled_streams=2;channel_mapping=${mapping};minptime=10\r\na=sendonly\r\n`;
const OFFER = section("MULTIOPUS/48000/6", "0,4,1,2,3,5");
const ANSWER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 112\r\na=mid:audio1\r\na=recvonly\r\na=rtpmap:112 opus/48000/2\r\na=fmtp:112 minptime=10\r\n";
const answered = (mapping: string) => ANSWER.replace("opus/48000/2", "multiopus/48000/6").replace("minptime=10", `num_streams=4;coupled_streams=2;channel_mapping=${mapping};minptime=10`);

test("the browser is shown stereo and made to decode six channels, each for its speaker", () => {
  expect(disguised(OFFER)).toBe(OFFER.replace("MULTIOPUS/48000/6", "opus/48000/2"));
  // Left, right, centre, LFE, rear left, rear right.
  expect(undisguised(OFFER, ANSWER)).toBe(answered("0,1,4,5,2,3"));
  expect(answerTo(OFFER, undisguised(OFFER, ANSWER))).toBe(answered("0,4,1,2,3,5"));
});

test("with eight, those at the sides come before those behind", () => {
  const offer = section("multiopus/48000/8", "0,6,1,4,5,2,3,7").replace("=4;", "=5;").replace("=2;", "=3;");
  expect(undisguised(offer, ANSWER)).toContain("multiopus/48000/8\r\na=fmtp:112 num_streams=5;coupled_streams=3;channel_mapping=0,1,6,7,4,5,2,3;");
});

test("of an offer in stereo both channels are asked for, once, and of one in mono none", () => {
  const offer = ANSWER.replace("recvonly", "sendonly").replace("minptime=10", "minptime=10;stereo=1;sprop-stereo=1");
  const both = ANSWER.replace("minptime=10", "stereo=1;minptime=10");
  expect([disguised(offer), undisguised(offer, ANSWER), answerTo(offer, both)]).toEqual([offer, both, both]);
  const mono = offer.replaceAll("stereo=1", "stereo=0");
  expect([disguised(mono), undisguised(mono, ANSWER), answerTo(mono, ANSWER)]).toEqual([mono, ANSWER, ANSWER]);
});

test("a browser that does not do what it is said to is asked for stereo from then on", () => {
  vi.stubGlobal("navigator", { userAgent: "Chrome/999" });
  expect([giveUpSurround(ANSWER), ownSurround()]).toEqual([false, true]);
  expect([giveUpSurround(OFFER), ownSurround()]).toEqual([true, false]);
  vi.unstubAllGlobals();
});

test("Chromium takes it, and Firefox, Safari and what is Safari inside do not", () => {
  const ends = ["Chrome/156.0.0.0 Safari/537.36", "HeadlessChrome/156.0 Safari/537.36", "Gecko/20100101 Firefox/140.0", "Version/18.0 Safari/605.1.15", "CriOS/156.0 Mobile/15E148 Safari/604.1"];
  expect(ends.map((end) => takesSurround(`Mozilla/5.0 (X) ${end}`))).toEqual([true, true, false, false, false]);
});
