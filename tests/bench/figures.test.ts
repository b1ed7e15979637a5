// Behaviour: figures are told as they are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { median, table } from "./figures.js";

test("the median is the middle, or the mean of the two in the middle", () => {
  assert.equal(median([30, 10, 20]), 20);
  assert.equal(median([40, 10, 20, 30]), 25);
  assert.throws(() => median([]), /nothing/);
});

test("a missed goal stands out in the table", () => {
  const lines = table([
    { name: "a", value: 1, unit: "ms", goal: 2, met: true },
    { name: "longer", value: 3, unit: "ms", goal: 2, met: false },
    { name: "told", value: 4, unit: "ms", goal: null, met: null },
  ]).split("\n");
  assert.equal(lines[1], "a       1 ms   at most 2  met");
  assert.equal(lines[2], "longer  3 ms   at most 2  MISSED");
  assert.equal(lines[3], "told    4 ms");
});
