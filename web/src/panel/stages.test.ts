import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { toPage, type Latency, type PageStats } from "../wire/protocol";
import { list, parse } from "../wire/schema";
import { chart } from "./stages";

const golden = parse(list(toPage), readFileSync(new URL("../../../protocol/golden/control.toPage.json", import.meta.url), "utf8"));
const [measured, estimated] = golden.filter((message) => message.type === "latency") as Latency[] as [Latency, Latency];

const stats: PageStats = {
  framesDecoded: 600,
  framesDropped: 0,
  framesPresented: 0,
  framesPerSecond: 60,
  bitrateBps: 0,
  jitterMs: 0,
  jitterBufferDelayMs: 6.25,
  decodeMs: 2.5,
  packetsReceived: 0,
  packetsLost: 0,
  roundTripMs: 3.25,
  freezeCount: 0,
};

it("each bar begins where the one before ends, and all stay on the axis", () => {
  const drawn = chart(measured, stats);
  expect(drawn?.bars.map(({ stage, fromUs, p50Us, p95Us }) => [stage, fromUs, p50Us, p95Us])).toEqual([
    ["capture", 0, 2000, 4000],
    ["convert", 2000, 1500, 3000],
    ["encode", 3500, 6000, 12_000],
    ["packetise", 9500, 150, 300],
    ["send", 9650, 100, 200],
    ["network", 9750, 1250, 2500],
    ["decode", 11_000, 4000, 8000],
    ["present", 15_000, 6000, 12_000],
  ]);
  expect(drawn).toMatchObject({ source: "measured", p50Us: 21_000, p95Us: 33_500, uncertaintyUs: 900, axisUs: 30_000 }); // 15 + 12 ms
});

it("the slowest is that with the largest median, the first of equals", () => {
  expect(chart(measured, null)?.slowest?.stage).toBe("encode");
  expect(chart({ ...measured, stages: [{ stage: "encode", p50Us: 0, p95Us: 900 }] }, null)?.slowest).toBeNull();
});

it("what the server estimated is marked, and has no uncertainty to tell", () => {
  expect(chart(estimated, stats)).toMatchObject({ source: "estimated", p50Us: 24_000, uncertaintyUs: null });
});

it("where the server says nothing the browser's own part is drawn", () => {
  const drawn = chart(null, stats);
  expect(drawn).toMatchObject({ source: "browser", p50Us: 12_000, p95Us: null, axisUs: 20_000 });
  expect(drawn?.bars.map(({ stage, fromUs }) => [stage, fromUs])).toEqual([
    ["network", 0],
    ["buffer", 3250],
    ["decode", 9500],
  ]);
  expect(chart(null, null)).toBeNull();
});

it("the axis ends at a round figure above everything, however slow", () => {
  const at = (us: number) => chart({ ...measured, stages: [{ stage: "encode", p50Us: us, p95Us: us }] }, null)?.axisUs;
  expect([1, 19_999, 20_001, 41_000, 61_000, 81_000, 100_000, 100_001, 2_500_000].map(at)).toEqual([
    20_000, 20_000, 30_000, 60_000, 80_000, 100_000, 100_000, 200_000, 3_000_000,
  ]);
});

it("a p95 below the median, which cannot be, is drawn as the median", () => {
  expect(chart({ ...measured, stages: [{ stage: "encode", p50Us: 9000, p95Us: 10 }] }, null)?.bars[0]?.p95Us).toBe(9000);
});
