// Behaviour: the desktop has the size and the scale of the window of whoever controls it, and where it cannot, the picture is
// fitted and the page says why.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Child, descendants } from "./support/child.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";
import { Display } from "./support/x11.js";
import { Xvfb } from "./support/xvfb.js";

let chromium: Chromium;
let launcher: Launcher;
let env: Record<string, string>;
const viewers: Viewer[] = [];

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

afterEach(async () => {
  for (const viewer of viewers.splice(0)) await viewer.close();
});

async function open(width: number, height: number, scale = 1): Promise<Viewer> {
  const viewer = await chromium.open(launcher, { viewport: { width, height }, deviceScaleFactor: scale });
  viewers.push(viewer);
  return viewer;
}

/** The size of the screen, as RANDR tells any program. */
function randr(): string {
  const [, size = ""] = /current (\d+ x \d+)/.exec(tell("xrandr", "--query")) ?? [];
  return size.replaceAll(" ", "");
}

function tell(program: string, ...words: string[]): string {
  return execFileSync(program, words, { env, timeout: 10_000, encoding: "utf8" });
}

function sized(wanted: string, limitMs = 15_000): Promise<boolean> {
  return until(`the desktop to be ${wanted}`, limitMs, () => {
    const now = randr();
    if (now !== wanted) throw new Error(`it is ${now}`);
    return true;
  });
}

/** Waits until the page shows a picture of this size, and all of it in this colour: nothing is left of the size before. */
async function shows(viewer: Viewer, wanted: string, colour: string): Promise<void> {
  tell("xsetroot", "-solid", colour);
  const rgb = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  await until(`a clean picture of ${wanted}`, 15_000, async () => {
    const { width, height, cells } = await viewer.shown(16, 12);
    assert.equal(`${width}x${height}`, wanted);
    const far = cells.filter((cell) => cell.reduce((sum, value, at) => sum + Math.abs(value - (rgb[at] ?? 0)), 0) > 24);
    assert.ok(far.length === 0, `${far.length} places are not ${colour}: ${far[0]?.join() ?? ""}`);
    return true;
  });
}

/** What the browser has painted at these places of its window. */
async function painted(viewer: Viewer, places: (readonly [number, number])[]): Promise<number[][]> {
  const png = (await viewer.page.screenshot()).toString("base64");
  return viewer.page.evaluate(
    async ([png, places]) => {
      const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (character) => character.charCodeAt(0))]));
      const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
      canvas?.drawImage(picture, 0, 0);
      return places.map(([x, y]) => [...(canvas?.getImageData(x, y, 1, 1).data ?? [])]);
    },
    [png, places] as const,
  );
}

/** Where and how large the picture is drawn, in pixels of the screen. */
function drawn(viewer: Viewer): Promise<{ left: number; top: number; width: number; height: number }> {
  return viewer.page.evaluate(() => {
    const { left, top, width, height } = document.querySelector("video")?.getBoundingClientRect() ?? new DOMRect();
    const px = (css: number): number => Math.round(css * devicePixelRatio * 100) / 100;
    return { left: px(left), top: px(top), width: px(width), height: px(height) };
  });
}

describe("a virtual display", () => {
  before(async () => {
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["sleep", "1000"], env: { SELKIES_ENABLE_RESIZE: undefined } });
    env = await launcher.desktopEnvironment();
  });

  after(async () => {
    await launcher.stop();
  });

  test("takes the size of the window, and another when the window changes, over the same peer", async () => {
    const viewer = await open(1000, 700);
    await sized("1000x700");
    await shows(viewer, "1000x700", "#2040c0");
    const { screen } = await launcher.status();
    assert.deepEqual([screen.resizable, screen.maxWidth, screen.maxHeight, screen.dpi], [true, 3840, 2160, 96]);
    assert.match(tell("xdpyinfo"), /dimensions:\s+1000x700 pixels/);
    const consumer = await viewer.consumer();
    await viewer.page.setViewportSize({ width: 720, height: 900 });
    await sized("720x900");
    await shows(viewer, "720x900", "#20a040");
    assert.deepEqual(await drawn(viewer), { left: 0, top: 0, width: 720, height: 900 });
    await viewer.page.setViewportSize({ width: 1281, height: 801 });
    await sized("1280x800");
    await shows(viewer, "1280x800", "#c02020");
    assert.deepEqual(await drawn(viewer), { left: 0, top: 0, width: 1280, height: 800 }, "an odd pixel is no reason to blur");
    assert.equal(await viewer.consumer(), consumer);
    assert.equal(await viewer.state(), "streaming");
    await viewer.screenshot("screen-resized");
  });

  test("ends a storm of sizes in the last one, and leaves no modes behind", async () => {
    const viewer = await open(800, 600);
    await sized("800x600");
    for (let step = 0; step < 25; step++) await viewer.page.setViewportSize({ width: 600 + 20 * step, height: 900 - 10 * step });
    await viewer.page.setViewportSize({ width: 934, height: 566 });
    await sized("934x566");
    await shows(viewer, "934x566", "#a06020");
    const modes = tell("xrandr", "--query").split("\n").filter((line) => /^\s+vdi-/.test(line));
    assert.equal(modes.length, 1, modes.join("\n"));
  });

  test("tells programs of a dense screen, and is as sharp as it", async () => {
    const viewer = await open(640, 400, 2);
    await sized("1280x800");
    await shows(viewer, "1280x800", "#204080");
    assert.deepEqual(await drawn(viewer), { left: 0, top: 0, width: 1280, height: 800 });
    // Told after the picture has its size.
    await launcher.statusWhere("a dense screen", ({ screen }) => screen.dpi === 192);
    assert.match(tell("xrdb", "-query"), /^Xft\.dpi:\s+192$/m);
    assert.match(tell("xdpyinfo"), /resolution:\s+19[123]x19[123] dots per inch/);
    await viewer.close();
    viewers.length = 0;
    await open(640, 400);
    await sized("640x400");
    await until("a plain scale again", 10_000, () => /^Xft\.dpi:\s+96$/m.test(tell("xrdb", "-query")));
  });

  test("follows who has control: a viewer's window is its own business, until it takes control", async () => {
    const first = await open(900, 600);
    await sized("900x600");
    const second = await open(700, 500);
    await second.becomes("viewer");
    await second.page.keyboard.press("Control+Shift+M");
    await second.page.click("#tabSettings");
    assert.ok(await second.page.locator("#follow").isDisabled(), "who watches sets nothing of the desktop");
    assert.match(await second.words(), /Whoever is in control decides on the size of the desktop/);
    await second.page.keyboard.press("Control+Shift+M");
    await second.page.setViewportSize({ width: 500, height: 500 });
    // Had it said anything, this would come after it: the same server hears both.
    await first.page.setViewportSize({ width: 920, height: 600 });
    await sized("920x600");
    await shows(second, "920x600", "#307050");
    const { width, height } = await drawn(second);
    assert.deepEqual([width, Math.round(height)], [500, Math.round((500 * 600) / 920)], "all of it is fitted into the smaller window");
    await second.page.click("#takeControl");
    await sized("500x500");
    await first.becomes("viewer");
    await shows(first, "500x500", "#705030");
  });

  test("is left alone by a user who does not want it, and shown pixel for pixel on request", async () => {
    const viewer = await open(1000, 700);
    await sized("1000x700");
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.page.click("#tabSettings");
    const follow = viewer.page.locator("#follow");
    assert.ok(await follow.isChecked());
    await viewer.screenshot("screen-settings");
    await follow.uncheck();
    await viewer.page.setViewportSize({ width: 600, height: 500 });
    await until("the picture to be fitted", 10_000, async () => (await drawn(viewer)).width === 600);
    await viewer.page.locator("#exact").check();
    await until("the picture to be exact", 10_000, async () => {
      assert.deepEqual(await drawn(viewer), { left: 0, top: 0, width: 1000, height: 700 });
      return true;
    });
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.page.mouse.move(300, 250);
    await viewer.page.mouse.move(598, 498);
    await until("the far corner to come", 10_000, async () => {
      const { left, top } = await drawn(viewer);
      assert.deepEqual([left, top], [-400, -200]);
      return true;
    });
    const display = await launcher.openDisplay();
    await viewer.page.mouse.move(300, 250);
    await until("the pointer where the picture is", 10_000, async () => {
      const { x, y } = await display.pointer();
      assert.deepEqual([x, y], [700, 450]);
      return true;
    });
    display.close();
    assert.equal(randr(), "1000x700");
    await viewer.page.reload();
    await viewer.connected();
    await until("the choice to be kept", 10_000, async () => (await drawn(viewer)).width === 1000);
    assert.equal(randr(), "1000x700");
  });

  test("that dies gets its size again", async () => {
    const viewer = await open(860, 540);
    await sized("860x540");
    const xvfb = descendants(launcher.pid).find(({ command }) => command.includes("Xvfb"));
    assert.ok(xvfb);
    process.kill(xvfb.pid, "SIGKILL");
    await launcher.statusWhere("it has noticed", ({ phase }) => phase === "Starting");
    await launcher.statusWhere("it is back", ({ phase }) => phase === "Streaming", 20_000);
    env = await launcher.desktopEnvironment();
    await sized("860x540");
    await shows(viewer, "860x540", "#805020");
  });
});

describe("an existing display", () => {
  let xvfb: Xvfb;

  async function start(words: string[], resize: string | undefined, size = "800x600"): Promise<void> {
    xvfb = await Xvfb.start(size, words);
    env = xvfb.env;
    launcher = await Launcher.start({ desktop: [], env: { DISPLAY: xvfb.display, SELKIES_ENABLE_RESIZE: resize } });
  }

  afterEach(async () => {
    for (const viewer of viewers.splice(0)) await viewer.close();
    await launcher.stop();
    await xvfb.stop();
  });

  test("keeps its size unless the operator says otherwise", async () => {
    await start([], undefined);
    const viewer = await open(1000, 700);
    await shows(viewer, "800x600", "#2040c0");
    assert.equal((await launcher.status()).screen.resizable, false);
    assert.ok(await viewer.page.locator("#follow").isDisabled(), "it is no choice");
    assert.equal(await viewer.page.locator("#followHint").innerText(), "The size of this desktop cannot be changed.");
    await viewer.page.setViewportSize({ width: 640, height: 480 });
    await until("the picture to be fitted", 10_000, async () => (await drawn(viewer)).width === 640);
    assert.equal(randr(), "800x600");
  });

  test("gets the largest size of the window's shape that it can have", async () => {
    await start([], "true");
    const viewer = await open(1600, 900);
    await sized("800x450");
    await shows(viewer, "800x450", "#20a040");
    assert.deepEqual(await drawn(viewer), { left: 0, top: 0, width: 1600, height: 900 });
  });

  test("with several monitors shows one of them in a window, and the pointer is there", async () => {
    await start([], undefined, "1600x600");
    tell("xsetroot", "-solid", "#2040c0");
    const terminal = Child.start("xterm", ["-geometry", "200x80+800+0", "-bw", "0", "-b", "0", "-bg", "#c02020", "-cr", "#c02020", "-e", "sleep 1000"], { env });
    tell("xrandr", "--setmonitor", "left", "800/200x600/150+0+0", "screen");
    tell("xrandr", "--setmonitor", "right", "800/200x600/150+800+0", "none");
    const viewer = await open(1000, 600);
    await viewer.becomes("controller");
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.page.click("#tabSettings");
    const monitor = viewer.page.locator("#partScreen select");
    await until("both monitors to be a choice", 10_000, async () => {
      assert.deepEqual(await monitor.locator("option").allTextContents(), ["All", "left (800 × 600)", "right (800 × 600)"]);
      return true;
    });
    await monitor.selectOption("right");
    await viewer.screenshot("screen-monitors");
    await viewer.page.keyboard.press("Control+Shift+M");
    assert.deepEqual(await drawn(viewer), { left: -700, top: 0, width: 1600, height: 600 });
    // In the middle of the window, in the bar beside the monitor, and at the monitor's other edge.
    await until("the right monitor and nothing else", 10_000, async () => {
      const colours = await painted(viewer, [[500, 300], [50, 300], [897, 300]]);
      assert.deepEqual(colours.map(([red = 0, , blue = 0]) => (red > 120 ? "red" : blue > 120 ? "blue" : "dark")), ["red", "dark", "red"]);
      return true;
    });
    const display = await Display.open(env);
    await viewer.page.mouse.move(500, 300);
    await until("the pointer in the middle of the right monitor", 10_000, async () => {
      const { x, y } = await display.pointer();
      return x === 1200 && y === 300;
    });
    await viewer.page.mouse.move(10, 300);
    await until("the pointer at its edge, not on the other", 10_000, async () => (await display.pointer()).x === 800);
    display.close();
    // One that is unplugged is no choice any more, and the whole desktop is shown.
    tell("xrandr", "--delmonitor", "right");
    await until("the whole desktop", 10_000, async () => (await drawn(viewer)).width === 1000);
    await terminal.stop("SIGTERM");
  });

  test("whose server cannot resize is fitted, and the page says why", async () => {
    await start(["-extension", "RANDR"], "true");
    const viewer = await open(1000, 700);
    await until("a word about it", 10_000, async () => {
      assert.match(await viewer.words(), /The desktop keeps its size and is scaled to fit/);
      return true;
    });
    await viewer.page.locator(".notice summary").last().click();
    assert.match(await viewer.words(), /the X server has no RANDR extension that could change it/);
    await viewer.screenshot("screen-refused");
    const { width, height } = await drawn(viewer);
    assert.deepEqual([Math.round(width), Math.round(height)], [933, 700]);
  });
});
