// Shell: one sender on one link: the launcher with a congestion control, a page that shows what it sends, and everything
// that is known of the way between.

import { setTimeout as delay } from "node:timers/promises";
import type { Page } from "playwright-core";
import type { Chromium, Viewer } from "../../desktop_to_browser/support/browser.js";
import { estimateBps } from "../../desktop_to_browser/support/estimate.js";
import { Launcher } from "../../desktop_to_browser/support/launcher.js";
import { Link, ONE_PATH, through } from "../../desktop_to_browser/support/link.js";
import { until } from "../../desktop_to_browser/support/wait.js";
import { align, monotonicMs } from "../latency/clock.js";
import type { Desktop } from "../latency/display.js";
import { read as readMarker } from "../latency/marker.js";
import { read, taken } from "../latency/reader.js";
import type { Change, Controller, Estimate, PageCounts, Run } from "./outcome.js";
import { firstWords, words, type Scenario } from "./scenarios.js";

/** A page that shows the whole video scaled down costs the browser the same for every sender. */
const VIEWPORT = { width: 640, height: 360 };
const SAMPLE_MS = 100;
/** After the window, for what is still on its way. */
const AFTER_MS = 1500;
/** The first picture after a silence. */
const CHANGE_MS = 20_000;

/** Seconds that a run takes beside its window. */
export const aroundSeconds = ({ warmUpS, kind }: Scenario): number => warmUpS + 6 + (kind === "idle" ? 3 : 0);

export async function run(chromium: Chromium, desktop: Desktop, scenario: Scenario, controller: Controller): Promise<Run> {
  const link = Link.start({ down: firstWords(scenario), up: "delay=20ms" });
  const flags = [...ONE_PATH, "--framerate", "30", "--max-bitrate", String(scenario.ceilingBps / 1000), "--video-bitrate", String(scenario.ceilingBps / 1000), "--congestion-control", controller];
  const launcher = await Launcher.start({ flags, desktop: [], env: desktop.env });
  const viewer = await chromium.prepare(launcher, { viewport: VIEWPORT });
  await through(link, viewer);
  await viewer.page.goto(launcher.url);
  await viewer.connected();
  const { offsetMs } = await align(viewer.page);
  await keepTimes(viewer.page);
  await desktop.tell("go");
  await delay(scenario.warmUpS * 1000);
  const seen = scenario.kind === "idle" ? await silence(desktop, launcher, viewer, scenario, offsetMs) : await window(link, launcher, viewer, scenario);
  await delay(AFTER_MS);
  await desktop.tell("hold");
  const shownMs = (await times(viewer.page)).map((ms) => ms + offsetMs);
  await viewer.close();
  await launcher.stop();
  return { scenario, controller, ...seen, shownMs, packets: await link.stop() };
}

type Seen = Pick<Run, "fromMs" | "toMs" | "estimates" | "counts" | "change">;

/** The link follows its plan while the display moves. */
async function window(link: Link, launcher: Launcher, viewer: Viewer, scenario: Scenario): Promise<Seen> {
  const before = await counts(viewer);
  if (scenario.kind === "rival") await link.compete();
  const fromMs = await link.becomes("down", words(scenario));
  const toMs = fromMs + scenario.lengthS * 1000;
  const estimates = await sample(launcher, viewer, toMs);
  return { fromMs, toMs, estimates, counts: between(before, await counts(viewer)), change: null };
}

/** Nothing moves for the whole window; then one picture. */
async function silence(desktop: Desktop, launcher: Launcher, viewer: Viewer, scenario: Scenario, offsetMs: number): Promise<Seen> {
  const before = await counts(viewer);
  await desktop.tell("hold");
  const fromMs = monotonicMs();
  const estimates = await sample(launcher, viewer, fromMs + scenario.lengthS * 1000);
  await read(viewer.page, desktop.marker, desktop.size);
  const drawnMs = monotonicMs();
  const number = await desktop.tell("once");
  const change = await until("the picture after the silence", CHANGE_MS, async (): Promise<Change | undefined> => {
    const { seen } = await taken(viewer.page);
    const shown = seen.find(({ cells }) => readMarker(cells)?.number === number);
    return shown && { drawnMs, shownMs: shown.presentationTime + offsetMs, rtpTimestamp: shown.rtpTimestamp ?? NaN };
  });
  return { fromMs, toMs: monotonicMs(), estimates, counts: between(before, await counts(viewer)), change };
}

async function sample(launcher: Launcher, viewer: Viewer, toMs: number): Promise<Estimate[]> {
  const id = await viewer.consumer();
  const estimates: Estimate[] = [];
  while (monotonicMs() < toMs) {
    const bps = await estimateBps(launcher, id);
    if (bps !== null) estimates.push({ atMs: monotonicMs(), bps });
    await delay(Math.max(0, Math.min(SAMPLE_MS, toMs - monotonicMs())));
  }
  return estimates;
}

const COUNTS = ["framesDecoded", "keyFramesDecoded", "freezeCount", "totalFreezesDuration", "packetsLost", "retransmittedPacketsReceived", "nackCount", "pliCount"] as const;

async function counts(viewer: Viewer): Promise<PageCounts> {
  const told = (await viewer.inbound("video")) as unknown as Partial<PageCounts>;
  return Object.fromEntries(COUNTS.map((name) => [name, told[name] ?? 0])) as unknown as PageCounts;
}

const between = (before: PageCounts, after: PageCounts): PageCounts =>
  Object.fromEntries(COUNTS.map((name) => [name, after[name] - before[name]])) as unknown as PageCounts;

/** Runs in the page: keeps when each frame was presented. */
const keepTimes = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const kept = globalThis as unknown as { shownMs: number[] };
    kept.shownMs = [];
    const keep = (video: HTMLVideoElement): void => {
      video.requestVideoFrameCallback((_, { presentationTime }) => {
        kept.shownMs.push(presentationTime);
        keep(video);
      });
    };
    const video = document.querySelector("video");
    if (!video) throw new Error("no video");
    keep(video);
  });

const times = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as { shownMs: number[] }).shownMs);
