import { expect, it } from "vitest";
import { difference, Stats, totals, type StatsEvent, type Totals } from "./stats";
import { ManualClock } from "./testing";

const start: Totals = {
  atMs: 10_000,
  framesDecoded: 100,
  framesDropped: 1,
  bytesReceived: 1_000_000,
  packetsReceived: 900,
  packetsLost: 2,
  freezeCount: 0,
  jitterSeconds: 0.001,
  jitterBufferDelaySeconds: 1,
  jitterBufferEmittedCount: 100,
  totalDecodeTimeSeconds: 0.25,
};

it("rates and means are those of the time between two reports, counts those since the start", () => {
  const after: Totals = {
    atMs: 12_000,
    framesDecoded: 220,
    framesDropped: 3,
    bytesReceived: 3_000_000,
    packetsReceived: 1900,
    packetsLost: 5,
    freezeCount: 1,
    jitterSeconds: 0.0015,
    jitterBufferDelaySeconds: 1.75,
    jitterBufferEmittedCount: 220,
    totalDecodeTimeSeconds: 0.55,
  };
  expect(difference(start, after, 1.25)).toEqual({
    framesDecoded: 220,
    framesDropped: 3,
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
  const still = difference(start, { ...start, atMs: 11_000 }, 0);
  expect([still.framesPerSecond, still.bitrateBps, still.jitterBufferDelayMs, still.decodeMs]).toEqual([0, 0, 0, 0]);
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

it("each second pings and reports; the answer to the ping is the round trip", async () => {
  const clock = new ManualClock();
  const events: StatsEvent[] = [];
  let atMs = 0;
  const report = () => {
    atMs += 1000;
    return Promise.resolve(new Map([["V", { type: "inbound-rtp", kind: "video", timestamp: atMs, framesDecoded: atMs / 10 }]]));
  };
  const stats = new Stats(clock, report, (event) => events.push(event));
  await clock.pass(1000);
  expect(events).toEqual([{ type: "ping", id: 1 }]); // one report alone has no difference
  await clock.pass(12);
  stats.pong(99); // never asked
  expect(stats.answeredAtMs).toBeNull();
  stats.pong(1);
  await clock.pass(988);
  expect(events.map((event) => event.type)).toEqual(["ping", "ping", "report"]);
  expect(events[2]).toMatchObject({ stats: { roundTripMs: 12, framesPerSecond: 100 }, unansweredSinceMs: 3000 });
  await clock.pass(3000);
  expect(events.at(-1)).toMatchObject({ type: "report", unansweredSinceMs: 3000 }); // still the same one
  stats.pong(5);
  await clock.pass(1000);
  expect(events.at(-1)).toMatchObject({ type: "report", unansweredSinceMs: 7000 }); // those lost before the answer do not count
  stats.stop();
  const before = events.length;
  await clock.pass(5000);
  expect(events).toHaveLength(before);
  expect(clock.armed).toBe(0);
});
