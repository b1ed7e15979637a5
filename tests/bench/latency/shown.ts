// Decision: what a page has shown, from what was read of each frame: which pictures, how old, and where their time went.

import { NUMBERS, TIMES_US, read } from "./marker.js";
import type { Seen } from "./reader.js";

/** One picture of the display, when the page showed it for the first time. */
export interface Picture {
  /** When that was: milliseconds on CLOCK_MONOTONIC. */
  atMs: number;
  /** From its drawing to its presentation. */
  latencyMs: number;
  /** From its drawing until the browser had received it; not every frame tells. */
  toBrowserMs: number | null;
  /** Decoding. */
  decodeMs: number | null;
  /** The rest: waiting in the browser, and composition. */
  presentMs: number | null;
}

export interface Shown {
  pictures: Picture[];
  /** Pictures that were drawn from the first to the last of these. */
  drawn: number;
  /** Frames that the page has presented, those without news among them. */
  frames: number;
  /** Frames whose marker could not be read. */
  unreadable: number;
  /** Frames that had been replaced by the next before they could be read. */
  replaced: number;
}

/** Beyond this, what was read is no time of this session. */
const MOST_MS = 60_000;

/** Of what was seen, what the page presented before a window, and what within it. */
export function within(seen: readonly Seen[], offsetMs: number, fromMs: number, toMs: number): { before: Seen[]; during: Seen[] } {
  const at = ({ presentationTime }: Seen): number => presentationTime + offsetMs;
  return { before: seen.filter((frame) => at(frame) < fromMs), during: seen.filter((frame) => at(frame) >= fromMs && at(frame) < toMs) };
}

/** `earlier` is what was seen before: a picture that was shown then is no news now. */
export function shown(seen: readonly Seen[], earlier: readonly Seen[], offsetMs: number, replaced: number): Shown {
  const old = new Set(earlier.map(({ cells }) => read(cells)?.number));
  const pictures = new Map<number, Picture>();
  let unreadable = 0;
  for (const frame of seen) {
    const mark = read(frame.cells);
    if (!mark) {
      unreadable++;
      continue;
    }
    if (old.has(mark.number) || pictures.has(mark.number)) continue;
    const atMs = frame.presentationTime + offsetMs;
    const drawnMs = mark.timeUs / 1000;
    const since = (laterMs: number): number => (((laterMs - drawnMs) * 1000 + TIMES_US) % TIMES_US) / 1000;
    const latencyMs = since(atMs);
    if (latencyMs > MOST_MS) throw new Error(`picture ${mark.number} was shown at ${atMs} ms and drawn at ${drawnMs} ms`);
    const toBrowserMs = frame.receiveTime === null ? null : since(frame.receiveTime + offsetMs);
    const decodeMs = frame.processingDuration === null ? null : frame.processingDuration * 1000;
    const presentMs = toBrowserMs === null || decodeMs === null ? null : latencyMs - toBrowserMs - decodeMs;
    pictures.set(mark.number, { atMs, latencyMs, toBrowserMs, decodeMs, presentMs });
  }
  const [first, last] = [[...pictures.keys()][0], [...pictures.keys()].at(-1)];
  const drawn = first === undefined || last === undefined ? 0 : ((last - first + NUMBERS) % NUMBERS) + 1;
  const [from, to] = [seen[0]?.presentedFrames, seen.at(-1)?.presentedFrames];
  const frames = from === undefined || to === undefined ? 0 : to - from + 1;
  return { pictures: [...pictures.values()], drawn, frames, unreadable, replaced };
}
