// Shell: what processes cost, as the kernel's scheduler counts it: to the nanosecond, where /proc/PID/stat may count in
// hundredths of a second whoever happens to run then.

import { readFileSync, readdirSync } from "node:fs";
import { cpuSeconds } from "../../desktop_to_browser/support/child.js";

/** Processor time of these processes so far, in seconds, by thread. */
export type Spent = ReadonlyMap<string, number>;

export function spent(pids: readonly number[]): Spent {
  return new Map(pids.flatMap((pid) => threads(pid) ?? [[`${pid}`, cpuSeconds(pid)] as const]));
}

/** Nothing for a kernel without these figures. */
function threads(pid: number): (readonly [string, number])[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const [nanoseconds = ""] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
      return [`${pid}/${thread}`, Number(nanoseconds) / 1e9] as const;
    });
  } catch {
    return undefined;
  }
}

/** What was spent between two looks. A thread that has ended meanwhile is not in the later one: what it spent is lost. */
export function between(before: Spent, after: Spent): number {
  return [...after].reduce((sum, [thread, seconds]) => sum + seconds - (before.get(thread) ?? 0), 0);
}
