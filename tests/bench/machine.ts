// Shell: the machine that is measured on, and whether it has anything else to do.

import { readFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

export interface Machine {
  cores: number;
  processor: string;
  architecture: string;
  kernel: string;
  /** Cores that others kept busy before anything was measured. */
  busyCores: number;
}

const LOOK_MS = 2000;
/** From here on, figures say more about the others. */
export const BUSY_CORES = 0.15;

export async function machine(): Promise<Machine> {
  const from = idleSeconds();
  await delay(LOOK_MS);
  const cores = cpus().length;
  const idle = (idleSeconds() - from) / (LOOK_MS / 1000);
  return { cores, processor: cpus()[0]?.model ?? "", architecture: arch(), kernel: release(), busyCores: Math.max(0, Number((cores - idle).toFixed(2))) };
}

/** Time that all cores together had nothing to do, waiting for disks included. */
function idleSeconds(): number {
  const [, , , , idle = 0, waiting = 0] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "").split(/\s+/).map(Number);
  return (idle + waiting) / 100;
}
