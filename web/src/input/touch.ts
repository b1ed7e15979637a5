// Shell: listens to fingers on the picture and keeps the time for them; what they mean is gestures.ts's decision.
import type { Cancel, Clock } from "../clock";
import { Gestures, type Action, type TouchMode } from "./gestures";

export class Touch {
  #clock: Clock;
  #callback: (action: Action) => void;
  #gestures = new Gestures();
  #enabled = false;
  #due: Cancel | null = null;

  constructor(element: HTMLElement, clock: Clock, callback: (action: Action) => void) {
    this.#clock = clock;
    this.#callback = callback;
    const place = (event: PointerEvent): { x: number; y: number } => ({ x: event.clientX, y: event.clientY });
    // When it happened, not when a page that stood still comes to it.
    const when = (event: PointerEvent): number => Math.min(event.timeStamp, clock.nowMs());
    const listen = (type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel", then: (event: PointerEvent) => Action[]): void => {
      element.addEventListener(type, (event) => {
        if (this.#enabled && event.pointerType === "touch") this.#do(then(event));
      });
    };
    listen("pointerdown", (event) => this.#gestures.down(event.pointerId, place(event), when(event)));
    listen("pointermove", (event) => this.#gestures.move(event.pointerId, place(event)));
    listen("pointerup", (event) => this.#gestures.up(event.pointerId, when(event)));
    listen("pointercancel", () => this.#gestures.cancel());
  }

  /** Whether fingers act on the desktop. */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    if (enabled === this.#enabled) return;
    if (!enabled) this.#do(this.#gestures.cancel());
    this.#enabled = enabled;
  }

  /** Whether the picture is touched where it is, or moves the pointer as a trackpad does. */
  get mode(): TouchMode {
    return this.#gestures.mode;
  }

  set mode(mode: TouchMode) {
    this.#do(this.#gestures.become(mode));
  }

  #do(actions: readonly Action[]): void {
    for (const action of actions) this.#callback(action);
    this.#due?.();
    const dueMs = this.#gestures.dueMs;
    this.#due = dueMs === null ? null : this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => {
      this.#pass();
    });
  }

  /** Fingers whose rest is over may have left long ago: what waits behind this timer comes first. */
  #pass(): void {
    this.#due = this.#clock.after(0, () => {
      this.#do(this.#gestures.pass(this.#clock.nowMs()));
    });
  }
}
