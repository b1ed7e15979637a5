// Behaviour: a key's reaction is the first picture that was drawn after the key had come.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import type { Mark } from "../latency/marker.js";
import type { Seen } from "../latency/reader.js";
import { reactions } from "./reactions.js";

const GOLDEN = JSON.parse(readFileSync(resolve(import.meta.dirname, "../marker/golden.json"), "utf8")) as (Mark & { cells: string })[];
/** Pictures 0 and 1, drawn at 0 and at 0.001 ms of the markers' clock. */
const [ZERO = [], ONE = []] = GOLDEN.map(({ cells }) => Array.from(cells, (cell) => Number(cell) * 200 + 20));

const seen = (presentationTime: number, cells: number[]): Seen => ({
  presentationTime,
  cells,
  presentedFrames: 0,
  receiveTime: null,
  processingDuration: null,
  rtpTimestamp: null,
});

test("a picture from before the key is none of its doing", () => {
  // The page's clock is 1000 ms behind the markers': picture 1 was drawn at -999.999 ms of it.
  const frames = [seen(-990, ZERO), seen(-980, ZERO), seen(-970, ONE), seen(-953, ONE)];
  const [reaction, ...others] = reactions([{ pressedMs: -1005, picture: 1 }], frames, 1000);
  assert.equal(others.length, 0);
  assert.ok(reaction);
  const { inputToPhoton, glassToGlass, inputToDrawing } = reaction;
  assert.deepEqual([inputToPhoton, Math.round(glassToGlass * 1000), Math.round(inputToDrawing * 1000)], [35, 29_999, 5_001]);
});

test("a key whose picture is never seen has no reaction, and a frame without a marker is passed over", () => {
  const frames = [seen(10, ZERO), seen(20, Array<number>(80).fill(16))];
  assert.deepEqual(reactions([{ pressedMs: 5, picture: 1 }], frames, 0), []);
  assert.equal(reactions([{ pressedMs: 5, picture: 0 }], [seen(15, Array<number>(80).fill(16)), ...frames.map((frame) => ({ ...frame, presentationTime: frame.presentationTime + 10 }))], 0)[0]?.inputToPhoton, 15);
});

test("a picture that comes much later is not what the key has brought about", () => {
  assert.deepEqual(reactions([{ pressedMs: 5, picture: 0 }], [seen(6000, ZERO)], 0), []);
});
