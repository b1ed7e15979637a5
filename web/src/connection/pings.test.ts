import { beforeEach, expect, it } from "vitest";
import { PING_MS, Pings, QUICK_PING_MS, QUICK_PINGS } from "./pings";
import { ManualClock } from "../testing";

let clock: ManualClock;
let sent: number[];
let pings: Pings;

beforeEach(() => {
  clock = new ManualClock();
  sent = [];
  pings = new Pings(clock, (id) => sent.push(id));
});

/** The server's clock is 7 s ahead of the page's. */
function answer(id: number): void {
  const nowUs = (clock.nowMs() + 7000) * 1000;
  pings.pong({ type: "pong", id, receivedUs: nowUs, sentUs: nowUs });
}

it("some pings go out quickly, then one a second", async () => {
  await clock.pass(QUICK_PINGS * QUICK_PING_MS);
  expect(sent).toHaveLength(QUICK_PINGS);
  await clock.pass(10 * PING_MS);
  expect(sent).toHaveLength(QUICK_PINGS + 10);
});

it("the answer to a ping is the round trip, and answers to none are ignored", async () => {
  await clock.pass(12);
  pings.pong({ type: "pong", id: 99 });
  expect([pings.answeredAtMs, pings.roundTripMs]).toEqual([null, 0]);
  pings.pong({ type: "pong", id: 1 });
  expect([pings.answeredAtMs, pings.roundTripMs]).toEqual([1012, 12]);
  await clock.pass(100);
  pings.pong({ type: "pong", id: 1 });
  expect(pings.roundTripMs).toBe(12);
});

it("a server that owes an answer owes it since the first ping after its last answer", async () => {
  await clock.pass(1000);
  expect(pings.unansweredSinceMs, "it never answered any").toBeNull();
  answer(QUICK_PINGS);
  expect(pings.unansweredSinceMs, "those before were lost").toBeNull();
  await clock.pass(3000);
  expect(pings.unansweredSinceMs).toBe(3000); // The one of that second.
  answer(8);
  expect(pings.unansweredSinceMs, "the one that was answered was sent at 4000").toBeNull();
});

it("answers that tell the server's time align the clocks, others do not", async () => {
  await clock.pass(4);
  pings.pong({ type: "pong", id: 1 });
  expect(pings.aligned).toBeNull();
  await clock.pass(QUICK_PING_MS);
  answer(2);
  // The answer came at the instant at which it went, and a millisecond of the clock's grain is unknown.
  expect(pings.aligned?.offsetUs).toBeCloseTo(7_000_000 + (4000 - 1000) / 2, -1);
  expect(pings.aligned?.uncertaintyUs).toBeCloseTo((4000 + 1000) / 2, -1);
  await clock.pass(10_000);
  expect(pings.aligned?.uncertaintyUs).toBeCloseTo(2500 + 500, -1);
});

it("anew: the old alignment and the answers that are owed are forgotten, and pings go out quickly again", async () => {
  await clock.pass(1000);
  answer(sent.at(-1) ?? 0);
  await clock.pass(4000);
  expect([pings.aligned === null, pings.unansweredSinceMs === null]).toEqual([false, false]);
  const before = sent.length;
  pings.anew();
  expect([pings.aligned, pings.unansweredSinceMs]).toEqual([null, 5000 + 1000]);
  answer(before); // Asked before the gap, answered after it.
  expect(pings.aligned).toBeNull();
  await clock.pass(QUICK_PINGS * QUICK_PING_MS);
  expect(sent.length - before).toBe(QUICK_PINGS);
  answer(sent.at(-1) ?? 0);
  expect(pings.aligned).not.toBeNull();
});

it("ends with its timers", async () => {
  pings.stop();
  const before = sent.length;
  await clock.pass(5000);
  expect([sent.length, clock.armed]).toEqual([before, 0]);
});
