// Behaviour: mouse, wheel, locked pointer, fingers and pen of the page do on the desktop what the hand means. The X server and a
// program on the desktop tell what has arrived.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { CDPSession } from "playwright-core";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { Link, ONE_PATH, through } from "./support/link.js";
import { until } from "./support/wait.js";
import type { Display } from "./support/x11.js";
import { Xev } from "./support/xev.js";

const SIZE = "640x480";
const VIEWPORT = { width: 640, height: 480 };

/** A launcher with a program that tells of its buttons, and a page that controls it. */
class Scene {
  private constructor(
    readonly xev: Xev,
    readonly launcher: Launcher,
    readonly display: Display,
    readonly chromium: Chromium,
    readonly viewer: Viewer,
    readonly devtools: CDPSession,
  ) {}

  static async set({ flags = [], touch = false, link, habits }: { flags?: string[]; touch?: boolean; link?: Link; habits?: object } = {}): Promise<Scene> {
    const xev = new Xev(SIZE, ["button"]);
    const launcher = await Launcher.start({ flags: ["--display-size", SIZE, ...flags], desktop: xev.desktop, env: xev.env });
    const display = await launcher.openDisplay();
    const chromium = await Chromium.start();
    const viewer = await chromium.prepare(launcher, { viewport: VIEWPORT, touch });
    if (link) await through(link, viewer);
    if (habits) await viewer.page.addInitScript((kept) => { localStorage.setItem("vdi.input", kept); }, JSON.stringify(habits));
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await viewer.becomes("controller");
    return new Scene(xev, launcher, display, chromium, viewer, await viewer.page.context().newCDPSession(viewer.page));
  }

  async strike(): Promise<void> {
    this.display.close();
    await this.chromium.stop();
    await this.launcher.stop();
    this.xev.end();
  }

  /** Waits for these buttons to have been clicked, one after the other. */
  async clicked(buttons: readonly number[]): Promise<void> {
    const expected = buttons.flatMap((button) => [`+${button}`, `-${button}`]);
    await until(`clicks of ${buttons.join()}`, 10_000, () => {
      const seen = this.xev.events().map(({ kind, button }) => `${kind === "ButtonPress" ? "+" : "-"}${button}`);
      if (seen.join(" ") !== expected.join(" ")) throw new Error(seen.join(" "));
      return true;
    });
  }

  /** Waits for the pointer to be at a pixel, or next to it where the picture is scaled. */
  async pointerAt(x: number, y: number, tolerance = 0): Promise<void> {
    await until(`the pointer at ${x},${y}`, 10_000, async () => {
      const pointer = await this.display.pointer();
      if (Math.abs(pointer.x - x) > tolerance || Math.abs(pointer.y - y) > tolerance) throw new Error(JSON.stringify(pointer));
      return true;
    });
  }

  locked(): Promise<boolean> {
    return this.viewer.page.evaluate(() => document.pointerLockElement !== null);
  }

  /** The hot-key of Selkies: Control, Shift and a click. */
  async toggleLock(): Promise<void> {
    const before = await this.locked();
    const { page } = this.viewer;
    await until(before ? "the pointer to be free" : "the pointer to be locked", 20_000, async () => {
      // A browser may refuse for a second after the last lock was left; people click again.
      await page.keyboard.down("Control");
      await page.keyboard.down("Shift");
      await page.mouse.down();
      await page.mouse.up();
      await page.keyboard.up("Shift");
      await page.keyboard.up("Control");
      return (await until("an answer of the browser", 1_000, async () => (await this.locked()) !== before).catch(() => false)) && true;
    });
  }

  async touch(type: "touchStart" | "touchMove" | "touchEnd", ...points: { x: number; y: number; id?: number }[]): Promise<void> {
    await this.devtools.send("Input.dispatchTouchEvent", { type, touchPoints: points.map((point, id) => ({ id, ...point })) });
  }

  async tap(x: number, y: number): Promise<void> {
    await this.touch("touchStart", { x, y });
    await this.touch("touchEnd");
  }
}

describe("with a mouse", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.set();
  });
  afterEach(() => {
    scene.xev.forget();
  });
  after(async () => {
    await scene.strike();
  });

  test("five buttons are five buttons, at the pixel that was clicked", async () => {
    const { page } = scene.viewer;
    await page.mouse.move(200, 100);
    for (const button of ["left", "middle", "right"] as const) await page.mouse.click(200, 100, { button });
    for (const [button, buttons] of [["back", 8], ["forward", 16]] as const) {
      const event = { x: 200, y: 100, button, clickCount: 1 };
      await scene.devtools.send("Input.dispatchMouseEvent", { type: "mousePressed", ...event, buttons });
      await scene.devtools.send("Input.dispatchMouseEvent", { type: "mouseReleased", ...event, buttons: 0 });
    }
    await scene.clicked([1, 2, 3, 8, 9]);
    await scene.pointerAt(200, 100);
  });

  test("a wheel turns both ways, and a quarter of a notch four times is one", async () => {
    const { page } = scene.viewer;
    await page.mouse.wheel(0, 100);
    await scene.clicked([5]);
    scene.xev.forget();
    await page.mouse.wheel(0, -200);
    await scene.clicked([4, 4]);
    scene.xev.forget();
    await page.mouse.wheel(100, 0);
    await scene.clicked([7]);
    scene.xev.forget();
    await page.mouse.wheel(-100, 0);
    await scene.clicked([6]);
    scene.xev.forget();
    for (let quarter = 0; quarter < 4; quarter++) await page.mouse.wheel(0, 25);
    await scene.clicked([5]);
  });

  test("a locked pointer goes as far as the mouse, without end and without acceleration, and has its place back afterwards", async () => {
    const { page } = scene.viewer;
    await page.mouse.move(320, 240);
    await scene.pointerAt(320, 240);
    await scene.toggleLock();
    scene.xev.forget();
    await page.mouse.move(330, 235);
    await scene.pointerAt(330, 235);
    for (let x = 340; x <= 600; x += 20) await page.mouse.move(x, 235);
    await page.mouse.move(100, 235);
    await scene.pointerAt(100, 235);
    // The desktop's edge holds the pointer, and nothing of that is owed on the way back.
    await page.mouse.move(0, 235);
    await page.mouse.move(10, 235);
    await page.mouse.down({ button: "right" });
    await page.mouse.up({ button: "right" });
    await scene.clicked([3]);
    await scene.pointerAt(10, 235);

    await scene.toggleLock();
    await page.mouse.move(50, 60);
    await scene.pointerAt(50, 60);
  });

  test("while it is locked, the pointer is in the picture, since the browser draws none", async () => {
    const { page } = scene.viewer;
    await page.mouse.move(320, 240);
    await scene.pointerAt(320, 240);
    const before = await scene.viewer.shown(64, 48);
    await scene.toggleLock();
    await page.mouse.move(322, 242);
    // The window is white where nothing is drawn.
    const differs = async (): Promise<boolean> => {
      const now = await scene.viewer.page.evaluate(look, [300, 220, 60, 60] as const);
      return now > 8;
    };
    assert.ok(before.width > 0);
    await until("a pointer in the picture", 15_000, differs);
    await scene.viewer.screenshot("pointer-locked");
    await scene.toggleLock();
    await page.mouse.move(20, 20);
    await until("no pointer in the picture", 15_000, async () => !(await differs()));
  });

  test("a pen points, draws with its tip and with its eraser", async () => {
    const pen = { pointerType: "pen", button: "left", clickCount: 1, force: 0.5 } as const;
    await scene.devtools.send("Input.dispatchMouseEvent", { type: "mouseMoved", x: 80, y: 90, pointerType: "pen" });
    await scene.pointerAt(80, 90);
    await scene.devtools.send("Input.dispatchMouseEvent", { type: "mousePressed", x: 80, y: 90, buttons: 1, ...pen });
    await scene.devtools.send("Input.dispatchMouseEvent", { type: "mouseMoved", x: 120, y: 130, buttons: 1, ...pen });
    await until("the tip to be down at its place", 10_000, async () => {
      const { x, y, buttons } = await scene.display.pointer();
      return x === 120 && y === 130 && buttons.includes(1);
    });
    await scene.devtools.send("Input.dispatchMouseEvent", { type: "mouseReleased", x: 120, y: 130, buttons: 0, ...pen });
    await scene.clicked([1]);
  });
});

/** In the page: how many pixels of this part of the picture are dark. */
function look([left, top, width, height]: readonly [number, number, number, number]): number {
  const video = document.querySelector("video");
  if (!video) throw new Error("no video");
  const canvas = new OffscreenCanvas(video.videoWidth || 1, video.videoHeight || 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(left, top, width, height);
  let dark = 0;
  for (let at = 0; at < data.length; at += 4) if ((data[at] ?? 255) < 100) dark++;
  return dark;
}

describe("with fingers", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.set({ touch: true });
  });
  afterEach(() => {
    scene.xev.forget();
  });
  after(async () => {
    await scene.strike();
  });

  test("a tap clicks there, a long press and a tap of two fingers are the right button", async () => {
    await scene.tap(100, 120);
    await scene.clicked([1]);
    await scene.pointerAt(100, 120, 1);
    scene.xev.forget();
    await scene.touch("touchStart", { x: 300, y: 200 });
    await scene.clicked([3]);
    await scene.touch("touchEnd");
    await scene.pointerAt(300, 200, 1);
    scene.xev.forget();
    await scene.touch("touchStart", { x: 200, y: 200 }, { x: 260, y: 200 });
    await scene.touch("touchEnd");
    await scene.clicked([3]);
  });

  test("a finger drags, two fingers scroll", async () => {
    await scene.touch("touchStart", { x: 100, y: 100 });
    await scene.touch("touchMove", { x: 140, y: 100 });
    await until("the left button to be down", 10_000, async () => (await scene.display.pointer()).buttons.includes(1));
    await scene.touch("touchMove", { x: 200, y: 150 });
    await scene.pointerAt(200, 150, 1);
    await scene.touch("touchEnd");
    await scene.clicked([1]);
    scene.xev.forget();
    await scene.touch("touchStart", { x: 200, y: 400 }, { x: 260, y: 400 });
    for (let y = 380; y >= 160; y -= 20) await scene.touch("touchMove", { x: 200, y }, { x: 260, y });
    await scene.touch("touchEnd");
    await until("the wheel to have turned down twice", 10_000, () => scene.xev.events().filter(({ kind, button }) => kind === "ButtonPress" && button === 5).length === 2);
    assert.deepEqual([...new Set(scene.xev.events().map(({ button }) => button))], [5]);
  });

  test("two fingers that part enlarge the view, and a tap finds its pixel in it", async () => {
    await scene.touch("touchStart", { x: 280, y: 240 }, { x: 360, y: 240 });
    for (let apart = 50; apart <= 160; apart += 10) await scene.touch("touchMove", { x: 320 - apart, y: 240 }, { x: 320 + apart, y: 240 });
    await scene.touch("touchEnd");
    const scale = await scene.viewer.page.evaluate(() => Number(document.getElementById("stage")?.style.getPropertyValue("--view-scale")));
    assert.ok(scale > 1.5 && scale < 5, `${scale}`);
    await scene.viewer.screenshot("pinched");
    const { x, y } = await scene.viewer.placeOf(300, 220);
    await scene.tap(x, y);
    await scene.pointerAt(300, 220, 1);
    await scene.clicked([1]);
    await scene.touch("touchStart", { x: 100, y: 240 }, { x: 540, y: 240 });
    for (let apart = 200; apart >= 20; apart -= 20) await scene.touch("touchMove", { x: 320 - apart, y: 240 }, { x: 320 + apart, y: 240 });
    await scene.touch("touchEnd");
    assert.equal(await scene.viewer.page.evaluate(() => document.getElementById("stage")?.style.getPropertyValue("--view-scale")), "1");
  });
});

test("as a trackpad, a finger moves the pointer from where it is, and a tap clicks there", async () => {
  const scene = await Scene.set({ touch: true, habits: { touchMode: "trackpad" } });
  try {
    const from = await scene.display.pointer();
    await scene.touch("touchStart", { x: 500, y: 400 });
    for (let step = 1; step <= 10; step++) await scene.touch("touchMove", { x: 500 - step * 5, y: 400 - step * 4 });
    await scene.touch("touchEnd");
    await scene.pointerAt(from.x - 50, from.y - 40, 1);
    await scene.tap(30, 30);
    await scene.clicked([1]);
    await scene.pointerAt(from.x - 50, from.y - 40, 1);
  } finally {
    await scene.strike();
  }
});

test("over a network that loses one packet in five, a locked pointer gets exactly as far as the mouse", async () => {
  const link = Link.start({ down: "delay=10ms", up: "delay=10ms jitter=5ms reorder=5%" });
  const scene = await Scene.set({ flags: [...ONE_PATH], link });
  try {
    const { page } = scene.viewer;
    await page.mouse.move(100, 100);
    await scene.pointerAt(100, 100);
    await scene.toggleLock();
    await link.becomes("up", "loss=20%");
    for (let step = 1; step <= 300; step++) await page.mouse.move(100 + step, 100 + Math.floor(step / 2));
    // The button is not lost, and brings the way.
    await page.mouse.down();
    await page.mouse.up();
    await scene.clicked([1]);
    await scene.pointerAt(400, 250);
  } finally {
    await scene.strike();
    await link.stop();
  }
});
