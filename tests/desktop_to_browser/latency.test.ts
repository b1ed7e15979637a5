// Behaviour: how long a frame takes from the desktop to the screen is measured, told and drawn; and latency that has risen,
// whatever stood still meanwhile, is gone within a second without a reload.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Firefox, screenshot, shown } from "./support/firefox.js";
import { Launcher } from "./support/launcher.js";
import { hasSamePeer, keepPeer } from "./support/peer.js";
import { delay, until } from "./support/wait.js";

/** Text that scrolls, so that there are frames. */
const scrolling = ["xterm", "-geometry", "80x24+0+0", "-e", "sh", "-c", 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.02; done'];

/** The way of a frame, in its order. */
const WAY = ["capture", "convert", "encode", "packetise", "send", "network", "decode", "present"];

interface Percentiles {
  p50Us: number;
  p95Us: number;
}

interface Latency {
  codec: string;
  estimated: boolean;
  frames: number;
  uncertaintyUs: number;
  glassToGlass: Percentiles;
  stages: (Percentiles & { stage: string })[];
}

/** What the page offers to tests. */
interface Handle {
  vdi: { latency: Latency | null; aligned: { offsetUs: number; uncertaintyUs: number } | null; stats: { framesPresented: number } | null; peer: RTCPeerConnection | null };
}

/** Anything that runs functions in its page: Playwright's pages and Puppeteer's do. */
interface Evaluates {
  evaluate<R>(inPage: () => R): Promise<Awaited<R>>;
}

const latencyIn = (page: Evaluates): Promise<Latency | null> => page.evaluate(() => (globalThis as unknown as Handle).vdi.latency);

/** What the server says of a second in which there were enough frames for its figures to mean something. */
const told = (page: Evaluates, least = 10): Promise<Latency> =>
  until("the server to tell how long frames take", 20_000, async () => {
    const latency = await latencyIn(page);
    if (!latency || latency.frames < least) throw new Error(JSON.stringify(latency));
    return latency;
  });

/** What the panel says, read in one go so that it is of one second. */
interface Panel {
  latency: Latency | null;
  source: string;
  label: string;
  total: string;
  slowest: string;
  certainty: string;
  names: string[];
  bars: { left: number; p50: number; p95: number; track: { left: number; right: number } }[];
}

/** In the page. */
function readPanel(): Panel {
  const text = (part: string): string => document.querySelector(`#panel [data-part="${part}"]`)?.textContent ?? "";
  const rows = [...document.querySelectorAll('#panel [data-part="rows"] > tr')];
  return {
    latency: (globalThis as unknown as Handle).vdi.latency,
    source: document.querySelector<HTMLElement>('#panel [data-part="waterfall"]')?.dataset["source"] ?? "",
    label: text("latencyLabel"),
    total: text("latency"),
    slowest: text("slowest"),
    certainty: text("certainty"),
    names: rows.map((row) => row.children[0]?.textContent.toLowerCase() ?? ""),
    bars: rows.map((row) => {
      const box = (selector: string): DOMRect => row.querySelector(selector)?.getBoundingClientRect() ?? new DOMRect();
      const track = box(".bar");
      return { left: box(".p50").left, p50: box(".p50").width, p95: box(".p95").width, track: { left: track.left, right: track.right } };
    }),
  };
}

/** Figures of one second that can be true of the same frames. */
function assertPossible(latency: Latency): void {
  const told = JSON.stringify(latency);
  const names = latency.stages.map(({ stage }) => stage);
  assert.deepEqual(names, WAY.filter((stage) => names.includes(stage)), `not in the order of the way: ${told}`);
  for (const { p50Us, p95Us } of [latency.glassToGlass, ...latency.stages]) assert.ok(p95Us >= p50Us, told);
  // No frame's way is shorter than one of its stages, so no percentile is either.
  for (const { stage, p50Us, p95Us } of latency.stages) {
    assert.ok(latency.glassToGlass.p50Us >= p50Us && latency.glassToGlass.p95Us >= p95Us, `${stage} takes longer than the whole way: ${told}`);
  }
  // At most eight times 5 per cent of frames were slower in some stage: the one in the middle was in none.
  const slowest = latency.stages.reduce((us, { p95Us }) => us + p95Us, 0);
  assert.ok(latency.glassToGlass.p50Us <= slowest, `the whole way is longer than its stages: ${told}`);
}

let chromium: Chromium;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

describe("a desktop that moves", () => {
  let launcher: Launcher;
  let viewer: Viewer;

  before(async () => {
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling });
    viewer = await chromium.open(launcher);
    await viewer.page.emulateMedia({ reducedMotion: "reduce" });
  });

  after(async () => {
    await viewer.close();
    await launcher.stop();
  });

  test("each stage of the way of its frames is measured, to the screen", async () => {
    const latency = await told(viewer.page);
    assert.equal(latency.estimated, false);
    assert.equal(latency.codec, "H264");
    assertPossible(latency);
    assert.deepEqual(latency.stages.map(({ stage }) => stage), WAY);
    // Nothing that this machine does to a frame is free, and nothing of it takes seconds.
    assert.ok(latency.glassToGlass.p50Us > 1000 && latency.glassToGlass.p50Us < 2_000_000, JSON.stringify(latency));
    assert.ok(latency.uncertaintyUs > 0 && latency.uncertaintyUs < 50_000, JSON.stringify(latency));
    const counted = await viewer.page.evaluate(() => (globalThis as unknown as Handle).vdi.stats?.framesPresented ?? 0);
    assert.ok(counted > 0, "the page does not count the frames that it shows");
  });

  test("the page's idea of the server's clock is as right as it says", async () => {
    // Browser and server are on one machine, and both read CLOCK_MONOTONIC: the browser's own, asked past the page, is the truth.
    const devtools = await viewer.page.context().newCDPSession(viewer.page);
    await devtools.send("Performance.enable", { timeDomain: "timeTicks" });
    const now = (): Promise<number> => viewer.page.evaluate(() => performance.now());
    for (let look = 0; look < 5; look++) {
      const beforeMs = await now();
      const { metrics } = await devtools.send("Performance.getMetrics");
      const afterMs = await now();
      const truthUs = (metrics.find(({ name }) => name === "Timestamp")?.value ?? 0) * 1e6;
      const aligned = await viewer.page.evaluate(() => (globalThis as unknown as Handle).vdi.aligned);
      assert.ok(aligned, "the clocks are not aligned");
      const [leastUs, mostUs] = [truthUs - afterMs * 1000, truthUs - beforeMs * 1000];
      const wrong = `offset ${aligned.offsetUs} ± ${aligned.uncertaintyUs} us, in truth ${leastUs} to ${mostUs}`;
      // A grain of the page's clock on top.
      assert.ok(aligned.offsetUs + aligned.uncertaintyUs + 200 >= leastUs && aligned.offsetUs - aligned.uncertaintyUs - 200 <= mostUs, wrong);
      await delay(300);
    }
    await devtools.detach();
  });

  test("the panel draws it: bars that follow one another, the total, and the slowest by name", async () => {
    await viewer.page.keyboard.press("Control+Shift+M");
    await told(viewer.page);
    const panel = await viewer.page.evaluate(readPanel);
    await viewer.screenshot("waterfall");
    const { latency } = panel;
    assert.ok(latency);
    assert.equal(panel.source, "measured");
    assert.deepEqual(panel.names, latency.stages.map(({ stage }) => stage));
    const inWords = (us: number): string => (us < 9950 ? (us / 1000).toFixed(1) : String(Math.round(us / 1000)));
    assert.equal(panel.total, inWords(latency.glassToGlass.p50Us));
    const slowest = latency.stages.reduce((worst, stage) => (stage.p50Us > worst.p50Us ? stage : worst));
    assert.equal(panel.slowest, `Slowest: ${slowest.stage}, ${inWords(slowest.p50Us)}\u00a0ms`);
    assert.match(panel.certainty, /^±\u00a0/);
    // Each as wide as its time, to a pixel or the two that the shortest one has.
    const [first] = panel.bars;
    assert.ok(first && first.track.right - first.track.left > 80, "there is no room for the bars");
    const sum = latency.stages.reduce((us, { p50Us }) => us + p50Us, 0);
    const drawn = panel.bars.at(-1);
    const scale = drawn && sum > 0 ? (drawn.left - first.left) / (sum - (latency.stages.at(-1)?.p50Us ?? 0)) : 0;
    let fromUs = 0;
    panel.bars.forEach((bar, index) => {
      const stage = latency.stages[index];
      assert.ok(stage);
      const row = `${stage.stage}: ${JSON.stringify(bar)}`;
      assert.ok(Math.abs(bar.left - (first.left + fromUs * scale)) <= 1, `${row} does not begin where the one before ends`);
      assert.ok(Math.abs(bar.p50 - Math.max(2, stage.p50Us * scale)) <= 1, row);
      assert.ok(bar.p95 >= bar.p50 && bar.left >= bar.track.left - 1 && bar.left + bar.p95 <= bar.track.right + 1, `${row} is not on its track`);
      fromUs += stage.p50Us;
    });
    await viewer.page.keyboard.press("Control+Shift+M");
  });

  test("the panel fits a phone", async () => {
    await viewer.resize(360, 740);
    await viewer.page.keyboard.press("Control+Shift+M");
    await told(viewer.page);
    const spills = await viewer.page.evaluate(() => {
      const panel = document.getElementById("panel");
      const wide = [...document.querySelectorAll('#panel [data-part="waterfall"] *')].filter((element) => element.getBoundingClientRect().right > innerWidth);
      return { sideways: panel ? panel.scrollWidth - panel.clientWidth : -1, wide: wide.length };
    });
    assert.deepEqual(spills, { sideways: 0, wide: 0 });
    await viewer.screenshot("waterfall-phone");
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.resize(1280, 720);
  });
});

/** A frame on the page: when it was shown, and how old it then was, on a clock that begins anywhere. */
interface Seen {
  atMs: number;
  ageMs: number;
}

/** What a page that was stopped saw. */
interface Watched {
  seen: Seen[];
  /** When its own timers went on after the longest gap. */
  resumedMs: number;
}

/** In the page: notes every frame of the picture, and when its own timers came. */
function beginWatching(): void {
  const page = globalThis as unknown as { seen: Seen[]; ticks: number[] };
  page.seen = [];
  page.ticks = [];
  const video = document.querySelector("video");
  if (!video) throw new Error("no video");
  const next = (): void => {
    video.requestVideoFrameCallback((_, frame) => {
      if (frame.rtpTimestamp !== undefined) page.seen.push({ atMs: frame.presentationTime, ageMs: frame.presentationTime - frame.rtpTimestamp / 90 });
      next();
    });
  };
  next();
  setInterval(() => page.ticks.push(performance.now()), 20);
}

/** In the page. */
function endWatching(): Watched {
  const { seen, ticks } = globalThis as unknown as { seen: Seen[]; ticks: number[] };
  let resumedMs = 0;
  let longestMs = 0;
  ticks.forEach((tick, index) => {
    const gapMs = tick - (ticks[index - 1] ?? tick);
    if (gapMs <= longestMs) return;
    longestMs = gapMs;
    resumedMs = tick;
  });
  return { seen, resumedMs };
}

const percentile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

describe("latency that has risen", () => {
  let launcher: Launcher;
  let viewer: Viewer;

  before(async () => {
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling });
  });

  after(async () => {
    await launcher.stop();
  });

  /** Frames are as young a second after `standstill` as they were before it, on the same page and the same connection. */
  async function assertBack(standstill: () => Promise<void>): Promise<void> {
    // A page that woke on a busy machine may go over to another connection, whose frames and ages are not those of the one before.
    for (let round = 1; !(await isBack(standstill)); round++) assert.ok(round < 3, "it went over to another connection each time");
  }

  async function isBack(standstill: () => Promise<void>): Promise<boolean> {
    viewer = await chromium.open(launcher);
    const calm = await told(viewer.page);
    const consumer = await viewer.consumer();
    await viewer.page.evaluate(beginWatching);
    await viewer.page.evaluate(keepPeer);
    await delay(3000);
    const { keyFramesDecoded } = await viewer.inbound("video");
    await standstill();
    await delay(3000);
    const { seen, resumedMs } = await viewer.page.evaluate(endWatching);
    assert.equal(await viewer.consumer(), consumer, "it began a new session");
    if (!(await hasSamePeer(viewer))) {
      await viewer.close();
      return false;
    }

    const beginsMs = seen[0]?.atMs ?? 0;
    const before = seen.filter(({ atMs }) => atMs < beginsMs + 2500).map(({ ageMs }) => ageMs);
    const after = seen.filter(({ atMs }) => atMs >= resumedMs + 1000 && atMs < resumedMs + 2500).map(({ ageMs }) => ageMs);
    assert.ok(before.length > 20 && after.length > 10, `too few frames to compare: ${before.length} and ${after.length}`);
    const usualMs = percentile(before, 0.5);
    // Where others use the machine as well, frames are not all of one age; a second's backlog is far beyond that.
    const spreadMs = Math.max(50, 2 * (percentile(before, 0.95) - usualMs));
    const late = `median age ${percentile(after, 0.5) - usualMs} ms above what was usual, which spread over ${spreadMs} ms`;
    assert.ok(percentile(after, 0.5) - usualMs <= spreadMs, late);

    assert.ok((await viewer.inbound("video")).keyFramesDecoded > keyFramesDecoded, "no key frame was asked for");
    const limitUs = calm.glassToGlass.p50Us + 1000 * spreadMs;
    await until("the server's figure to be back as well", 10_000, async () => {
      const latency = await latencyIn(viewer.page);
      if (!latency || latency.glassToGlass.p50Us > limitUs) throw new Error(`above ${limitUs} us: ${JSON.stringify(latency)}`);
      assertPossible(latency);
      return true;
    });
    await viewer.close();
    return true;
  }

  test("is back within a second after the page's thread was blocked for three", async () => {
    await assertBack(() =>
      viewer.page.evaluate(() => {
        const end = performance.now() + 3000;
        while (performance.now() < end);
      }),
    );
  });

  test("is back within a second after the whole browser stood still for four", async () => {
    // The server bears six seconds of silence.
    await assertBack(() => chromium.stopped(delay(4000)));
  });

  test("after a sleep for which the server has not waited, the page begins anew by itself and as quickly", async () => {
    viewer = await chromium.open(launcher);
    const calm = await told(viewer.page);
    const consumer = await viewer.consumer();
    await viewer.page.evaluate(() => ((globalThis as { kept?: boolean }).kept = true));
    await chromium.stopped(launcher.statusWhere("the page to be given up", ({ consumers }) => consumers.length === 0, 30_000));
    await until("a new session, on the same page", 10_000, async () => (await viewer.consumer()) !== consumer && (await viewer.state()) === "streaming");
    assert.equal(await viewer.page.evaluate(() => (globalThis as { kept?: boolean }).kept), true, "the page was loaded anew");
    const latency = await told(viewer.page);
    assertPossible(latency);
    // The frames of a new session are young from the first one on, however much piled up in the old one.
    assert.ok(latency.glassToGlass.p50Us < calm.glassToGlass.p95Us + 500_000, JSON.stringify({ calm, latency }));
    await viewer.close();
  });
});

test("a browser that stood still shows what has changed meanwhile, on a desktop on which nothing moves any more", async () => {
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xclock"] });
  const env = await launcher.desktopEnvironment();
  const paint = (colour: string): void => {
    execFileSync("xsetroot", ["-solid", colour], { env, timeout: 5_000 });
  };
  const viewer = await chromium.open(launcher);
  const corner = async (): Promise<readonly number[]> => (await viewer.shown(16, 12)).cells.at(-1) ?? [];
  const isNear = (cell: readonly number[], wanted: readonly number[]): boolean => wanted.every((value, index) => Math.abs(value - (cell[index] ?? -1)) < 24);
  paint("#205080");
  await until("the first colour", 10_000, async () => isNear(await corner(), [0x20, 0x50, 0x80]));
  await chromium.stopped(
    (async () => {
      await delay(1000);
      paint("#a04020");
      await delay(3000);
    })(),
  );
  await until("the second colour", 5_000, async () => {
    const cell = await corner();
    if (!isNear(cell, [0xa0, 0x40, 0x20])) throw new Error(`it is ${cell.join()}`);
    return true;
  });
  // Silence is no fault: the same session goes on for longer than any watchdog waits.
  const consumer = await viewer.consumer();
  await delay(8000);
  assert.equal(await viewer.consumer(), consumer);
  assert.equal(await viewer.state(), "streaming");
  await viewer.close();
  await launcher.stop();
});

describe("Firefox", () => {
  /** In a second, of VP8 and with Firefox, on a machine that is busy with other things as well. */
  const FEW_FRAMES = 3;
  let launcher: Launcher;

  before(async () => {
    // Debian's decodes no H.264.
    launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--codec", "vp8"], desktop: scrolling });
  });

  after(async () => {
    await launcher.stop();
  });

  test("shows the desktop, and says when: its latency is measured like any other's", async () => {
    const firefox = await Firefox.start();
    const page = await firefox.open(launcher);
    await until("the picture", 10_000, async () => {
      const picture = await shown(page);
      assert.deepEqual([picture.width, picture.height], [640, 480]);
      assert.ok(picture.colours > 1, "the picture is one colour");
      return true;
    });
    const latency = await told(page, FEW_FRAMES);
    assert.equal(latency.estimated, false);
    assert.equal(latency.codec, "VP8");
    assertPossible(latency);
    await page.close();
    await firefox.stop();
  });

  test("that says nothing of single frames, as it did until recently, is told an estimate that is marked as one", async () => {
    const firefox = await Firefox.start({ "media.rvfc.enabled": false });
    const page = await firefox.open(launcher);
    const latency = await told(page, FEW_FRAMES);
    assert.equal(latency.estimated, true);
    assert.equal(latency.stages.some(({ stage }) => stage === "present"), false, "nobody can know that");
    assert.equal(latency.uncertaintyUs, 0);
    await page.click("#handle");
    const panel = await until("the panel to show it", 5_000, async () => {
      const read = await page.evaluate(readPanel);
      return read.names.length > 0 && read;
    });
    assert.equal(panel.source, "estimated");
    assert.equal(panel.label, "Latency (estimated)");
    assert.deepEqual(panel.names, panel.latency?.stages.map(({ stage }) => stage));
    await screenshot(page, "waterfall-estimated");
    await page.close();
    await firefox.stop();
  });
});
