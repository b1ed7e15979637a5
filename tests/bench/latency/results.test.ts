// Behaviour: what visits come to, what of it is judged, and what is drawn of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { goals } from "./goals.js";
import { niceEnd, pieces, plots } from "./plots.js";
import { outcome, own, type Case, type Outcome } from "./results.js";
import { SENDERS, type SenderName } from "./senders.js";
import type { Told } from "./told.js";
import type { Visit } from "./visit.js";
import { words } from "./words.js";

const told = (frames: number, p50Us: number, p95Us: number, estimated = false): Told => ({
  type: "latency",
  estimated,
  frames,
  uncertaintyUs: 500,
  glassToGlass: { p50Us, p95Us },
  stages: [
    { stage: "capture", p50Us: 1000, p95Us: 2000 },
    { stage: "encode", p50Us: 4000, p95Us: 5000 },
  ],
});

/** A visit of 2 s in which 100 pictures were shown, `latencyMs` to 1.5 times that late, for so much of a core. */
function visit(sender: SenderName, round: number, latencyMs: number, cores: number, more: Partial<Visit> = {}): Visit {
  const pictures = Array.from({ length: 100 }, (_, index) => ({
    atMs: 1000 + index * 20,
    latencyMs: latencyMs * (1 + index / 200),
    toBrowserMs: latencyMs / 2,
    decodeMs: 2,
    presentMs: latencyMs / 2 - 2,
  }));
  return {
    sender,
    round,
    seconds: 2,
    shown: { pictures, drawn: 110, frames: 120, unreadable: 0, replaced: 0 },
    bytes: 250_000,
    cpu: { sender: cores * 2, xServer: 0.2, browser: 1 },
    threads: { encode: cores, capture: cores / 2, idle: 0.0001 },
    sharpness: { psnrDb: 40, ssim: 0.99 },
    uncertaintyMs: 0.4,
    memoryBytes: sender === "ours" ? [80e6, 81e6] : null,
    told: [],
    ...more,
  };
}

/** (c) has half the latency of (b) for half the processor time. */
const both = (of: Case, more: Partial<Visit> = {}): Outcome =>
  outcome(of, [1, 2].flatMap((round) => [visit("plain", round, 60, 0.6), visit("playout-delay", round, 30, 0.6), visit("ours", round, 15, 0.3, more)]));
const TEXT: Case = { size: "1920x1080", content: "text", loaded: false };

test("rounds are put together", () => {
  const { ours } = both(TEXT).senders;
  assert.equal(ours.latencyMs?.count, 200);
  assert.ok(Math.abs(ours.latencyMs.p50 - 15 * 1.245) < 1e-9);
  assert.ok(Math.abs(ours.cpu.sender - 30) < 1e-9 && Math.abs(ours.cpu.xServer - 10) < 1e-9);
  assert.deepEqual([ours.picturesPerSecond, ours.picturesDrawnPerSecond, ours.bitrateKbps, ours.memoryMb], [50, 55, 1000, 81]);
  assert.deepEqual(
    ours.threads.map(([name, cpu]) => [name, Math.round(cpu * 10) / 10]),
    [
      ["encode", 15],
      ["capture", 7.5],
    ],
  );
  const still = both({ ...TEXT, content: "static" }).senders.ours;
  assert.deepEqual([still.picturesPerSecond, still.framesPerSecond], [0, 0]);
  assert.throws(() => outcome(TEXT, [visit("ours", 1, 15, 0.3)]), /of nothing/);
});

test("each goal is judged where it belongs, as a ratio to (b)", () => {
  const figures = goals([both(TEXT, { told: [told(50, 17_000, 19_525)] })], { mostMb: 130, growthMb: 0.5 });
  assert.deepEqual(
    figures.map(({ name, value, met }) => [name, value, met]),
    [
      ["latency p50 against (b), 1920x1080@60 text", 0.5, true],
      ["latency p95 against (b), 1920x1080@60 text", 0.5, true],
      ["CPU of sender and X server against (b), 1920x1080@60 text", 0.571, true],
      ["pictures shown against (b), 1920x1080@60 text", 1, true],
      ["own figure against the marker, p50, 1920x1080@60 text", 0.2, true],
      ["own figure against the marker, p95, 1920x1080@60 text", 1, true],
      ["memory of the launcher, 1920x1080@60 session", 130, false],
      ["its growth over the session", 0.5, true],
    ],
  );
  const still = goals([both({ ...TEXT, content: "static" })], null);
  assert.deepEqual(
    still.map(({ value, goal, met }) => [value, goal, met]),
    [[0.571, 0.03, false]],
  );
  const small = goals([both({ ...TEXT, size: "1280x720" }), both({ ...TEXT, size: "1280x720", loaded: true })], null);
  assert.deepEqual(
    small.filter(({ unit }) => unit === "ratio").map(({ name, goal }) => [name, goal]),
    [
      ["latency p50 against (b), 1280x720@60 text", 0.7],
      ["latency p95 against (b), 1280x720@60 text, busy machine", 0.6],
    ],
  );
});

test("a film is worse in nothing", () => {
  const film: Case = { ...TEXT, content: "motion" };
  const missed = (more: Partial<Visit>): string[] =>
    goals([both(film, more)], null)
      .filter(({ met, name }) => !met && !name.startsWith("own figure"))
      .map(({ name }) => name.replace(/ against.*/, ""));
  assert.deepEqual(missed({}), []);
  assert.deepEqual(missed({ bytes: 300_000 }), ["bytes"]);
  assert.deepEqual(missed({ sharpness: { psnrDb: 39, ssim: 0.98 } }), ["sharpness"]);
  assert.deepEqual(missed({ cpu: { sender: 1.3, xServer: 0.2, browser: 1 } }), ["CPU of sender and X server"]);
  assert.deepEqual(missed({ shown: { pictures: [], drawn: 0, frames: 0, unreadable: 9, replaced: 0 } }), ["latency p95", "latency p50", "latency p99", "pictures shown"]);
});

test("the product's own figure is compared second by second, and its estimates are not", () => {
  const truth = [19, 21];
  const found = own([visit("ours", 1, 15, 0.3, { told: [told(50, 17_000, 20_000), told(50, 19_000, 22_000), told(50, 90_000, 90_000, true), told(3, 1, 1)] })]);
  assert.equal(found?.seconds, 2);
  assert.deepEqual([found.p50[0], found.p95[0]], [17, 20]);
  // The middle of two seconds is the first: pictures 0 to 49.
  assert.ok(Math.abs(found.p50[1] - 15 * 1.12) < 1e-9 && found.p50[1] < (truth[0] ?? 0) && found.p95[1] < (truth[1] ?? 0));
  assert.equal(own([visit("ours", 1, 15, 0.3)]), null);
  const judged = (more: Partial<Visit>) => goals([both(TEXT, more)], null).slice(-2).map(({ met }) => met);
  assert.deepEqual(judged({ told: [told(50, 17_000, 40_000)] }), [true, false]);
  // Nothing told agrees with nothing.
  assert.deepEqual(judged({}), [false, false]);
});

test("a bar is made of what is known", () => {
  const [plain, ours] = [both(TEXT).senders.plain, both(TEXT, { told: [told(50, 17_000, 20_000)] }).senders.ours];
  assert.deepEqual(pieces(plain), [
    { name: "drawn until received by the browser", ms: 30 },
    { name: "decode", ms: 2 },
    { name: "wait and present", ms: 28 },
  ]);
  assert.deepEqual(pieces(ours), [
    { name: "X server draws", ms: 2.5 },
    { name: "capture", ms: 1 },
    { name: "encode", ms: 4 },
    { name: "decode", ms: 2 },
    { name: "wait and present", ms: 5.5 },
  ]);
});

test("pictures and table show every sender of every case", () => {
  const outcomes = [both(TEXT), both({ ...TEXT, content: "motion" })];
  const drawn = plots(outcomes);
  assert.deepEqual(
    drawn.map(([name]) => name),
    ["latency", "waterfall", "cpu"],
  );
  for (const [, svg] of drawn) {
    assert.match(svg, /^<svg [^]*<\/svg>$/);
    assert.ok(!svg.includes("NaN") && !svg.includes("undefined"));
    assert.ok(svg.includes("1920x1080@60"));
  }
  const [senders = "", stages = "", threads = ""] = words(outcomes).split("\n\n");
  assert.equal(senders.split("\n").length, 1 + outcomes.length * SENDERS.length);
  assert.equal(stages.split("\n").length, 1 + outcomes.length);
  assert.match(threads, /encode 15\.0, capture 7\.5$/);
  assert.deepEqual([3, 18, 41, 90, 333].map(niceEnd), [5, 20, 50, 100, 350]);
});
