// Shell: from a window that has come to rest to the first whole frame of its new size: the page says its size once the window
// has rested, the X server makes the mode, the picture is captured and encoded anew, and the page shows it.

import type { Chromium, Viewer } from "../desktop_to_browser/support/browser.js";
import { Launcher } from "../desktop_to_browser/support/launcher.js";
import { delay, until } from "../desktop_to_browser/support/wait.js";
import { median, percentile, type Report } from "./figures.js";

const SIZES = [
  [1280, 720],
  [1920, 1080],
  [1000, 600],
  [1600, 900],
] as const;
const ROUNDS = 6;
/** Between two sizes: the picture has been sharpened, and the next one finds a desktop that rests. */
const PAUSE_MS = 2500;
const LIMIT_MS = 10_000;

export const RESIZE_SECONDS = (SIZES.length * ROUNDS * (PAUSE_MS + 700)) / 1000 + 10;

/** When the window changed, when the page told the server, and when a frame of that size was shown. */
interface Change {
  width: number;
  height: number;
  windowMs: number;
  toldMs: number | null;
  shownMs: number | null;
}

/** In the page, before its own script: notes what becomes of each size. */
function watch(): void {
  const page = globalThis as unknown as { changes: Change[] };
  page.changes = [];
  window.addEventListener("resize", ({ timeStamp }) => {
    page.changes.push({ width: innerWidth, height: innerHeight, windowMs: timeStamp, toldMs: null, shownMs: null });
  });
  const send = Reflect.get(RTCDataChannel.prototype, "send") as (this: RTCDataChannel, data: string) => void;
  RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: unknown): void {
    const last = page.changes.at(-1);
    if (last && typeof data === "string" && data.startsWith('{"type":"viewport"')) last.toldMs ??= performance.now();
    send.call(this, data as string);
  };
}

/** In the page, once it shows something: notes when a frame of the last size is shown. */
function watchFrames(): void {
  const page = globalThis as unknown as { changes: Change[] };
  const video = document.querySelector("video");
  const look = (_: number, { width, height, presentationTime }: VideoFrameCallbackMetadata): void => {
    video?.requestVideoFrameCallback(look);
    const last = page.changes.at(-1);
    if (last && last.toldMs !== null && width === last.width && height === last.height) last.shownMs ??= presentationTime;
  };
  video?.requestVideoFrameCallback(look);
}

const lastChange = (viewer: Viewer): Promise<Change | undefined> => viewer.page.evaluate(() => (globalThis as unknown as { changes: Change[] }).changes.at(-1));

export async function resize({ step, note }: Report, chromium: Chromium): Promise<void> {
  step(`a window changes its size ${SIZES.length * ROUNDS} times`);
  const launcher = await Launcher.start({
    flags: ["--display-size", "1280x720"],
    env: { SELKIES_ENABLE_RESIZE: undefined },
    desktop: ["xterm", "-geometry", "300x100+0+0", "-e", "seq 400; sleep 1000"],
  });
  const viewer = await chromium.prepare(launcher, { viewport: { width: 1280, height: 720 } });
  const changes: { whole: number; told: number }[] = [];
  try {
    await viewer.page.addInitScript(watch);
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await viewer.page.evaluate(watchFrames);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [width, height] of SIZES.slice(1).concat(SIZES.slice(0, 1))) {
        await delay(PAUSE_MS);
        await viewer.page.setViewportSize({ width, height });
        const { windowMs, toldMs, shownMs } = await until(`a picture of ${width}x${height}`, LIMIT_MS, async () => {
          const last = await lastChange(viewer);
          return last?.width === width && last.height === height && last.shownMs !== null ? last : null;
        });
        changes.push({ whole: (shownMs ?? NaN) - windowMs, told: (shownMs ?? NaN) - (toldMs ?? NaN) });
      }
    }
  } finally {
    await viewer.close();
    await launcher.stop();
  }
  const told = changes.map((one) => one.told);
  note("clean frame after the page tells its size, p50", median(told), "ms", 300);
  note("clean frame after the page tells its size, p95", percentile(told, 0.95), "ms", 300);
  note("clean frame after the window's last change, which is told when it has rested, p50", median(changes.map((one) => one.whole)), "ms", null);
}
