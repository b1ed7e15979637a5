// Behaviour: the bar tells how far it is and never more than that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ahead, bar } from "./progress.js";

test("time left is what is planned at the pace so far", () => {
  const way = { plannedSeconds: 100, donePlanSeconds: 40, doneTookSeconds: 80, stepPlanSeconds: 20, stepTookSeconds: 20 };
  // At half the planned pace, a step of 20 s takes 40: half of it is done.
  assert.deepEqual(ahead(way), { share: 0.5, leftSeconds: 100 });
});

test("a step that takes too long never looks finished, and nothing goes beyond the whole", () => {
  const way = { plannedSeconds: 100, donePlanSeconds: 0, doneTookSeconds: 0, stepPlanSeconds: 10, stepTookSeconds: 500 };
  assert.ok(ahead(way).share < 0.1);
  const { share, leftSeconds } = ahead({ ...way, donePlanSeconds: 100, doneTookSeconds: 100 });
  assert.ok(share < 1 && leftSeconds > 0);
});

test("the bar fits into the terminal", () => {
  assert.equal(bar("text", { share: 0.5, leftSeconds: 130 }, 200), `[${"█".repeat(12)}${"░".repeat(12)}] 50 %, 2 min left  text`);
  assert.equal(bar("text", { share: 0.5, leftSeconds: 42.4 }, 40).length, 39);
});
