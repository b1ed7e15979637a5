// Decision: whether the path of the media may be dead although the browser has not said so: it takes libwebrtc seconds to
// notice, and a person less. A wrong guess costs a second peer connection that nobody sees.

export interface Evidence {
  readonly nowMs: number;
  /** Since when a ping waits for its answer; `null` while none does. */
  readonly unansweredSinceMs: number | null;
  /** Of the last ping that was answered. */
  readonly roundTripMs: number;
  /** When the last frame was shown; `null` where browsers do not tell. */
  readonly lastFrameMs: number | null;
  /** Whether frames came one after the other until then. */
  readonly flowing: boolean;
  /** Whether they have stopped since, as was asked about. */
  readonly stopped: boolean;
  /** Whether the page is hidden: browsers then run timers and show frames as they please. */
  readonly hidden: boolean;
}

/**
 * How long a ping may wait for its answer, at least: one that was lost, there or back, is sent again after a second at
 * most (RFC 9260's least RTO), and is no sign of anything.
 */
export const UNANSWERED_MS = 1200;
/** The same where frames that came one after the other have stopped too: two signs are better than one. */
export const UNANSWERED_IN_SILENCE_MS = 800;
/** The same in round trips, for paths that are slow. */
const UNANSWERED_ROUND_TRIPS = 4;
/** Frames that came one after the other and have stopped for so long are a reason to ask. */
export const FALL_SILENT_MS = 400;

/** `ask`: a ping would tell. `doubt`: the path is most likely dead. */
export type Verdict = "fine" | "ask" | "doubt";

export function judge(seen: Evidence): Verdict {
  if (seen.hidden) return "fine";
  const { nowMs, unansweredSinceMs, lastFrameMs } = seen;
  if (unansweredSinceMs === null) {
    return seen.flowing && lastFrameMs !== null && nowMs - lastFrameMs >= FALL_SILENT_MS ? "ask" : "fine";
  }
  if (nowMs - unansweredSinceMs < Math.max(seen.stopped ? UNANSWERED_IN_SILENCE_MS : UNANSWERED_MS, UNANSWERED_ROUND_TRIPS * seen.roundTripMs)) return "fine";
  // A frame that came after the ping had gone shows that the path is there.
  return lastFrameMs !== null && lastFrameMs > unansweredSinceMs ? "fine" : "doubt";
}

/** Frames that come within so short a time of each other, so many in a row, are a picture that moves. */
const FLOWING_MS = 250;
const FLOWING_FRAMES = 10;

/** Whether frames come one after the other. */
export class Flow {
  #lastMs: number | null = null;
  #row = 0;
  #stopped = false;

  /** When the last frame was shown. */
  get lastMs(): number | null {
    return this.#lastMs;
  }

  get flowing(): boolean {
    return this.#row >= FLOWING_FRAMES;
  }

  /** Whether they did, and have stopped. */
  get hasStopped(): boolean {
    return this.#stopped;
  }

  seen(nowMs: number): void {
    this.#stopped = false;
    this.#row = this.#lastMs !== null && nowMs - this.#lastMs < FLOWING_MS ? this.#row + 1 : 0;
    this.#lastMs = nowMs;
  }

  /** It is known that they have stopped: that is asked about once. */
  stopped(): void {
    this.#stopped = true;
    this.#row = 0;
  }
}
