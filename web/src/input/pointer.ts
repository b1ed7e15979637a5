// Shell: pointer and buttons over the picture. Motion is the latest absolute place, once per frame at most, on the
// channel that may lose it; buttons carry their own place, on the one that loses nothing.
import type { Cancel, Clock } from "../clock";
import { toDesktop, type Place, type Rect, type Size } from "../picture/geometry";
import type { Input, Motion } from "../wire/protocol";

export type PointerMessage = { channel: "input"; message: Extract<Input, { type: "button" }> } | { channel: "pointer"; message: Motion };

export interface PointerSurroundings {
  readonly clock: Clock;
  /** Where the picture's element stands. */
  box(): Rect;
  /** The picture's size. */
  picture(): Size;
  /** The desktop's size, in whose pixels places are told. */
  desktop(): Size;
}

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
  #seq = 0;
  /** The place last reported; releases that come without one happen there. */
  #last: Place | null = null;
  /** A place that waits for the next frame. */
  #waiting: Place | null = null;
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
      element.addEventListener(type, () => {
        this.release();
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

  /** Releases all buttons, where the pointer was last. */
  release(): void {
    if (this.#last) this.#press(0, this.#last);
    this.#buttons = 0;
  }

  /** What was sent last may be lost: tells each button again, as it is. What the server knows already changes nothing. */
  renew(): void {
    if (!this.#last || !this.#enabled) return;
    const { x, y } = this.#last;
    for (const [bit, button] of BUTTONS) {
      this.#callback({ channel: "input", message: { type: "button", button, down: (this.#buttons & bit) !== 0, x, y } });
    }
  }

  /** Forgets what is held, since the server no longer holds it either. */
  forget(): void {
    this.#buttons = 0;
    this.#waiting = null;
  }

  #seen(event: PointerEvent): void {
    // A second finger is a gesture of the browser's, not a second pointer.
    if (!this.#enabled || !event.isPrimary) return;
    const place = toDesktop({ x: event.clientX, y: event.clientY }, this.#around.box(), this.#around.picture(), this.#around.desktop());
    if (!place) return;
    if (event.buttons === this.#buttons) {
      this.#move(place);
      return;
    }
    if (this.#buttons === 0) {
      // A press on a bar beside the picture is none, nor is a drag that comes in from there; one that began inside goes
      // on outside.
      if (event.type !== "pointerdown" || !place.inside) return;
      this.#element.setPointerCapture(event.pointerId);
    }
    this.#press(event.buttons, place);
  }

  #press(buttons: number, place: Place): void {
    const happened = changes(this.#buttons, buttons);
    this.#buttons = buttons;
    if (happened.length === 0) return;
    this.#waiting = null;
    this.#last = { x: place.x, y: place.y };
    for (const { button, down } of happened) {
      this.#callback({ channel: "input", message: { type: "button", button, down, x: place.x, y: place.y } });
    }
  }

  #move(place: Place): void {
    if (place.x === this.#last?.x && place.y === this.#last.y && !this.#waiting) return;
    this.#waiting = { x: place.x, y: place.y };
    // The first motion goes out at once; those that follow within the same frame wait for its end.
    if (!this.#frame) this.#flush();
  }

  #flush(): void {
    const place = this.#waiting;
    this.#waiting = null;
    this.#frame = null;
    if (!place || !this.#enabled) return;
    this.#last = place;
    this.#seq = (this.#seq + 1) >>> 0;
    this.#callback({ channel: "pointer", message: { seq: this.#seq, x: place.x, y: place.y } });
    this.#frame = this.#around.clock.frame(() => {
      this.#flush();
    });
  }
}
