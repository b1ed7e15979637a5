// Setup: wires everything that hands do on the page: keyboard, pointer, wheel, fingers, gamepads, the row of keys, the view that
// two fingers enlarge. What it is told of the page it asks for, and what is done goes out as messages.
import type { Clock } from "../clock";
import { WHOLE, within, zoomed, type View } from "../picture/zoom";
import { words } from "../words/language";
import type { Input, Pointing, RumbleInfo } from "../wire/protocol";
import { Gamepads, type GamepadMessage } from "./gamepads";
import { keep, kept, type Habits } from "./habits";
import { Keyboard } from "./keyboard";
import { KeyRow } from "./keyrow";
import type { Platform } from "./keysyms";
import { PointerLock } from "./lock";
import { Pointer, type PointerSurroundings } from "./pointer";
import { Touch } from "./touch";
import { Wheel } from "./wheel";

export interface HandsSurroundings extends Omit<PointerSurroundings, "clock"> {
  readonly clock: Clock;
  /** The desktop, as the page shows it; what is typed without keys; where the row of keys is. */
  readonly stage: HTMLElement;
  readonly keys: HTMLTextAreaElement;
  readonly row: HTMLElement;
  /** Whether the page is worked with fingers. */
  readonly touch: boolean;
  readonly storage: Pick<Storage, "getItem" | "setItem">;
  /** Whether a key is what makes the browser paste, and may. */
  pastes(event: KeyboardEvent): boolean;
  sendInput(message: Input): void;
  sendPointing(message: Pointing): void;
  /** Returns whether it is on its way. */
  sendGamepad(message: GamepadMessage): boolean;
  /** The browser did not lock the pointer. */
  lockRefused(): void;
}

export class Hands {
  readonly keyboard: Keyboard;
  readonly #around: HandsSurroundings;
  readonly #pointer: Pointer;
  readonly #wheel: Wheel;
  readonly #fingers: Touch;
  readonly #lock: PointerLock;
  readonly #gamepads: Gamepads;
  readonly #row: KeyRow;
  #habits: Habits;
  #view: View = WHOLE;

  constructor(around: HandsSurroundings) {
    const { clock, stage, keys, touch } = around;
    this.#around = around;
    this.keyboard = new Keyboard(keys, { clock, platform: platform(), touch, isLocal, pastes: (event) => around.pastes(event) }, (message) => {
      around.sendInput(message);
    });
    this.#pointer = new Pointer(stage, around, (event) => {
      if (event.channel === "input") around.sendInput(event.message);
      else around.sendPointing(event.message);
    });
    this.#wheel = new Wheel(stage, clock, (message) => {
      around.sendInput(message);
    });
    this.#lock = new PointerLock(stage, (change) => {
      if (change === "locked") this.#pointer.travel();
      else if (change === "unlocked") this.#pointer.arrive();
      else around.lockRefused();
    });
    this.#fingers = new Touch(stage, clock, (action) => {
      if (action.type === "scroll") this.#wheel.scroll(action.dx, action.dy);
      else if (action.type === "zoom") this.#look(zoomed(this.#view, action.factor, action.around, action, this.#page()));
      else this.#pointer.act(action);
    });
    this.#gamepads = new Gamepads({ clock, gamepads: () => navigator.getGamepads(), send: (message) => around.sendGamepad(message) });
    this.#row = new KeyRow(around.row, clock, (action) => {
      if (action.type === "hide") keys.blur();
      else this.keyboard[action.type](action.keysym);
    });
    this.#habits = kept(around.storage);
    this.use(this.#habits);
    this.keyboard.latchesChanged = () => {
      this.#showRow();
    };
    this.#listen();
  }

  /** Whether they act on the desktop. */
  set enabled(enabled: boolean) {
    this.keyboard.enabled = this.#pointer.enabled = this.#wheel.enabled = this.#fingers.enabled = this.#gamepads.enabled = enabled;
    if (!enabled) this.#lock.leave();
    this.#showRow();
  }

  /** What this user's hands are used to. */
  get habits(): Habits {
    return this.#habits;
  }

  /** The user wants it otherwise, from now on and at the next visit. */
  use(wanted: Partial<Habits>): void {
    this.#habits = { ...this.#habits, ...wanted };
    if (this.keyboard.macKeys !== this.#habits.macKeys) this.keyboard.macKeys = this.#habits.macKeys;
    if (this.#fingers.mode !== this.#habits.touchMode) this.#fingers.mode = this.#habits.touchMode;
    this.#gamepads.rumbles = this.#habits.rumble;
    keep(this.#around.storage, this.#habits);
  }

  /** Whether the browser can lock the pointer. */
  get canLock(): boolean {
    return this.#lock.possible;
  }

  /** Locks the pointer or unlocks it, in the course of a gesture. */
  toggleLock(): void {
    if (!this.keyboard.enabled) return;
    this.keyboard.releaseAll();
    void this.#lock.toggle();
  }

  /** Forgets what is held, since the server no longer holds it either. */
  forget(): void {
    this.keyboard.forget();
    this.#pointer.forget();
    this.#gamepads.forget();
  }

  /** What was sent last may be lost: tells what is held anew. */
  renew(): void {
    this.#pointer.settle();
    // Buttons mean something else with modifiers.
    this.keyboard.renew();
    this.#pointer.renew();
    this.#gamepads.forget();
  }

  /** A game would have a gamepad shake. */
  rumble(info: RumbleInfo): void {
    this.#gamepads.rumble(info);
  }

  /** Raises the touch keyboard, and the row of keys above it. */
  raiseKeyboard(): void {
    const { keys } = this.#around;
    keys.inputMode = "text";
    keys.focus({ preventScroll: true });
    this.#showRow();
  }

  #listen(): void {
    const { stage, keys, touch } = this.#around;
    // Control, Shift and a click lock the pointer, and unlock it, as in Selkies. It comes before the pointer's own listener.
    stage.addEventListener(
      "pointerdown",
      (event) => {
        if (!event.ctrlKey || !event.shiftKey || event.button !== 0 || event.pointerType !== "mouse" || !this.keyboard.enabled) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        this.toggleLock();
      },
      { capture: true },
    );
    // What an input method composes is shown where the hand was last.
    stage.addEventListener("pointerdown", (event) => {
      keys.style.setProperty("--caret-x", `${Math.min(event.clientX, window.innerWidth * 0.75)}px`);
      keys.style.setProperty("--caret-y", `${Math.min(event.clientY + 16, window.innerHeight * 0.85)}px`);
    });
    for (const type of ["pointerdown", "pointermove", "wheel"] as const) {
      stage.addEventListener(type, (event) => {
        this.keyboard.reconcile(event);
      }, { passive: true });
    }
    window.addEventListener("resize", () => {
      this.#look(within(this.#view, this.#page()));
    });
    for (const type of ["resize", "scroll"] as const) {
      window.visualViewport?.addEventListener(type, () => {
        this.#showRow();
      });
    }
    if (!touch) return;
    // Without this every tap would raise the touch keyboard; the panel's button asks for it.
    keys.inputMode = "none";
    keys.addEventListener("blur", () => {
      keys.inputMode = "none";
      this.keyboard.releaseAll();
      this.#showRow();
    });
  }

  /** The row stands on the touch keyboard, which covers the lower part of the page and tells nobody but the viewport. */
  #showRow(): void {
    const view = window.visualViewport;
    const covered = view ? window.innerHeight - view.height - view.offsetTop : 0;
    const { touch, keys } = this.#around;
    this.#row.show(touch && this.keyboard.enabled && keys.inputMode === "text", words, (keysym) => this.keyboard.latched(keysym), covered);
  }

  #page(): { width: number; height: number } {
    const { stage } = this.#around;
    return { width: stage.clientWidth, height: stage.clientHeight };
  }

  /** Enlarges the part of the picture that the view is of. */
  #look(view: View): void {
    this.#view = view;
    const { style } = this.#around.stage;
    style.setProperty("--view-scale", String(view.scale));
    style.setProperty("--view-x", `${view.x}px`);
    style.setProperty("--view-y", `${view.y}px`);
  }
}

/** The system that the page runs on. */
export function platform(): Platform {
  const name = navigator.platform;
  return /^(Mac|iP)/.test(name) ? "mac" : name.startsWith("Win") ? "windows" : "other";
}

/** Whether an element belongs to the page's own panel and buttons. */
export function isLocal(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("[data-local]") !== null;
}
