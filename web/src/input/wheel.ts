// Shell around a pure conversion: the wheel over the picture, in 1/120 of a notch, gathered to one message per frame.
import type { Cancel, Clock } from "../clock";
import type { Input } from "../wire/protocol";

/** Units of one notch, as in every operating system's high-resolution wheel. */
export const NOTCH = 120;
/** How far browsers scroll for one notch, by `WheelEvent.deltaMode`: pixels, lines, pages. */
const PER_NOTCH = [100, 3, 1 / 8] as const;
/** No finger turns more in one frame; guards the wire's 32 bits. */
const MAX_UNITS = 120 * NOTCH;

/** Units of 1/120 notch (fractions too) for a delta of the DOM. */
export function toUnits(delta: number, deltaMode: number): number {
  const units = (delta * NOTCH) / (PER_NOTCH[deltaMode] ?? PER_NOTCH[0]);
  return Number.isFinite(units) ? Math.min(Math.max(units, -MAX_UNITS), MAX_UNITS) : 0;
}

export class Wheel {
  #clock: Clock;
  #callback: (message: Extract<Input, { type: "wheel" }>) => void;
  #frame: Cancel | null = null;
  /** Turned and not told yet; fractions stay until they are whole. */
  #dx = 0;
  #dy = 0;

  enabled = false;

  constructor(element: HTMLElement, clock: Clock, callback: (message: Extract<Input, { type: "wheel" }>) => void) {
    this.#clock = clock;
    this.#callback = callback;
    // Not passive, so that Control and the wheel zoom the desktop's window and not the page.
    element.addEventListener(
      "wheel",
      (event) => {
        if (!this.enabled) return;
        event.preventDefault();
        this.#turn(toUnits(event.deltaX, event.deltaMode), toUnits(event.deltaY, event.deltaMode));
      },
      { passive: false },
    );
  }

  /** Fingers scroll so many CSS pixels. */
  scroll(dx: number, dy: number): void {
    if (this.enabled) this.#turn(toUnits(dx, 0), toUnits(dy, 0));
  }

  #turn(dx: number, dy: number): void {
    // A fraction left from the other direction would only delay this one.
    this.#dx = dx * this.#dx < 0 ? dx : this.#dx + dx;
    this.#dy = dy * this.#dy < 0 ? dy : this.#dy + dy;
    if (!this.#frame) this.#flush();
  }

  #flush(): void {
    this.#frame = null;
    const dx = Math.trunc(this.#dx);
    const dy = Math.trunc(this.#dy);
    if ((dx === 0 && dy === 0) || !this.enabled) return;
    this.#dx -= dx;
    this.#dy -= dy;
    this.#callback({ type: "wheel", dx, dy });
    this.#frame = this.#clock.frame(() => {
      this.#flush();
    });
  }
}
