// Decision: a line over time in a box: how high it is drawn, and where it breaks.
import { SAMPLES } from "./history";

/** The box's own units: as wide as the history is long. */
export const WIDTH = SAMPLES - 1;
export const HEIGHT = 40;

export interface Graph {
  /** SVG path data, newest at the right; empty where there is nothing to draw. */
  readonly path: string;
  /** The same as an area, down to the bottom. */
  readonly area: string;
}

/** The value at the top of the box: a round figure that everything stays below, and never less than `least`. */
export function topOf(values: readonly (number | null)[], least: number): number {
  const most = Math.max(least, ...values.map((value) => value ?? 0));
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 3, 4, 5, 6, 8].find((step) => step * power >= most) ?? 10) * power;
}

/** The line of values, one for each sample; a `null` is a gap. */
export function graphOf(values: readonly (number | null)[], top: number): Graph {
  const from = SAMPLES - values.length;
  const runs: string[][] = [];
  let open = false;
  values.forEach((value, index) => {
    if (value === null) {
      open = false;
      return;
    }
    const point = `${from + index},${(HEIGHT - (Math.min(value, top) / top) * HEIGHT).toFixed(1)}`;
    if (open) runs.at(-1)?.push(point);
    else runs.push([point]);
    open = true;
  });
  const ends = (run: string[]): [string, string] => [run[0]?.split(",")[0] ?? "0", run.at(-1)?.split(",")[0] ?? "0"];
  return {
    path: runs.map((run) => `M${run.join("L")}`).join(""),
    area: runs.map((run) => `M${ends(run)[0]},${HEIGHT}L${run.join("L")}L${ends(run)[1]},${HEIGHT}Z`).join(""),
  };
}

/** The newest value, and the least and most of all; `null` if there is none. */
export function range(values: readonly (number | null)[]): { now: number; least: number; most: number } | null {
  const known = values.filter((value) => value !== null);
  const now = known.at(-1);
  return now === undefined ? null : { now, least: Math.min(...known), most: Math.max(...known) };
}
