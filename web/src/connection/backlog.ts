// Decision: whether frames pile up in the browser: those that are shown have waited there for much longer than frames
// waited before, after a burst or because the computer was busy. Decoding one after the other, browsers catch up slowly or
// never; a key frame lets them skip everything before it.
//
// A wait that key frames do not shorten is how it is meant to be, or how slow this computer is, and becomes the measure.

export interface Backlog {
  /** What frames wait without any backlog, as far as that was seen. */
  readonly usualMs: number;
  /** Since when they wait much longer. */
  readonly sinceMs: number | null;
  /** Key frames asked for because of it, and when the last was. */
  readonly requests: number;
  readonly askedAtMs: number;
}

/** Longer than usual by more than this is a backlog: several frames at any rate, and more than a jitter buffer grows to in a burst of loss. */
export const BACKLOG_MS = 150;
/** For how long it must last, so that one slow frame is none. */
export const LASTING_MS = 200;
/** Time for a key frame to come and to be decoded, before another one is asked for. */
export const PATIENCE_MS = 1000;
/** Key frames asked for in vain before the wait counts as usual. */
export const MAX_REQUESTS = 3;

export const noBacklog: Backlog = { usualMs: Infinity, sinceMs: null, requests: 0, askedAtMs: 0 };

/** Looks at the least time that any of the last frames waited; `true` asks for a key frame. */
export function backlog(before: Backlog, waitedMs: number, nowMs: number): [Backlog, boolean] {
  const usualMs = Math.min(before.usualMs, waitedMs);
  const calm: Backlog = { usualMs, sinceMs: null, requests: 0, askedAtMs: 0 };
  if (waitedMs - usualMs <= BACKLOG_MS) return [calm, false];
  const sinceMs = before.sinceMs ?? nowMs;
  const piling: Backlog = { ...before, usualMs, sinceMs };
  if (nowMs - sinceMs < LASTING_MS) return [piling, false];
  if (before.requests > 0 && nowMs - before.askedAtMs < PATIENCE_MS) return [piling, false];
  if (before.requests >= MAX_REQUESTS) return [{ ...calm, usualMs: waitedMs }, false];
  return [{ ...piling, requests: before.requests + 1, askedAtMs: nowMs }, true];
}
