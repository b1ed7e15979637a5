// Shell: what a program on the desktop gets of keyboard and buttons, with the layout and the input method that Xlib has for it: `xev`,
// whose words are read from a file.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./wait.js";

/** An event of keyboard or buttons, as the program has understood it. */
export interface XEvent {
  kind: "KeyPress" | "KeyRelease" | "ButtonPress" | "ButtonRelease";
  /** Modifiers and buttons that were down before it, as in the core protocol. */
  state: number;
  keycode: number;
  /** 0 for a button. */
  keysym: number;
  /** 0 for a key. */
  button: number;
  /** What it writes, after the program's input method. */
  text: string;
}

/** Modifier bits of the core protocol. */
export const SHIFT = 1;
export const CONTROL = 4;
export const MOD1 = 8;

const LOCALE = { LC_ALL: "C.UTF-8", LANG: "C.UTF-8" };

export class Xev {
  private readonly folder = mkdtempSync(join(tmpdir(), "vdi-xev-"));
  private readonly file = join(this.folder, "events");
  private from = 0;

  /** For the launcher: a window as large as the display, so that keyboard and pointer are always in it. */
  readonly desktop: string[];
  readonly env = LOCALE;

  constructor(size: string, masks: readonly string[] = ["keyboard"]) {
    const events = masks.map((mask) => `-event ${mask}`).join(" ");
    // What follows keeps the shell where it is, so that the launcher's desktop is found by these words.
    // It runs before everybody else, if that is allowed: a program that comes late reads keys by a newer layout.
    this.desktop = ["sh", "-c", `chrt --fifo 10 true 2>/dev/null && first="chrt --fifo 10"; $first stdbuf -oL xev -geometry ${size}+0+0 -bw 0 ${events} > ${this.file}; true`];
  }

  /** Forgets what has been so far. */
  forget(): void {
    this.from = this.all().length;
  }

  /** All since it was last told to forget. */
  events(): XEvent[] {
    return this.all().slice(this.from);
  }

  /** The keysyms that were pressed, without modifiers. */
  keysyms(): number[] {
    return this.pressed().map((event) => event.keysym);
  }

  /** What was written. */
  text(): string {
    return this.pressed()
      .map((event) => event.text)
      .join("");
  }

  /** Presses of keys that are no modifiers. */
  pressed(): XEvent[] {
    return this.events().filter((event) => event.kind === "KeyPress" && !isModifier(event.keysym));
  }

  async writes(text: string, limitMs = 10_000): Promise<void> {
    await until(`the desktop to read ${JSON.stringify(text)}`, limitMs, () => {
      if (this.text() !== text) throw new Error(JSON.stringify(this.text()));
      return true;
    });
  }

  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private all(): XEvent[] {
    return read(readFileSync(this.file, "utf8"));
  }
}

function isModifier(keysym: number): boolean {
  return (keysym >= 0xffe1 && keysym <= 0xffee) || keysym === 0xfe03 || keysym === 0xfe11;
}

/** Blocks of lines, each after an empty one; one that is not whole yet is left out. */
function read(words: string): XEvent[] {
  const events: XEvent[] = [];
  for (const block of words.split("\n\n")) {
    const kind = /^(Key|Button)(Press|Release) event/m.exec(block)?.[0].replace(" event", "") as XEvent["kind"] | undefined;
    const whole = kind?.startsWith("Key") ? /XFilterEvent returns: (True|False)/ : /same_screen (YES|NO)/;
    if (!kind || !whole.test(block)) continue;
    const key = /keycode (\d+) \(keysym 0x([0-9a-f]+)/.exec(block);
    // Twice for a press: once without and once with the input method.
    const text = [...block.matchAll(/LookupString gives \d+ bytes: \(([0-9a-f ]*)\)/g)].at(-1)?.[1] ?? "";
    const filtered = block.includes("XFilterEvent returns: True");
    events.push({
      kind,
      state: Number(/state (0x[0-9a-f]+)/.exec(block)?.[1] ?? 0),
      keycode: Number(key?.[1] ?? 0),
      keysym: Number.parseInt(key?.[2] ?? "0", 16),
      button: Number(/button (\d+)/.exec(block)?.[1] ?? 0),
      text: filtered ? "" : Buffer.from(text.replaceAll(" ", ""), "hex").toString("utf8"),
    });
  }
  return events;
}
