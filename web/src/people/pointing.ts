// Decision: what a page tells of where its user points, and when; and which colour a pointer of the others has.
import type { Place } from "../picture/geometry";

/** Time between two messages: the server tells the others no more often either. */
export const PACE_MS = 50;
/** How often the same is told: the channel may lose a message, and the last would be missed for good. */
export const TIMES = 3;

/** What was told last; `null`: that the user points nowhere, or nothing. */
export interface Told {
  readonly at: Place | null;
  readonly times: number;
  readonly atMs: number;
}

export const nothingTold: Told = { at: null, times: TIMES, atMs: -Infinity };

function isSame(one: Place | null, other: Place | null): boolean {
  return one?.x === other?.x && one?.y === other?.y;
}

/** In how many milliseconds a place is to be told; `null`: it need not be. */
export function dueInMs(told: Told, at: Place | null, nowMs: number): number | null {
  if (isSame(told.at, at) && told.times >= TIMES) return null;
  return Math.max(0, told.atMs + PACE_MS - nowMs);
}

/** What was told after this was. */
export function toldAlso(told: Told, at: Place | null, nowMs: number): Told {
  return { at, times: isSame(told.at, at) ? told.times + 1 : 1, atMs: nowMs };
}

/** Colours on which white text is read well (WCAG 2.1, contrast of at least 4.5 to 1), each far from the next. */
export const COLOURS = ["#c2410c", "#1d4ed8", "#15803d", "#a21caf", "#0e7490", "#be123c", "#6d28d9", "#4d7c0f"] as const;

/** A colour that none of those has who are here, as long as there is one. */
export function freeColour(taken: readonly string[]): string {
  return COLOURS.find((colour) => !taken.includes(colour)) ?? COLOURS[taken.length % COLOURS.length] ?? COLOURS[0];
}
