// Behaviour: what a real browser sees of the latency comes out of the launcher, stage by stage, for people and for
// Prometheus.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

/** Text that scrolls without end. */
const scrolling = ["xterm", "-geometry", "80x24+0+0", "-e", "sh", "-c", "while :; do date; sleep 0.05; done"];
const stages = ["capture", "convert", "encode", "packetise", "send", "network", "decode", "present"];

let chromium: Chromium;
let launcher: Launcher;

before(async () => {
  chromium = await Chromium.start();
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling });
  await chromium.open(launcher);
});

after(async () => {
  await launcher.stop();
  await chromium.stop();
});

test("/status has the legs of the way to the screen, and how sure they are", async () => {
  const { latency, consumers } = await launcher.statusWhere(
    "a latency that the page has measured",
    ({ latency }) => latency !== null && !latency.estimated && latency.frames >= 10,
    30_000,
  );
  assert.ok(latency);
  assert.equal(latency.consumer, consumers[0]?.id);
  assert.deepEqual(latency.stages.map(({ stage }) => stage), stages);
  for (const { p50Seconds, p95Seconds, p99Seconds } of [latency.glassToGlass, ...latency.stages]) {
    assert.ok(0 <= p50Seconds && p50Seconds <= p95Seconds && p95Seconds <= p99Seconds, JSON.stringify(latency));
    assert.ok(p50Seconds <= latency.glassToGlass.p50Seconds, "no leg takes longer than the way");
  }
  // Half of a round trip on this machine, however busy it is, is less than half a second.
  assert.ok(0 < latency.uncertaintySeconds && latency.uncertaintySeconds < 0.5);
});

/** The buckets of a histogram in the text, as [bound, count], and its own count. */
function histogram(text: string, name: string, labels: string): { buckets: [number, number][]; count: number } {
  const lines = text.split("\n");
  const buckets = lines
    .filter((line) => line.startsWith(`${name}_bucket{`) && line.includes(`${labels}}`))
    .map((line): [number, number] => [Number(/le="([^"]*)"/.exec(line)?.[1]?.replace("+Inf", "Infinity")), Number(line.split(" ").at(-1))]);
  const count = lines.find((line) => line.startsWith(`${name}_count{${labels}}`))?.split(" ").at(-1);
  return { buckets, count: Number(count) };
}

test("/metrics has a histogram of the whole and one of each stage, which grow", async () => {
  const read = async (): Promise<string> => (await launcher.get("/metrics")).text();
  const counts = (text: string): number[] => {
    const all = [
      histogram(text, "vdi_glass_to_glass_latency_seconds", 'codec="H264"'),
      ...stages.map((stage) => histogram(text, "vdi_latency_stage_seconds", `stage="${stage}",codec="H264"`)),
    ];
    for (const { buckets, count } of all) {
      assert.equal(buckets.length, 17, text);
      assert.deepEqual([buckets[0]?.[0], buckets[15]?.[0], buckets[16]?.[0]], [0.001, 1, Infinity]);
      assert.ok(buckets.every(([, below], n) => n === 0 || below >= (buckets[n - 1]?.[1] ?? 0)), "buckets are cumulative");
      assert.equal(buckets[16]?.[1], count);
    }
    return all.map(({ count }) => count);
  };
  const before = await until("histograms of every stage", 30_000, async () => counts(await read()));
  await until("more frames in each", 30_000, async () => {
    const now = counts(await read());
    assert.ok(now.every((count, n) => count > (before[n] ?? 0)), JSON.stringify({ before, now }));
    return true;
  });
});
