// Shell: gamepads, by the W3C's Gamepad API, which has to be asked: once a frame, while there is one and the page acts. All of a
// gamepad is told when it has changed, and it shakes as it is told, while it acts. It knows nothing of games: what the buttons are
// on the desktop is the server's.
import type { Cancel, Clock } from "../clock";
import { MAX_GAMEPAD_AXES, MAX_GAMEPAD_BUTTONS, MAX_GAMEPAD_NAME_CHARS, MAX_GAMEPADS, type Input, type RumbleInfo } from "../wire/protocol";

export type GamepadMessage = Extract<Input, { type: "gamepadConnected" | "gamepadState" | "gamepadDisconnected" }>;
export interface GamepadState {
  axes: number[];
  buttons: number[];
}

/** Full deflection of an axis, full strength of a motor, and full pressure on a button, on the wire. */
const REACH = 32_767;
const STRENGTH = 65_535;
const PRESSURE = 255;
/** What an axis that nobody touches trembles by: a step of eight bits. */
const TREMBLE = 256;

/** A gamepad as the wire has it. What a stick trembles by since `before` is no motion. */
export function stateOf(pad: Pick<Gamepad, "axes" | "buttons">, before: GamepadState | null): GamepadState {
  const axes = pad.axes.slice(0, MAX_GAMEPAD_AXES).map((value, at) => {
    const now = Math.round(clamp(value, -1, 1) * REACH);
    const told = before?.axes[at];
    // Rest and the ends are told in any case: a stick that is let go has to be at rest.
    const trembles = told !== undefined && now !== 0 && Math.abs(now) !== REACH && Math.abs(now - told) < TREMBLE;
    return trembles ? told : now;
  });
  const buttons = pad.buttons.slice(0, MAX_GAMEPAD_BUTTONS).map(({ pressed, value }) => {
    // Browsers know buttons without a pressure, and some tell `pressed` alone.
    return Math.round((pressed && !(value > 0) ? 1 : clamp(value, 0, 1)) * PRESSURE);
  });
  return { axes, buttons };
}

function clamp(value: number, least: number, most: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, least), most) : 0;
}

function same(a: GamepadState, b: GamepadState): boolean {
  return a.axes.join() === b.axes.join() && a.buttons.join() === b.buttons.join();
}

/** A gamepad of the browser that has a place with the server. */
interface Slot {
  /** Its number in the browser, which may be any. */
  readonly number: number;
  readonly id: string;
  told: GamepadState | null;
  /** Whether it may be shaking. */
  shakes: boolean;
}

export interface GamepadSurroundings {
  readonly clock: Clock;
  /** `navigator.getGamepads`, which a browser or the page around may forbid. */
  gamepads(): readonly (Gamepad | null)[];
  /** Returns whether it is on its way. */
  send(message: GamepadMessage): boolean;
}

export class Gamepads {
  readonly #around: GamepadSurroundings;
  #slots: (Slot | null)[] = Array<null>(MAX_GAMEPADS).fill(null);
  #enabled = false;
  /** Whether this page is the one that the person has before them. */
  #here = document.hasFocus();
  #frame: Cancel | null = null;
  #rumbles = true;

  constructor(around: GamepadSurroundings) {
    this.#around = around;
    for (const type of ["gamepadconnected", "gamepaddisconnected"]) {
      window.addEventListener(type, () => {
        this.#poll();
      });
    }
    window.addEventListener("focus", () => {
      this.#here = true;
      this.#poll();
    });
    // Another window has the gamepad now, and a hidden page has no frames in which to ask.
    window.addEventListener("blur", () => {
      this.#leave();
    });
    window.addEventListener("pagehide", () => {
      this.#leave();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#leave();
      else if (document.hasFocus()) {
        this.#here = true;
        this.#poll();
      }
    });
  }

  /** Whether they act on the desktop. */
  set enabled(enabled: boolean) {
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    // The server lets go of everything when control goes, so there is nothing to tell.
    this.forget();
    if (enabled) this.#poll();
  }

  /** Whether they shake when a game would have them do so. */
  get rumbles(): boolean {
    return this.#rumbles;
  }

  set rumbles(rumbles: boolean) {
    this.#rumbles = rumbles;
    if (!rumbles) this.#still();
  }

  /** A game would have one of them shake, or be still. One that is not the desktop's now, and so has no place, stays still. */
  rumble({ index, strong, weak, durationMs }: RumbleInfo): void {
    const slot = this.#slots[index];
    if (!slot) return;
    const actuator = this.#actuator(slot);
    if (!actuator) return;
    const shakes = this.#rumbles && (strong > 0 || weak > 0) && durationMs > 0;
    if (!shakes && !slot.shakes) return;
    slot.shakes = shakes;
    const effect = shakes
      ? actuator.playEffect("dual-rumble", { startDelay: 0, duration: durationMs, strongMagnitude: strong / STRENGTH, weakMagnitude: weak / STRENGTH })
      : actuator.reset();
    // Some gamepads have no motors, and say so only then.
    effect.catch(() => undefined);
  }

  /** Tells all anew, since the server knows nothing of what it was told, or may not. */
  forget(): void {
    this.#still();
    this.#slots.fill(null);
  }

  /** Tells what has changed, and asks again with the next frame if there is a gamepad. */
  #poll(): void {
    this.#frame?.();
    this.#frame = null;
    if (!this.#enabled || !this.#here) return;
    const present = this.#present();
    this.#slots.forEach((slot, index) => {
      if (slot && !present.some((pad) => isIn(slot, pad))) this.#disconnect(index);
    });
    for (const pad of present) {
      const known = this.#slots.findIndex((slot) => slot && isIn(slot, pad));
      const index = known >= 0 ? known : this.#connect(pad);
      const slot = this.#slots[index];
      if (!slot) continue;
      const state = stateOf(pad, slot.told);
      if (slot.told && same(state, slot.told)) continue;
      if (this.#around.send({ type: "gamepadState", index, ...state })) slot.told = state;
    }
    if (present.length === 0) return;
    this.#frame = this.#around.clock.frame(() => {
      this.#poll();
    });
  }

  #present(): Gamepad[] {
    try {
      return this.#around.gamepads().filter((pad): pad is Gamepad => pad?.connected === true);
    } catch {
      // Forbidden by a policy: there are none.
      return [];
    }
  }

  /** Gives a gamepad the first place that is free; those that find none are left out. */
  #connect(pad: Gamepad): number {
    const index = this.#slots.indexOf(null);
    const name = Array.from(pad.id).slice(0, MAX_GAMEPAD_NAME_CHARS).join("");
    if (index >= 0 && this.#around.send({ type: "gamepadConnected", index, name })) {
      this.#slots[index] = { number: pad.index, id: pad.id, told: null, shakes: false };
    }
    return index;
  }

  /** None of them shakes any more. */
  #still(): void {
    this.#slots.forEach((_, index) => {
      this.rumble({ index, strong: 0, weak: 0, durationMs: 0 });
    });
  }

  /** What has a gamepad shake. Not every browser knows of it, whatever the types say. */
  #actuator(slot: Slot): GamepadHapticActuator | null {
    const pad = this.#present().find((one) => isIn(slot, one)) as Partial<Pick<Gamepad, "vibrationActuator">> | undefined;
    return pad?.vibrationActuator ?? null;
  }

  #disconnect(index: number): void {
    this.rumble({ index, strong: 0, weak: 0, durationMs: 0 });
    this.#slots[index] = null;
    this.#around.send({ type: "gamepadDisconnected", index });
  }

  #leave(): void {
    this.#here = false;
    this.#frame?.();
    this.#frame = null;
    this.#slots.forEach((slot, index) => {
      if (slot) this.#disconnect(index);
    });
  }
}

function isIn(slot: Slot, pad: Gamepad): boolean {
  return slot.number === pad.index && slot.id === pad.id;
}
