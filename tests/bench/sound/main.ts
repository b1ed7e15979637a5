// Shell: the sound part of `make bench`: from the moment at which a program on the desktop writes a click to PulseAudio to its
// being there as samples in the page, beside a naive sender; and the other way, from the page's microphone to a program.
//
// Results: target/bench/sound.json.

import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Chromium } from "../../desktop_to_browser/support/browser.js";
import { Child } from "../../desktop_to_browser/support/child.js";
import { Launcher, targetFolder } from "../../desktop_to_browser/support/launcher.js";
import { Pulse } from "../../desktop_to_browser/support/pulse.js";
import { delay, until } from "../../desktop_to_browser/support/wait.js";
import { columns, median, percentile, type Report } from "../figures.js";
import { align } from "../latency/clock.js";
import { naiveSound, type Sender } from "../latency/senders.js";
import { Stage } from "../stage.js";
import { clicks, latencies } from "./clicks.js";
import { buffered, clickingMicrophone, heard, listenTo, spoken } from "./ears.js";

const SENDERS = ["naive", "ours"] as const;
type SenderName = (typeof SENDERS)[number];

/** Each sender twice, in turns. */
const ROUNDS = 2;
/** The browser's jitter buffer begins long and becomes shorter. */
const WARM_UP_MS = 10_000;
const SETTLE_MS = 500;
/** Clicks that may be missed: a busy machine may have the sound stand still. */
const MOST_MISSED = 0.2;
/** From a program to the page, and from the page to a program: what people who play or talk take for at once. */
const GOAL_MS = 40;
/** Nothing moves: what a busy encoder costs a machine with too few cores is not the sound's. */
const SIZE = "1280x720";

export const soundSeconds = (seconds: number): number => (ROUNDS * SENDERS.length + 1) * (3 * seconds + WARM_UP_MS / 1000 + 8);

/** What a run has measured, in ms. */
interface Run {
  sender: SenderName | "microphone";
  played: number;
  /** From the program's write. */
  whole: number[];
  /** From when PulseAudio says that the sink plays it. */
  fromSink: number[];
  /** The mean time in the browser's jitter buffer. */
  jitterBufferMs: number;
  /** The share of samples that the browser made up. */
  concealed: number;
  uncertaintyMs: number;
}

const program = (pulse: Pulse, ...words: string[]): Child =>
  Child.start("/usr/bin/python3", [resolve(import.meta.dirname, "click.py"), ...words], { env: { PULSE_SERVER: pulse.server } });

export async function sound({ step, note }: Report, chromium: Chromium, seconds: number): Promise<string> {
  const pulse = await Pulse.start();
  const stage = await Stage.set(SIZE, "static");
  const env = { ...stage.env, PULSE_SERVER: pulse.server };
  const runs: Run[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of SENDERS) {
        step(`sound, ${name === "ours" ? "launcher" : "naive sender"}: clicks for ${3 * seconds} s`);
        runs.push(await play(pulse, name, await start(name, chromium, env), seconds));
      }
    }
    step(`the microphone: clicks for ${3 * seconds} s`);
    runs.push(await speak(pulse, chromium, env, seconds));
  } finally {
    await stage.strike();
    await pulse.stop();
  }
  const folder = resolve(targetFolder, "bench");
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, "sound.json"), `${JSON.stringify(runs, null, 1)}\n`);
  const rows = [["sound, in ms", "clicks", "program to page p50", "p95", "sink to page p50", "p95", "in the jitter buffer, mean", "made up"]];
  for (const name of SENDERS) {
    const own = runs.filter(({ sender }) => sender === name);
    const whole = own.flatMap((run) => run.whole);
    const fromSink = own.flatMap((run) => run.fromSink);
    const words = name === "ours" ? "launcher" : "naive sender";
    note(`sound, a program's write to the page's samples p50, ${words}`, median(whole), "ms", null);
    note(`sound, a program's write to the page's samples p95, ${words}`, percentile(whole, 0.95), "ms", null);
    note(`sound, the sink to the page's samples p50, ${words}`, median(fromSink), "ms", name === "ours" ? GOAL_MS : null);
    const waits = own.map((run) => run.jitterBufferMs);
    const cells = [whole, fromSink].flatMap((all) => [median(all), percentile(all, 0.95)]);
    const concealed = (100 * own.reduce((sum, run) => sum + run.concealed, 0)) / own.length;
    rows.push([words, `${whole.length} of ${own.reduce((sum, { played }) => sum + played, 0)}`, ...cells.map((cell) => cell.toFixed(1)), waits.map((wait) => wait.toFixed(1)).join(", "), `${concealed.toFixed(2)} %`]);
  }
  const voice = runs.filter(({ sender }) => sender === "microphone").flatMap((run) => run.whole);
  note("microphone, the page's samples to a program's p50", median(voice), "ms", GOAL_MS);
  note("microphone, the page's samples to a program's p95", percentile(voice, 0.95), "ms", null);
  return columns(rows);
}

async function start(name: SenderName, chromium: Chromium, env: { DISPLAY: string; PULSE_SERVER: string }): Promise<Sender> {
  if (name === "naive") return naiveSound(chromium, env);
  const launcher = await Launcher.start({ desktop: [], env });
  const viewer = await chromium.open(launcher, { viewport: { width: 640, height: 360 } });
  await launcher.statusWhere("sound is captured", (status) => status.audio.running);
  return {
    page: viewer.page,
    pids: [launcher.pid],
    launcher,
    stop: async () => {
      await viewer.close();
      await launcher.stop();
    },
  };
}

/** A program plays clicks, and the page listens. */
async function play(pulse: Pulse, name: SenderName, sender: Sender, seconds: number): Promise<Run> {
  const player = program(pulse, "play");
  try {
    await delay(WARM_UP_MS);
    const { offsetMs, uncertaintyMs } = await align(sender.page);
    const from = { buffered: await buffered(sender.page), clicks: clicks(player.stdout).length };
    await listenTo(sender.page, "received");
    await delay(3000 * seconds);
    const to = await buffered(sender.page);
    player.stdin.end();
    await delay(SETTLE_MS);
    const played = clicks(player.stdout).slice(from.clicks + 1);
    const there = (await heard(sender.page)).map((at) => at + offsetMs);
    const whole = latencies(played.map(({ atMs }) => atMs), there);
    enough(`sound of the ${name} sender`, whole, played.length);
    return {
      sender: name,
      played: played.length,
      whole,
      fromSink: latencies(played.map(({ atMs, lateMs }) => atMs + lateMs), there),
      jitterBufferMs: (1000 * (to.delaySeconds - from.buffered.delaySeconds)) / (to.emitted - from.buffered.emitted),
      concealed: (to.concealed - from.buffered.concealed) / (to.received - from.buffered.received),
      uncertaintyMs,
    };
  } finally {
    await player.stop("SIGKILL");
    await sender.stop();
  }
}

/** The page's microphone clicks, and a program listens. */
async function speak(pulse: Pulse, chromium: Chromium, env: { DISPLAY: string }, seconds: number): Promise<Run> {
  const launcher = await Launcher.start({ desktop: [], env });
  const viewer = await chromium.prepare(launcher, { viewport: { width: 640, height: 360 } });
  const children: Child[] = [];
  try {
    await viewer.page.addInitScript(clickingMicrophone);
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await viewer.becomes("controller");
    await launcher.statusWhere("the desktop has a microphone", (status) => status.microphone.running);
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.page.click("#microphone");
    await until("the microphone to be on", 10_000, () => viewer.page.isVisible("#speaking"));
    const recorder = program(pulse, "record", "vdi-microphone");
    children.push(recorder);
    await delay(WARM_UP_MS / 3);
    const { offsetMs, uncertaintyMs } = await align(viewer.page);
    await listenTo(viewer.page, "sent");
    await delay(3000 * seconds);
    const said = (await spoken(viewer.page)).map((at) => at + offsetMs);
    await delay(SETTLE_MS);
    const whole = latencies(said, clicks(recorder.stdout).map(({ atMs }) => atMs));
    enough("the microphone", whole, said.length);
    return { sender: "microphone", played: said.length, whole, fromSink: [], jitterBufferMs: NaN, concealed: NaN, uncertaintyMs };
  } finally {
    for (const child of children) await child.stop("SIGKILL");
    await viewer.close();
    await launcher.stop();
  }
}

function enough(what: string, found: readonly number[], played: number): void {
  if (played === 0 || found.length < played * (1 - MOST_MISSED)) throw new Error(`${what}: of ${played} clicks only ${found.length} were heard`);
}
