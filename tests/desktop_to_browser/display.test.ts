// Behaviour: a desktop on which nothing changes costs next to nothing, the page draws its pointer, and a display that dies
// under a page that is being watched comes back in the same page.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { descendants } from "./support/child.js";
import { Launcher } from "./support/launcher.js";
import { assertSamePeer, keepPeer } from "./support/peer.js";
import { delay, until } from "./support/wait.js";

/** A terminal that shows what colour it is, and whose own pointer is a bar for text. */
const desktop = ["xterm", "-geometry", "80x24+0+0", "-bg", "#20a040", "-e", "sleep", "1000"];
const flags = ["--display-size", "640x480"];

let chromium: Chromium;
let launcher: Launcher;
let viewer: Viewer;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

async function framesEncoded(): Promise<number> {
  return (await launcher.status()).encoder?.framesEncoded ?? 0;
}

/** Waits until the sharpening is over: from then on only signs of life come. */
async function silence(): Promise<void> {
  let last = -1;
  await until("silence", 20_000, async () => {
    const [before, now] = [last, await framesEncoded()];
    last = now;
    await delay(1000);
    return now === before;
  });
}

/** Most frames of a picture at rest: one each two seconds, and one that was due. */
const signsOfLife = (seconds: number): number => 1 + Math.floor(seconds / 2);

/**
 * Judges what happens by the frames and the time that it took. A page that a busy machine has kept from running for a second asks for a
 * key frame, which is made sharp: then it is begun anew.
 */
async function calmly(happens: () => Promise<(frames: number, seconds: number) => void>): Promise<void> {
  for (let round = 1; ; round++) {
    await silence();
    const [before, from] = [(await launcher.status()).encoder, performance.now()];
    const judge = await happens();
    const [now, to] = [(await launcher.status()).encoder, performance.now()];
    assert.ok(before && now);
    if (round < 3 && now.keyFramesEncoded > before.keyFramesEncoded) continue;
    judge(now.framesEncoded - before.framesEncoded, (to - from) / 1000);
    return;
  }
}

describe("a desktop on which nothing happens", () => {
  before(async () => {
    launcher = await Launcher.start({ flags, desktop });
    viewer = await chromium.open(launcher);
  });

  after(async () => {
    await viewer.close();
    await launcher.stop();
  });

  test("is shown, and then falls silent but for signs of life", async () => {
    await calmly(async () => {
      const received = await viewer.inbound("video");
      await delay(6000);
      const now = await viewer.inbound("video");
      return (frames, seconds) => {
        assert.ok(frames >= 1 && frames <= signsOfLife(seconds), `${frames} frames in ${seconds} s`);
        // What is sent again asks for room on the path: once in a while, and ever less often while the screen rests.
        const asking = now.retransmittedBytesReceived - received.retransmittedBytesReceived;
        const bits = (now.bytesReceived - received.bytesReceived - asking) * 8;
        assert.ok(bits / seconds < 2_000, `${bits / seconds} bit/s`);
        assert.ok(asking < 100_000, `${asking} bytes that ask for room`);
      };
    });
    assert.equal(await viewer.state(), "streaming");
  });

  test("shows its pointer as the page's own, which moves without a frame", async () => {
    const place = await viewer.placeOf(200, 200);
    await viewer.page.mouse.move(place.x, place.y);
    await until("the terminal's pointer on the page", 10_000, () =>
      viewer.page.evaluate(() => getComputedStyle(document.getElementById("stage") ?? document.body).cursor.includes("data:image/png")),
    );
    const display = await launcher.openDisplay();
    await calmly(async () => {
      for (let step = 0; step < 60; step++) {
        const next = await viewer.placeOf(100 + 3 * step, 150 + step);
        await viewer.page.mouse.move(next.x, next.y);
        await delay(16);
      }
      await until("the desktop's pointer to follow", 10_000, async () => (await display.pointer()).x === 277);
      return (frames, seconds) => {
        assert.ok(frames <= 1 + signsOfLife(seconds), `${frames} frames for 60 motions in ${seconds} s\n${launcher.words}`);
      };
    });
    display.close();
  });

  test("draws the pointer for everybody while a second page watches", async () => {
    const second = await chromium.open(launcher);
    await silence();
    const before = await framesEncoded();
    for (let step = 0; step < 30; step++) {
      const next = await viewer.placeOf(100 + 5 * step, 300);
      await viewer.page.mouse.move(next.x, next.y);
      await delay(33);
    }
    await until("frames of the pointer's way", 10_000, async () => (await framesEncoded()) >= before + 10);
    await second.close();
  });
});

describe("a display that dies while a page watches", () => {
  before(async () => {
    launcher = await Launcher.start({ flags, desktop });
    viewer = await chromium.open(launcher);
  });

  after(async () => {
    await viewer.close();
    await launcher.stop();
  });

  test("comes back with its program, in the same page and over the same peer", async () => {
    await silence();
    await viewer.page.evaluate(keepPeer);
    const xvfb = descendants(launcher.pid).find(({ command }) => command.includes("Xvfb"));
    assert.ok(xvfb);
    process.kill(xvfb.pid, "SIGKILL");
    await launcher.statusWhere("it waits for the display", ({ phase, message }) => phase === "Starting" && /died|lost|gone/.test(message ?? ""), 5_000);
    await until("the page to say so", 10_000, async () => {
      assert.match(await viewer.words(), /The desktop does not answer/);
      return true;
    });
    await launcher.statusWhere("streaming", ({ phase }) => phase === "Streaming", 20_000);
    await until("the page to say that it is back", 20_000, async () => {
      assert.match(await viewer.words(), /The desktop is back/);
      return true;
    });
    await until("the terminal's colour", 20_000, async () => {
      const { cells } = await viewer.shown();
      assert.ok(cells.filter(([r, g, b]) => g > 120 && r < 80 && b < 110).length > 100, "it is not green");
      return true;
    });
    assert.equal(await viewer.state(), "streaming");
    await assertSamePeer(viewer);
    // Keys reach the new one.
    const display = await launcher.openDisplay();
    const place = await viewer.placeOf(50, 60);
    await viewer.page.mouse.move(place.x, place.y);
    await until("the pointer to be there", 10_000, async () => (await display.pointer()).x === 50);
    display.close();
  });
});
