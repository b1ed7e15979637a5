// Shell: the row of keys above a touch keyboard that has no Control, no Escape and no arrows. It draws its buttons, reports
// which are pressed, and shows which modifiers are down; what they mean is the keyboard's.
import type { Cancel, Clock } from "../clock";
import { ALT_L, CONTROL_L, SHIFT_L, SUPER_L } from "./keysyms";
import type { Latch } from "./keyboard";

/** A finger that rests on a key repeats it, after so long and so often. */
export const REPEAT_AFTER_MS = 450;
export const REPEAT_EVERY_MS = 60;

/** Arrows are drawn, since their names are long; they are named for those who hear the page. */
const ARROWS: Record<string, string> = { ArrowLeft: "\u2190", ArrowUp: "\u2191", ArrowDown: "\u2193", ArrowRight: "\u2192" };

const MODIFIERS = { Control: CONTROL_L, Alt: ALT_L, Super: SUPER_L, Shift: SHIFT_L } as const;

const KEYS = {
  Escape: 0xff1b,
  Tab: 0xff09,
  ArrowLeft: 0xff51,
  ArrowUp: 0xff52,
  ArrowDown: 0xff54,
  ArrowRight: 0xff53,
  Home: 0xff50,
  End: 0xff57,
  PageUp: 0xff55,
  PageDown: 0xff56,
  Insert: 0xff63,
  Delete: 0xffff,
} as const;

export type KeyName = keyof typeof MODIFIERS | keyof typeof KEYS;

/** The order in which a thumb finds them: two rows of nine, with two buttons of the row's own at the end of the first. */
const FIRST: readonly KeyName[] = ["Escape", "Tab", "Control", "Alt", "Super", "Shift", "Delete"];
const SECOND: readonly KeyName[] = ["ArrowLeft", "ArrowUp", "ArrowDown", "ArrowRight", "Home", "End", "PageUp", "PageDown", "Insert"];

export interface KeyRowWords {
  readonly keyName: Readonly<Record<KeyName | "functionKeys", string>>;
  readonly hideKeyboard: string;
}

export type KeyRowAction = { type: "latch" | "stroke"; keysym: number } | { type: "hide" };

export class KeyRow {
  #element: HTMLElement;
  #clock: Clock;
  #callback: (action: KeyRowAction) => void;
  #repeat: Cancel | null = null;

  #more: HTMLButtonElement;
  #hide: HTMLButtonElement;

  constructor(element: HTMLElement, clock: Clock, callback: (action: KeyRowAction) => void) {
    this.#element = element;
    this.#clock = clock;
    this.#callback = callback;
    const functionKeys = document.createElement("div");
    functionKeys.className = "functions";
    functionKeys.hidden = true;
    for (let number = 1; number <= 12; number++) {
      functionKeys.append(this.#button(`F${number}`, { type: "stroke", keysym: 0xffbe + number - 1 }));
    }
    this.#more = this.#button("Fn", null);
    this.#more.setAttribute("aria-expanded", "false");
    this.#more.addEventListener("click", () => {
      functionKeys.hidden = !functionKeys.hidden;
      this.#more.setAttribute("aria-expanded", String(!functionKeys.hidden));
    });
    this.#hide = this.#button("\u2715", null);
    this.#hide.addEventListener("click", () => {
      this.#callback({ type: "hide" });
    });
    element.append(...FIRST.map((name) => this.#key(name)), this.#more, this.#hide, ...SECOND.map((name) => this.#key(name)), functionKeys);
  }

  /** Shows the row, with its modifiers as they stand, so many CSS pixels above the lower edge of the page. */
  show(shown: boolean, words: KeyRowWords, latched: (keysym: number) => Latch, abovePx: number): void {
    this.#element.hidden = !shown;
    this.#name(words);
    if (!shown) this.#stop();
    this.#element.style.setProperty("--above", `${Math.max(0, Math.round(abovePx))}px`);
    for (const button of this.#element.querySelectorAll<HTMLElement>("[data-latch]")) {
      const latch = latched(Number(button.dataset.keysym));
      button.dataset.latch = latch;
      button.setAttribute("aria-pressed", String(latch !== "off"));
    }
  }

  #name({ keyName, hideKeyboard }: KeyRowWords): void {
    this.#more.setAttribute("aria-label", keyName.functionKeys);
    this.#hide.setAttribute("aria-label", hideKeyboard);
    for (const button of this.#element.querySelectorAll<HTMLElement>("[data-key]")) {
      const name = button.dataset.key as KeyName;
      if (ARROWS[name] === undefined) button.textContent = keyName[name];
      else button.setAttribute("aria-label", keyName[name]);
    }
  }

  #key(name: KeyName): HTMLButtonElement {
    const modifier = name in MODIFIERS;
    const keysym = modifier ? MODIFIERS[name as keyof typeof MODIFIERS] : KEYS[name as keyof typeof KEYS];
    const button = this.#button(ARROWS[name] ?? "", { type: modifier ? "latch" : "stroke", keysym });
    if (modifier) {
      button.dataset.latch = "off";
      button.dataset.keysym = String(keysym);
    }
    button.dataset.key = name;
    return button;
  }

  #button(text: string, action: KeyRowAction | null): HTMLButtonElement {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    // The focus, and with it the touch keyboard, stays where it is.
    for (const type of ["pointerdown", "mousedown"] as const) {
      button.addEventListener(type, (event) => {
        event.preventDefault();
      });
    }
    if (!action) return button;
    button.addEventListener("pointerdown", () => {
      this.#callback(action);
      if (action.type === "stroke") this.#again(action, REPEAT_AFTER_MS);
    });
    for (const type of ["pointerup", "pointercancel", "pointerleave"] as const) {
      button.addEventListener(type, () => {
        this.#stop();
      });
    }
    button.addEventListener("click", (event) => {
      // By keyboard or by a screen reader: no finger was there.
      if (event.detail === 0) this.#callback(action);
    });
    return button;
  }

  #again(action: KeyRowAction, afterMs: number): void {
    this.#stop();
    this.#repeat = this.#clock.after(afterMs, () => {
      this.#callback(action);
      this.#again(action, REPEAT_EVERY_MS);
    });
  }

  #stop(): void {
    this.#repeat?.();
    this.#repeat = null;
  }
}
