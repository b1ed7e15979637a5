import { expect, it } from "vitest";
import { GAP_MS, gapMs, PULSE_MS, type Pulse } from "./gap";

const before: Pulse = { nowMs: 60_000, wallMs: 1_700_000_000_000, hidden: false };

/** The beat after `passedMs`, of which the page's clock stood still for `asleepMs`. */
function beat(passedMs: number, more: Partial<Pulse> = {}, asleepMs = 0): Pulse {
  return { nowMs: before.nowMs + passedMs - asleepMs, wallMs: before.wallMs + passedMs, hidden: false, ...more };
}

it("a beat in time is no gap, nor is one that is as late as a busy page may be", () => {
  expect([PULSE_MS, 300, 900, PULSE_MS + GAP_MS - 1].map((ms) => gapMs(before, beat(ms)))).toEqual([0, 0, 0, 0]);
});

it("a late beat is a gap: a blocked thread, a stopped process", () => {
  expect([PULSE_MS + GAP_MS, 3250, 5250].map((ms) => gapMs(before, beat(ms)))).toEqual([1000, 3000, 5000]);
});

it("a sleep during which the page's clock stood still is one by the clock on the wall", () => {
  expect(gapMs(before, beat(3_600_000, {}, 3_600_000 - PULSE_MS))).toBe(3_600_000 - PULSE_MS);
  // Half of the time passed on both clocks.
  expect(gapMs(before, beat(PULSE_MS + 1200, {}, 600))).toBe(1200);
});

it("the timers of a hidden page may come late, its sleep is still seen", () => {
  expect(gapMs(before, beat(60_000, { hidden: true }))).toBe(0);
  expect(gapMs(before, beat(60_000, { hidden: true }, 50_000))).toBe(50_000);
});

it("a page that was hidden and is not any more is asked for all the time of which it knows nothing", () => {
  expect(gapMs({ ...before, hidden: true }, beat(60_000))).toBe(60_000 - PULSE_MS);
  expect(gapMs({ ...before, hidden: true }, beat(1000))).toBe(0);
});

it("a wall's clock that is put back is no gap", () => {
  expect(gapMs(before, { ...beat(PULSE_MS), wallMs: before.wallMs - 3_600_000 })).toBe(0);
});
