// Shell: pointer and buttons over the picture. Motion is the latest absolute place, once per frame at most, on the
// channel that may lose it; buttons carry their own place, on the one that loses nothing. A pointer that is locked, or that a
// finger moves as on a trackpad, has no place on the page: it tells how far it has gone altogether, which mends losses as well.
import type { Cancel, Clock } from "../clock";
import { scaleOf, toDesktop, type Place, type Rect, type Size } from "../picture/geometry";
import type { Input, Pointing } from "../wire/protocol";
import type { Action } from "./gestures";

export type PointerMessage = { channel: "input"; message: Extract<Input, { type: "button" | "lockedButton" | "releaseAll" }> } | { channel: "pointer"; message: Pointing };

export interface PointerSurroundings {
  readonly clock: Clock;
  /** Where the picture's element stands. */
  box(): Rect;
  /** The picture's size. */
  picture(): Size;
  /** The desktop's size, in whose pixels places are told. */
  desktop(): Size;
  /** What is shown of it; `null`: all. */
  part(): Rect | null;
}

/** The eraser of a pen, which draws as its tip does: which of them it is, no X button can say. */
const ERASER = 32;
/** Points of one event that are told apart while a button is down: a pen gives about four in a frame. */
const MAX_POINTS = 16;

/** Bits of `PointerEvent.buttons` → DOM button numbers. */
const BUTTONS: readonly (readonly [bit: number, button: number])[] = [
  [1, 0],
  [4, 1],
  [2, 2],
  [8, 3],
  [16, 4],
];

/** Buttons that differ between two masks, releases first. */
export function changes(before: number, after: number): { button: number; down: boolean }[] {
  const changed = BUTTONS.filter(([bit]) => ((before ^ after) & bit) !== 0);
  return changed.map(([bit, button]) => ({ button, down: (after & bit) !== 0 })).sort((a, b) => Number(a.down) - Number(b.down));
}

export class Pointer {
  #element: HTMLElement;
  #around: PointerSurroundings;
  #callback: (message: PointerMessage) => void;
  #enabled = false;
  #buttons = 0;
  /** Buttons were released, and the server may not have heard of it. */
  #unsure = false;
  #seq = 0;
  /** The place last reported; releases that come without one happen there. */
  #last: Place | null = null;
  /** A place that waits for the next frame. */
  #waiting: Place | null = null;
  /** How far the pointer has gone since it has no place, with fractions; and whether something of it waits. */
  #way: Place | null = null;
  #goes = false;
  #locks = 0;
  #frame: Cancel | null = null;

  constructor(element: HTMLElement, around: PointerSurroundings, callback: (message: PointerMessage) => void) {
    this.#element = element;
    this.#around = around;
    this.#callback = callback;
    for (const type of ["pointerdown", "pointermove", "pointerup"] as const) {
      element.addEventListener(type, (event) => {
        this.#seen(event);
      });
    }
    for (const type of ["pointercancel", "lostpointercapture"] as const) {
      element.addEventListener(type, (event) => {
        if (event.pointerType !== "touch") this.release();
      });
    }
    // Menu, text selection, autoscroll and the history that side buttons walk through are the browser's; the desktop has its own.
    for (const type of ["contextmenu", "mousedown", "mouseup", "auxclick", "dragstart"]) {
      element.addEventListener(type, (event) => {
        if (this.#enabled) event.preventDefault();
      });
    }
  }

  /** Whether the pointer acts on the desktop. */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    if (!enabled) this.release();
    this.#enabled = enabled;
  }

  /** Whether the pointer has a way and no place: until a mouse that is not locked moves. */
  get travels(): boolean {
    return this.#way !== null;
  }

  /** From now on the pointer has a way: nothing of it is gone yet. */
  travel(): void {
    this.release();
    this.#locks++;
    this.#way = { x: 0, y: 0 };
    this.#waiting = null;
    this.#tellWay();
  }

  /** From now on it has a place again. */
  arrive(): void {
    this.release();
    this.#way = null;
    this.#goes = false;
    // Where it is now, the page does not know.
    this.#last = null;
  }

  /** What fingers want of the pointer. */
  act(action: Extract<Action, { type: "move" | "shift" | "press" | "release" }>): void {
    if (!this.#enabled) return;
    if (action.type === "move") {
      if (this.#way) this.arrive();
      const place = this.#placeOf(action.place);
      if (place) this.#move(place);
      return;
    }
    if (action.type === "shift") {
      if (!this.#way) this.travel();
      // As far on the screen as the finger.
      const scale = scaleOf(this.#around.box(), this.#around.picture(), this.#around.desktop());
      this.#go(action.dx / scale, action.dy / scale);
      return;
    }
    const bit = BUTTONS.find(([, button]) => button === action.button)?.[0] ?? 0;
    const buttons = action.type === "press" ? this.#buttons | bit : this.#buttons & ~bit;
    // A tap on a trackpad comes before any motion: where the pointer is, only the desktop knows.
    if (!this.#way && !this.#waiting && !this.#last) this.travel();
    const place = this.#waiting ?? this.#last;
    if (this.#way) this.#pressOnTheWay(buttons);
    else if (place) this.#press(buttons, place);
  }

  /** Releases all buttons, where the pointer was last. */
  release(): void {
    this.#unsure ||= this.#buttons !== 0;
    if (this.#way) this.#pressOnTheWay(0);
    else if (this.#last) this.#press(0, this.#last);
    this.#buttons = 0;
  }

  /** Has everything let go of where a button may be down that was released on the way that is lost: there is no place to say so at. */
  settle(): void {
    if (!this.#enabled) return;
    if (this.#unsure && !this.#way && !this.#last) this.#callback({ channel: "input", message: { type: "releaseAll" } });
    this.#unsure = false;
  }

  /** What was sent last may be lost: tells each button again, as it is. What the server knows already changes nothing. */
  renew(): void {
    if (!this.#enabled) return;
    const every = BUTTONS.map(([bit, button]) => ({ button, down: (this.#buttons & bit) !== 0 }));
    if (this.#way) this.#tellOnTheWay(every);
    else if (this.#last) this.#tellAt(every, this.#last);
  }

  /** Forgets what is held, since the server no longer holds it either. */
  forget(): void {
    this.#buttons = 0;
    this.#waiting = null;
    // The server that is there now has seen nothing of the way.
    if (this.#way) this.travel();
  }

  #seen(event: PointerEvent): void {
    // Fingers are gestures, and a second pen or mouse is no second pointer.
    if (!this.#enabled || event.pointerType === "touch" || !event.isPrimary) return;
    const buttons = event.buttons & ERASER ? (event.buttons & ~ERASER) | 1 : event.buttons;
    if (document.pointerLockElement === this.#element) {
      if (!this.#way) this.travel();
      this.#go(event.movementX, event.movementY);
      if (buttons !== this.#buttons) this.#pressOnTheWay(buttons);
      return;
    }
    if (this.#way) this.arrive();
    const place = this.#placeOf({ x: event.clientX, y: event.clientY });
    if (!place) return;
    if (buttons === this.#buttons) {
      if (buttons !== 0) this.#draw(event);
      this.#move(place);
      return;
    }
    if (this.#buttons === 0) {
      // A press on a bar beside the picture is none, nor is a drag that comes in from there; one that began inside goes
      // on outside.
      if (event.type !== "pointerdown" || !place.inside) return;
      this.#element.setPointerCapture(event.pointerId);
    }
    this.#press(buttons, place);
  }

  #placeOf(place: Place): ReturnType<typeof toDesktop> {
    return toDesktop(place, this.#around.box(), this.#around.picture(), this.#around.desktop(), this.#around.part());
  }

  /** The points that a browser has gathered to one event: a line that is drawn goes through them. */
  #draw(event: PointerEvent): void {
    // Where pages are not secure, Safari has no such thing.
    const points = "getCoalescedEvents" in event ? event.getCoalescedEvents() : [];
    for (const point of points.slice(0, -1).slice(-MAX_POINTS)) {
      const place = this.#placeOf({ x: point.clientX, y: point.clientY });
      if (place) this.#tellPlace(place);
    }
  }

  #press(buttons: number, place: Place): void {
    const happened = changes(this.#buttons, buttons);
    this.#buttons = buttons;
    if (happened.length === 0) return;
    this.#waiting = null;
    this.#last = { x: place.x, y: place.y };
    this.#tellAt(happened, place);
  }

  #tellAt(buttons: readonly { button: number; down: boolean }[], { x, y }: Place): void {
    for (const change of buttons) this.#callback({ channel: "input", message: { type: "button", ...change, x, y } });
  }

  #pressOnTheWay(buttons: number): void {
    const happened = changes(this.#buttons, buttons);
    this.#buttons = buttons;
    this.#tellOnTheWay(happened);
  }

  #tellOnTheWay(buttons: readonly { button: number; down: boolean }[]): void {
    // Each brings the way that was gone before it.
    if (buttons.length > 0) this.#goes = false;
    for (const change of buttons) {
      this.#callback({ channel: "input", message: { type: "lockedButton", ...change, seq: this.#count(), ...this.#told() } });
    }
  }

  #go(dx: number, dy: number): void {
    if (!this.#way || (dx === 0 && dy === 0)) return;
    this.#way = { x: this.#way.x + dx, y: this.#way.y + dy };
    this.#goes = true;
    if (!this.#frame) this.#flush();
  }

  #move(place: Place): void {
    if (place.x === this.#last?.x && place.y === this.#last.y && !this.#waiting) return;
    this.#waiting = { x: place.x, y: place.y };
    // The first motion goes out at once; those that follow within the same frame wait for its end.
    if (!this.#frame) this.#flush();
  }

  #flush(): void {
    const place = this.#waiting;
    const goes = this.#goes;
    this.#waiting = null;
    this.#goes = false;
    this.#frame = null;
    if ((!place && !goes) || !this.#enabled) return;
    if (goes) this.#tellWay();
    else if (place) this.#tellPlace(place);
    this.#frame = this.#around.clock.frame(() => {
      this.#flush();
    });
  }

  #tellPlace({ x, y }: Place): void {
    this.#last = { x, y };
    this.#callback({ channel: "pointer", message: { type: "motion", seq: this.#count(), x, y } });
  }

  #tellWay(): void {
    this.#callback({ channel: "pointer", message: { type: "travel", seq: this.#count(), ...this.#told() } });
  }

  /** The way in whole pixels; what is less stays in the sum. */
  #told(): { lock: number; x: number; y: number } {
    const { x, y } = this.#way ?? { x: 0, y: 0 };
    return { lock: this.#locks >>> 0, x: Math.trunc(x) | 0, y: Math.trunc(y) | 0 };
  }

  #count(): number {
    this.#seq = (this.#seq + 1) >>> 0;
    return this.#seq;
  }
}
