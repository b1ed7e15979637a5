// Shell: what the built-in TURN server carries and adds to the way, beside coturn in the same minutes. The load and both
// servers are `relay/main.rs`; here its figures are judged.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { targetFolder } from "../desktop_to_browser/support/launcher.js";
import type { Report } from "./figures.js";

interface Result {
  server: "direct" | "built-in" | "coturn";
  transport: "udp" | "tcp";
  p50Us: number;
  p95Us: number;
  lost: number;
  maxBps: number;
  cpuUsPerRoundTrip: number;
}

/** Five links, each of which is measured for its round trip and for its rate. */
export function relaySeconds(seconds: number): number {
  return 5 * 2 * (seconds + 1);
}

export async function relay({ step, note }: Report, seconds: number): Promise<void> {
  step(`TURN: ${seconds} s for each of round trip and rate: direct, built-in and coturn over UDP, both over TCP`);
  const words = ["bench", "--quiet", "--package", "vdi-launcher", "--bench", "relay", "--", String(seconds)];
  const run = await promisify(execFile)("cargo", words, { cwd: resolve(import.meta.dirname, "../.."), maxBuffer: 2 ** 24 });
  const results = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as Result[];
  writeFileSync(resolve(targetFolder, "bench", "relay.json"), `${JSON.stringify(results, null, 2)}\n`);
  const of = (server: Result["server"], transport: Result["transport"]): Result => {
    const result = results.find((one) => one.server === server && one.transport === transport);
    if (!result) throw new Error(`${server} over ${transport} was not measured`);
    return result;
  };
  const direct = of("direct", "udp");
  step(`  (without a server: ${direct.p50Us.toFixed(0)} / ${direct.p95Us.toFixed(0)} µs there and back)`);
  for (const transport of ["udp", "tcp"] as const) {
    const [ours, coturn] = [of("built-in", transport), of("coturn", transport)];
    const name = `TURN over ${transport.toUpperCase()}`;
    for (const one of [ours, coturn]) {
      const lost = one.lost > 0 ? `, ${one.lost} packets lost` : "";
      step(`  (${name}, ${one.server}: ${one.p50Us.toFixed(0)} / ${one.p95Us.toFixed(0)} µs at 8 Mbit/s, ${(one.maxBps / 1e6).toFixed(0)} Mbit/s each way, ${one.cpuUsPerRoundTrip.toFixed(1)} µs of a core for a packet and its echo${lost})`);
    }
    note(`${name}, added round trip, median`, (ours.p50Us - direct.p50Us) / 1000, "ms", 1);
    note(`${name}, round trip against coturn, median`, ours.p50Us / coturn.p50Us, "ratio", 1.2);
    note(`${name}, round trip against coturn, p95`, ours.p95Us / coturn.p95Us, "ratio", 1.5);
    note(`${name}, rate each way`, ours.maxBps / 1e6, "Mbit/s", 100, "at least");
    note(`${name}, rate against coturn`, ours.maxBps / coturn.maxBps, "ratio", 0.8, "at least");
    note(`${name}, processor time against coturn`, ours.cpuUsPerRoundTrip / coturn.cpuUsPerRoundTrip, "ratio", 1.5);
  }
}
