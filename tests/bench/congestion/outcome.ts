// Decision: what a sender made of a link, from what the link did with its packets, what the page showed and what the sender
// believed. `target/bench/congestion.json` holds what is made here.

import { percentile } from "../figures.js";
import { bins, carriedBps, crossing, deliveredBps, queueDelaysMs, type Bin, type Packet } from "../../desktop_to_browser/support/packets.js";
import { NARROW, capacityBits, type Kind, type Scenario } from "./scenarios.js";

export const CONTROLLERS = ["vdi", "gcc", "none"] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** What the sender believes of the link, all streams together. */
export interface Estimate {
  atMs: number;
  bps: number;
}

/** Counters of the page over the window. */
export interface PageCounts {
  framesDecoded: number;
  keyFramesDecoded: number;
  freezeCount: number;
  totalFreezesDuration: number;
  packetsLost: number;
  retransmittedPacketsReceived: number;
  nackCount: number;
  pliCount: number;
}

/** The one picture after a silence. */
export interface Change {
  drawnMs: number;
  shownMs: number;
  rtpTimestamp: number;
}

/** What was seen of one sender on one link; times in milliseconds of CLOCK_MONOTONIC. */
export interface Run {
  scenario: Scenario;
  controller: Controller;
  fromMs: number;
  toMs: number;
  packets: readonly Packet[];
  estimates: readonly Estimate[];
  /** When frames were presented. */
  shownMs: readonly number[];
  counts: PageCounts;
  change: Change | null;
}

export interface Outcome {
  scenario: string;
  kind: Kind;
  controller: Controller;
  ceilingBps: number;
  deliveredBps: number;
  /** Share of the link's capacity that was carried. */
  utilisation: number;
  queueMs: { p50: number; p95: number; max: number };
  /** Packets that the queue dropped. */
  dropped: number;
  /** Kleinrock's power, as log2 of Mbit/s over the 95th percentile of the one-way delay in units of 100 ms. */
  power: number;
  longestGapMs: number;
  counts: PageCounts;
  /** The least of estimate over what arrived at that time. */
  leastEstimate: number | null;
  narrow: Narrow | null;
  change: { bytes: number; crossedMs: number; ratio: number; glassToGlassMs: number } | null;
  /** The relay's own lateness, 95th percentile: figures are to be taken with it. */
  lateMs: number;
  curve: (Bin & { estimateBps: number | null })[];
}

interface Narrow {
  /** From three seconds after the drop on. */
  queueP95Ms: number;
  /** From the fifth second on. */
  utilisation: number;
  longestGapMs: number;
  /** From the opening until 80 % of the ceiling arrives; `null` if it does not. */
  returnS: number | null;
}

const STEP_MS = 100;
/** What arrives is taken over this time. */
const ARRIVING_MS = 1000;
/** What is less is no stream that an estimate could be held against. */
const LEAST_BPS = 200_000;
const RETURNED = 0.8;
const RETURN_MS = 500;
/** Propagation of every scenario that has a silence. */
const WAY_MS = 20;

export function outcome(run: Run): Outcome {
  const { scenario, fromMs, toMs, counts, change } = run;
  const packets = run.packets.filter(({ direction }) => direction === "down");
  const within = packets.filter((one) => one.arrivedMs >= fromMs && one.arrivedMs < toMs);
  const delivered = within.filter(({ fate }) => fate === "delivered");
  const bps = deliveredBps(packets, fromMs, toMs);
  const wayMs = spread(delivered.map((one) => one.dueMs - one.arrivedMs)).p95;
  return {
    scenario: scenario.name,
    kind: scenario.kind,
    controller: run.controller,
    ceilingBps: scenario.ceilingBps,
    deliveredBps: bps,
    utilisation: (carriedBps(packets, fromMs, toMs) * (toMs - fromMs)) / 1000 / capacityBits(scenario.plan, 0, (toMs - fromMs) / 1000),
    queueMs: spread(queueDelaysMs(packets, fromMs, toMs)),
    dropped: within.filter(({ fate }) => fate === "full" || fate === "codel").length,
    power: Math.log2(bps / 1e6 / (wayMs / 100)),
    longestGapMs: longestGap(run.shownMs, fromMs, toMs),
    counts,
    leastEstimate: leastEstimate(run, packets),
    narrow: scenario.kind === "narrow" ? narrow(run, packets) : null,
    change: change && crossed(run, change),
    lateMs: spread(delivered.map(({ lateMs }) => lateMs)).p95,
    curve: bins(packets, fromMs, toMs, STEP_MS).map((bin) => ({
      ...bin,
      fromMs: bin.fromMs - fromMs,
      estimateBps: run.estimates.findLast(({ atMs }) => atMs <= bin.fromMs + STEP_MS)?.bps ?? null,
    })),
  };
}

function spread(values: readonly number[]): { p50: number; p95: number; max: number } {
  if (values.length === 0) return { p50: 0, p95: 0, max: 0 };
  const [p50 = 0, p95 = 0, max = 0] = [0.5, 0.95, 1].map((share) => percentile(values, share));
  return { p50, p95, max };
}

/** The longest time between two presented frames, of which the first or the last may lie outside. */
export function longestGap(shownMs: readonly number[], fromMs: number, toMs: number): number {
  const times = shownMs.toSorted((one, other) => one - other);
  const gaps = times.slice(1).map((time, index) => (time > fromMs && (times[index] ?? time) < toMs ? time - (times[index] ?? time) : 0));
  // Nothing at all, or nothing any more.
  return Math.max(toMs - Math.max(times.findLast((time) => time < toMs) ?? fromMs, fromMs), ...gaps);
}

/**
 * After a step of the link what arrived in the second before says nothing, and before it what arrives in the second after. The
 * launcher looks at the estimate once a second, so that what it tells may be as old.
 */
function leastEstimate({ estimates, fromMs, toMs }: Run, packets: readonly Packet[]): number | null {
  const ratios = estimates
    .filter(({ atMs }) => atMs >= fromMs && atMs < toMs - ARRIVING_MS)
    .flatMap(({ atMs, bps }) => {
      const arriving = Math.min(...[-2, -1, 0].map((span) => deliveredBps(packets, atMs + span * ARRIVING_MS, atMs + (span + 1) * ARRIVING_MS)));
      return arriving < LEAST_BPS ? [] : bps / arriving;
    });
  return ratios.length > 0 ? Math.min(...ratios) : null;
}

function narrow({ scenario, fromMs, toMs, shownMs }: Run, packets: readonly Packet[]): Narrow {
  const [drop, open] = [fromMs + NARROW.fromS * 1000, fromMs + NARROW.toS * 1000];
  const back = Array.from({ length: Math.floor((toMs - open - RETURN_MS) / STEP_MS) }, (_, index) => open + RETURN_MS + index * STEP_MS).find(
    (atMs) => deliveredBps(packets, atMs - RETURN_MS, atMs) >= RETURNED * scenario.ceilingBps,
  );
  const waited = queueDelaysMs(packets, drop + 3000, open);
  return {
    queueP95Ms: spread(waited).p95,
    utilisation: carriedBps(packets, drop + 5000, open) / NARROW.bps,
    longestGapMs: longestGap(shownMs, drop, open),
    returnS: back === undefined ? null : (back - open) / 1000,
  };
}

function crossed({ scenario, packets }: Run, { drawnMs, shownMs, rtpTimestamp }: Change): Outcome["change"] {
  const found = crossing(packets, rtpTimestamp);
  if (!found) return null;
  const crossedMs = found.toMs - found.fromMs;
  const neededMs = (found.bytes * 8000) / (scenario.plan[0]?.bps ?? 0) + WAY_MS;
  return { bytes: found.bytes, crossedMs, ratio: crossedMs / neededMs, glassToGlassMs: shownMs - drawnMs };
}
