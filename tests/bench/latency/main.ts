// Shell: the latency part of `make bench`: three senders side by side, in turn, in the same minutes on the same display.
//
// (a) ximagesrc ! videoconvert ! x264enc ! webrtcbin as everyone writes it, (b) the same with playout-delay 0/0, (c) ours.
// Results: target/bench/latency.json, latency.md and the plots beside it.

import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Chromium } from "../../desktop_to_browser/support/browser.js";
import { residentBytes } from "../../desktop_to_browser/support/child.js";
import { targetFolder } from "../../desktop_to_browser/support/launcher.js";
import { mean, type Figure } from "../figures.js";
import type { Machine } from "../machine.js";
import type { Progress } from "../progress.js";
import { Desktop } from "./display.js";
import { goals, type Memory } from "./goals.js";
import { plots } from "./plots.js";
import { nameOf, outcome, type Case, type Outcome } from "./results.js";
import { SENDERS, start } from "./senders.js";
import { words } from "./words.js";
import { visit, type Visit } from "./visit.js";

/** How often the three take turns; cases without a goal are visited once. */
const ROUNDS = 2;
const CASES: (Case & { rounds: number })[] = [
  ...(["static", "typing", "text", "motion"] as const).map((content) => ({ size: "1920x1080", content, loaded: false, rounds: ROUNDS })),
  { size: "1280x720", content: "text", loaded: false, rounds: ROUNDS },
  { size: "1280x720", content: "text", loaded: true, rounds: ROUNDS },
  ...(["static", "typing", "motion"] as const).map((content) => ({ size: "1280x720", content, loaded: false, rounds: 1 })),
];
/** In so many seconds the client passes every phase to a 60 Hz clock once. */
const SWEEP_S = 5;
/** Seconds of a visit that are not its window: start, warm-up, silence, comparison. */
const VISIT_S = 9;
/** The session in which memory is watched. */
const MEMORY_S = 30;

/** A visit's window is whole sweeps: `seconds` of each case are divided among its rounds. */
const windowSeconds = (seconds: number): number => Math.max(1, Math.round(seconds / ROUNDS / SWEEP_S)) * SWEEP_S;

/** Those of the cases whose names have one of `wanted`, parts of names between commas, in them. */
function casesOf(wanted: string): typeof CASES {
  const parts = wanted.split(",").map((part) => part.trim());
  const found = CASES.filter((one) => parts.some((part) => nameOf(one).includes(part)));
  if (found.length === 0) throw new Error(`no case has "${wanted}" in its name; there are ${CASES.map(nameOf).join("; ")}`);
  return found;
}

export function plannedSeconds(seconds: number, wanted: string): number {
  const visits = casesOf(wanted).reduce((sum, { rounds }) => sum + rounds * SENDERS.length, 0);
  return visits * (windowSeconds(seconds) + VISIT_S) + MEMORY_S;
}

export async function latency(chromium: Chromium, progress: Progress, host: Machine, seconds: number, wanted: string): Promise<{ figures: Figure[]; table: string }> {
  const outcomes: Outcome[] = [];
  const window = windowSeconds(seconds);
  for (const one of casesOf(wanted)) {
    const desktop = await Desktop.start(one.size, one.content);
    const visits: Visit[] = [];
    for (let round = 1; round <= one.rounds; round++) {
      for (const sender of SENDERS) {
        progress.enter(`${nameOf(one)}: ${sender}, round ${round} of ${one.rounds}`, window + VISIT_S);
        visits.push(await visit(chromium, desktop, one.content, sender, round, window, one.loaded));
      }
    }
    await desktop.stop();
    outcomes.push(outcome(one, visits));
    // What is known is kept, should a later case fail.
    save(host, outcomes, null, []);
  }
  progress.enter("memory of a session of 1920x1080@60 text", MEMORY_S);
  const memory = await watchMemory(chromium);
  const figures = goals(outcomes, memory);
  save(host, outcomes, memory, figures);
  return { figures, table: words(outcomes) };
}

async function watchMemory(chromium: Chromium): Promise<Memory> {
  const desktop = await Desktop.start("1920x1080", "text");
  const sender = await start("ours", chromium, desktop.env);
  await desktop.tell("go");
  const megabytes: number[] = [];
  for (let second = 0; second < MEMORY_S; second++) {
    await delay(1000);
    megabytes.push(residentBytes(sender.launcher?.pid ?? 0) / 1e6);
  }
  await sender.stop();
  await desktop.stop();
  // The first sixth is its start.
  const part = Math.floor(MEMORY_S / 6);
  return { mostMb: Math.max(...megabytes), growthMb: mean(megabytes.slice(-part)) - mean(megabytes.slice(part, 2 * part)) };
}

function save(host: Machine, outcomes: readonly Outcome[], memory: Memory | null, figures: readonly Figure[]): void {
  const folder = resolve(targetFolder, "bench");
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, "latency.json"), `${JSON.stringify({ machine: host, outcomes, memory, goals: figures }, null, 1)}\n`);
  writeFileSync(resolve(folder, "latency.txt"), `${words(outcomes)}\n`);
  for (const [name, svg] of plots(outcomes)) writeFileSync(resolve(folder, `${name}.svg`), svg);
}
