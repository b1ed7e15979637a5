// Shell: the browser's clock. The only file that reads time; everything else is handed a Clock.

export type Cancel = () => void;

export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  nowMs(): number;
  /** Milliseconds on the wall: a clock that may be set, and that goes on while the machine sleeps. */
  wallMs(): number;
  after(ms: number, then: () => void): Cancel;
  every(ms: number, then: () => void): Cancel;
  /** Before the next frame is painted. */
  frame(then: () => void): Cancel;
}

export const browserClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, then) {
    const id = window.setTimeout(then, ms);
    return () => {
      window.clearTimeout(id);
    };
  },
  every(ms, then) {
    const id = window.setInterval(then, ms);
    return () => {
      window.clearInterval(id);
    };
  },
  frame(then) {
    const id = window.requestAnimationFrame(then);
    return () => {
      window.cancelAnimationFrame(id);
    };
  },
};
