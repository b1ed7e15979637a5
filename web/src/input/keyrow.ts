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

/** The order in which a thumb finds them. */
const ROW: readonly KeyName[] = [
  "Escape",
  "Tab",
  "Control",
  "Alt",
  "Super",
  "Shift",
  "ArrowLeft",
  "ArrowUp",
  "ArrowDown",
  "ArrowRight",
  "Delete",
  "Home",
  "End",
  "PageUp",
  "PageDown",
  "Insert",
];

export interface KeyRowWords {
  readonly names: Readonly<Record<KeyName | "functionKeys", string>>;
  readonly hide: string;
}

export type KeyRowAction = { type: "latch" | "stroke"; keysym: number } | { type: "hide" };

export class KeyRow {
  #element: HTMLElement;
  #clock: Clock;
  #callback: (action: KeyRowAction) => void;
  #repeat: Cancel | null = null;

  constructor(element: HTMLElement, clock: Clock, words: KeyRowWords, callback: (action: KeyRowAction) => void) {
    this.#element = element;
    this.#clock = clock;
    this.#callback = callback;
    for (const name of ROW) this.#add(name, words.names[name]);
    const functionKeys = document.createElement("div");
    functionKeys.className = "functions";
    functionKeys.hidden = true;
    for (let number = 1; number <= 12; number++) {
      functionKeys.append(this.#button(`F${number}`, { type: "stroke", keysym: 0xffbe + number - 1 }));
    }
    const more = this.#button("Fn", null);
    more.setAttribute("aria-label", words.names.functionKeys);
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => {
      functionKeys.hidden = !functionKeys.hidden;
      more.setAttribute("aria-expanded", String(!functionKeys.hidden));
    });
    const hide = this.#button("\u2328\u2193", null);
    hide.setAttribute("aria-label", words.hide);
    hide.addEventListener("click", () => {
      this.#callback({ type: "hide" });
    });
    element.append(more, hide, functionKeys);
  }

  /** Shows the row, with its modifiers as they stand, so many CSS pixels above the lower edge of the page. */
  show(shown: boolean, latched: (keysym: number) => Latch, abovePx: number): void {
    this.#element.hidden = !shown;
    if (!shown) this.#stop();
    this.#element.style.setProperty("--above", `${Math.max(0, Math.round(abovePx))}px`);
    for (const button of this.#element.querySelectorAll<HTMLElement>("[data-latch]")) {
      const latch = latched(Number(button.dataset.keysym));
      button.dataset.latch = latch;
      button.setAttribute("aria-pressed", String(latch !== "off"));
    }
  }

  #add(name: KeyName, word: string): void {
    const modifier = name in MODIFIERS;
    const keysym = modifier ? MODIFIERS[name as keyof typeof MODIFIERS] : KEYS[name as keyof typeof KEYS];
    const button = this.#button(ARROWS[name] ?? word, { type: modifier ? "latch" : "stroke", keysym });
    if (ARROWS[name] !== undefined) button.setAttribute("aria-label", word);
    if (modifier) {
      button.dataset.latch = "off";
      button.dataset.keysym = String(keysym);
    }
    button.dataset.key = name;
    this.#element.append(button);
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
