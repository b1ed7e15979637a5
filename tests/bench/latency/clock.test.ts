// Behaviour: the offset between two readings of one clock, and how sure it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { offsetFrom, type Exchange } from "./clock.js";

/** A page whose clock began at `offsetMs`; the question takes `thereMs`, the answer `backMs`. */
const exchange = (offsetMs: number, askedMs: number, thereMs: number, backMs: number): Exchange => ({
  askedMs,
  pageMs: Math.floor((askedMs + thereMs - offsetMs) * 10) / 10,
  heardMs: askedMs + thereMs + backMs,
});

test("the truth is within the uncertainty, however lopsided the delays are", () => {
  for (const [there, back] of [[0.3, 0.3], [5, 0.2], [0.2, 40], [3, 3]] as const) {
    const { offsetMs, uncertaintyMs } = offsetFrom([exchange(1000.037, 5000, there, back), exchange(1000.037, 5100.42, there * 2, back)]);
    assert.ok(Math.abs(offsetMs - 1000.037) <= uncertaintyMs, `${offsetMs} ± ${uncertaintyMs}`);
    assert.ok(uncertaintyMs <= (there + back) / 2 + 0.2);
  }
});

test("one quick question is worth more than many slow ones", () => {
  const slow = Array.from({ length: 20 }, (_, index) => exchange(50, index * 100, 30, 25));
  assert.ok(offsetFrom(slow).uncertaintyMs > 20);
  assert.ok(offsetFrom([...slow, exchange(50, 3000, 0.1, 0.1)]).uncertaintyMs < 0.3);
  // A quick way there in one and a quick way back in another bound it as well.
  assert.ok(offsetFrom([exchange(50, 0, 0.1, 80), exchange(50, 100, 60, 0.1)]).uncertaintyMs < 0.3);
});

test("a clock that runs at another pace is refused", () => {
  assert.throws(() => offsetFrom([exchange(1000, 0, 0.1, 0.1), exchange(1003, 10_000, 0.1, 0.1)]), /does not keep/);
});
