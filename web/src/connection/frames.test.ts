import { expect, it } from "vitest";
import { Frames, type FrameMetadata } from "./frames";
import { fromPage, MAX_FRAME_REPORTS } from "../wire/protocol";

/** The server's clock is 2 s ahead. */
const aligned = { offsetUs: 2_000_000, uncertaintyUs: 850.2 };

/** As Chromium tells it: shown at 100 ms, received 5 ms before, 2 ms of decoding. */
const chromium: FrameMetadata = { presentationTime: 100, rtpTimestamp: 90_000, receiveTime: 95, processingDuration: 0.002, presentedFrames: 7 };

function told(metadata: Partial<FrameMetadata>, waitMs = 0): unknown {
  const frames = new Frames();
  frames.seen({ ...chromium, ...metadata });
  return frames.take(aligned, waitMs);
}

it("a frame is told on the server's clock, with how wrong that may be", () => {
  expect(told({})).toEqual({
    type: "frames",
    uncertaintyUs: 851,
    frames: [{ rtpTimestamp: 90_000, receivedUs: 2_095_000, decodedUs: 2_097_000, presentedUs: 2_100_000 }],
  });
});

it("it is decoded after the wait for the decoder, and never after it is shown", () => {
  expect(told({}, 1.5)).toMatchObject({ frames: [{ decodedUs: 2_098_500 }] });
  expect(told({}, 40)).toMatchObject({ frames: [{ decodedUs: 2_100_000, presentedUs: 2_100_000 }] });
});

it("what a browser does not tell, or cannot be, is left out", () => {
  expect(told({ processingDuration: undefined })).toMatchObject({ frames: [{ rtpTimestamp: 90_000, receivedUs: 2_095_000, presentedUs: 2_100_000 }] });
  for (const receiveTime of [undefined, 101, -70_000, Number.NaN]) {
    expect(told({ receiveTime }), String(receiveTime)).toEqual({ type: "frames", uncertaintyUs: 851, frames: [{ rtpTimestamp: 90_000, presentedUs: 2_100_000 }] });
  }
  // Firefox tells no timestamp: such a frame cannot be told apart, and is only counted.
  const firefox = new Frames();
  firefox.seen({ presentationTime: 100, presentedFrames: 12 });
  expect([firefox.take(aligned, 0), firefox.presented, firefox.tellReceipt]).toEqual([null, 12, false]);
});

it("without a clock in common nothing is told, and nothing is kept for later", () => {
  const frames = new Frames();
  frames.seen(chromium);
  expect(frames.take(null, 0)).toBeNull();
  expect(frames.take(aligned, 0)).toBeNull();
});

it("a picture that is shown twice is one frame", () => {
  const frames = new Frames();
  frames.seen(chromium);
  frames.seen({ ...chromium, presentationTime: 116 });
  expect(frames.take(aligned, 0)?.frames).toHaveLength(1);
  expect(frames.take(aligned, 0)).toBeNull();
});

it("a report is bounded to its newest frames, and the server can read it", () => {
  const frames = new Frames();
  for (let i = 0; i < 1000; i++) frames.seen({ ...chromium, rtpTimestamp: 1500 * i, presentationTime: 100 + i });
  const report = frames.take(aligned, 0);
  expect(report?.frames).toHaveLength(MAX_FRAME_REPORTS);
  expect(report?.frames.at(-1)?.rtpTimestamp).toBe(1500 * 999);
  expect(fromPage(JSON.parse(JSON.stringify(report)), "report")).toEqual(report);
});

it("the least time in the browser is that of the frames that wait to be told", () => {
  const frames = new Frames();
  expect(frames.leastInBrowserMs).toBeNull();
  frames.seen({ ...chromium, rtpTimestamp: 1 });
  frames.seen({ ...chromium, rtpTimestamp: 2, receiveTime: 98 });
  frames.seen({ ...chromium, rtpTimestamp: 3, receiveTime: undefined });
  expect([frames.leastInBrowserMs, frames.tellReceipt]).toEqual([2, true]);
  frames.forget();
  expect([frames.leastInBrowserMs, frames.take(aligned, 0)]).toEqual([null, null]);
});
