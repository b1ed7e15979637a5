// Shell: what processes cost, as the kernel's scheduler counts it: to the nanosecond, where /proc/PID/stat may count in
// hundredths of a second whoever happens to run then.

import { readFileSync, readdirSync } from "node:fs";
import { cpuSeconds } from "../../desktop_to_browser/support/child.js";

/** Processor time of threads so far, in seconds, and what they are called. */
export type Spent = ReadonlyMap<string, { name: string; seconds: number }>;

export function spent(pids: readonly number[]): Spent {
  return new Map(pids.flatMap((pid) => threads(pid) ?? [[`${pid}`, { name: "process", seconds: cpuSeconds(pid) }] as const]));
}

/** Nothing for a kernel without these figures. */
function threads(pid: number): (readonly [string, { name: string; seconds: number }])[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const of = (file: string): string => readFileSync(`/proc/${pid}/task/${thread}/${file}`, "utf8");
      const [nanoseconds = ""] = of("schedstat").split(" ");
      return [`${pid}/${thread}`, { name: of("comm").trim(), seconds: Number(nanoseconds) / 1e9 }] as const;
    });
  } catch {
    return undefined;
  }
}

/** What was spent between two looks, by the names of threads. What a thread spent that has ended meanwhile is lost. */
export function between(before: Spent, after: Spent): Map<string, number> {
  const names = new Map<string, number>();
  for (const [thread, { name, seconds }] of after) {
    names.set(name, (names.get(name) ?? 0) + seconds - (before.get(thread)?.seconds ?? 0));
  }
  return names;
}

export const total = (names: ReadonlyMap<string, number>): number => [...names.values()].reduce((sum, seconds) => sum + seconds, 0);
