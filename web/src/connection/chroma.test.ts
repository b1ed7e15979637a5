import { expect, test } from "vitest";
import { decoded, fullChroma, ownFullChroma, ownVideo } from "./chroma";

const h264 = (level: string) => ({ mimeType: "video/H264", sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=${level}` });

test("Chromium decodes 4:4:4 in H.264 and VP9", () => {
  const vp9 = ["profile-id=0", "profile-id=2", "profile-id=1"].map((line) => ({ mimeType: "video/VP9", sdpFmtpLine: line }));
  expect(fullChroma([{ mimeType: "video/VP8" }, ...vp9, h264("42e01f"), h264("f4001f")])).toEqual(["H264", "VP9"]);
});

test("Firefox and Safari do not, and a browser that says nothing is not asked for more", () => {
  expect(fullChroma([{ mimeType: "video/VP9", sdpFmtpLine: "max-fs=12288;max-fr=60" }, h264("42e01f"), h264("640c1f")])).toEqual([]);
  expect(fullChroma([{ mimeType: "video/VP9", sdpFmtpLine: "profile-id=12" }])).toEqual([]);
  expect(ownFullChroma()).toEqual([]);
});

test("a browser names the codecs that it decodes once each, and what only mends or repeats is none", () => {
  const all = ["video/VP8", "video/rtx", "video/VP9", "video/VP9", "video/av1", "video/red", "video/ulpfec", "video/flexfec-03"];
  expect(decoded(all.map((mimeType) => ({ mimeType })))).toEqual(["VP8", "VP9", "AV1"]);
  expect(decoded([h264("42e01f"), h264("640c1f")])).toEqual(["H264"]);
  expect(ownVideo()).toEqual([]);
});
