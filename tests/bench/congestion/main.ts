// Shell: the congestion part of `make bench`: our own congestion control, rtpgccbwe and none, in turn on the same links, in front
// of the same browser. Results: target/bench/congestion.json, congestion.txt and a plot for each link.

import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Chromium } from "../../desktop_to_browser/support/browser.js";
import { targetFolder } from "../../desktop_to_browser/support/launcher.js";
import type { Figure } from "../figures.js";
import { Desktop } from "../latency/display.js";
import type { Machine } from "../machine.js";
import type { Progress } from "../progress.js";
import { goals, words } from "./goals.js";
import { CONTROLLERS, outcome, type Outcome } from "./outcome.js";
import { plots } from "./plots.js";
import { aroundSeconds, run } from "./run.js";
import { scenarios, type Scenario } from "./scenarios.js";

/** What two cores show, encode, play the link for and decode at once. */
const SIZE = "960x540";

/** Files of Mahimahi traces to run too, separated by commas. */
const TRACES = (process.env["VDI_BENCH_TRACES"] ?? "").split(",").filter((path) => path !== "");

/** Those of the links whose names have one of `wanted`, parts of names between commas, in them. */
function chosen(wanted: string): Scenario[] {
  const all = scenarios(TRACES);
  const parts = wanted.split(",").map((part) => part.trim());
  const found = all.filter(({ name }) => parts.some((part) => name.includes(part)));
  if (found.length === 0) throw new Error(`no link has "${wanted}" in its name; there are ${all.map(({ name }) => name).join("; ")}`);
  return found;
}

const secondsOf = (scenario: Scenario): number => scenario.lengthS + aroundSeconds(scenario);

export const congestionSeconds = (wanted: string): number => CONTROLLERS.length * chosen(wanted).reduce((sum, scenario) => sum + secondsOf(scenario), 0);

export async function congestion(chromium: Chromium, progress: Progress, host: Machine, wanted: string): Promise<{ figures: Figure[]; table: string }> {
  const outcomes: Outcome[] = [];
  const all = chosen(wanted);
  const desktop = await Desktop.start(SIZE, "grain");
  for (const scenario of all) {
    for (const controller of CONTROLLERS) {
      progress.enter(`${scenario.name}: ${controller}`, secondsOf(scenario));
      outcomes.push(outcome(await run(chromium, desktop, scenario, controller)));
      // What is known is kept, should a later link fail.
      save(host, all, outcomes, goals(outcomes));
    }
  }
  await desktop.stop();
  return { figures: goals(outcomes), table: words(outcomes) };
}

function save(host: Machine, all: readonly Scenario[], outcomes: readonly Outcome[], figures: readonly Figure[]): void {
  const folder = resolve(targetFolder, "bench");
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, "congestion.json"), `${JSON.stringify({ machine: host, outcomes, goals: figures })}\n`);
  writeFileSync(resolve(folder, "congestion.txt"), `${words(outcomes)}\n`);
  for (const [name, svg] of plots(all, outcomes)) writeFileSync(resolve(folder, `${name}.svg`), svg);
}
