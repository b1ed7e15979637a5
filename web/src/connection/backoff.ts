// Decision: how long to wait before the next try. The first is made at once, since most losses are short; then 0.25 s,
// doubling to 5 s, so that a server that restarts is met soon and one that is gone is not hammered.

export const FIRST_DELAY_MS = 250;
export const MAX_DELAY_MS = 5000;
/** Share by which a delay is spread, so that many pages do not come back in the same moment. */
export const SPREAD = 0.2;

/** Delay before retry number `attempt` (from 0); `random` is in [0, 1). */
export function retryDelayMs(attempt: number, random: number): number {
  if (attempt <= 0) return 0;
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
  return Math.round(delay * (1 - SPREAD * random));
}
