// Behaviour: gamepads of the page in control are joysticks for the desktop's programs. The browser's own list of gamepads is the
// test's; a program's end of the socket, read as Selkies' joystick interposer does, tells what has arrived.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { felt, giveGamepads, hold } from "./support/gamepads.js";
import { Joystick } from "./support/joystick.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

let folder: string;
let launcher: Launcher;
let chromium: Chromium;
let anna: Viewer;
let bert: Viewer;

/** A page whose browser has the gamepads that the test says. */
async function come(): Promise<Viewer> {
  const viewer = await chromium.prepare(launcher);
  await giveGamepads(viewer);
  await viewer.page.goto(launcher.url);
  await viewer.connected();
  return viewer;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "vdi-gamepads-"));
  launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--js-socket-path", folder], desktop: ["xclock", "-update", "1"] });
  chromium = await Chromium.start();
  anna = await come();
  await anna.becomes("controller", 15_000);
  bert = await come();
  await bert.becomes("viewer", 15_000);
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
  rmSync(folder, { recursive: true });
});

test("a program finds four joysticks in the form of xpad, before anybody has plugged one in", async () => {
  for (const index of [0, 1, 2, 3]) {
    const joystick = await Joystick.open(folder, index);
    assert.equal(joystick.name, "Microsoft X-Box 360 pad");
    assert.deepEqual(joystick.buttonCodes, [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13a, 0x13b, 0x13c, 0x13d, 0x13e]);
    assert.deepEqual(joystick.axisCodes, [0, 1, 2, 3, 4, 5, 0x10, 0x11]);
    await joystick.stands("the beginning", { axes: [0, 0, -32767, 0, 0, -32767, 0, 0], buttons: [] });
    joystick.close();
  }
});

test("sticks, triggers, buttons and the directional pad arrive, and are named for who opens the joystick then", async () => {
  const joystick = await Joystick.open(folder, 0);
  await hold(anna, { axes: [-1, 1, 0.5, 0], buttons: { 0: 1, 9: 1, 16: 1, 6: 1, 7: 0.5, 14: 1, 13: 1 } });
  await joystick.stands("all of it", { axes: [-32767, 32767, 32767, 16384, 0, 128, -32767, 32767], buttons: [0, 7, 8] });
  const second = await Joystick.open(folder, 0);
  assert.equal(second.name, "Test Pad (STANDARD GAMEPAD)");
  await second.stands("what is held already", { axes: [-32767, 32767, 32767, 16384, 0, 128, -32767, 32767], buttons: [0, 7, 8] });
  await hold(anna, { buttons: { 1: 1 } });
  for (const one of [joystick, second]) await one.stands("another button alone", { axes: [0, 0, -32767, 0, 0, -32767, 0, 0], buttons: [1] });
  await hold(anna, null);
  for (const one of [joystick, second]) await one.stands("rest", { axes: [0, 0, -32767, 0, 0, -32767, 0, 0], buttons: [] });
  joystick.close();
  second.close();
});

test("a page that is left lets go, and has the gamepad again when it is back", async () => {
  const joystick = await Joystick.open(folder, 0);
  await hold(anna, { buttons: { 2: 1 } });
  await joystick.stands("the button", { buttons: [2] });
  await anna.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  await joystick.stands("rest", { buttons: [] });
  await anna.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await joystick.stands("the button again", { buttons: [2] });
  await hold(anna, null);
  await joystick.stands("rest", { buttons: [] });
  joystick.close();
});

// What games do for that is in uinput.test.ts, which has a kernel for it.
test("a gamepad shakes as the page is told, until the page is left", async () => {
  await hold(anna, {});
  const told = (message: object): Promise<void> =>
    anna.page.evaluate((data) => {
      const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel> };
      channels["control"]?.dispatchEvent(new MessageEvent("message", { data }));
    }, JSON.stringify({ type: "rumble", index: 0, ...message }));
  await until("the gamepad to have its place", 10_000, async () => {
    await told({ strong: 65_535, weak: 13_107, durationMs: 250 });
    return anna.page.evaluate(() => (globalThis as unknown as { felt: unknown[] }).felt.length > 0);
  });
  assert.deepEqual((await felt(anna, "the motors", 1)).at(0), { strong: 1, weak: 0.2, ms: 250 });
  await anna.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  assert.deepEqual(await felt(anna, "the end", 1), ["stop"]);
  await told({ strong: 65_535, weak: 0, durationMs: 250 });
  await anna.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await hold(anna, null);
  assert.deepEqual(await felt(anna, "nothing", 0), []);
});

test("a viewer's gamepad moves nothing, even if its page does as if it had control", async () => {
  const joystick = await Joystick.open(folder, 0);
  await hold(bert, { buttons: { 3: 1 } });
  const refused = async (): Promise<number> => Number(/vdi_input_reports_total\{result="from_viewer"\} (\d+)/.exec(await (await launcher.get("/metrics")).text())?.[1] ?? 0);
  const before = await refused();
  await bert.page.evaluate(() => {
    const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel> };
    channels["input"]?.send(JSON.stringify({ type: "gamepadState", index: 0, axes: [], buttons: [255] }));
  });
  await until("the report to be refused", 10_000, async () => (await refused()) > before);
  await hold(anna, { buttons: { 5: 1 } });
  await joystick.stands("the controller's button alone", { buttons: [5] });
  assert.deepEqual(joystick.pressedEver, [5]);
  joystick.close();
});

test("who hands control over lets go, and the gamepad of who has it then acts", async () => {
  const joystick = await Joystick.open(folder, 0);
  await joystick.stands("the button of the one before", { buttons: [5] });
  await bert.page.evaluate(() => {
    const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel> };
    channels["control"]?.send(JSON.stringify({ type: "takeControl" }));
  });
  await bert.becomes("controller", 15_000);
  await joystick.stands("the button of the one after", { buttons: [3] });
  await hold(anna, { buttons: { 7: 1 } });
  await hold(bert, { buttons: { 1: 1 } });
  await joystick.stands("the other button of the one after", { buttons: [1] });
  assert.deepEqual(joystick.pressedEver.filter((button) => button !== 5), [3, 1]);
  await bert.close();
  await joystick.stands("rest, since who held it has gone", { buttons: [] });
  joystick.close();
});

test("a second session leaves the sockets of the first alone, and the end removes them", async () => {
  const second = await Launcher.start({ flags: ["--display-size", "640x480", "--js-socket-path", folder], desktop: ["xclock"] });
  await second.stop();
  const joystick = await Joystick.open(folder, 3);
  joystick.close();
  const alone = mkdtempSync(join(tmpdir(), "vdi-gamepads-"));
  const third = await Launcher.start({ flags: ["--display-size", "640x480", "--js-socket-path", alone], desktop: ["xclock"] });
  assert.ok(existsSync(join(alone, "selkies_js0.sock")));
  await third.stop();
  assert.ok(!existsSync(join(alone, "selkies_js0.sock")));
  rmSync(alone, { recursive: true });
});
