import { expect, it } from "vitest";
import { watch, watchfulFrom, type Remedy, type Sight, type Watch } from "./watchdog";

/** Looks once a second; returns what was done at each look. */
function looks(sights: Partial<Sight>[]): Remedy[] {
  let state: Watch = watchfulFrom;
  return sights.map((sight, index) => {
    const [next, remedy] = watch(state, { nowMs: index * 1000, bytes: 0, frames: 0, unansweredSinceMs: null, hidden: false, ...sight });
    state = next;
    return remedy;
  });
}

it("frames that come need nothing", () => {
  expect(looks([1, 2, 3, 4, 5].map((n) => ({ frames: 30 * n, bytes: 9000 * n })))).toEqual(Array(5).fill("none"));
});

it("a still desktop that sends nothing needs nothing", () => {
  expect(looks(Array<Partial<Sight>>(8).fill({ frames: 30, bytes: 9000 }))).toEqual(Array(8).fill("none"));
});

it("two seconds of bytes without frames ask for a key frame, and again every two seconds", () => {
  expect(looks([0, 1, 2, 3, 4, 5].map((n) => ({ frames: 30, bytes: 9000 + n * 1000 })))).toEqual([
    "none", // 30 frames are news
    "none", // none since: silence begins
    "none",
    "requestKeyFrame",
    "none",
    "requestKeyFrame",
  ]);
});

it("a frame after the request ends the silence", () => {
  const frames = [30, 30, 30, 30, 31, 31, 31];
  expect(looks(frames.map((f, n) => ({ frames: f, bytes: n * 1000 })))).toEqual([
    "none",
    "none",
    "none",
    "requestKeyFrame",
    "none",
    "none",
    "none",
  ]);
});

it("four key frames asked for in vain begin a new session", () => {
  const remedies = looks(Array.from({ length: 13 }, (_, n) => ({ frames: 0, bytes: n * 1000 }))).filter((r) => r !== "none");
  expect(remedies).toEqual(["requestKeyFrame", "requestKeyFrame", "requestKeyFrame", "requestKeyFrame", "restart"]);
});

it("a server that stopped answering pings for five seconds begins a new session", () => {
  expect(looks(Array<Partial<Sight>>(7).fill({ frames: 1, bytes: 1, unansweredSinceMs: 0 })).slice(3, 6)).toEqual(["none", "none", "restart"]);
});

it("a hidden page is left alone", () => {
  expect(looks(Array.from({ length: 20 }, (_, n) => ({ hidden: true, bytes: n, unansweredSinceMs: 0 })))).toEqual(Array(20).fill("none"));
});
