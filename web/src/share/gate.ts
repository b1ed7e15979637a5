// Decision: holds keys and buttons back while what they paste is on its way to the desktop, in their order and for a
// bounded time.
import type { Cancel, Clock } from "../clock";

/** Messages that wait at most: four seconds of typing and clicking as fast as machines do it. */
export const MAX_WAITING = 256;

export class Gate<M> {
  #clock: Clock;
  #send: (message: M) => void;
  #waiting: M[] | null = null;
  #limit: Cancel | null = null;

  constructor(clock: Clock, send: (message: M) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  get closed(): boolean {
    return this.#waiting !== null;
  }

  /** Sends it, now or when the gate opens. */
  pass(message: M): void {
    if (!this.#waiting) {
      this.#send(message);
      return;
    }
    this.#waiting.push(message);
    if (this.#waiting.length >= MAX_WAITING) this.open();
  }

  /** Nothing passes until it is opened, or for so long; closed anew, the time begins anew. */
  close(limitMs: number): void {
    this.#waiting ??= [];
    this.#limit?.();
    this.#limit = this.#clock.after(limitMs, () => {
      this.open();
    });
  }

  open(): void {
    this.#limit?.();
    this.#limit = null;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const message of waiting) this.#send(message);
  }

  /** What waits is for nobody any more. */
  forget(): void {
    this.#waiting &&= [];
    this.open();
  }
}
