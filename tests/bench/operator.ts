// Shell: what the operator needs for a thousand sessions at once and five thousand that stand. The control plane, the
// nodes and the load are `tests/cluster/bench`; here its figures are judged.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { targetFolder } from "../desktop_to_browser/support/launcher.js";
import type { Report } from "./figures.js";

const AT_ONCE = 1000;
const STANDING = 5000;

interface Result {
  applied: number;
  appliedP50Seconds: number;
  appliedP95Seconds: number;
  appliedMaxSeconds: number;
  allRunSeconds: number;
  cpuSecondsPerSession: number;
  writesPerSession: number;
  writesByKind: Record<string, number>;
  residentBytes: number;
  peakBytes: number;
  steadyWrites: number;
  steadyCpu: number;
  restartWrites: number;
  restartResidentBytes: number;
  restartPeakBytes: number;
}

// Memory and writes are required; the other goals are about half as much again as was measured on two cores, so that a step
// backwards is seen.

/** Two cores make some six sessions a second, control plane and all; after that it is looked at twice. */
export function operatorSeconds(seconds: number): number {
  return STANDING / 6 + 2 * seconds + 60;
}

export async function operator({ step, note }: Report, seconds: number): Promise<void> {
  step(`operator: ${AT_ONCE} sessions at once, then ${STANDING} in all, then ${seconds} s of nothing, and ${seconds} s after a restart`);
  const words = ["bench", "--quiet", "--package", "vdi-operator", "--bench", "operator", "--", String(AT_ONCE), String(STANDING), String(seconds)];
  const run = await promisify(execFile)("cargo", words, { cwd: resolve(import.meta.dirname, "../.."), maxBuffer: 2 ** 24 });
  const result = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as Result;
  writeFileSync(resolve(targetFolder, "bench", "operator.json"), `${JSON.stringify(result, null, 2)}\n`);
  const kinds = Object.entries(result.writesByKind).map(([kind, count]) => `${kind} ${(count / AT_ONCE).toFixed(2)}`);
  step(`  (writes for a session: ${kinds.join(", ")})`);
  step(`  (all ${AT_ONCE} ran after ${result.allRunSeconds.toFixed(0)} s; with control plane, nodes and operator on this machine)`);
  note("operator: sessions with all their objects", result.applied, "sessions", AT_ONCE, "at least");
  note("operator: create to all objects applied, median", result.appliedP50Seconds, "s", null);
  note("operator: create to all objects applied, p95", result.appliedP95Seconds, "s", 120);
  note("operator: processor time for a session", result.cpuSecondsPerSession * 1000, "ms", 30);
  note("operator: writes for a session", result.writesPerSession, "writes", 16);
  note(`operator: memory with ${STANDING} sessions`, result.residentBytes / 1e6, "MB", 150);
  note(`operator: most memory on the way to ${STANDING} sessions`, result.peakBytes / 1e6, "MB", 150);
  note("operator: writes in the steady state", result.steadyWrites, "writes", 0);
  note("operator: load in the steady state", result.steadyCpu * 100, "% of a core", 40);
  note("operator: writes of one that starts among them", result.restartWrites, "writes", 0);
  note("operator: most memory of one that starts among them", result.restartPeakBytes / 1e6, "MB", 150);
}
