// Decision: the links that senders are compared on: how each behaves over time, what is shown meanwhile, and what has to come
// of it. Chance is seeded, so that every sender meets the same link.

import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** From a moment on, in seconds since the beginning of the window, this rate. */
export interface Piece {
  atS: number;
  bps: number;
}

/**
 * What is judged. During the window of `idle` nothing changes on the display, and then everything at once; during that of `rival`
 * a greedy flow is on the link too.
 */
export type Kind = "narrow" | "steady" | "loss" | "idle" | "bufferbloat" | "rival" | "trace";

export interface Scenario {
  name: string;
  kind: Kind;
  /** What the link to the page is like beside its rate, in the words of `tests/bench/link/src/words.rs`. */
  down: string;
  /** The rate over the window; before it, its first. */
  plan: readonly Piece[];
  /** A Mahimahi trace in the place of the plan; the plan is its likeness then. */
  trace: string | null;
  /** The most that the sender may send, in bit/s. */
  ceilingBps: number;
  /** At the link's first rate, until the sender has found it. */
  warmUpS: number;
  lengthS: number;
}

const MBIT = 1e6;
/** As far as a server in the same country: 40 ms there and back. */
const WAY = "delay=20ms";
const BUFFER = "queue=300ms";
const WARM_UP_S = 12;

const steady = (mbit: number, name: string, kind: Kind = "steady", words = `${WAY} ${BUFFER}`, ceiling = 20): Scenario => ({
  name,
  kind,
  down: words,
  plan: [{ atS: 0, bps: mbit * MBIT }],
  trace: null,
  ceilingBps: ceiling * MBIT,
  warmUpS: WARM_UP_S,
  lengthS: 15,
});

/** A link of 30 Mbit/s that is at 1.5 from the 5th to the 25th second. */
export const NARROW = { fromS: 5, toS: 25, bps: 1.5 * MBIT };

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number of the normal distribution with mean 0 and deviation 1 (Box and Muller). */
const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

const STEP_S = 0.1;
const TRACE_S = 40;

/**
 * A cellular link: the logarithm of its rate wanders and comes back to the middle within seconds (an Ornstein-Uhlenbeck process),
 * as fading and the load of a cell make it; now and then a handover of 300 ms carries next to nothing.
 */
export function cellular(seed: number): Piece[] {
  const next = chance(seed);
  const [middle, spread, memoryS] = [Math.log(6 * MBIT), 0.6, 4];
  let [wander, handover] = [0, 0];
  return Array.from({ length: TRACE_S / STEP_S }, (_, index) => {
    const keep = Math.exp(-STEP_S / memoryS);
    wander = wander * keep + spread * Math.sqrt(1 - keep ** 2) * normal(next);
    if (handover > 0) handover -= 1;
    else if (next() < STEP_S / 15) handover = 3;
    const bps = handover > 0 ? 0.1 * MBIT : Math.min(25 * MBIT, Math.max(0.8 * MBIT, Math.exp(middle + wander)));
    return { atS: index * STEP_S, bps: Math.round(bps) };
  });
}

/** Wi-Fi beside others: mostly 24 Mbit/s and a bit, for some tenths of a second every few seconds what others leave. */
export function wifi(seed: number): Piece[] {
  const next = chance(seed);
  let crowded = false;
  return Array.from({ length: TRACE_S / STEP_S }, (_, index) => {
    crowded = next() < (crowded ? 1 - STEP_S / 0.5 : STEP_S / 4);
    const bps = (crowded ? 3 : 24) * MBIT * Math.exp(0.15 * normal(next));
    return { atS: index * STEP_S, bps: Math.round(bps) };
  });
}

/** A Mahimahi trace as rates of half a second each, for plots and for what it carries in all. */
export function likeness(text: string, lengthS: number): Piece[] {
  const times = text.split("\n").filter((line) => line.trim() !== "").map(Number);
  const [periodMs, stepMs] = [times.at(-1) ?? 1, 500];
  return Array.from({ length: Math.ceil((lengthS * 1000) / stepMs) }, (_, index) => {
    let count = 0;
    // The end of a round is the beginning of the next.
    for (let round = Math.max(0, Math.floor((index * stepMs) / periodMs) - 1); round * periodMs < (index + 1) * stepMs; round++) {
      count += times.filter((time) => time + round * periodMs >= index * stepMs && time + round * periodMs < (index + 1) * stepMs).length;
    }
    return { atS: (index * stepMs) / 1000, bps: (count * 1500 * 8000) / stepMs };
  });
}

const traced = (name: string, down: string, plan: readonly Piece[]): Scenario => ({
  ...steady(1, name, "trace", down, 12),
  plan,
  lengthS: TRACE_S,
});

function recorded(path: string): Scenario {
  return { ...traced(`trace ${basename(path)}`, `${WAY} ${BUFFER}`, likeness(readFileSync(path, "utf8"), TRACE_S)), trace: path };
}

/** All of them; `traces` are Mahimahi files of one's own. */
export function scenarios(traces: readonly string[]): Scenario[] {
  const narrowing = [{ atS: 0, bps: 30 * MBIT }, { atS: NARROW.fromS, bps: NARROW.bps }, { atS: NARROW.toS, bps: 30 * MBIT }];
  const usual = `${WAY} ${BUFFER}`;
  return [
    { ...steady(30, "30 to 1.5 to 30 Mbit/s", "narrow", usual, 12), plan: narrowing, lengthS: 40 },
    ...[4, 8, 12].map((mbit) => steady(mbit, `steady ${mbit} Mbit/s`)),
    steady(30, "10 % loss at 30 Mbit/s", "loss", `${usual} loss=10%`, 12),
    { ...steady(8, "idle, then a full-screen change at 8 Mbit/s", "idle", usual, 12), lengthS: 60 },
    { ...steady(4, "bufferbloat of 1 s at 4 Mbit/s", "bufferbloat", `${WAY} queue=1s`, 12), lengthS: 25 },
    { ...steady(8, "beside a greedy flow at 8 Mbit/s", "rival", `${WAY} queue=200ms`, 12), lengthS: 30 },
    traced("cellular", "delay=35ms jitter=4ms queue=500ms", cellular(7)),
    traced("Wi-Fi", "delay=10ms jitter=3ms queue=200ms loss=0.3% burst=3", wifi(7)),
    ...traces.map(recorded),
  ];
}

/** The rate at a moment of the window. */
export const rateAt = (plan: readonly Piece[], atS: number): number => plan.findLast((piece) => piece.atS <= atS)?.bps ?? plan[0]?.bps ?? 0;

/** What the link could carry in a part of the window, in bits. */
export function capacityBits(plan: readonly Piece[], fromS: number, toS: number): number {
  return plan.reduce((sum, { atS, bps }, index) => {
    const [begins, ends] = [Math.max(index === 0 ? -Infinity : atS, fromS), Math.min(plan[index + 1]?.atS ?? Infinity, toS)];
    return sum + Math.max(0, ends - begins) * bps;
  }, 0);
}

/** The words for the link before the window. */
export const firstWords = ({ down, plan, trace }: Scenario): string => `${down} ${trace === null ? `rate=${plan[0]?.bps ?? 0}` : `trace=${trace}`}`;

/** The words for the window's rates, from the moment at which they are said. */
export function words({ plan, trace }: Scenario): string {
  if (trace !== null) return `trace=${trace}`;
  const [first, ...later] = plan;
  return `rate=${[String(first?.bps ?? 0), ...later.map(({ atS, bps }) => `${atS.toFixed(3)}s:${bps}`)].join(",")}`;
}
