// Decision: what the outcomes must show, as ratios of two senders in one run, and whether they do.

import { figure, type Bound, type Figure } from "../figures.js";
import type { Outcome, Result } from "./results.js";

/** "No worse" and "as many" allow for what two runs of the very same sender differ by. */
const NO_WORSE = 1.02;
const AS_MANY = 0.98;
const AS_SHARP_DB = 0.2;

/** The launcher's memory over a longer session, in MB: the most, and what it grew by from the first part to the last. */
export interface Memory {
  mostMb: number;
  growthMb: number;
}
/** What pages of an allocator differ by from one moment to another. */
const NO_GROWTH_MB = 2;

type Note = (name: string, value: number, unit: string, goal: number, bound?: Bound) => void;

export function goals(outcomes: readonly Outcome[], memory: Memory | null): Figure[] {
  const figures: Figure[] = [];
  for (const outcome of outcomes) {
    const { senders, name } = outcome;
    const note: Note = (what, value, unit, goal, bound) => figures.push(figure(`${what}, ${name}`, value, unit, goal, bound));
    const against = compare(note, senders.ours, senders["playout-delay"]);
    if (outcome.size === "1920x1080") {
      if (outcome.content === "static") against.cpu(0.03);
      if (outcome.content === "typing") {
        against.cpu(0.25);
        against.latency("p50", 0.5);
      }
      if (outcome.content === "text") {
        against.latency("p50", 0.6);
        against.latency("p95", 0.6);
        against.cpu(0.75);
        against.pictures();
      }
      if (outcome.content === "motion") {
        against.latency("p95", 0.7);
        against.latency("p50", NO_WORSE);
        against.latency("p99", NO_WORSE);
        against.cpu(NO_WORSE);
        against.pictures();
        note("bytes against (b)", senders.ours.bitrateKbps / senders["playout-delay"].bitrateKbps, "ratio", NO_WORSE);
        note("sharpness against (b)", senders.ours.psnrDb - senders["playout-delay"].psnrDb, "dB", -AS_SHARP_DB, "at least");
      }
    } else if (outcome.content === "text") {
      against.latency(outcome.loaded ? "p95" : "p50", outcome.loaded ? 0.6 : 0.7);
    }
    if (outcome.content === "text" || outcome.content === "motion") {
      // [told, true]. Nothing told agrees with nothing.
      const { own } = senders.ours;
      const apart = ([told, truth]: [number, number] = [NaN, NaN]): number => Math.abs(told - truth);
      note("own figure against the marker, p50", apart(own?.p50), "ms", 3);
      note("own figure against the marker, p95", apart(own?.p95), "ms", 8);
    }
  }
  if (memory) {
    figures.push(figure("memory of the launcher, 1920x1080@60 session", memory.mostMb, "MB", 120));
    figures.push(figure("its growth over the session", memory.growthMb, "MB", NO_GROWTH_MB));
  }
  return figures;
}

interface Against {
  cpu(goal: number): void;
  latency(which: "p50" | "p95" | "p99", goal: number): void;
  pictures(): void;
}

function compare(note: Note, ours: Result, theirs: Result): Against {
  const cost = ({ cpu }: Result): number => cpu.sender + cpu.xServer;
  return {
    cpu: (goal) => {
      note("CPU of sender and X server against (b)", cost(ours) / cost(theirs), "ratio", goal);
    },
    latency: (which, goal) => {
      note(`latency ${which} against (b)`, (ours.latencyMs?.[which] ?? NaN) / (theirs.latencyMs?.[which] ?? NaN), "ratio", goal);
    },
    pictures: () => {
      note("pictures shown against (b)", ours.picturesPerSecond / theirs.picturesPerSecond, "ratio", AS_MANY, "at least");
    },
  };
}
