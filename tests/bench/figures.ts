// Decision: what a figure is, and how figures are told. `target/bench/summary.json` is an array of them.

/** One measured figure. The goal is the most that is acceptable; a figure without one is only told. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  goal: number | null;
  met: boolean | null;
}

/** Where measurements tell what they do and what they found. */
export interface Report {
  readonly step: (words: string) => void;
  readonly note: (name: string, value: number, unit: string, goal: number | null) => void;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error("the median of nothing");
  return (low + high) / 2;
}

/** For a terminal: a line per figure. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, goal, met }) => [name, `${value} ${unit}`, goal === null ? "" : `at most ${Number(goal.toPrecision(3))}`, met === null ? "" : met ? "met" : "MISSED"]);
  const all = [["figure", "value", "goal", ""], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join("\n");
}
