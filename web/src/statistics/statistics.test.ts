// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { Latency, PageStats, Quality } from "../wire/protocol";
import { graphOf, range, topOf } from "./graph";
import { History, SAMPLES } from "./history";
import { Statistics } from "./statistics";

const stats = (packetsLost: number, framesPerSecond = 60): PageStats => ({
  framesDecoded: 0,
  framesDropped: 0,
  framesPresented: 0,
  framesPerSecond,
  bitrateBps: 2_000_000,
  jitterMs: 0,
  jitterBufferDelayMs: 0,
  decodeMs: 0,
  packetsReceived: 0,
  packetsLost,
  roundTripMs: 0,
  freezeCount: 0,
});
const latency = { glassToGlass: { p50Us: 21_000, p95Us: 40_000 } } as Latency;
const quality = { bitrateBps: 8_000_000 } as Quality;

describe("the history", () => {
  it("has each second once, with what was lost in it", () => {
    const history = new History();
    const first = stats(4);
    history.add(null, null, null);
    history.add(first, latency, quality);
    history.add(first, latency, quality);
    history.add(stats(7), null, null);
    expect(history.samples.map(({ latencyMs, targetBps, packetsLost }) => [latencyMs, targetBps, packetsLost])).toEqual([
      [21, 8_000_000, 0],
      [null, null, 3],
    ]);
  });

  it("counts anew with a new session, and forgets what is long ago", () => {
    const history = new History();
    history.add(stats(900), latency, quality);
    history.add(stats(2), latency, quality);
    expect(history.samples.at(-1)?.packetsLost).toBe(0);
    for (let second = 0; second < 2 * SAMPLES; second++) history.add(stats(2), latency, quality);
    expect(history.samples).toHaveLength(SAMPLES);
  });
});

describe("a graph", () => {
  it("has its newest value at the right, and a gap where nothing was known", () => {
    expect(graphOf([0, 50, null, 100], 100).path).toBe("M176,40.0L177,20.0M179,0.0");
    expect(graphOf([0, 50], 100).area).toBe("M178,40L178,40.0L179,20.0L179,40Z");
    expect(graphOf([], 100)).toEqual({ path: "", area: "" });
  });

  it("ends at a round figure above everything", () => {
    expect([topOf([], 50), topOf([51, null], 50), topOf([99], 50), topOf([101], 50), topOf([7_900_000], 1e6)]).toEqual([50, 60, 100, 200, 8_000_000]);
  });

  it("knows its range, if there is any", () => {
    expect(range([null, 3, 9, 5, null])).toEqual({ now: 5, least: 3, most: 9 });
    expect(range([null])).toBeNull();
  });
});

it("each graph says in words what it shows", () => {
  const root = document.createElement("div");
  const statistics = new Statistics(root);
  statistics.show([]);
  expect(root.querySelector("b")?.textContent).toBe("–");
  const history = new History();
  history.add(stats(0, 60), latency, quality);
  history.add(stats(2, 30), latency, quality);
  statistics.show(history.samples);
  expect([...root.querySelectorAll("figcaption")].map(({ textContent }) => textContent)).toEqual(["Latency21\u00a0ms", "Frame rate30 fps", "Bit rate2.0 Mbit/s", "Lost packets and frames2"]);
  expect(root.querySelector("[data-series=framesOverTime] svg")?.getAttribute("aria-label")).toBe("Frame rate: 30 fps to 60 fps in the last three minutes");
  expect(root.querySelector("[data-series=bitrateOverTime] .besides")?.getAttribute("d")).not.toBe("");
});
