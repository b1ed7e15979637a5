// Decision: what fingers on the picture mean. Pure: each event comes with its time, and gives what is to be done.
//
// | fingers | as a touch screen | as a trackpad |
// |---|---|---|
// | tap | a click there | a click where the pointer is |
// | long press | a click of the right button there | the same where the pointer is |
// | one moves | drags with the left button | moves the pointer |
// | tap, then one moves | | drags with the left button |
// | tap with two, three | a click of the right, middle button | the same where the pointer is |
// | two move together | scroll | scroll |
// | two move apart | zoom the page's view, and move it | the same |
import type { Place } from "../picture/geometry";

export type TouchMode = "touchscreen" | "trackpad";

/** DOM button numbers. */
export type Button = 0 | 1 | 2;

export type Action =
  /** The pointer goes to a place of the page. */
  | { type: "move"; place: Place }
  /** The pointer goes so far from where it is. */
  | { type: "shift"; dx: number; dy: number }
  /** A button goes down or up, where the pointer is. */
  | { type: "press" | "release"; button: Button }
  /** In CSS pixels, as a wheel tells it. */
  | { type: "scroll"; dx: number; dy: number }
  /** The view grows by a factor around a place and then moves. */
  | { type: "zoom"; factor: number; around: Place; dx: number; dy: number };

/** A finger that rests so long wants the right button. */
export const LONG_PRESS_MS = 500;
/** A finger that stays within so many CSS pixels has not moved: fingers are wide. */
export const SLOP_PX = 10;
/** Two fingers whose distance has changed by so much are pinching. */
export const PINCH_PX = 24;
/** A second touch that follows a tap so soon goes on with it. */
export const TAP_AGAIN_MS = 280;
/** More fingers than this mean nothing. */
const MAX_FINGERS = 3;

interface Finger {
  readonly from: Place;
  at: Place;
}

type State =
  | { name: "idle" }
  /** One finger that may still become anything. */
  | { name: "waiting"; sinceMs: number; again: boolean }
  | { name: "dragging" }
  | { name: "moving" }
  /** Two fingers or three that may still become a tap. */
  | { name: "several"; most: number; sinceMs: number }
  | { name: "scrolling" }
  | { name: "pinching"; distance: number; middle: Place }
  /** What these fingers meant is done. */
  | { name: "over" };

export class Gestures {
  #mode: TouchMode = "touchscreen";
  #state: State = { name: "idle" };
  #fingers = new Map<number, Finger>();
  #tappedMs = Number.NEGATIVE_INFINITY;

  get mode(): TouchMode {
    return this.#mode;
  }

  /** Gives what lets go of the old mode. */
  become(mode: TouchMode): Action[] {
    const actions = this.cancel();
    this.#mode = mode;
    return actions;
  }

  /** When time alone will change something; `null` if it will not. */
  get dueMs(): number | null {
    return this.#state.name === "waiting" ? this.#state.sinceMs + LONG_PRESS_MS : null;
  }

  down(id: number, place: Place, nowMs: number): Action[] {
    this.#fingers.set(id, { from: place, at: place });
    const count = this.#fingers.size;
    const state = this.#state;
    if (count === 1) {
      this.#state = { name: "waiting", sinceMs: nowMs, again: this.#mode === "trackpad" && nowMs - this.#tappedMs <= TAP_AGAIN_MS };
      return [];
    }
    if (count <= MAX_FINGERS && (state.name === "waiting" || state.name === "several")) {
      this.#state = { name: "several", most: count, sinceMs: state.sinceMs };
      return [];
    }
    if (state.name === "dragging") {
      this.#state = { name: "over" };
      return [{ type: "release", button: 0 }];
    }
    this.#state = { name: "over" };
    return [];
  }

  move(id: number, place: Place): Action[] {
    const finger = this.#fingers.get(id);
    if (!finger) return [];
    const before = this.#middle();
    const step = { dx: place.x - finger.at.x, dy: place.y - finger.at.y };
    finger.at = place;
    const state = this.#state;
    switch (state.name) {
      case "waiting":
        if (distance(finger.from, place) <= SLOP_PX) return [];
        return state.again || this.#mode === "touchscreen" ? this.#drag(finger) : this.#begin(finger);
      case "dragging":
        return [this.#mode === "touchscreen" ? { type: "move", place } : { type: "shift", ...step }];
      case "moving":
        return [{ type: "shift", ...step }];
      case "several":
        return this.#fingers.size === 2 ? this.#decide() : [];
      case "scrolling": {
        const middle = this.#middle();
        // Contents follow the fingers, as on every touch screen.
        return [{ type: "scroll", dx: before.x - middle.x, dy: before.y - middle.y }];
      }
      case "pinching":
        return this.#pinch(state);
      default:
        return [];
    }
  }

  up(id: number, nowMs: number): Action[] {
    const finger = this.#fingers.get(id);
    if (!finger) return [];
    this.#fingers.delete(id);
    const state = this.#state;
    if (this.#fingers.size === 0) this.#state = { name: "idle" };
    switch (state.name) {
      case "waiting":
        this.#tappedMs = nowMs;
        return this.#click(nowMs - state.sinceMs < LONG_PRESS_MS ? 0 : 2, finger.from);
      case "dragging":
        return [{ type: "release", button: 0 }];
      case "several":
        if (this.#fingers.size > 0) return [];
        return nowMs - state.sinceMs < LONG_PRESS_MS ? this.#click(state.most === 2 ? 2 : 1, finger.from) : [];
      case "scrolling":
      case "pinching":
        if (this.#fingers.size > 0) this.#state = { name: "over" };
        return [];
      default:
        return [];
    }
  }

  /** It is so late. */
  pass(nowMs: number): Action[] {
    if (this.dueMs === null || nowMs < this.dueMs) return [];
    const [finger] = this.#fingers.values();
    this.#state = { name: "over" };
    return finger ? this.#click(2, finger.from) : [];
  }

  /** The browser has taken the fingers away, or the desktop is no longer this page's. */
  cancel(): Action[] {
    const dragging = this.#state.name === "dragging";
    this.#fingers.clear();
    this.#state = { name: "idle" };
    return dragging ? [{ type: "release", button: 0 }] : [];
  }

  #click(button: Button, place: Place): Action[] {
    const there: Action[] = this.#mode === "touchscreen" ? [{ type: "move", place }] : [];
    return [...there, { type: "press", button }, { type: "release", button }];
  }

  /** A finger begins to drag where it came down, not where it was noticed. */
  #drag(finger: Finger): Action[] {
    this.#state = { name: "dragging" };
    if (this.#mode === "trackpad") return [{ type: "press", button: 0 }, shift(finger)];
    return [{ type: "move", place: finger.from }, { type: "press", button: 0 }, { type: "move", place: finger.at }];
  }

  #begin(finger: Finger): Action[] {
    this.#state = { name: "moving" };
    return [shift(finger)];
  }

  #decide(): Action[] {
    const [one, two] = [...this.#fingers.values()];
    if (!one || !two) return [];
    const apart = distance(one.at, two.at);
    if (Math.abs(apart - distance(one.from, two.from)) > PINCH_PX) {
      this.#state = { name: "pinching", distance: apart, middle: this.#middle() };
      return [];
    }
    if (distance(one.from, one.at) > SLOP_PX && distance(two.from, two.at) > SLOP_PX) this.#state = { name: "scrolling" };
    return [];
  }

  #pinch(state: Extract<State, { name: "pinching" }>): Action[] {
    const [one, two] = [...this.#fingers.values()];
    if (!one || !two) return [];
    const apart = Math.max(1, distance(one.at, two.at));
    const middle = this.#middle();
    const action: Action = { type: "zoom", factor: apart / Math.max(1, state.distance), around: state.middle, dx: middle.x - state.middle.x, dy: middle.y - state.middle.y };
    state.distance = apart;
    state.middle = middle;
    return [action];
  }

  #middle(): Place {
    const fingers = [...this.#fingers.values()];
    const sum = fingers.reduce((all, { at }) => ({ x: all.x + at.x, y: all.y + at.y }), { x: 0, y: 0 });
    return { x: sum.x / Math.max(1, fingers.length), y: sum.y / Math.max(1, fingers.length) };
  }
}

function shift({ from, at }: Finger): Action {
  return { type: "shift", dx: at.x - from.x, dy: at.y - from.y };
}

function distance(a: Place, b: Place): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
