// Behaviour: pictures are counted once, from when they were shown for the first time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import type { Mark } from "./marker.js";
import type { Seen } from "./reader.js";
import { shown, within } from "./shown.js";

const GOLDEN = JSON.parse(readFileSync(resolve(import.meta.dirname, "../marker/golden.json"), "utf8")) as (Mark & { cells: string })[];
/** Pictures 0 and 1, drawn at 0 and at 0.001 ms. */
const [ZERO = [], ONE = []] = GOLDEN.map(({ cells }) => Array.from(cells, (cell) => Number(cell) * 200 + 20));

const seen = (presentationTime: number, presentedFrames: number, cells: number[]): Seen => ({
  presentationTime,
  presentedFrames,
  cells,
  receiveTime: presentationTime - 8,
  processingDuration: 0.003,
  rtpTimestamp: 0,
});

test("a picture's latency is that of its first presentation", () => {
  const { pictures, drawn, frames, unreadable } = shown([seen(20, 5, ZERO), seen(37, 6, ZERO), seen(40, 8, ONE), seen(57, 9, Array<number>(80).fill(16))], [], 100, 0);
  assert.deepEqual(
    pictures.map(({ atMs, latencyMs }) => [atMs, latencyMs]),
    [
      [120, 120],
      [140, 139.999],
    ],
  );
  assert.deepEqual([drawn, frames, unreadable], [2, 5, 1]);
  const [first] = pictures;
  assert.deepEqual([first?.toBrowserMs, first?.decodeMs, first?.presentMs], [112, 3, 5]);
});

test("what was shown before the window is no news in it", () => {
  const { pictures, drawn } = shown([seen(900, 60, ZERO), seen(917, 61, ONE)], [seen(20, 5, ZERO)], 0, 0);
  assert.equal(pictures.length, 1);
  assert.equal(pictures[0]?.latencyMs, 916.999);
  assert.equal(drawn, 1);
});

test("nothing shown is nothing counted, and a time of another day is an error", () => {
  assert.deepEqual(shown([], [], 0, 0), { pictures: [], drawn: 0, frames: 0, unreadable: 0, replaced: 0 });
  assert.throws(() => shown([seen(3_600_000, 1, ZERO)], [], 0, 0), /was shown at/);
});

test("a window is as long as it is, whenever it was asked for", () => {
  const frames = [10, 20, 30, 40, 50].map((time) => seen(time, time / 10, ZERO));
  const { before, during } = within(frames, 1000, 1020, 1040);
  assert.deepEqual([before.length, during.map(({ presentationTime }) => presentationTime)], [1, [20, 30]]);
});
