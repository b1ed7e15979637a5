// Shell: tells the server how large the desktop is to be: as the window is, in pixels of the screen, once that has come to
// rest. It says so only where the server resizes and this page is in control; the server makes sure of both.
import type { Cancel, Clock } from "../clock";
import type { Viewport } from "../wire/protocol";

/** A window that is being dragged tells its size many times a second; the desktop follows when it rests for so long. */
const REST_MS = 250;

/** What it goes by. */
export interface Surroundings {
  /** The window in pixels of the screen, and how many of them are a CSS pixel. */
  readonly window: Viewport;
  /** This page is in control of a stream. */
  readonly controls: boolean;
  /** The server resizes. */
  readonly resizable: boolean;
}

export class Resizing {
  #clock: Clock;
  #send: (viewport: Viewport) => boolean;
  /** Whether the user would have the desktop follow the window. */
  follow = false;
  #wanted: Viewport | null = null;
  #sent: Viewport | null = null;
  #rest: Cancel | null = null;

  /** `send` tells whether the message has left. */
  constructor(clock: Clock, send: (viewport: Viewport) => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Something of this may have changed. */
  update({ window, controls, resizable }: Surroundings): void {
    const wanted = this.follow && controls && resizable && window.width > 0 && window.height > 0 ? window : null;
    if (same(wanted, this.#wanted) && (this.#rest !== null || same(wanted, this.#sent))) return;
    this.#wanted = wanted;
    this.#rest?.();
    this.#rest = null;
    // Who gets control back says it again: the desktop may have followed somebody else.
    if (wanted === null) this.#sent = null;
    else if (this.#sent === null) this.#tell(wanted);
    else {
      this.#rest = this.#clock.after(REST_MS, () => {
        this.#rest = null;
        if (this.#wanted && !same(this.#wanted, this.#sent)) this.#tell(this.#wanted);
      });
    }
  }

  /** A new session knows nothing of what was said before. */
  forget(): void {
    this.#rest?.();
    this.#rest = null;
    this.#wanted = this.#sent = null;
  }

  #tell(viewport: Viewport): void {
    if (this.#send(viewport)) this.#sent = viewport;
  }
}

function same(a: Viewport | null, b: Viewport | null): boolean {
  return a === b || (a !== null && b !== null && a.width === b.width && a.height === b.height && a.scale === b.scale);
}
