// Decision: whether the page has stood still: its thread was blocked, its process stopped, or the machine slept. What it
// waits for then piles up somewhere, and whatever it knew of clocks and answers is stale. It is told by a pulse of the
// page's own that comes late.

/** A moment of the pulse. */
export interface Pulse {
  /** On a clock that may stand still with the machine. */
  readonly nowMs: number;
  /** On one that does not, but may be set. */
  readonly wallMs: number;
  /** Browsers let the timers of hidden pages come as late as they please. */
  readonly hidden: boolean;
}

/** Time between two beats. */
export const PULSE_MS = 250;
/** A beat that comes later than this is a gap. */
export const GAP_MS = 1000;

/** For how long the page has stood still when this beat came; 0 if it has not. */
export function gapMs(before: Pulse, now: Pulse): number {
  const passedMs = now.nowMs - before.nowMs;
  const asleepMs = now.wallMs - before.wallMs - passedMs;
  const lateMs = now.hidden ? 0 : passedMs - PULSE_MS;
  const gap = Math.max(lateMs, asleepMs, lateMs + asleepMs);
  return gap >= GAP_MS ? gap : 0;
}
