// Behaviour: what a browser sees of the desktop.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { delay, until } from "./support/wait.js";
import type { Display } from "./support/x11.js";

let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;
let display: Display;
let env: Record<string, string>;

before(async () => {
  launcher = await Launcher.start({ flags: ["--display-size", "1024x640"], desktop: ["xterm", "-geometry", "60x20+100+80"] });
  env = await launcher.desktopEnvironment();
  display = await launcher.openDisplay();
  chromium = await Chromium.start();
  viewer = await chromium.open(launcher);
});

after(async () => {
  display.close();
  await chromium.stop();
  await launcher.stop();
});

test("the picture has the size of the display", async () => {
  assert.deepEqual([display.width, display.height], [1024, 640]);
  const { frameWidth, frameHeight } = await viewer.inbound("video");
  assert.deepEqual([frameWidth, frameHeight], [1024, 640]);
  const shown = await viewer.shown();
  assert.deepEqual([shown.width, shown.height], [1024, 640]);
});

test("whatever changes on the desktop brings a frame, and what does not brings next to none", async () => {
  for (const colour of ["#102030", "#203040", "#304050"]) {
    const { framesDecoded } = await viewer.inbound("video");
    paint(colour);
    await until(`a frame for ${colour}`, 5_000, async () => (await viewer.inbound("video")).framesDecoded > framesDecoded);
  }
  // The picture is sharpened a few times, and then only kept alive.
  await until("silence", 20_000, async () => {
    const { framesDecoded } = await viewer.inbound("video");
    await delay(1000);
    const frames = (await viewer.inbound("video")).framesDecoded - framesDecoded;
    if (frames > 2) throw new Error(`${frames} frames in a second`);
    return true;
  });
});

test("the picture is the desktop's: several colours, and pixel for pixel what the X server shows", async () => {
  paint("#305070");
  const columns = 32;
  const rows = 20;
  await until("the page to show what the X server shows", 10_000, async () => {
    const shown = await viewer.shown(columns, rows);
    assert.ok(shown.colours > 1, "the picture is one colour");
    const truth = await display.picture();
    const far: string[] = [];
    shown.cells.forEach((cell, index) => {
      const x = Math.floor((((index % columns) + 0.5) * truth.width) / columns);
      const y = Math.floor(((Math.floor(index / columns) + 0.5) * truth.height) / rows);
      const at = (y * truth.width + x) * 4;
      const wanted = [truth.bgrx[at + 2] ?? 0, truth.bgrx[at + 1] ?? 0, truth.bgrx[at] ?? 0];
      if (distance(cell, wanted) > 48) far.push(`(${x},${y}) is ${cell.join()} instead of ${wanted.join()}`);
    });
    // Codecs blur edges of text, and the cursor may be on a cell: a few cells may differ, a shifted picture would not pass.
    assert.ok(far.length <= shown.cells.length * 0.02, far.join("\n"));
    return true;
  });
  await viewer.screenshot("picture");
});

test("colours arrive as they are", async () => {
  for (const colour of ["#c02020", "#20a040", "#2040c0", "#e0e0e0"]) {
    paint(colour);
    const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    await until(`the corner to be ${colour}`, 5_000, async () => {
      const corner = (await viewer.shown(16, 10)).cells[0] ?? [0, 0, 0];
      assert.ok(distance(corner, wanted) <= 24, `it is ${corner.join()}`);
      return true;
    });
  }
});

test("the page and the launcher name the same encoder", async () => {
  const { encoder } = await launcher.status();
  assert.match(encoder?.name ?? "", /^[a-z0-9]+enc$/);
  const media = await viewer.page.evaluate(() => (globalThis as unknown as { vdi: { media: unknown } }).vdi.media);
  assert.deepEqual(media, { type: "media", codec: "H264", chromaFormat: "4:2:0", encoder: encoder?.name, width: 1024, height: 640, framerate: 30, audio: true });
});

/** The sum of the three differences. */
function distance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + Math.abs(value - (b[index] ?? 0)), 0);
}

function paint(colour: string): void {
  execFileSync("xsetroot", ["-solid", colour], { env, timeout: 5_000 });
}
