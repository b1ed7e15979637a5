// Decision: the outcomes as a table for a terminal.

import { columns } from "../figures.js";
import type { Outcome, Result } from "./results.js";
import { SENDERS, type SenderName } from "./senders.js";

export const LETTERS: Record<SenderName, string> = { plain: "a", "playout-delay": "b", ours: "c" };

const HEAD = ["", "", "latency p50", "p95", "p99 ms", "CPU sender", "X server", "both %", "pictures/s", "kbit/s", "PSNR dB", "SSIM"];

/** Three lines for each case, one for each sender; then where our own processor time and latency go. */
export function words(outcomes: readonly Outcome[]): string {
  return [senders(outcomes), stages(outcomes), threads(outcomes)].join("\n\n");
}

function senders(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(({ name, senders }) => SENDERS.map((sender, index) => [index === 0 ? name : "", `(${LETTERS[sender]}) ${sender}`, ...cells(senders[sender])]));
  return columns([HEAD, ...rows]);
}

function cells({ latencyMs, cpu, picturesPerSecond, bitrateKbps, psnrDb, ssim }: Result): string[] {
  const latency = [latencyMs?.p50, latencyMs?.p95, latencyMs?.p99].map((value) => value?.toFixed(1) ?? "");
  const cost = [cpu.sender, cpu.xServer, cpu.sender + cpu.xServer].map((value) => value.toFixed(1));
  return [...latency, ...cost, picturesPerSecond.toFixed(1), bitrateKbps.toFixed(0), psnrDb.toFixed(1), ssim.toFixed(4)];
}

/** Columns for stages, in the order of the way. */
const STAGES = ["capture", "convert", "encode", "packetise", "send", "network", "decode", "present"];

function stages(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, senders: { ours } }) => [
    name,
    ...STAGES.map((stage) => ours.stagesMs[stage]).map((ms) => (ms ? `${ms.p50.toFixed(1)} / ${ms.p95.toFixed(1)}` : "")),
    ...(ours.own ? [ours.own.p50, ours.own.p95].map(([told, truth]) => `${told.toFixed(1)} = ${truth.toFixed(1)}`) : []),
  ]);
  return columns([["(c) p50 / p95 ms", ...STAGES, "told = true p50", "p95"], ...rows]);
}

function threads(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, senders: { ours } }) => [name, ours.threads.map(([thread, cpu]) => `${thread} ${cpu.toFixed(1)}`).join(", ")]);
  return columns([["(c) % of a core", "by thread"], ...rows]);
}
