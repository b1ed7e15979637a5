// Behaviour: congestion control, on a link that is played between launcher and page. What the link did is the truth that everything
// is held against: nothing here depends on how fast this machine is, as long as it encodes two megabits a second.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Desktop } from "../bench/latency/display.js";
import { Chromium, type Viewer } from "./support/browser.js";
import { estimateBps } from "./support/estimate.js";
import { Launcher } from "./support/launcher.js";
import { Link, ONE_PATH, through, type Second } from "./support/link.js";
import { queueDelaysMs } from "./support/packets.js";
import { delay, until } from "./support/wait.js";

/** The most that the launcher may send, and what is plainly more than the narrow link. */
const CEILING_BPS = 6e6;
const MUCH_BPS = 2e6;
const NARROW_BPS = 1e6;
/** The queue of the link holds more than what is allowed to stand in it. */
const WIDE = "rate=8M queue=300ms delay=20ms";
const SHORT_QUEUE_MS = 100;
/**
 * The page asks for a key frame after so much silence (web/src/watchdog.ts): no picture may stand still for so long, beyond what
 * the browser itself stood still for want of a processor.
 */
const SILENCE_MS = 2000;

let desktop: Desktop;
let link: Link;
let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;

before(async () => {
  desktop = await Desktop.start("640x360", "grain");
  link = Link.start({ down: WIDE, up: "delay=20ms" });
  const flags = [...ONE_PATH, "--framerate", "30", "--max-bitrate", String(CEILING_BPS / 1000), "--video-bitrate", String(CEILING_BPS / 1000)];
  launcher = await Launcher.start({ flags, desktop: [], env: desktop.env });
  chromium = await Chromium.start();
  viewer = await chromium.prepare(launcher, { viewport: { width: 640, height: 360 } });
  await through(link, viewer);
  await viewer.page.goto(launcher.url);
  await viewer.connected();
  await desktop.tell("go");
  await watchFrames();
});

after(async () => {
  await viewer.close();
  await chromium.stop();
  await launcher.stop();
  await desktop.stop();
});

const bpsOf = (second: Second): number => (second.delivered.bytes * 8) / second.seconds;
const words = (seconds: readonly Second[]): string => JSON.stringify(seconds.map((one) => [Math.round(bpsOf(one) / 1000), one.queueDelayMs.p95, one.dropped.packets]));

/** Waits for so many seconds in a row that all are as they should be, from now on. */
async function secondsWhere(what: string, count: number, limitMs: number, fits: (second: Second) => boolean): Promise<Second[]> {
  const from = link.seconds("down").length;
  return until(what, limitMs, () => {
    const seconds = link.seconds("down").slice(from);
    const last = seconds.slice(-count);
    if (last.length < count || !last.every(fits)) throw new Error(`kbit/s, p95 of the queue in ms, dropped packets: ${words(seconds)}`);
    return last;
  });
}

interface Kept {
  lastMs: number | undefined;
  longestMs: number;
  /** The longest time for which the page could do nothing. */
  stalledMs: number;
}

/** Begins to keep the longest time between two frames of the page. */
const watchFrames = (): Promise<void> =>
  viewer.page.evaluate(() => {
    const kept = globalThis as unknown as Kept;
    kept.longestMs = kept.stalledMs = 0;
    const keep = (video: HTMLVideoElement): void => {
      video.requestVideoFrameCallback((_, { presentationTime }) => {
        kept.longestMs = Math.max(kept.longestMs, presentationTime - (kept.lastMs ?? presentationTime));
        kept.lastMs = presentationTime;
        keep(video);
      });
    };
    const video = document.querySelector("video");
    if (!video) throw new Error("no video");
    keep(video);
    let before = performance.now();
    setInterval(() => {
      const now = performance.now();
      kept.stalledMs = Math.max(kept.stalledMs, now - before);
      before = now;
    }, 20);
  });

/** Counts from now on the key frames that a page asks for, as it does where a busy machine has kept it from running. */
async function countsRequests(of: Viewer): Promise<() => Promise<number>> {
  await of.page.evaluate(() => {
    const { control } = (globalThis as unknown as { channels: Record<string, RTCDataChannel | undefined> }).channels;
    if (!control) throw new Error("no channel");
    const send = control.send.bind(control);
    Object.assign(globalThis, { requested: 0 });
    control.send = (data: unknown) => {
      if (String(data).includes("requestKeyFrame")) (globalThis as unknown as { requested: number }).requested += 1;
      send(data as string);
    };
  });
  return () => of.page.evaluate(() => (globalThis as unknown as { requested: number }).requested);
}

/** No picture has stood still for too long since this was asked last. */
async function assertMoving(): Promise<void> {
  const [longestMs, stalledMs] = await viewer.page.evaluate(() => {
    const kept = globalThis as unknown as Kept;
    const { longestMs, stalledMs } = kept;
    kept.longestMs = kept.stalledMs = 0;
    return [longestMs, stalledMs] as const;
  });
  assert.ok(longestMs < SILENCE_MS + stalledMs, `no frame for ${longestMs} ms; the page stood still for ${stalledMs} ms at most`);
}

test("a link that narrows is used without a standing queue and without a frozen picture, and filled again when it opens", { timeout: 120_000 }, async () => {
  await secondsWhere("a stream of megabits", 2, 40_000, (second) => bpsOf(second) >= MUCH_BPS);
  await assertMoving();

  await link.becomes("down", `rate=${NARROW_BPS}`);
  const narrow = await secondsWhere("a narrow link that is used and has a short queue", 3, 30_000, (second) => bpsOf(second) >= 0.5 * NARROW_BPS && second.queueDelayMs.p95 < SHORT_QUEUE_MS);
  const estimate = await estimateBps(launcher, await viewer.consumer());
  const arriving = Math.min(...narrow.map(bpsOf));
  assert.ok(estimate !== null && estimate >= 0.7 * arriving && estimate <= 1.3 * NARROW_BPS, `the estimate is ${estimate} while ${words(narrow)} arrives`);
  await assertMoving();

  await link.becomes("down", WIDE);
  await secondsWhere("a link that has opened to be used", 1, 30_000, (second) => bpsOf(second) >= MUCH_BPS);
  await assertMoving();
});

test("loss by chance is not taken for a narrow link, and retransmissions keep the picture moving", { timeout: 60_000 }, async () => {
  await link.becomes("down", "loss=10%");
  const seconds = await secondsWhere("a stream of megabits in spite of the losses", 3, 40_000, (second) => bpsOf(second) >= MUCH_BPS);
  assert.ok(seconds.every(({ lost, offered }) => lost.packets > 0.05 * offered.packets), words(seconds));
  await assertMoving();
  await link.becomes("down", "loss=0");
});

test("one slow viewer neither lowers the controlling user's stream nor floods it with key frames, and sees pictures all the same", { timeout: 120_000 }, async () => {
  await secondsWhere("a stream of megabits", 2, 40_000, (second) => bpsOf(second) >= MUCH_BPS);
  const narrow = Link.start({ down: `rate=${NARROW_BPS} queue=300ms delay=20ms`, up: "delay=20ms" });
  const bystander = await chromium.prepare(launcher, { viewport: { width: 640, height: 360 } });
  try {
    await through(narrow, bystander);
    await bystander.page.goto(launcher.url);
    await bystander.connected();
    await bystander.becomes("viewer");
    await assertMoving();
    const id = await bystander.consumer();
    await until("what the slow viewer's network carries to be known", 30_000, async () => {
      const bps = await estimateBps(launcher, id);
      if (bps === null || bps > 2 * NARROW_BPS) throw new Error(`its estimate is ${bps}`);
      return true;
    });
    const ownRequests = await countsRequests(viewer);
    const [before, slowBefore] = await Promise.all([viewer.inbound("video"), bystander.inbound("video")]);
    const from = Date.now();
    await secondsWhere("the controlling user's stream to stay what it was", 8, 40_000, (second) => bpsOf(second) >= MUCH_BPS);
    const [after, slowAfter] = await Promise.all([viewer.inbound("video"), bystander.inbound("video")]);
    const seconds = (Date.now() - from) / 1000;
    // One each three seconds at most, one that was on its way, and what the controlling user's own page has asked for.
    const keyFrames = after.keyFramesDecoded - before.keyFramesDecoded - (await ownRequests());
    assert.ok(keyFrames <= 2 + seconds / 3, `${keyFrames} key frames in ${seconds} s`);
    assert.ok(slowAfter.framesDecoded > slowBefore.framesDecoded, `the slow viewer has ${slowAfter.framesDecoded} frames, as before`);
    await assertMoving();
  } finally {
    await bystander.close();
    await narrow.stop();
  }
});

test("a screen on which nothing changes neither raises nor lowers the estimate", { timeout: 60_000 }, async () => {
  await secondsWhere("a stream of megabits", 2, 40_000, (second) => bpsOf(second) >= MUCH_BPS);
  await desktop.tell("hold");
  await secondsWhere("silence", 1, 20_000, (second) => bpsOf(second) < 0.5e6);
  const before = await estimateBps(launcher, await viewer.consumer());
  await delay(8_000);
  const after = await estimateBps(launcher, await viewer.consumer());
  assert.ok(before !== null && after !== null && after >= 0.7 * before && after <= 1.2 * before, `${before} before, ${after} after`);
});

test("the relay has played what it was told, in time", { timeout: 30_000 }, async () => {
  const told = link.seconds("down");
  const packets = (await link.stop()).filter(({ direction }) => direction === "down");
  assert.ok(packets.length > 1000);
  // 300 ms of queue at most, and what a packet that is on the link adds to that.
  const longest = Math.max(...queueDelaysMs(packets, 0, Infinity));
  assert.ok(longest < 350, `${longest} ms in the queue`);
  assert.ok(told.length > 20);
});
