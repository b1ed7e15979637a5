// Decision: the outcomes as a table for a terminal.

import { columns } from "../figures.js";
import type { Outcome, Result } from "./results.js";
import { SENDERS, type SenderName } from "./senders.js";

export const LETTERS: Record<SenderName, string> = { plain: "a", "playout-delay": "b", ours: "c" };

const HEAD = ["", "", "latency p50", "p95", "p99 ms", "CPU sender", "X server", "both %", "pictures/s", "kbit/s", "PSNR dB", "SSIM"];

/** Three lines for each case, one for each sender. */
export function words(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(({ name, senders }) => SENDERS.map((sender, index) => [index === 0 ? name : "", `(${LETTERS[sender]}) ${sender}`, ...cells(senders[sender])]));
  return columns([HEAD, ...rows]);
}

function cells({ latencyMs, cpu, picturesPerSecond, bitrateKbps, psnrDb, ssim }: Result): string[] {
  const latency = [latencyMs?.p50, latencyMs?.p95, latencyMs?.p99].map((value) => value?.toFixed(1) ?? "");
  const cost = [cpu.sender, cpu.xServer, cpu.sender + cpu.xServer].map((value) => value.toFixed(1));
  return [...latency, ...cost, picturesPerSecond.toFixed(1), bitrateKbps.toFixed(0), psnrDb.toFixed(1), ssim.toFixed(4)];
}
