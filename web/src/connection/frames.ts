// Decision: what the server is told of single frames, out of what requestVideoFrameCallback tells the page: when each
// came, was decoded and was shown, on the server's clock. Refuses to report what the browser does not tell, and frames
// whose time on the server's clock is not known.
//
// `received`: the last packet of the frame had come. `presented`: the browser had given the picture to its compositor.
// `decoded` is not told as such: it is `received`, and the wait for the decoder, which browsers only tell as the mean of
// all frames, and what decoding this frame took; never after `presented`.
import { serverUs, type Aligned } from "./alignment";
import { MAX_FRAME_REPORTS, type FrameReport, type FromPage } from "../wire/protocol";

/** What is used of a `VideoFrameCallbackMetadata`; times in ms on the page's clock, except for the duration, in seconds. */
export interface FrameMetadata {
  readonly presentationTime: number;
  readonly rtpTimestamp?: number | undefined;
  readonly receiveTime?: number | undefined;
  readonly processingDuration?: number | undefined;
  readonly presentedFrames?: number | undefined;
}

interface Sighting {
  readonly rtpTimestamp: number;
  readonly receivedMs: number | null;
  readonly decodingMs: number | null;
  readonly presentedMs: number;
}

/** A frame that the browser kept for longer was not received when it says so. */
const MAX_IN_BROWSER_MS = 60_000;

export class Frames {
  #waiting: Sighting[] = [];
  #last: number | null = null;
  #presented = 0;
  #tellReceipt = false;

  /** Frames on the screen so far, as the browser counts them; 0 if it does not. */
  get presented(): number {
    return this.#presented;
  }

  /** Whether this browser has ever said when a frame was received. */
  get tellReceipt(): boolean {
    return this.#tellReceipt;
  }

  seen({ presentationTime, rtpTimestamp, receiveTime, processingDuration, presentedFrames }: FrameMetadata): void {
    this.#presented = Math.max(this.#presented, presentedFrames ?? 0);
    // A picture may be shown a second time, when a video is moved or resized.
    if (rtpTimestamp === undefined || rtpTimestamp === this.#last) return;
    this.#last = rtpTimestamp;
    const inBrowserMs = receiveTime === undefined ? Number.NaN : presentationTime - receiveTime;
    const told = inBrowserMs >= 0 && inBrowserMs <= MAX_IN_BROWSER_MS;
    this.#tellReceipt ||= told;
    this.#waiting.push({
      rtpTimestamp,
      receivedMs: told ? presentationTime - inBrowserMs : null,
      decodingMs: told && processingDuration !== undefined && processingDuration >= 0 ? processingDuration * 1000 : null,
      presentedMs: presentationTime,
    });
    // The newest matter; more than there is room for come only if nobody takes them.
    if (this.#waiting.length > MAX_FRAME_REPORTS) this.#waiting.shift();
  }

  /** The least time that one of the frames that wait to be reported spent in the browser; `null` if that is not told. */
  get leastInBrowserMs(): number | null {
    let least = Infinity;
    for (const { receivedMs, presentedMs } of this.#waiting) if (receivedMs !== null) least = Math.min(least, presentedMs - receivedMs);
    return least === Infinity ? null : least;
  }

  /** What there is to tell; `null` if there is nothing, or no clock to tell it in. `waitMs`: the mean wait for the decoder. */
  take(aligned: Aligned | null, waitMs: number): Extract<FromPage, { type: "frames" }> | null {
    const seen = this.#waiting;
    this.#waiting = [];
    if (!aligned || seen.length === 0) return null;
    const frames = seen.map(({ rtpTimestamp, receivedMs, decodingMs, presentedMs }): FrameReport => {
      const decodedMs = receivedMs === null || decodingMs === null ? null : Math.min(receivedMs + waitMs + decodingMs, presentedMs);
      return {
        rtpTimestamp,
        ...(receivedMs !== null && { receivedUs: serverUs(receivedMs, aligned) }),
        ...(decodedMs !== null && { decodedUs: serverUs(decodedMs, aligned) }),
        presentedUs: serverUs(presentedMs, aligned),
      };
    });
    return { type: "frames", uncertaintyUs: Math.ceil(aligned.uncertaintyUs), frames };
  }

  /** Forgets what waits: its times may be those of a clock that has jumped since. */
  forget(): void {
    this.#waiting = [];
  }
}
