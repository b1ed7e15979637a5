// Behaviour: clicks are told apart, and one that was not heard is in no figure.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clicks, latencies } from "./clicks.js";

test("a line is a click, and the one that is being written is none yet", () => {
  assert.deepEqual(clicks("1000.5 20\n1300.25 21.5\n16"), [
    { atMs: 1000.5, lateMs: 20 },
    { atMs: 1300.25, lateMs: 21.5 },
  ]);
});

test("each click has the first that is heard after it, within the pause to the next", () => {
  assert.deepEqual(latencies([1000, 1700, 2400], [1050, 2462]), [50, 62]);
  assert.deepEqual(latencies([1000], [990, 1600]), []);
});
