// Shell around a pure difference: asks the browser once a second what it receives, and reports what that second brought.
import type { Clock } from "../clock";
import type { PageStats } from "../wire/protocol";

/** Time between two reports. */
export const INTERVAL_MS = 1000;

/** Totals since the session began, as the browser counts them. */
export interface Totals {
  readonly atMs: number;
  readonly framesDecoded: number;
  readonly framesDropped: number;
  readonly bytesReceived: number;
  /** Those among them that were sent again: what was lost, and what only asks for room on the path. */
  readonly retransmittedBytesReceived: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly freezeCount: number;
  readonly jitterSeconds: number;
  readonly jitterBufferDelaySeconds: number;
  readonly jitterBufferEmittedCount: number;
  readonly totalDecodeTimeSeconds: number;
  /** Between the first and the last packet of frames that had more than one. */
  readonly totalAssemblyTimeSeconds: number;
}

/** The fields of `inbound-rtp` that are used; all are optional in some browser. */
interface InboundRtp {
  type: string;
  kind?: string;
  timestamp: number;
  framesDecoded?: number;
  framesDropped?: number;
  bytesReceived?: number;
  retransmittedBytesReceived?: number;
  packetsReceived?: number;
  packetsLost?: number;
  freezeCount?: number;
  jitter?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  totalDecodeTime?: number;
  totalAssemblyTime?: number;
}

/** Picks the video's totals out of a report; `null` before there is video. */
export function totals(report: Iterable<readonly [string, unknown]>): Totals | null {
  for (const [, entry] of report) {
    const inbound = entry as InboundRtp;
    if (inbound.type !== "inbound-rtp" || inbound.kind !== "video") continue;
    return {
      atMs: inbound.timestamp,
      framesDecoded: inbound.framesDecoded ?? 0,
      framesDropped: inbound.framesDropped ?? 0,
      bytesReceived: inbound.bytesReceived ?? 0,
      retransmittedBytesReceived: inbound.retransmittedBytesReceived ?? 0,
      packetsReceived: inbound.packetsReceived ?? 0,
      packetsLost: inbound.packetsLost ?? 0,
      freezeCount: inbound.freezeCount ?? 0,
      jitterSeconds: inbound.jitter ?? 0,
      jitterBufferDelaySeconds: inbound.jitterBufferDelay ?? 0,
      jitterBufferEmittedCount: inbound.jitterBufferEmittedCount ?? 0,
      totalDecodeTimeSeconds: inbound.totalDecodeTime ?? 0,
      totalAssemblyTimeSeconds: inbound.totalAssemblyTime ?? 0,
    };
  }
  return null;
}

/** To the thousandth, which is finer than any browser measures. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** What the page knows besides, of the same moment. */
export interface Besides {
  readonly roundTripMs: number;
  /** Frames on the screen since the start; 0 if the browser does not tell. */
  readonly framesPresented: number;
}

/** What happened between two reports: rates and means of that time, counts since the start. */
export function difference(before: Totals, after: Totals, { roundTripMs, framesPresented }: Besides): PageStats {
  const seconds = (after.atMs - before.atMs) / 1000;
  const frames = after.framesDecoded - before.framesDecoded;
  const emitted = after.jitterBufferEmittedCount - before.jitterBufferEmittedCount;
  return {
    framesDecoded: after.framesDecoded,
    framesDropped: after.framesDropped,
    framesPresented,
    framesPerSecond: per(frames, seconds),
    bitrateBps: per((after.bytesReceived - before.bytesReceived) * 8, seconds),
    jitterMs: rounded(after.jitterSeconds * 1000),
    jitterBufferDelayMs: per((after.jitterBufferDelaySeconds - before.jitterBufferDelaySeconds) * 1000, emitted),
    decodeMs: per((after.totalDecodeTimeSeconds - before.totalDecodeTimeSeconds) * 1000, frames),
    packetsReceived: after.packetsReceived,
    packetsLost: after.packetsLost,
    roundTripMs: rounded(roundTripMs),
    freezeCount: after.freezeCount,
  };
}

/** How long complete frames waited for the decoder between two reports, as the mean in ms. */
export function decoderWaitMs(before: Totals, after: Totals): number {
  const emitted = after.jitterBufferEmittedCount - before.jitterBufferEmittedCount;
  const buffered = after.jitterBufferDelaySeconds - before.jitterBufferDelaySeconds;
  const assembling = after.totalAssemblyTimeSeconds - before.totalAssemblyTimeSeconds;
  return Math.max(0, per((buffered - assembling) * 1000, emitted));
}

function per(amount: number, count: number): number {
  return count > 0 ? rounded(amount / count) : 0;
}

export interface StatsReport {
  readonly stats: PageStats;
  readonly totals: Totals;
  readonly decoderWaitMs: number;
}

export class Stats {
  #report: () => Promise<Iterable<readonly [string, unknown]>>;
  #besides: () => Besides;
  #callback: (report: StatsReport) => void;
  #stop: () => void;
  #stopped = false;
  #busy = false;
  #before: Totals | null = null;

  constructor(clock: Clock, report: () => Promise<Iterable<readonly [string, unknown]>>, besides: () => Besides, callback: (report: StatsReport) => void) {
    this.#report = report;
    this.#besides = besides;
    this.#callback = callback;
    this.#stop = clock.every(INTERVAL_MS, () => {
      void this.#look();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  async #look(): Promise<void> {
    // A browser that is slow to report is not asked twice at once.
    if (this.#busy) return;
    this.#busy = true;
    try {
      const after = totals(await this.#report());
      if (this.#stopped || !after) return;
      const before = this.#before;
      this.#before = after;
      if (before && after.atMs > before.atMs) {
        this.#callback({ stats: difference(before, after, this.#besides()), totals: after, decoderWaitMs: decoderWaitMs(before, after) });
      }
    } catch (error) {
      // The peer connection closed in between.
      if (!this.#stopped) console.warn("gst-vdi: no statistics:", error);
    } finally {
      this.#busy = false;
    }
  }
}
