// Decision: what the statistics were lately: a sample each second, for the graphs.
import type { Latency, PageStats, Quality } from "../wire/protocol";

/** Samples that are kept: three minutes at one a second, which is as long as anybody remembers a stutter. */
export const SAMPLES = 180;

export interface Sample {
  /** Half of the frames took no longer; `null` if that is not known. */
  readonly latencyMs: number | null;
  readonly framesPerSecond: number;
  readonly bitrateBps: number;
  /** What is asked of the encoder; `null` if the server does not tell it. */
  readonly targetBps: number | null;
  /** Since the sample before. */
  readonly packetsLost: number;
  readonly framesDropped: number;
}

export class History {
  #samples: Sample[] = [];
  #last: PageStats | null = null;

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes the report of a second, once, with what the server said last. A session that begins anew counts anew. */
  add(stats: PageStats | null, latency: Latency | null, quality: Quality | null): void {
    if (stats === this.#last) return;
    const before = this.#last;
    this.#last = stats;
    if (!stats) return;
    const since = (now: number, then: number | undefined): number => (then === undefined || now < then ? 0 : now - then);
    const sample: Sample = {
      latencyMs: latency ? latency.glassToGlass.p50Us / 1000 : null,
      framesPerSecond: stats.framesPerSecond,
      bitrateBps: stats.bitrateBps,
      targetBps: quality && quality.bitrateBps > 0 ? quality.bitrateBps : null,
      packetsLost: since(stats.packetsLost, before?.packetsLost),
      framesDropped: since(stats.framesDropped, before?.framesDropped),
    };
    this.#samples = [...this.#samples, sample].slice(-SAMPLES);
  }
}
