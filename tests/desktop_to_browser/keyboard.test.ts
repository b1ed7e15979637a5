// Behaviour: what is typed into the page is what a program on the desktop reads, whatever the layouts of either side, and no key
// sticks. The program is xev, which sees what Xlib and its input method make of the keys.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import type { CDPSession } from "playwright-core";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { dice } from "./support/dice.js";
import { Link, ONE_PATH, through } from "./support/link.js";
import { until } from "./support/wait.js";
import type { Display } from "./support/x11.js";
import { CONTROL, MOD1, Xev } from "./support/xev.js";

const SIZE = "640x480";
const FLAGS = ["--display-size", SIZE];

/** A key as a browser tells it: the character, the place of the key, and how it is reached. */
type Stroke = readonly [key: string, code: string, level?: "shift" | "altgr" | "dead"];

/** Keys of people with these layouts. */
const PEOPLE: Record<string, readonly Stroke[]> = {
  us: [["a", "KeyA"], ["Z", "KeyZ", "shift"], ["1", "Digit1"], ["!", "Digit1", "shift"], ["@", "Digit2", "shift"], ["[", "BracketLeft"], ["~", "Backquote", "shift"], [";", "Semicolon"]],
  fr: [["é", "Digit2"], ["à", "Digit0"], ["1", "Digit1", "shift"], ["q", "KeyA"], ["A", "KeyQ", "shift"], ["@", "Digit0", "altgr"], ["€", "KeyE", "altgr"], ["ê", "KeyE", "dead"], ["ù", "Quote"]],
  de: [["ö", "Semicolon"], ["Ü", "BracketLeft", "shift"], ["ß", "Minus"], ["@", "KeyQ", "altgr"], ["{", "Digit7", "altgr"], ["€", "KeyE", "altgr"], ["z", "KeyY"], ["§", "Digit3", "shift"]],
  ru: [["ж", "Semicolon"], ["Ж", "Semicolon", "shift"], ["ё", "Backquote"], ["№", "Digit3", "shift"], ["ю", "Period"], ["Я", "KeyZ", "shift"], ["ъ", "BracketRight"]],
  gr: [["λ", "KeyL"], ["Ω", "KeyV", "shift"], ["ς", "KeyW"], ["ά", "KeyA", "dead"], ["€", "KeyE", "altgr"], ["ώ", "KeyV", "dead"]],
  "us intl": [["é", "KeyE", "dead"], ["ñ", "KeyN", "dead"], ["Ä", "KeyA", "dead"], ["ç", "Comma", "altgr"], ["¿", "Slash", "altgr"], ["w", "KeyW"]],
};

/** Layouts of the desktop, as setxkbmap has them. */
const DESKTOPS: Record<string, readonly string[]> = {
  us: ["-layout", "us"],
  fr: ["-layout", "fr"],
  de: ["-layout", "de"],
  ru: ["-layout", "ru"],
  gr: ["-layout", "gr"],
  "us intl": ["-layout", "us", "-variant", "intl"],
  "ru,us": ["-layout", "ru,us"],
};

const BIT = { alt: 1, control: 2, meta: 4, shift: 8 };

interface Key {
  key: string;
  code: string;
  location?: number;
  modifiers?: number;
}

/** A keyboard with any layout: what a browser tells of its keys is said to the page through the browser's own door. */
class Hands {
  constructor(private readonly devtools: CDPSession) {}

  static async of(viewer: Viewer): Promise<Hands> {
    return new Hands(await viewer.page.context().newCDPSession(viewer.page));
  }

  async down({ key, code, ...more }: Key): Promise<void> {
    await this.send("keyDown", { key, code, ...more });
  }

  async up({ key, code, ...more }: Key): Promise<void> {
    await this.send("keyUp", { key, code, ...more });
  }

  async press(key: Key): Promise<void> {
    await this.down(key);
    await this.up(key);
  }

  async type(strokes: readonly Stroke[]): Promise<void> {
    for (const [key, code, level] of strokes) {
      const shift = { key: "Shift", code: "ShiftLeft", location: 1 };
      const altgr = { key: "AltGraph", code: "AltRight", location: 2 };
      const modifiers = level === "shift" ? BIT.shift : 0;
      if (level === "shift") await this.down({ ...shift, modifiers });
      if (level === "altgr") await this.down(altgr);
      if (level === "dead") await this.press({ key: "Dead", code: "Quote" });
      await this.press({ key, code, modifiers });
      if (level === "shift") await this.up(shift);
      if (level === "altgr") await this.up(altgr);
    }
  }

  /** An input method: what is composed step by step, then what is chosen. */
  async compose(steps: readonly string[], chosen: string): Promise<void> {
    for (const text of steps) {
      await this.devtools.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
    }
    await this.devtools.send("Input.insertText", { text: chosen });
  }

  send(type: "keyDown" | "keyUp", key: Key): Promise<unknown> {
    // A key that writes says what; shortcuts and other keys write nothing.
    const writes = type === "keyDown" && Array.from(key.key).length === 1 && ((key.modifiers ?? 0) & ~BIT.shift) === 0;
    return this.devtools.send("Input.dispatchKeyEvent", { type: type === "keyDown" && !writes ? "rawKeyDown" : type, ...(writes && { text: key.key }), ...key });
  }
}

describe("on one machine", () => {
  const xev = new Xev(SIZE);
  let launcher: Launcher;
  let chromium: Chromium;
  let display: Display;
  let env: Record<string, string>;
  let viewer: Viewer;
  let hands: Hands;

  before(async () => {
    launcher = await Launcher.start({ flags: FLAGS, desktop: xev.desktop, env: xev.env });
    env = await launcher.desktopEnvironment();
    display = await launcher.openDisplay();
    chromium = await Chromium.start();
    viewer = await chromium.open(launcher, { viewport: { width: 640, height: 480 } });
    await viewer.becomes("controller");
    await viewer.page.mouse.move(300, 200);
    hands = await Hands.of(viewer);
  });

  afterEach(async () => {
    await nothingHeld();
  });

  after(async () => {
    display.close();
    await chromium.stop();
    await launcher.stop();
    xev.end();
  });

  const nothingHeld = (): Promise<true> =>
    until("no key to be down", 10_000, async () => {
      const down = await display.keysDown();
      if (down.length > 0) throw new Error(down.map((keysym) => keysym.toString(16)).join());
      return true;
    });

  const layout = (flags: readonly string[]): void => {
    execFileSync("setxkbmap", [...flags], { env: { ...process.env, ...env }, stdio: "pipe" });
  };

  test("every layout of the page writes its characters on every layout of the desktop", async (context) => {
    const table: string[] = [];
    for (const [desktop, flags] of Object.entries(DESKTOPS)) {
      layout(flags);
      for (const [person, strokes] of Object.entries(PEOPLE)) {
        xev.forget();
        await hands.type(strokes);
        await xev.writes(strokes.map(([character]) => character).join(""));
        const received = xev.pressed().map(({ text, keysym, keycode }) => `${text} ${keysym.toString(16)}@${keycode}`);
        table.push(`page ${person} → desktop ${desktop}: ${received.join("  ")}`);
        await nothingHeld();
      }
    }
    layout(["-layout", "us"]);
    for (const line of table) context.diagnostic(line);
  });

  test("input methods of Chinese, Japanese and Korean write what was chosen, and nothing of the way there", async () => {
    for (const [steps, chosen] of [
      [["n", "ni", "ni h", "ni hao"], "你好"],
      [["に", "にほ", "にほん", "日本"], "日本語"],
      [["ㅎ", "하", "한"], "한"],
    ] as const) {
      xev.forget();
      await hands.compose(steps, chosen);
      await xev.writes(chosen);
    }
    xev.forget();
    await hands.press({ key: "a", code: "KeyA" });
    await xev.writes("a");
  });

  test("a text with far more characters than there are keycodes to spare is read as it is", async () => {
    xev.forget();
    const text = Array.from({ length: 120 }, (_, index) => String.fromCodePoint(0x4e00 + index * 3)).join("");
    await hands.compose(["ー"], text);
    await hands.press({ key: "a", code: "KeyA" });
    await xev.writes(`${text}a`, 30_000);
  });

  test("Compose is the desktop's, whose input method makes one character of the next two", async () => {
    xev.forget();
    await hands.press({ key: "Compose", code: "ContextMenu" });
    await hands.press({ key: "'", code: "Quote" });
    await hands.press({ key: "e", code: "KeyE" });
    await xev.writes("é");
  });

  test("a shortcut of a Cyrillic or Greek page is the Latin letter's, on a Latin and on a Cyrillic desktop", async () => {
    for (const desktop of ["us", "ru"] as const) {
      layout(DESKTOPS[desktop] ?? []);
      for (const [key, code, keysym] of [["с", "KeyC", 0x63], ["ψ", "KeyC", 0x63], ["м", "KeyV", 0x76]] as const) {
        xev.forget();
        const control = { key: "Control", code: "ControlLeft", location: 1 };
        await hands.down({ ...control, modifiers: BIT.control });
        await hands.press({ key, code, modifiers: BIT.control });
        await hands.up(control);
        await until("the shortcut", 10_000, () => xev.pressed().length === 1);
        const [seen] = xev.pressed();
        assert.deepEqual([seen?.keysym, (seen?.state ?? 0) & CONTROL], [keysym, CONTROL], `${key} on ${desktop}`);
        await nothingHeld();
      }
    }
    layout(["-layout", "us"]);
  });

  test("Escape reaches the desktop in full screen, where the browser has given its own shortcuts away", async () => {
    await viewer.page.evaluate(() => {
      const page = globalThis as unknown as { locked?: string };
      const keyboard = (navigator as unknown as { keyboard: { lock(): Promise<void> } }).keyboard;
      const lock = keyboard.lock.bind(keyboard);
      keyboard.lock = async () => {
        await lock();
        page.locked = "locked";
      };
    });
    await viewer.page.keyboard.press("Control+Shift+F");
    await until("full screen with the keyboard locked", 10_000, () =>
      viewer.page.evaluate(() => document.fullscreenElement !== null && (globalThis as unknown as { locked?: string }).locked === "locked"),
    );
    await nothingHeld();
    xev.forget();
    await viewer.page.keyboard.press("Escape");
    await until("Escape", 10_000, () => xev.keysyms().includes(0xff1b));
    assert.equal(await viewer.page.evaluate(() => document.fullscreenElement !== null), true, "still in full screen");
    await viewer.page.keyboard.press("Control+Shift+F");
    await until("the window again", 10_000, () => viewer.page.evaluate(() => document.fullscreenElement === null));
  });

  test("keys that are held are released when the page is loaded anew, and when it falls silent", async () => {
    await viewer.page.keyboard.down("Shift");
    await until("Shift to be down", 10_000, async () => (await display.keysDown()).length === 1);
    await viewer.page.reload();
    await nothingHeld();
    await viewer.connected();
    await viewer.becomes("controller");
    await viewer.page.keyboard.up("Shift");

    await viewer.page.keyboard.down("b");
    await until("b to be down", 10_000, async () => (await display.keysDown()).length === 1);
    // The page hangs: it tells nothing, and its connection lives.
    const hanging = viewer.page.evaluate(() => {
      const until = performance.now() + 9_000;
      while (performance.now() < until);
    });
    await nothingHeld();
    await hanging;
    await viewer.page.keyboard.up("b");
    await viewer.connected();
    hands = await Hands.of(viewer);
  });
});

describe("from a Mac", () => {
  const xev = new Xev(SIZE);
  let launcher: Launcher;
  let chromium: Chromium;
  let viewer: Viewer;

  before(async () => {
    launcher = await Launcher.start({ flags: FLAGS, desktop: xev.desktop, env: xev.env });
    chromium = await Chromium.start();
    viewer = await chromium.prepare(launcher, { viewport: { width: 640, height: 480 } });
    await viewer.page.addInitScript(() => {
      Object.defineProperty(navigator, "platform", { get: () => "MacIntel" });
    });
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await viewer.becomes("controller");
    await viewer.page.mouse.move(300, 200);
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
    xev.end();
  });

  test("Command is Control, Option composes, and with arrows it is Alt", async () => {
    const hands = await Hands.of(viewer);
    const command = { key: "Meta", code: "MetaLeft", location: 1 };
    const option = { key: "Alt", code: "AltLeft", location: 1 };
    xev.forget();
    await hands.down({ ...command, modifiers: BIT.meta });
    // macOS never tells that this key went up.
    await hands.down({ key: "c", code: "KeyC", modifiers: BIT.meta });
    await hands.up(command);
    await until("Control and c", 10_000, () => xev.pressed().length === 1);
    assert.deepEqual([xev.pressed()[0]?.keysym, xev.pressed()[0]?.state], [0x63, CONTROL]);

    xev.forget();
    await hands.down({ ...option, modifiers: BIT.alt });
    await hands.press({ key: "@", code: "KeyL", modifiers: BIT.alt });
    await hands.press({ key: "ArrowLeft", code: "ArrowLeft", modifiers: BIT.alt });
    await hands.up(option);
    await until("the at sign and the arrow", 10_000, () => xev.pressed().length === 2);
    const [at, arrow] = xev.pressed();
    assert.deepEqual([at?.text, arrow?.keysym, (arrow?.state ?? 0) & MOD1], ["@", 0xff51, MOD1]);
    const display = await launcher.openDisplay();
    await until("no key to be down", 10_000, async () => (await display.keysDown()).length === 0);
    display.close();
  });
});

describe("from a phone", () => {
  const xev = new Xev(SIZE);
  let launcher: Launcher;
  let chromium: Chromium;
  let viewer: Viewer;

  before(async () => {
    launcher = await Launcher.start({ flags: FLAGS, desktop: xev.desktop, env: xev.env });
    chromium = await Chromium.start();
    viewer = await chromium.open(launcher, { viewport: { width: 390, height: 760 }, touch: true });
    await viewer.becomes("controller");
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
    xev.end();
  });

  test("the keyboard is asked for, and a row above it has the keys that it lacks", async () => {
    assert.equal(await viewer.page.locator("#keyrow").isVisible(), false);
    await viewer.page.tap("#handle");
    await viewer.page.tap("#panel [data-part=keyboard]");
    await viewer.page.locator("#keyrow").waitFor({ state: "visible" });
    assert.equal(await viewer.page.locator("#panel").isVisible(), false, "the panel makes room");

    xev.forget();
    await viewer.page.tap('#keyrow [data-key="Control"]');
    assert.equal(await viewer.page.getAttribute('#keyrow [data-key="Control"]', "data-latch"), "once");
    await viewer.page.tap('#keyrow [data-key="Tab"]');
    await until("Control and Tab", 10_000, () => xev.pressed().length === 1);
    assert.deepEqual([xev.pressed()[0]?.keysym, xev.pressed()[0]?.state], [0xff09, CONTROL]);
    assert.equal(await viewer.page.getAttribute('#keyrow [data-key="Control"]', "data-latch"), "off");

    // A touch keyboard writes without keys.
    xev.forget();
    await viewer.page.keyboard.insertText("grüße 👋");
    await xev.writes("grüße 👋");
    await viewer.screenshot("phone-keyboard");
  });
});

describe("over a network that loses one packet in twenty", () => {
  const xev = new Xev(SIZE);
  let link: Link;
  let launcher: Launcher;
  let chromium: Chromium;
  let viewer: Viewer;
  let display: Display;

  before(async () => {
    link = Link.start({ down: "delay=10ms loss=5%", up: "delay=10ms loss=5%" });
    launcher = await Launcher.start({ flags: [...FLAGS, ...ONE_PATH], desktop: xev.desktop, env: xev.env });
    display = await launcher.openDisplay();
    chromium = await Chromium.start();
    viewer = await chromium.prepare(launcher, { viewport: { width: 640, height: 480 } });
    await through(link, viewer);
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await viewer.becomes("controller");
    await viewer.page.mouse.move(300, 200);
  });

  after(async () => {
    display.close();
    await chromium.stop();
    await launcher.stop();
    await link.stop();
    xev.end();
  });

  test("10,000 keys go down and up in their order, and none is held at the end", { timeout: 900_000 }, async (context) => {
    const hands = await Hands.of(viewer);
    const roll = dice(8);
    const letters = Array.from("abcdefghijklmnopqrstuvwxyz0123456789äöüßéèñç");
    const codes = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ").map((letter) => `Key${letter}`).concat(Array.from("0123456789").map((digit) => `Digit${digit}`), ["Minus", "Equal", "BracketLeft", "BracketRight", "Semicolon", "Quote", "Backquote", "Slash"]);
    const of = (key: string): Key => ({ key, code: codes[letters.indexOf(key)] ?? "" });
    /** Keys that are down, oldest first; a typist has up to three at once. */
    const down: string[] = [];
    const expected: string[] = [];
    let pending: Promise<unknown>[] = [];
    xev.forget();
    for (let event = 0; event < 10_000; event++) {
      const left = 10_000 - event;
      const release = down.length > 0 && (down.length >= 3 || left <= down.length || roll() < 0.5);
      if (release) {
        const key = down.splice(Math.floor(roll() * down.length), 1)[0] ?? "";
        pending.push(hands.send("keyUp", of(key)));
      } else {
        const free = letters.filter((letter) => !down.includes(letter));
        const key = free[Math.floor(roll() * free.length)] ?? "";
        down.push(key);
        expected.push(key);
        pending.push(hands.send("keyDown", of(key)));
      }
      if (pending.length === 50) {
        await Promise.all(pending);
        pending = [];
      }
    }
    await Promise.all(pending);
    assert.deepEqual(down, []);
    const whole = expected.join("");
    await until("all of them to arrive", 300_000, () => {
      const text = xev.text();
      if (text.length < whole.length) throw new Error(`${text.length} of ${whole.length}; in order: ${whole.startsWith(text)}\n${launcher.words.slice(-4000)}`);
      return true;
    });
    assert.equal(xev.text(), whole);
    await until("no key to be down", 10_000, async () => (await display.keysDown()).length === 0);
    const up = link.seconds("up");
    context.diagnostic(`${up.reduce((sum, second) => sum + second.lost.packets, 0)} packets towards the server were lost`);
  });
});
