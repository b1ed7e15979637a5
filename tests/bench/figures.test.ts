// Behaviour: figures are told as they are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { figure, mean, median, percentile, table } from "./figures.js";

test("the median is the middle, or the mean of the two in the middle", () => {
  assert.equal(median([30, 10, 20]), 20);
  assert.equal(median([40, 10, 20, 30]), 25);
  assert.throws(() => median([]), /nothing/);
});

test("a missed goal stands out in the table", () => {
  const lines = table([
    figure("a", 1, "ms", 2),
    figure("longer", 3, "ms", 2),
    figure("told", 4, "ms", null),
    figure("frames", 59.94, "fps", 59, "at least"),
  ]).split("\n");
  assert.equal(lines[1], "a       1 ms      at most 2    met");
  assert.equal(lines[2], "longer  3 ms      at most 2    MISSED");
  assert.equal(lines[3], "told    4 ms");
  assert.equal(lines[4], "frames  59.9 fps  at least 59  met");
});

test("a percentile is the value at the nearest rank, whatever the order", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.95), 95);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile([7], 0.95), 7);
  assert.equal(percentile([10, 20, 30], 0.5), 20);
  assert.throws(() => percentile([], 0.5), /nothing/);
  assert.equal(mean([1, 2, 6]), 3);
});

test("what was not measured meets no goal", () => {
  assert.equal(figure("ratio", NaN, "ratio", 0.5).met, false);
  assert.equal(figure("ratio", NaN, "ratio", 0.5, "at least").met, false);
  assert.equal(figure("ratio", 0.5004, "ratio", 0.5).met, true);
  assert.equal(figure("ratio", 0.97, "ratio", 0.98, "at least").met, false);
});
