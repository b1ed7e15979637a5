// Decision: what the panel draws of the way from a change on the desktop to the screen: a bar for each stage, which
// begins where the one before ends. Out of what the server told, or else out of what this browser can measure alone.
import type { Latency, PageStats } from "../wire/protocol";

export interface Bar {
  readonly stage: string;
  /** Where it begins: the sum of the medians before it. */
  readonly fromUs: number;
  readonly p50Us: number;
  readonly p95Us: number;
}

/**
 * `measured` to the glass; `estimated` by the server, since the browser does not say when it shows a frame; `browser`: only
 * what the browser measures of the way, since the server says nothing.
 */
export type Source = "measured" | "estimated" | "browser";

export interface Chart {
  readonly source: Source;
  readonly p50Us: number;
  /** `null` where only means are known. */
  readonly p95Us: number | null;
  readonly bars: readonly Bar[];
  /** The one with the largest median; `null` if none takes any time. */
  readonly slowest: Bar | null;
  /** Where the axis ends: a round figure that all bars stay below. */
  readonly axisUs: number;
  /** How wrong what crosses the network may be; `null` where that is not known. */
  readonly uncertaintyUs: number | null;
}

/** The least end of the axis, so that a calm picture looks calm. */
const LEAST_AXIS_US = 20_000;

export function chart(latency: Latency | null, stats: PageStats | null): Chart | null {
  if (latency && latency.stages.length > 0) {
    const { p50Us, p95Us } = latency.glassToGlass;
    const source = latency.estimated ? "estimated" : "measured";
    return drawn(source, p50Us, p95Us, latency.stages, latency.estimated ? null : latency.uncertaintyUs);
  }
  if (!stats) return null;
  const stages = [
    ["network", stats.roundTripMs],
    ["buffer", stats.jitterBufferDelayMs],
    ["decode", stats.decodeMs],
  ] as const;
  const means = stages.map(([stage, ms]) => ({ stage, p50Us: ms * 1000, p95Us: ms * 1000 }));
  const sum = means.reduce((us, { p50Us }) => us + p50Us, 0);
  return drawn("browser", sum, null, means, null);
}

function drawn(source: Source, p50Us: number, p95Us: number | null, stages: readonly Omit<Bar, "fromUs">[], uncertaintyUs: number | null): Chart {
  let fromUs = 0;
  const bars = stages.map((stage): Bar => {
    const bar = { stage: stage.stage, fromUs, p50Us: stage.p50Us, p95Us: Math.max(stage.p50Us, stage.p95Us) };
    fromUs += stage.p50Us;
    return bar;
  });
  const slowest = bars.reduce<Bar | null>((worst, bar) => (bar.p50Us > (worst?.p50Us ?? 0) ? bar : worst), null);
  const endUs = Math.max(LEAST_AXIS_US, ...bars.map((bar) => bar.fromUs + bar.p95Us));
  return { source, p50Us, p95Us, bars, slowest, axisUs: roundUp(endUs), uncertaintyUs };
}

/** The next of 2, 3, 4, 6, 8, 10 times a power of ten: all of them halves of something that reads well. */
function roundUp(us: number): number {
  const power = 10 ** Math.floor(Math.log10(us));
  const times = [1, 2, 3, 4, 6, 8].find((step) => step * power >= us) ?? 10;
  return times * power;
}
