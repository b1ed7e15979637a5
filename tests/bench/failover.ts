// Shell: how long the picture stands still in a browser when the GPU's encoder fails under it. The GPU is the simulated
// driver's; the encoders, the launcher and the browser are the real ones.

import type { Chromium, Viewer } from "../desktop_to_browser/support/browser.js";
import { SimulatedDriver } from "../desktop_to_browser/support/driver.js";
import { Launcher } from "../desktop_to_browser/support/launcher.js";
import { delay } from "../desktop_to_browser/support/wait.js";
import type { Report } from "./figures.js";
import { Stage } from "./stage.js";

const FAULTS = [
  ["an error", "encode=20"],
  ["a stall", "hang-encode=forever"],
  ["the device lost", "lost"],
] as const;

/** The most that the picture may stand still. */
const GOAL_MS = 250;
/** Seconds before the fault and after the switch that count. */
const AROUND_S = 3;

/** Runs in the page: keeps when each frame was shown. */
function keepTimes(): void {
  const page = globalThis as unknown as { shownMs: number[] };
  page.shownMs = [];
  const video = document.querySelector("video");
  const keep = (_: number, { presentationTime }: VideoFrameCallbackMetadata): void => {
    page.shownMs.push(presentationTime);
    video?.requestVideoFrameCallback(keep);
  };
  video?.requestVideoFrameCallback(keep);
}

/** The longest time between two frames since it was last asked. */
async function longestGapMs(viewer: Viewer): Promise<number> {
  const times = await viewer.page.evaluate(() => {
    const page = globalThis as unknown as { shownMs: number[] };
    return page.shownMs.splice(0, page.shownMs.length - 1);
  });
  return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time)));
}

export async function failover({ step, note }: Report, chromium: Chromium): Promise<void> {
  step("fail-over: the longest time between two frames in the browser, 1280x720@30");
  const stage = await Stage.set("1280x720", "text");
  for (const [name, words] of FAULTS) {
    const driver = new SimulatedDriver();
    const launcher = await Launcher.start({ flags: ["--framerate", "30"], desktop: [], env: { ...stage.env, ...driver.env } });
    const viewer = await chromium.open(launcher, { viewport: { width: 640, height: 360 } });
    const before = (await launcher.status()).encoder;
    await viewer.page.evaluate(keepTimes);
    await delay(AROUND_S * 1000);
    const calm = await longestGapMs(viewer);
    const { encoder } = await launcher.status();
    if (encoder?.name === before?.name && encoder?.hardware) {
      driver.fault(words);
      const after = await launcher.statusWhere("another encoder has taken over", (status) => status.encoder?.hardware === false, 20_000);
      await delay(AROUND_S * 1000);
      note(`picture stands still, ${name}`, await longestGapMs(viewer), "ms", GOAL_MS);
      const { name: successor, lastSwitch } = after.encoder ?? {};
      step(`  (${encoder.name} to ${successor ?? "?"}, ${lastSwitch?.cause ?? "?"}; in the seconds before at most ${calm.toFixed(0)} ms)`);
    } else {
      // The simulated device computes on this machine's own processors.
      step(`  ${name} cannot be measured: this machine is so busy that the simulated GPU fails by itself (${encoder?.lastSwitch?.message ?? "at the start"})`);
    }
    await viewer.close();
    await launcher.stop();
    driver.remove();
  }
  await stage.strike();
}
