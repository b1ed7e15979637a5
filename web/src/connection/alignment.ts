// Decision: how far the server's clock is from the page's, and how wrong that may be. An exchange of ping and pong proves
// bounds: the server had the ping not before it was sent, and the page had the answer not before it went. Whatever the
// network did, and however unlike its two directions are, the truth lies between the two bounds; several exchanges narrow
// each other down. It refuses to read a clock, and to tell a time when it has none.

/** One ping and its answer: two times on the page's clock, two on the server's. */
export interface Exchange {
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly serverReceivedUs: number;
  readonly serverSentUs: number;
}

export interface Aligned {
  /** What is added to the page's time, in microseconds, to have the server's. */
  readonly offsetUs: number;
  /** How far the truth may be from it, to either side. */
  readonly uncertaintyUs: number;
}

/** What became of an exchange. `begun`: the clocks no longer fit what was known before, which is forgotten. */
export type Verdict = "refused" | "kept" | "begun";

/** Bounds of the offset, as they were proven at some time on the page's clock. */
interface Bounds {
  readonly lowUs: number;
  readonly highUs: number;
  readonly atMs: number;
}

/**
 * How fast two clocks may drift apart, in microseconds per millisecond. Crystals are good to 50 ppm, and so is what
 * chrony and ntpd do to a clock in its steady state.
 */
export const DRIFT_US_PER_MS = 0.05;
/** Exchanges that are remembered: half a minute at one a second. */
const MAX_EXCHANGES = 32;
/** An exchange that took longer says too little to be worth keeping. */
const MAX_ROUND_TRIP_MS = 10_000;

/** How coarse a browser's clock is: it cuts times off to a tenth of a millisecond (Chromium), or to a whole one. */
function grainMs(...timesMs: number[]): number {
  return timesMs.every((ms) => Math.abs(ms - Math.round(ms)) < 1e-6) ? 1 : 0.1;
}

/** The bounds that one exchange proves; `null` if it cannot have happened. */
function boundsOf({ sentMs, receivedMs, serverReceivedUs, serverSentUs }: Exchange): Bounds | null {
  const grain = grainMs(sentMs, receivedMs);
  const there = serverSentUs - serverReceivedUs;
  const away = (receivedMs + grain - sentMs) * 1000;
  // Written so that what is no number is refused.
  if (!(receivedMs >= sentMs && receivedMs - sentMs <= MAX_ROUND_TRIP_MS && there >= 0 && there <= away)) return null;
  // A time that was cut off is up to one grain later than it looks.
  return { lowUs: serverSentUs - (receivedMs + grain) * 1000, highUs: serverReceivedUs - sentMs * 1000, atMs: receivedMs };
}

/** What bounds of a while ago prove now. */
function widened({ lowUs, highUs, atMs }: Bounds, nowMs: number): Bounds {
  const driftUs = Math.abs(nowMs - atMs) * DRIFT_US_PER_MS;
  return { lowUs: lowUs - driftUs, highUs: highUs + driftUs, atMs: nowMs };
}

/** What all bounds prove together. They contradict each other if `lowUs` comes out above `highUs`. */
function together(all: readonly Bounds[], nowMs: number): Bounds {
  let lowUs = -Infinity;
  let highUs = Infinity;
  for (const one of all) {
    const now = widened(one, nowMs);
    lowUs = Math.max(lowUs, now.lowUs);
    highUs = Math.min(highUs, now.highUs);
  }
  return { lowUs, highUs, atMs: nowMs };
}

export class Alignment {
  #known: readonly Bounds[] = [];

  /** Takes an exchange that has just ended. */
  learn(exchange: Exchange): Verdict {
    const bounds = boundsOf(exchange);
    if (!bounds) return "refused";
    const known = [...this.#known, bounds].slice(-MAX_EXCHANGES);
    const { lowUs, highUs } = together(known, bounds.atMs);
    // Clocks that only drift never contradict themselves: one of the two has jumped, and the newest exchange is right.
    const fits = lowUs <= highUs;
    this.#known = fits ? known : [bounds];
    return fits && known.length > 1 ? "kept" : "begun";
  }

  /** What is known at this time of the page's; `null` before the first exchange. */
  at(nowMs: number): Aligned | null {
    if (this.#known.length === 0) return null;
    const { lowUs, highUs } = together(this.#known, nowMs);
    return { offsetUs: (lowUs + highUs) / 2, uncertaintyUs: (highUs - lowUs) / 2 };
  }

  /** Forgets everything: one of the clocks may have jumped. */
  forget(): void {
    this.#known = [];
  }
}

/** A time of the page's on the server's clock, in whole microseconds; never before the clock began. */
export function serverUs(pageMs: number, { offsetUs }: Aligned): number {
  return Math.max(0, Math.round(pageMs * 1000 + offsetUs));
}
