// Behaviour: keyboard and pointer of the page act on the desktop. The X server tells what has arrived.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { delay, until } from "./support/wait.js";
import type { Display } from "./support/x11.js";

const SHIFT_L = 0xffe1;
const CONTROL_L = 0xffe3;

let folder: string;
let launcher: Launcher;
let chromium: Chromium;
let controller: Viewer;
let display: Display;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "vdi-input-"));
  launcher = await Launcher.start({
    flags: ["--display-size", "1280x720"],
    // As large as the display: without a window manager the keyboard goes where the pointer is.
    desktop: ["xterm", "-geometry", "240x60+0+0", "-e", "/bin/sh"],
    env: { LC_ALL: "C.UTF-8", LANG: "C.UTF-8" },
  });
  display = await launcher.openDisplay();
  chromium = await Chromium.start();
  controller = await chromium.open(launcher);
});

after(async () => {
  display.close();
  await chromium.stop();
  await launcher.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("typing echo and Enter into the page runs it in the terminal", async () => {
  const file = join(folder, "typed");
  await controller.page.keyboard.type(`echo "Hello, World; 100% {of} [it] ~ ok?" > ${file}`);
  await controller.page.keyboard.press("Enter");
  await until("the terminal to have run it", 10_000, () => existsSync(file) && readFileSync(file, "utf8").length > 0);
  assert.equal(readFileSync(file, "utf8"), "Hello, World; 100% {of} [it] ~ ok?\n");
  // The terminal acts on Enter when it goes down; that it goes up again is on its way then.
  await until("every key to be up", 10_000, async () => (await display.keysDown()).length === 0);
  await controller.screenshot("typed");
});

test("characters that the display's layout lacks arrive too", async () => {
  const file = join(folder, "foreign");
  await controller.page.keyboard.type("echo ");
  const devtools = await controller.page.context().newCDPSession(controller.page);
  for (const character of ["ä", "ß", "€", "ж", "Ω"]) {
    // As from a keyboard with that key: playwright's own type() would insert it as finished text.
    await devtools.send("Input.dispatchKeyEvent", { type: "keyDown", key: character, text: character, code: "KeyA" });
    await devtools.send("Input.dispatchKeyEvent", { type: "keyUp", key: character, code: "KeyA" });
  }
  await controller.page.keyboard.type(` > ${file}`);
  await controller.page.keyboard.press("Enter");
  await until("the terminal to have run it", 10_000, () => existsSync(file) && readFileSync(file, "utf8").length > 0);
  assert.equal(readFileSync(file, "utf8"), "äß€жΩ\n");
});

for (const viewport of [
  { width: 1280, height: 720 },
  { width: 900, height: 1000 },
  { width: 1500, height: 500 },
]) {
  test(`the pointer arrives at the pixel that was clicked, page ${viewport.width}x${viewport.height}`, async () => {
    await controller.resize(viewport.width, viewport.height);
    // Where the picture is scaled down, the middle of one pixel of the page is the middle of none of the frame.
    const box = await controller.page.evaluate(() => {
      const { width, height } = document.querySelector("video")?.getBoundingClientRect() ?? { width: 0, height: 0 };
      return { width, height };
    });
    assert.ok(box.width > 0 && box.height > 0);
    const tolerance = Math.ceil(Math.max(1, Math.min(display.width / box.width, display.height / box.height)) - 0.999);
    for (const [x, y] of [
      [640, 360],
      [17, 23],
      [1260, 31],
      [25, 700],
      [1255, 703],
      [333, 512],
    ] as const) {
      const place = await controller.placeOf(x, y);
      await controller.page.mouse.move(place.x, place.y);
      await controller.page.mouse.down();
      await until(`the left button to be down at ${x},${y}`, 5_000, async () => {
        const pointer = await display.pointer();
        assert.deepEqual(pointer.buttons, [1]);
        assert.ok(Math.abs(pointer.x - x) <= tolerance && Math.abs(pointer.y - y) <= tolerance, JSON.stringify(pointer));
        return true;
      });
      await controller.page.mouse.up();
      await until("the button to be up again", 5_000, async () => (await display.pointer()).buttons.length === 0);
    }
  });
}

test("the right button is the right button", async () => {
  await controller.resize(1280, 720);
  const place = await controller.placeOf(640, 400);
  await controller.page.mouse.move(place.x, place.y);
  await controller.page.mouse.down({ button: "right" });
  await until("the right button to be down", 5_000, async () => (await display.pointer()).buttons.includes(3));
  await controller.page.mouse.up({ button: "right" });
  await until("the right button to be up", 5_000, async () => (await display.pointer()).buttons.length === 0);
});

test("keys that are held are released when the window loses the focus", async () => {
  await controller.page.keyboard.down("Shift");
  await until("Shift to be down", 5_000, async () => (await display.keysDown()).includes(SHIFT_L));
  await controller.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  await until("no key to be down", 5_000, async () => (await display.keysDown()).length === 0);
  await controller.page.keyboard.up("Shift");
});

test("a viewer's input has no effect", async () => {
  const watcher = await chromium.prepare(launcher);
  await watcher.page.addInitScript(() => {
    const channels: Record<string, RTCDataChannel> = {};
    const Real = RTCPeerConnection;
    Object.assign(globalThis, { channels });
    globalThis.RTCPeerConnection = class extends Real {
      constructor(config?: RTCConfiguration) {
        super(config);
        this.addEventListener("datachannel", ({ channel }) => (channels[channel.label] = channel));
      }
    };
  });
  await watcher.page.goto(launcher.url);
  await watcher.connected();
  await controller.becomes("controller");
  await watcher.becomes("viewer");

  const place = await controller.placeOf(400, 300);
  await controller.page.mouse.move(place.x, place.y);
  await until("the controller's pointer", 5_000, async () => (await display.pointer()).x === 400);
  const settled = await display.pointer();

  await watcher.page.mouse.move(100, 100);
  await watcher.page.mouse.down();
  await watcher.page.keyboard.down("Control");
  // Past the page too, which may have the good manners not to send: straight into the data channels, once they are there.
  await until("open data channels", 10_000, () =>
    watcher.page.evaluate(() => {
      const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel> };
      return ["input", "pointer"].every((label) => channels[label]?.readyState === "open");
    }),
  );
  await watcher.page.evaluate(() => {
    const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel> };
    const [input, pointer] = [channels["input"], channels["pointer"]];
    if (!input || !pointer) throw new Error("no channels");
    input.send(JSON.stringify({ type: "key", keysym: 0xffe3, down: true }));
    input.send(JSON.stringify({ type: "button", button: 0, down: true, x: 50, y: 50 }));
    pointer.send(JSON.stringify({ type: "motion", seq: 1_000_000, x: 60, y: 60 }));
  });
  // A controller's input takes a few milliseconds; half a second of nothing is an answer.
  for (let look = 0; look < 10; look++) {
    await delay(50);
    assert.deepEqual(await display.pointer(), settled);
    assert.deepEqual(await display.keysDown(), []);
  }
  await watcher.close();
  await launcher.statusWhere("one consumer", (status) => status.consumers.length === 1);
});

test("a viewer who takes control has it, and what the other held is released", async () => {
  const watcher = await chromium.open(launcher);
  await watcher.becomes("viewer");
  await controller.page.keyboard.down("Shift");
  await until("Shift to be down", 5_000, async () => (await display.keysDown()).includes(SHIFT_L));
  await watcher.screenshot("watching");

  await watcher.page.click("#takeControl");
  await watcher.becomes("controller");
  await controller.becomes("viewer");
  await until("no key to be down", 5_000, async () => (await display.keysDown()).length === 0);
  await controller.page.keyboard.up("Shift");
  const place = await watcher.placeOf(200, 220);
  await watcher.page.mouse.move(place.x, place.y);
  await until("the new controller's pointer", 5_000, async () => (await display.pointer()).x === 200);

  await controller.page.click("#takeControl");
  await watcher.becomes("viewer");
  await controller.becomes("controller");
  await watcher.close();
  await launcher.statusWhere("one consumer", (status) => status.consumers.length === 1);
});

test("keys and buttons that are held are released when the controller leaves", async () => {
  // The button first: with both keys down it would lock the pointer.
  await controller.page.mouse.down();
  await controller.page.keyboard.down("Shift");
  await controller.page.keyboard.down("Control");
  await until("both keys and the button to be down", 5_000, async () => {
    const keys = await display.keysDown();
    return keys.includes(SHIFT_L) && keys.includes(CONTROL_L) && (await display.pointer()).buttons.includes(1);
  });
  // No farewell: the renderer dies as in a crash.
  for (const pid of chromium.renderers) process.kill(pid, "SIGKILL");
  await until("no key and no button to be down", 20_000, async () => {
    return (await display.keysDown()).length === 0 && (await display.pointer()).buttons.length === 0;
  });
});
