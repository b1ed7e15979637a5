// Shell: one visit: one sender shows one content to the browser for a while, and everything about it is counted.

import { setTimeout as delay } from "node:timers/promises";
import type { Chromium } from "../../desktop_to_browser/support/browser.js";
import { Child, residentBytes } from "../../desktop_to_browser/support/child.js";
import { align } from "./clock.js";
import { between, spent, total } from "./cost.js";
import type { Content, Desktop } from "./display.js";
import { sharpness } from "./picture.js";
import { read, taken, type Seen } from "./reader.js";
import { receivedBytes, start, type Sender, type SenderName } from "./senders.js";
import { shown, type Shown } from "./shown.js";
import type { Sharpness } from "./sharpness.js";
import { heard, type Told } from "./told.js";

/** Rate control, the browser's jitter buffer and its code settle before anything is counted. */
const WARM_UP_MS = 3000;
/** After the last change, until the picture is compared. */
const SETTLE_MS = 1500;
/** Changes after a silence, and the silence before each. */
const WAKES = 6;
const SILENCE_MS = 450;

export interface Visit {
  sender: SenderName;
  round: number;
  seconds: number;
  shown: Shown;
  bytes: number;
  /** Processor time, in seconds. */
  cpu: { sender: number; xServer: number; browser: number };
  /** The sender's, by the names of its threads. */
  threads: Record<string, number>;
  sharpness: Sharpness;
  /** How far off all latencies of this visit may be, for the page's clock. */
  uncertaintyMs: number;
  /** Memory of the launcher, at the beginning of the window and at its end. */
  memoryBytes: [number, number] | null;
  told: Told[];
}

/** Runs `work` beside a process that never rests. */
async function beside<T>(busy: boolean, work: () => Promise<T>): Promise<T> {
  if (!busy) return work();
  const spinner = Child.start("sh", ["-c", "while :; do :; done"]);
  try {
    return await work();
  } finally {
    await spinner.stop("SIGTERM");
  }
}

export async function visit(chromium: Chromium, desktop: Desktop, content: Content, name: SenderName, round: number, seconds: number, loaded: boolean): Promise<Visit> {
  const sender = await start(name, chromium, desktop.env);
  try {
    const { offsetMs, uncertaintyMs } = await align(sender.page);
    await read(sender.page, desktop.marker, desktop.size);
    const window = await beside(loaded, () => watch(chromium, desktop, sender, seconds));
    if (content === "static") {
      window.earlier.push(...window.seen);
      window.seen = await wake(desktop, sender);
    }
    await delay(SETTLE_MS);
    return {
      sender: name,
      round,
      seconds: window.seconds,
      shown: shown(window.seen, window.earlier, offsetMs, window.replaced),
      bytes: window.bytes,
      cpu: window.cpu,
      threads: window.threads,
      sharpness: await sharpness(sender.page, desktop),
      uncertaintyMs,
      memoryBytes: sender.launcher && window.memoryBytes,
      told: window.told,
    };
  } finally {
    await sender.stop();
  }
}

interface Window extends Pick<Visit, "seconds" | "bytes" | "cpu" | "threads" | "told"> {
  memoryBytes: [number, number];
  seen: Seen[];
  earlier: Seen[];
  replaced: number;
}

async function watch(chromium: Chromium, desktop: Desktop, sender: Sender, seconds: number): Promise<Window> {
  const look = async () => {
    const [senders, xServer, browser] = [spent(sender.pids), spent([desktop.pid]), spent(chromium.renderers)];
    return { atMs: performance.now(), senders, xServer, browser, bytes: await receivedBytes(sender.page), memory: residentBytes(sender.pids[0] ?? 0) };
  };
  await desktop.tell("go");
  await delay(WARM_UP_MS);
  const { seen: earlier } = await taken(sender.page);
  await heard(sender.page);
  const before = await look();
  await delay(seconds * 1000);
  const after = await look();
  const [{ seen, replaced }, told] = [await taken(sender.page), await heard(sender.page)];
  await desktop.tell("hold");
  const threads = between(before.senders, after.senders);
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    bytes: after.bytes - before.bytes,
    cpu: {
      sender: total(threads),
      xServer: total(between(before.xServer, after.xServer)),
      browser: total(between(before.browser, after.browser)),
    },
    threads: Object.fromEntries(threads),
    memoryBytes: [before.memory, after.memory],
    told,
    seen,
    earlier,
    replaced,
  };
}

/** A static screen has no latency; what counts is how soon it wakes. */
async function wake(desktop: Desktop, sender: Sender): Promise<Seen[]> {
  for (let count = 0; count < WAKES; count++) {
    await delay(SILENCE_MS);
    await desktop.tell("once");
  }
  await delay(SILENCE_MS);
  return (await taken(sender.page)).seen;
}
