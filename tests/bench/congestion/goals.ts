// Decision: what our own congestion control must show on these links, and whether it does. Others are measured for contrast.

import { columns, figure, type Bound, type Figure } from "../figures.js";
import type { Outcome } from "./outcome.js";

type Note = (name: string, value: number, unit: string, goal: number | null, bound?: Bound) => void;

export function goals(outcomes: readonly Outcome[]): Figure[] {
  const figures: Figure[] = [];
  for (const ours of outcomes.filter(({ controller }) => controller === "vdi")) {
    const note: Note = (what, value, unit, goal, bound) => figures.push(figure(`${what}, ${ours.scenario}`, value, unit, goal, bound));
    judge(ours, note);
    const theirs = outcomes.find(({ scenario, controller }) => scenario === ours.scenario && controller === "gcc");
    if (theirs && ours.kind !== "idle") note("power above gcc's", ours.power - theirs.power, "bit", 0, "at least");
  }
  return figures;
}

function judge(ours: Outcome, note: Note): void {
  const { kind, narrow, change, counts } = ours;
  if (narrow) {
    note("estimate over what arrives, least", ours.leastEstimate ?? NaN, "ratio", 0.7, "at least");
    note("queueing delay p95 from 3 s after the drop", narrow.queueP95Ms, "ms", 50);
    note("used from the 5th second", narrow.utilisation, "share", 0.85, "at least");
    note("freezes", counts.freezeCount, "", 1);
    note("longest time without a frame on the narrow link", narrow.longestGapMs, "ms", 500);
    note("80 % of the ceiling after it opens", narrow.returnS ?? NaN, "s", 5);
  } else if (kind === "steady") {
    note("used", ours.utilisation, "share", 0.9, "at least");
    note("queueing delay p95", ours.queueMs.p95, "ms", 30);
    note("freezes", counts.freezeCount, "", 0);
  } else if (kind === "loss") {
    note("share of the ceiling", ours.deliveredBps / ours.ceilingBps, "share", 0.6, "at least");
    note("longest time without a frame", ours.longestGapMs, "ms", 300);
  } else if (kind === "idle") {
    note("first frame over the time that the link needs for it", change?.ratio ?? NaN, "ratio", 1.5);
  } else if (kind === "rival") {
    // Half of the link is fair.
    note("share of a fair share", ours.utilisation / 0.5, "share", 0.25, "at least");
    // A queue of 200 ms that somebody else fills cannot be shorter.
    note("queueing delay p95", ours.queueMs.p95, "ms", 210);
  } else if (kind === "bufferbloat") {
    note("queueing delay p95", ours.queueMs.p95, "ms", 50);
    note("used", ours.utilisation, "share", 0.85, "at least");
  }
}

const HEAD = ["", "", "Mbit/s", "used", "queue p50", "p95", "max ms", "dropped", "longest gap ms", "freezes", "for s", "least estimate", "back s", "power"];

/** A line for each sender on each link. */
export function words(outcomes: readonly Outcome[]): string {
  let before = "";
  const rows = outcomes.filter(({ kind }) => kind !== "idle").map((one) => {
    const name = one.scenario === before ? "" : one.scenario;
    before = one.scenario;
    return [name, one.controller, ...cells(one)];
  });
  return [columns([HEAD, ...rows]), changes(outcomes), warnings(outcomes)].filter((text) => text !== "").join("\n\n");
}

function cells({ deliveredBps, utilisation, queueMs, dropped, longestGapMs, counts, leastEstimate, narrow, power }: Outcome): string[] {
  return [
    (deliveredBps / 1e6).toFixed(2),
    utilisation.toFixed(2),
    queueMs.p50.toFixed(0),
    queueMs.p95.toFixed(0),
    queueMs.max.toFixed(0),
    String(dropped),
    longestGapMs.toFixed(0),
    String(counts.freezeCount),
    counts.totalFreezesDuration.toFixed(1),
    leastEstimate?.toFixed(2) ?? "",
    narrow ? (narrow.returnS?.toFixed(1) ?? "never") : "",
    power.toFixed(2),
  ];
}

function changes(outcomes: readonly Outcome[]): string {
  const found = outcomes.flatMap(({ scenario, controller, change }) => (change ? [{ scenario, controller, ...change }] : []));
  const row = (one: (typeof found)[number]): string[] => [one.scenario, one.controller, `${(one.bytes / 1000).toFixed(1)} kB`, `${one.crossedMs.toFixed(0)} ms`, one.ratio.toFixed(2), `${one.glassToGlassMs.toFixed(0)} ms`];
  return found.length === 0 ? "" : columns([["", "", "first frame", "on the link", "over its need", "glass to glass"], ...found.map(row)]);
}

/** The relay plays the link itself, so its own lateness is delay that nobody else is to blame for. */
const LATE_MS = 5;

function warnings(outcomes: readonly Outcome[]): string {
  const late = outcomes.filter(({ lateMs }) => lateMs > LATE_MS).map(({ scenario, controller, lateMs }) => `${scenario}, ${controller}: ${lateMs.toFixed(1)} ms`);
  return late.length === 0 ? "" : `The relay itself was late (95th percentile), for want of a processor:\n${late.join("\n")}`;
}
