// Shell: `make bench`: latency to the glass and from a key to its picture, what a viewer waits for, what the sender and each encoder cost, how long the
// picture stands still when an encoder fails, beside a naive pipeline, and what the operator needs; in a release build.
//
// Each figure is measured while nothing else is; each ratio compares two runs of the same minutes on the same display.
// `VDI_BENCH_SECONDS` (10) sets how long each cost is measured; `VDI_BENCH_PARTS` names the parts to run, all if
// empty, and `VDI_BENCH_CASES` the cases of the latency part, by what their names have in them.

import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Chromium, type Viewer } from "../desktop_to_browser/support/browser.js";
import { Child, cpuSeconds, residentBytes } from "../desktop_to_browser/support/child.js";
import { Launcher, targetFolder } from "../desktop_to_browser/support/launcher.js";
import { delay } from "../desktop_to_browser/support/wait.js";
import { congestion, congestionSeconds } from "./congestion/main.js";
import { encoders } from "./encoders.js";
import { failover } from "./failover.js";
import { FIRST_FRAME_SECONDS, firstFrame } from "./first-frame.js";
import { figure, table, type Bound, type Figure } from "./figures.js";
import { input, inputSeconds } from "./input/main.js";
import { latency, plannedSeconds } from "./latency/main.js";
import { BUSY_CORES, machine } from "./machine.js";
import { operator, operatorSeconds } from "./operator.js";
import { Progress } from "./progress.js";
import { relay, relaySeconds } from "./relay.js";
import { resize, RESIZE_SECONDS } from "./resize.js";
import { sound, soundSeconds } from "./sound/main.js";
import { Stage, type Content } from "./stage.js";

const SECONDS = Number(process.env["VDI_BENCH_SECONDS"] ?? 10);
const CASES = process.env["VDI_BENCH_CASES"] ?? "";
const folder = resolve(targetFolder, "bench");
mkdirSync(folder, { recursive: true });

const figures: Figure[] = [];
/** What is told beside the figures. */
const tables: string[] = [];

function note(name: string, value: number, unit: string, goal: number | null, bound?: Bound): void {
  const noted = figure(name, value, unit, goal, bound);
  figures.push(noted);
  step(`  ${name}: ${noted.value} ${unit}`);
}

function step(words: string): void {
  progress.say(words);
}

/** Processor time of one process over the window, in per cent of one core. */
async function load(pid: number): Promise<number> {
  const [from, fromMs] = [cpuSeconds(pid), performance.now()];
  await delay(SECONDS * 1000);
  return ((cpuSeconds(pid) - from) / ((performance.now() - fromMs) / 1000)) * 100;
}

/** What a pipeline costs while it does what. */
interface Cost {
  cpu: number;
  framesPerSecond: number;
}

/** The least that turns a display into H.264: no network, no browser. */
async function naiveCost(env: { DISPLAY: string }, framerate: number): Promise<Cost> {
  const line = `-v ximagesrc use-damage=false ! video/x-raw,framerate=${framerate}/1 ! videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=8000 ! fpsdisplaysink video-sink=fakesink text-overlay=false sync=false`;
  const naive = Child.start("gst-launch-1.0", line.split(" "), { env: { ...env, GST_REGISTRY: resolve(targetFolder, "bench-registry.bin") } });
  await delay(2000);
  const frames = (): number => Number([...naive.stdout.matchAll(/rendered: (\d+)/g)].at(-1)?.[1] ?? 0);
  const [from, fromMs] = [frames(), performance.now()];
  const cpu = await load(naive.pid);
  const framesPerSecond = (frames() - from) / ((performance.now() - fromMs) / 1000);
  await naive.stop("SIGINT");
  return { cpu, framesPerSecond };
}

async function launcherCost(launcher: Launcher, viewer: Viewer): Promise<Cost> {
  const [from, fromMs] = [(await viewer.inbound("video")).framesDecoded, performance.now()];
  const cpu = await load(launcher.pid);
  const frames = (await viewer.inbound("video")).framesDecoded - from;
  return { cpu, framesPerSecond: frames / ((performance.now() - fromMs) / 1000) };
}

async function costs(chromium: Chromium, size: string, framerate: number, content: Content, viewers: number): Promise<void> {
  const name = `${size}@${framerate} ${content}`;
  step(`${name}: ${SECONDS} s for each of naive pipeline, launcher${viewers > 1 ? `, launcher with ${viewers} viewers` : ""}`);
  const stage = await Stage.set(size, content);
  const naive = await naiveCost(stage.env, framerate);
  const launcher = await Launcher.start({ flags: ["--framerate", String(framerate)], desktop: [], env: stage.env });
  const first = await chromium.open(launcher, { viewport: { width: 640, height: 360 } });
  const open: Viewer[] = [first];
  await delay(3000);
  const one = await launcherCost(launcher, first);
  note(`sender CPU, ${name}`, one.cpu, "% of a core", framerate > 30 ? 100 : 50);
  // For the same display in the same time: the launcher sends a frame where something has changed, the other as often as it can.
  note(`sender CPU against naive pipeline, ${name}`, one.cpu / naive.cpu, "ratio", content === "static" ? 0.1 : 1.4);
  const words = ({ cpu, framesPerSecond }: Cost): string => `${framesPerSecond.toFixed(1)} frames per second for ${cpu.toFixed(0)} % of a core`;
  step(`  (launcher, to a viewer on this machine: ${words(one)}; naive pipeline: ${words(naive)})`);
  if (viewers > 1) {
    while (open.length < viewers) open.push(await chromium.open(launcher, { viewport: { width: 640, height: 360 } }));
    await delay(3000);
    note(`CPU of each further viewer, ${name}`, ((await load(launcher.pid)) - one.cpu) / (viewers - 1), "% of a core", 15);
  }
  note(`memory with ${open.length} viewer${open.length > 1 ? "s" : ""}, ${name}`, residentBytes(launcher.pid) / 2 ** 20, "MiB", 200);
  for (const viewer of open) await viewer.close();
  await launcher.stop();
  await stage.strike();
}

/** A part of the whole, and about how long it takes, in seconds. Parts that tell of their own steps have no words. */
interface Part {
  words: string | null;
  seconds: number;
  run: (chromium: Chromium) => Promise<void>;
}

const PARTS: Record<string, Part> = {
  latency: {
    words: null,
    // Cases are those of a part that runs, so only that may be asked.
    get seconds() {
      return plannedSeconds(SECONDS, CASES);
    },
    run: async (chromium) => {
      const told = await latency(chromium, progress, host, SECONDS, CASES);
      figures.push(...told.figures);
      tables.push(told.table);
    },
  },
  input: {
    words: "a key to its picture",
    seconds: inputSeconds(SECONDS),
    run: async (chromium) => {
      tables.push(await input({ step, note }, chromium, SECONDS));
    },
  },
  sound: {
    words: "sound",
    seconds: soundSeconds(SECONDS),
    run: async (chromium) => {
      tables.push(await sound({ step, note }, chromium, SECONDS));
    },
  },
  resize: { words: "another size", seconds: RESIZE_SECONDS, run: (chromium) => resize({ step, note }, chromium) },
  congestion: {
    words: null,
    get seconds() {
      return congestionSeconds(CASES);
    },
    run: async (chromium) => {
      const told = await congestion(chromium, progress, host, CASES);
      figures.push(...told.figures);
      tables.push(told.table);
    },
  },
  "first-frame": {
    words: "time to the first frame",
    seconds: FIRST_FRAME_SECONDS,
    run: async (chromium) => {
      const { loads, table: spent } = await firstFrame({ step, note }, chromium);
      tables.push(spent);
      writeFileSync(resolve(folder, "first-frame.json"), `${JSON.stringify(loads, null, 2)}\n`);
    },
  },
  costs: {
    words: "what the sender costs",
    seconds: 4 * (2 * SECONDS + 12) + SECONDS,
    run: async (chromium) => {
      await costs(chromium, "1280x720", 30, "static", 1);
      await costs(chromium, "1280x720", 30, "text", 3);
      await costs(chromium, "1920x1080", 60, "static", 1);
      await costs(chromium, "1920x1080", 60, "text", 1);
    },
  },
  failover: { words: "fail-over", seconds: 45, run: (chromium) => failover({ step, note }, chromium) },
  relay: { words: "the TURN server", seconds: relaySeconds(SECONDS), run: () => relay({ step, note }, SECONDS) },
  operator: { words: "the operator", seconds: operatorSeconds(6 * SECONDS), run: () => operator({ step, note }, 6 * SECONDS) },
  // Six or so work on a machine without a GPU. The browser rests meanwhile.
  encoders: { words: "encoders", seconds: 3 * 7 * (SECONDS + 4), run: () => encoders({ step, note }, SECONDS) },
};

function chosen(names: string): Part[] {
  const known = Object.keys(PARTS);
  return (names === "" ? known : names.split(/[\s,]+/)).map((name) => {
    const part = PARTS[name];
    if (!part) throw new Error(`there is no part "${name}"; known are ${known.join(", ")}`);
    return part;
  });
}

const parts = chosen((process.env["VDI_BENCH_PARTS"] ?? "").trim());
const host = await machine();
const progress = new Progress(parts.reduce((sum, { seconds }) => sum + seconds, 0));
if (host.busyCores > BUSY_CORES) {
  step(`this machine is busy with something else, ${host.busyCores} of ${host.cores} cores: what follows says less about gst-vdi than about that`);
}
const chromium = await Chromium.start();
try {
  for (const { words, seconds, run } of parts) {
    if (words !== null) progress.enter(words, seconds);
    await run(chromium);
  }
} finally {
  progress.end();
  await chromium.stop();
}

writeFileSync(resolve(folder, "summary.json"), `${JSON.stringify(figures, null, 2)}\n`);
process.stdout.write(`\n${[...tables, table(figures)].join("\n\n")}\n`);
