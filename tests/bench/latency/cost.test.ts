// Behaviour: processor time is what was spent between two looks, by thread.

import assert from "node:assert/strict";
import { test } from "node:test";
import { between, spent, total } from "./cost.js";

test("threads of one name are put together, and new ones count from nothing", () => {
  const before = new Map([["1/1", { name: "encode", seconds: 10 }], ["1/2", { name: "encode", seconds: 5 }], ["1/9", { name: "gone", seconds: 3 }]]);
  const after = new Map([["1/1", { name: "encode", seconds: 11 }], ["1/2", { name: "encode", seconds: 5.5 }], ["1/3", { name: "send", seconds: 0.25 }]]);
  const found = between(before, after);
  assert.deepEqual(Object.fromEntries(found), { encode: 1.5, send: 0.25 });
  assert.equal(total(found), 1.75);
});

test("this process's own time is counted as it counts it itself", () => {
  const [before, own] = [spent([process.pid]), process.cpuUsage()];
  while (process.cpuUsage(own).user < 100_000) JSON.stringify(process.versions);
  const seconds = total(between(before, spent([process.pid])));
  const { user, system } = process.cpuUsage(own);
  // The kernel's account is exact, the process's own may be a tick behind for each of its threads.
  assert.ok(Math.abs(seconds - (user + system) / 1e6) < 0.05, `${seconds} s against ${(user + system) / 1e6} s`);
});
