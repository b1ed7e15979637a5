// Decision: what a key has brought about, from what was read of each frame: when it was pressed, drawn and seen.

import { NUMBERS, TIMES_US, read } from "../latency/marker.js";
import type { Seen } from "../latency/reader.js";

/** A key, and the number of the first picture that was drawn after it had come. */
export interface Press {
  /** Milliseconds on the page's clock. */
  pressedMs: number;
  picture: number;
}

/** What came of one key, in milliseconds. */
export interface Reaction {
  /** From the key in the page to the first picture after it in the page. */
  inputToPhoton: number;
  /** From the key in the page to the drawing of that picture on the display. */
  inputToDrawing: number;
  /** From its drawing to its presentation in the page. */
  glassToGlass: number;
}

/** Numbers this far ahead are not behind, modulo what a marker can count. */
const AHEAD = NUMBERS / 2;
/** A picture that comes later is not what this key has brought about. */
const MOST_MS = 5_000;

/** `offsetMs` is what to add to a time of the page to have the clock of the markers. A key whose picture was never seen has none. */
export function reactions(presses: readonly Press[], seen: readonly Seen[], offsetMs: number): Reaction[] {
  const marked = seen.flatMap(({ presentationTime, cells }) => {
    const mark = read(cells);
    return mark ? [{ presentationTime, ...mark }] : [];
  });
  return presses.flatMap(({ pressedMs, picture }) => {
    const first = marked.find(({ presentationTime, number }) => presentationTime > pressedMs && (number - picture + NUMBERS) % NUMBERS < AHEAD);
    if (!first || first.presentationTime - pressedMs > MOST_MS) return [];
    const glassToGlass = (((first.presentationTime + offsetMs) * 1000 - first.timeUs + TIMES_US) % TIMES_US) / 1000;
    const inputToPhoton = first.presentationTime - pressedMs;
    return [{ inputToPhoton, glassToGlass, inputToDrawing: inputToPhoton - glassToGlass }];
  });
}
