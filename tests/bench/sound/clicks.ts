// Decision: which click in the page is which that was played, and what it took.

/** A click that a program has played or heard, on CLOCK_MONOTONIC. */
export interface Click {
  atMs: number;
  /** What PulseAudio said of the time from there to its being played. */
  lateMs: number;
}

/** The lines of click.py. */
export function clicks(lines: string): Click[] {
  const told = lines.split("\n").slice(0, -1);
  return told.map((line) => {
    const [atMs = NaN, lateMs = NaN] = line.split(" ").map(Number);
    return { atMs, lateMs };
  });
}

/** A click takes no longer than this: it is less than the pause between two. */
export const MOST_MS = 500;

/** For each click that was heard, what it took from where it began; those without the other end are left out. */
export function latencies(begun: readonly number[], heard: readonly number[]): number[] {
  return begun.flatMap((from) => {
    const at = heard.find((one) => one >= from && one <= from + MOST_MS);
    return at === undefined ? [] : [at - from];
  });
}
