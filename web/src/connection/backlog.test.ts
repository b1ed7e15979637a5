import { expect, it } from "vitest";
import { backlog, BACKLOG_MS, MAX_REQUESTS, noBacklog, type Backlog } from "./backlog";

/** Looks four times a second; the times, in ms, at which a key frame is asked for. */
function asked(waits: readonly number[], from: Backlog = noBacklog): number[] {
  let state = from;
  const at: number[] = [];
  waits.forEach((waitedMs, index) => {
    const [next, ask] = backlog(state, waitedMs, index * 250);
    state = next;
    if (ask) at.push(index * 250);
  });
  return at;
}

const usual = [3, 2, 4, 3];

it("frames that wait as they always do need nothing, however long that is", () => {
  expect(asked(Array<number>(40).fill(2))).toEqual([]);
  expect(asked(Array<number>(40).fill(800))).toEqual([]);
});

it("frames that wait much longer ask for a key frame within half a second", () => {
  expect(asked([...usual, 400, 500, 4, 3])).toEqual([1250]);
});

it("one slow look is none", () => {
  expect(asked([...usual, 400, 3, 400, 3, 400, 3])).toEqual([]);
  expect(asked([...usual, 2 + BACKLOG_MS, 2 + BACKLOG_MS, 2 + BACKLOG_MS])).toEqual([]);
});

it("a key frame gets its time, another one is asked for, and a wait that none of them shortens becomes the usual one", () => {
  const waits = [...usual, ...Array<number>(40).fill(400)];
  const times = asked(waits);
  expect(times).toEqual([1250, 2250, 3250]);
  expect(times).toHaveLength(MAX_REQUESTS);
  // What is worse than that is a backlog again, and so is the same wait after a time without.
  expect(asked([...waits, 700, 700])).toHaveLength(MAX_REQUESTS + 1);
  expect(asked([...waits, 3, 400, 400])).toHaveLength(MAX_REQUESTS + 1);
});
