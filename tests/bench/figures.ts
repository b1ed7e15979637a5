// Decision: what a figure is, and how figures are told. `target/bench/summary.json` is an array of them.

/** Which side of the goal is the good one. */
export type Bound = "at most" | "at least";

/** One measured figure. A figure without a goal is only told. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  goal: number | null;
  bound: Bound;
  met: boolean | null;
}

/** Where measurements tell what they do and what they found. */
export interface Report {
  readonly step: (words: string) => void;
  readonly note: (name: string, value: number, unit: string, goal: number | null, bound?: Bound) => void;
}

/** A figure to three significant digits; what is not a number meets no goal. */
export function figure(name: string, value: number, unit: string, goal: number | null, bound: Bound = "at most"): Figure {
  const rounded = Number(value.toPrecision(3));
  const met = goal === null ? null : bound === "at most" ? rounded <= goal : rounded >= goal;
  return { name, value: rounded, unit, goal, bound, met };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error("the median of nothing");
  return (low + high) / 2;
}

/** The least value that this share of all does not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error("a percentile of nothing");
  return value;
}

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new Error("the mean of nothing");
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** For a terminal: a line per figure. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, goal, bound, met }) => [
    name,
    `${value} ${unit}`,
    goal === null ? "" : `${bound} ${Number(goal.toPrecision(3))}`,
    met === null ? "" : met ? "met" : "MISSED",
  ]);
  return columns([["figure", "value", "goal", ""], ...rows]);
}

/** Cells under one another; the last line has no blanks at its end. */
export function columns(rows: readonly (readonly string[])[]): string {
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join("\n");
}
