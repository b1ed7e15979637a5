// Behaviour: gamepads of the page in control are devices of a real kernel's, and what games have their motors do is felt in the page.
// The launcher runs in a virtual machine whose kernel has uinput, beside a program that plays as games do: by evdev, by joydev and by
// SDL. The browser is this machine's, and reaches the launcher through its one port.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Server, type Viewer } from "./support/browser.js";
import { felt, giveGamepads, hold, type Felt } from "./support/gamepads.js";
import type { Guest, Talk } from "./support/guest.js";
import { GuestSession, lacks } from "./support/guest-session.js";
import { built } from "./support/launcher.js";
import { delay, until } from "./support/wait.js";

const REST = { 0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 16: 0, 17: 0 };
/** `BTN_A` and those after it, as xpad has them. */
const KEYS = [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x13a, 0x13b, 0x13c, 0x13d, 0x13e];

interface State {
  keys: number[];
  axes: Record<number, number>;
  /** All buttons and axes that were told of, one after the other: type, code, value. */
  events: [number, number, number][];
  joystick: { axes: number[]; buttons: number[] };
}

/** What has to end, the last of it first. */
const ends: (() => unknown)[] = [];
let guest: Guest;
let server: Server;
let game: Talk;
let chromium: Chromium;
let anna: Viewer;

async function come(): Promise<Viewer> {
  const viewer = await chromium.prepare(server);
  await giveGamepads(viewer);
  await viewer.page.goto(server.url);
  await viewer.connected(60_000);
  return viewer;
}

/** Waits until the game finds the gamepad so. */
async function stands(what: string, keys: number[], axes: Record<number, number>): Promise<State> {
  return until(`the game to find ${what}`, 20_000, async () => {
    const state = await game.ask<State>("state");
    assert.deepEqual({ keys: state.keys, axes: state.axes }, { keys, axes: { ...REST, ...axes } });
    return state;
  });
}

/** Whether a gamepad does so, for what is left of a time when the page hears of it. */
function shakes(so: Felt | undefined, wanted: { strong: number; weak: number }, ms: number): void {
  assert.ok(so !== undefined && so !== "stop", `it does ${JSON.stringify(so)}`);
  assert.ok(Math.abs(so.strong - wanted.strong) < 0.001 && Math.abs(so.weak - wanted.weak) < 0.001, JSON.stringify(so));
  assert.ok(so.ms > ms / 2 && so.ms <= ms, `${so.ms} ms of ${ms}`);
}

before(async () => {
  if (lacks !== false) return;
  chromium = await Chromium.start();
  ends.push(() => chromium.stop());
  const session = await GuestSession.start("SELKIES_JS_SOCKET_PATH=/run SELKIES_WEBCAM=off", "game.py");
  ends.push(() => session.stop());
  ({ guest, server, program: game } = session);
  anna = await come();
  await anna.becomes("controller", 30_000);
});

after(async () => {
  for (const end of ends.reverse()) await end();
});

test("a game finds no gamepad until somebody has plugged one in, and then one of xpad's", { skip: lacks }, async () => {
  assert.deepEqual(await game.ask("devices"), []);
  await hold(anna, {});
  const [event] = await until("the game to find a gamepad", 20_000, async () => {
    const found = await game.ask<string[]>("devices");
    return found.length === 1 && found;
  });
  const stick = [-32768, 32767, 16, 128];
  assert.deepEqual(await game.ask("open", { event }), {
    name: "Microsoft X-Box 360 pad",
    // USB, Microsoft, Xbox 360 Controller, and its version.
    id: [3, 0x045e, 0x028e, 0x0114],
    keys: KEYS,
    axes: { 0: stick, 1: stick, 2: [0, 255, 0, 0], 3: stick, 4: stick, 5: [0, 255, 0, 0], 16: [-1, 1, 0, 0], 17: [-1, 1, 0, 0] },
    // Rumble, the waves that are shown as such, and gain.
    effects: [0x50, 0x51, 0x58, 0x59, 0x5a, 0x60],
    atOnce: 16,
    joystick: { name: "Microsoft X-Box 360 pad", axes: [0, 1, 2, 3, 4, 5, 16, 17], buttons: 11 },
  });
});

test("buttons, triggers, sticks and the directional pad arrive at evdev and at joydev", { skip: lacks }, async () => {
  await stands("rest", [], {});
  await hold(anna, { axes: [-1, 1, 0.5, 0], buttons: { 0: 1, 9: 1, 16: 1, 6: 1, 7: 0.5, 14: 1, 13: 1 } });
  const state = await stands("all of it", [0x130, 0x13b, 0x13c], { 0: -32767, 1: 32767, 2: 255, 3: 16384, 5: 128, 16: -1, 17: 1 });
  assert.deepEqual(state.joystick.buttons, [0, 7, 8]);
  const [x = 0, y = 0, , , ry, , hatX, hatY] = state.joystick.axes;
  assert.ok(x < -32000 && y > 32000, `${x}, ${y}`);
  assert.deepEqual([ry, hatX, hatY], [0, -32767, 32767]);
  await hold(anna, { buttons: { 1: 1, 15: 1, 12: 1 } });
  await stands("other buttons", [0x131], { 16: 1, 17: -1 });
  await hold(anna, {});
  const { events, joystick } = await stands("rest again", [], {});
  assert.deepEqual(events.filter(([kind]) => kind === 1).map(([, code, value]) => [code, value]), [
    [0x130, 1], [0x13b, 1], [0x13c, 1], [0x130, 0], [0x131, 1], [0x13b, 0], [0x13c, 0], [0x131, 0],
  ]);
  assert.deepEqual(joystick.buttons, []);
});

test("what a game has the motors do is felt in the page: strength, duration, end, gain and waves", { skip: lacks }, async () => {
  const id = await game.ask<number>("rumble", { strong: 0xffff, weak: 0x3333, length: 400 });
  await game.ask("play", { id, times: 1 });
  shakes((await felt(anna, "both motors", 1)).at(-1), { strong: 1, weak: 0.2 }, 400);

  assert.equal(await game.ask("rumble", { id, strong: 0x3333, weak: 0, length: 0 }), id);
  await game.ask("play", { id, times: 1 });
  assert.deepEqual(await felt(anna, "one without end", 1), [{ strong: 0.2, weak: 0, ms: 5000 }]);
  await game.ask("gain", { gain: 0x8000 });
  shakes((await felt(anna, "half of it", 1)).at(-1), { strong: 0.1, weak: 0 }, 5000);
  await game.ask("gain", { gain: 0xffff });
  await felt(anna, "all of it", 1);
  await game.ask("play", { id, times: 0 });
  assert.deepEqual(await felt(anna, "the end", 1), ["stop"]);

  const wave = await game.ask<number>("wave", { magnitude: 0x7fff, length: 5000 });
  await game.ask("play", { id: wave, times: 1 });
  shakes((await felt(anna, "a wave", 1)).at(-1), { strong: 1, weak: 1 }, 5000);
  await game.ask("erase", { id: wave });
  assert.deepEqual(await felt(anna, "the end", 1), ["stop"]);
});

test("a page that is left lets go, and the device stays for when it is back", { skip: lacks }, async () => {
  await hold(anna, { buttons: { 2: 1, 6: 1 } });
  await stands("the button and the trigger", [0x133], { 2: 255 });
  await anna.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  await stands("rest", [], {});
  assert.equal((await game.ask<string[]>("devices")).length, 1);
  await anna.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await stands("both again", [0x133], { 2: 255 });
  await hold(anna, {});
  await stands("rest", [], {});
});

test("a gamepad is still when its page is left, when it is switched off there, and when the game is gone", { skip: lacks }, async () => {
  const id = await game.ask<number>("rumble", { strong: 0xffff, weak: 0, length: 0 });
  await game.ask("play", { id, times: 1 });
  const full = { strong: 1, weak: 0, ms: 5000 };
  assert.deepEqual(await felt(anna, "the motor", 1), [full]);
  await anna.page.evaluate(() => window.dispatchEvent(new Event("blur")));
  assert.deepEqual(await felt(anna, "the end", 1), ["stop"]);
  await anna.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  assert.deepEqual(await felt(anna, "what goes on", 1), [full]);
  const toggle = (): Promise<void> => anna.page.evaluate(() => { document.querySelector<HTMLInputElement>('#habits [data-part="rumble"]')?.click(); });
  await toggle();
  assert.deepEqual(await felt(anna, "the end", 1), ["stop"]);
  await toggle();
  // It lasts, so the page is told of it again.
  assert.deepEqual(await felt(anna, "what still goes on", 1), [full]);
  // Its effects go with it.
  await game.ask("close");
  assert.equal((await felt(anna, "the end", 1)).at(-1), "stop");
});

test("SDL knows the gamepad, what its buttons mean, and how to shake it", { skip: lacks }, async () => {
  const rest = { name: "X360 Controller", rumbles: true, buttons: [], axes: [0, 0, 0, 0, 0, 0] };
  assert.deepEqual(await game.ask("sdl"), rest);
  await hold(anna, { axes: [1, 0, 0, 0], buttons: { 0: 1, 16: 1, 12: 1, 7: 1 } });
  await until("SDL to find all of it", 20_000, async () => {
    // A, guide, up; the left stick and the right trigger.
    assert.deepEqual(await game.ask("sdl"), { ...rest, buttons: [0, 5, 11], axes: [32767, 0, 0, 0, 0, 32767] });
    return true;
  });
  assert.equal(await game.ask("sdlRumble", { strong: 0xffff, weak: 0xffff, length: 700 }), 0);
  // SDL has the kernel play on, and ends it itself when its time is over and the game looks again.
  shakes((await felt(anna, "SDL", 1)).at(-1), { strong: 1, weak: 1 }, 5000);
  await delay(700);
  await game.ask("sdl");
  assert.deepEqual(await felt(anna, "the end", 1), ["stop"]);
  await hold(anna, {});
});

test("who hands control over is still, and who has it then feels what goes on", { skip: lacks }, async () => {
  const bert = await come();
  await bert.becomes("viewer", 30_000);
  await hold(bert, {});
  const [event] = await game.ask<string[]>("devices");
  await game.ask("open", { event });
  const id = await game.ask<number>("rumble", { strong: 0, weak: 0xffff, length: 0 });
  await game.ask("play", { id, times: 1 });
  const light = { strong: 0, weak: 1, ms: 5000 };
  assert.deepEqual((await felt(anna, "the motor", 1)).at(-1), light);
  await bert.page.evaluate(() => {
    const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel> };
    channels["control"]?.send(JSON.stringify({ type: "takeControl" }));
  });
  await bert.becomes("controller", 30_000);
  assert.equal((await felt(anna, "the end", 1)).at(-1), "stop");
  assert.deepEqual(await felt(bert, "what goes on", 1), [light]);
  await hold(bert, { buttons: { 3: 1 } });
  await stands("the button of who has control", [0x134], {});
  await bert.close();
  await stands("rest, since who held it has gone", [], {});
});

test("who wants devices and cannot have them is told so, and the end takes the devices along", { skip: lacks }, async () => {
  const refused = `rm /dev/uinput; DISPLAY=:77 ${built("vdi-launcher")} --port 0 --builtin-turn-port 0 --gamepads uinput`;
  const { code, words } = await game.ask<{ code: number; words: string }>("run", { command: ["sh", "-c", refused] });
  assert.notEqual(code, 0);
  assert.match(words, /--gamepads "uinput": \/dev\/uinput cannot be opened for writing: No such file.*auto, sockets and off/s);
  await game.ask("run", { command: ["sh", "-c", "kill $(cat /run/launcher)"] });
  await guest.says(/^launcher: ended with 0/m, 30_000);
  assert.deepEqual(await game.ask("devices"), []);
});
