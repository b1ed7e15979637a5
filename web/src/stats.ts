// Shell around a pure difference: asks the browser once a second what it receives, pings the server, and reports both.
import type { Clock } from "./clock";
import type { PageStats } from "./protocol";

/** Time between two reports. */
export const INTERVAL_MS = 1000;
/** Pings whose answer is still waited for; older ones are forgotten. */
const MAX_PENDING_PINGS = 16;

/** Totals since the session began, as the browser counts them. */
export interface Totals {
  readonly atMs: number;
  readonly framesDecoded: number;
  readonly framesDropped: number;
  readonly bytesReceived: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly freezeCount: number;
  readonly jitterSeconds: number;
  readonly jitterBufferDelaySeconds: number;
  readonly jitterBufferEmittedCount: number;
  readonly totalDecodeTimeSeconds: number;
}

/** The fields of `inbound-rtp` that are used; all are optional in some browser. */
interface InboundRtp {
  type: string;
  kind?: string;
  timestamp: number;
  framesDecoded?: number;
  framesDropped?: number;
  bytesReceived?: number;
  packetsReceived?: number;
  packetsLost?: number;
  freezeCount?: number;
  jitter?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  totalDecodeTime?: number;
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
      packetsReceived: inbound.packetsReceived ?? 0,
      packetsLost: inbound.packetsLost ?? 0,
      freezeCount: inbound.freezeCount ?? 0,
      jitterSeconds: inbound.jitter ?? 0,
      jitterBufferDelaySeconds: inbound.jitterBufferDelay ?? 0,
      jitterBufferEmittedCount: inbound.jitterBufferEmittedCount ?? 0,
      totalDecodeTimeSeconds: inbound.totalDecodeTime ?? 0,
    };
  }
  return null;
}

/** To the thousandth, which is finer than any browser measures. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** What happened between two reports: rates and means of that time, counts since the start. */
export function difference(before: Totals, after: Totals, roundTripMs: number): PageStats {
  const seconds = (after.atMs - before.atMs) / 1000;
  const frames = after.framesDecoded - before.framesDecoded;
  const emitted = after.jitterBufferEmittedCount - before.jitterBufferEmittedCount;
  const per = (amount: number, count: number): number => (count > 0 ? rounded(amount / count) : 0);
  return {
    framesDecoded: after.framesDecoded,
    framesDropped: after.framesDropped,
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

export type StatsEvent =
  | { type: "ping"; id: number }
  | { type: "report"; stats: PageStats; totals: Totals; unansweredSinceMs: number | null };

export class Stats {
  #clock: Clock;
  #report: () => Promise<Iterable<readonly [string, unknown]>>;
  #callback: (event: StatsEvent) => void;
  #stop: () => void;
  #stopped = false;
  #busy = false;
  #before: Totals | null = null;
  #pings = new Map<number, number>();
  #nextPing = 1;
  #roundTripMs = 0;
  #answeredAtMs: number | null = null;

  constructor(clock: Clock, report: () => Promise<Iterable<readonly [string, unknown]>>, callback: (event: StatsEvent) => void) {
    this.#clock = clock;
    this.#report = report;
    this.#callback = callback;
    this.#stop = clock.every(INTERVAL_MS, () => {
      this.ping();
      void this.#look();
    });
  }

  /** Sends a ping now, besides the one of each second. */
  ping(): void {
    const id = this.#nextPing;
    this.#nextPing = (id + 1) >>> 0;
    this.#pings.set(id, this.#clock.nowMs());
    for (const old of this.#pings.keys()) {
      if (this.#pings.size <= MAX_PENDING_PINGS) break;
      this.#pings.delete(old);
    }
    this.#callback({ type: "ping", id });
  }

  /** The server has answered a ping. Answers to none of ours are ignored. */
  pong(id: number): void {
    const sentMs = this.#pings.get(id);
    if (sentMs === undefined) return;
    this.#pings.delete(id);
    this.#answeredAtMs = this.#clock.nowMs();
    this.#roundTripMs = this.#answeredAtMs - sentMs;
  }

  get answeredAtMs(): number | null {
    return this.#answeredAtMs;
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  /** Since when the server owes an answer; `null` if it owes none, or never gave one. */
  #unansweredSinceMs(): number | null {
    const answeredAtMs = this.#answeredAtMs;
    if (answeredAtMs === null) return null;
    // Pings are kept in the order they went out; those from before the last answer were lost, which says nothing.
    for (const sentMs of this.#pings.values()) if (sentMs > answeredAtMs) return sentMs;
    return null;
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
        const stats = difference(before, after, this.#roundTripMs);
        this.#callback({ type: "report", stats, totals: after, unansweredSinceMs: this.#unansweredSinceMs() });
      }
    } catch (error) {
      // The peer connection closed in between.
      if (!this.#stopped) console.warn("gst-vdi: no statistics:", error);
    } finally {
      this.#busy = false;
    }
  }
}
