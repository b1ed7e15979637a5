import { expect, it } from "vitest";
import { decoderWaitMs, difference, Stats, totals, type StatsReport, type Totals } from "./stats";
import { ManualClock } from "../testing";

const start: Totals = {
  atMs: 10_000,
  framesDecoded: 100,
  framesDropped: 1,
  bytesReceived: 1_000_000,
  retransmittedBytesReceived: 0,
  packetsReceived: 900,
  packetsLost: 2,
  freezeCount: 0,
  jitterSeconds: 0.001,
  jitterBufferDelaySeconds: 1,
  jitterBufferEmittedCount: 100,
  totalDecodeTimeSeconds: 0.25,
  totalAssemblyTimeSeconds: 0.5,
};

const after: Totals = {
  atMs: 12_000,
  framesDecoded: 220,
  framesDropped: 3,
  bytesReceived: 3_000_000,
  retransmittedBytesReceived: 0,
  packetsReceived: 1900,
  packetsLost: 5,
  freezeCount: 1,
  jitterSeconds: 0.0015,
  jitterBufferDelaySeconds: 1.75,
  jitterBufferEmittedCount: 220,
  totalDecodeTimeSeconds: 0.55,
  totalAssemblyTimeSeconds: 0.95,
};

it("rates and means are those of the time between two reports, counts those since the start", () => {
  expect(difference(start, after, { roundTripMs: 1.25, framesPresented: 118 })).toEqual({
    framesDecoded: 220,
    framesDropped: 3,
    framesPresented: 118,
    framesPerSecond: 60, // 120 frames in 2 s
    bitrateBps: 8_000_000, // 2,000,000 bytes in 2 s
    jitterMs: 1.5,
    jitterBufferDelayMs: 6.25, // 0.75 s over 120 frames
    decodeMs: 2.5, // 0.3 s over 120 frames
    packetsReceived: 1900,
    packetsLost: 5,
    roundTripMs: 1.25,
    freezeCount: 1,
  });
});

it("a second without a frame has no means, and divides by nothing", () => {
  const still = difference(start, { ...start, atMs: 11_000 }, { roundTripMs: 0, framesPresented: 0 });
  expect([still.framesPerSecond, still.bitrateBps, still.jitterBufferDelayMs, still.decodeMs]).toEqual([0, 0, 0, 0]);
  expect(decoderWaitMs(start, { ...start, atMs: 11_000 })).toBe(0);
});

it("the wait for the decoder is the time in the jitter buffer less that in which packets were still missing", () => {
  expect(decoderWaitMs(start, after)).toBe(2.5); // 0.75 s in the buffer and 0.45 s of assembly, over 120 frames
  // Browsers that count the two differently never make it negative.
  expect(decoderWaitMs(start, { ...after, totalAssemblyTimeSeconds: 9 })).toBe(0);
});

it("the video's figures are picked out of a report, whatever the browser leaves out", () => {
  const report = new Map<string, unknown>([
    ["T1", { type: "transport", timestamp: 1 }],
    ["A1", { type: "inbound-rtp", kind: "audio", timestamp: 1, bytesReceived: 9 }],
    ["V1", { type: "inbound-rtp", kind: "video", timestamp: 5, bytesReceived: 7, framesDecoded: 3 }],
  ]);
  expect(totals(report)).toMatchObject({ atMs: 5, bytesReceived: 7, framesDecoded: 3, freezeCount: 0, packetsLost: 0 });
  report.delete("V1");
  expect(totals(report)).toBeNull();
});

it("each second is reported, with what the page knows besides", async () => {
  const clock = new ManualClock();
  const reports: StatsReport[] = [];
  let atMs = 0;
  const report = () => {
    atMs += 1000;
    return Promise.resolve(new Map([["V", { type: "inbound-rtp", kind: "video", timestamp: atMs, framesDecoded: atMs / 10 }]]));
  };
  const besides = () => ({ roundTripMs: 12, framesPresented: 70 });
  const stats = new Stats(clock, report, besides, (event) => reports.push(event));
  await clock.pass(1000);
  expect(reports).toEqual([]); // one look alone has no difference
  await clock.pass(1000);
  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatchObject({ stats: { roundTripMs: 12, framesPresented: 70, framesPerSecond: 100 }, totals: { framesDecoded: 200 } });
  stats.stop();
  await clock.pass(5000);
  expect(reports).toHaveLength(1);
  expect(clock.armed).toBe(0);
});
