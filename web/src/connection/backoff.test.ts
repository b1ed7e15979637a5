import { expect, it } from "vitest";
import { retryDelayMs } from "./backoff";

it("the first retry comes at once, the next ones double from a quarter second to five seconds", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => retryDelayMs(attempt, 0))).toEqual([
    0, 250, 500, 1000, 2000, 4000, 5000, 5000, 5000,
  ]);
});

it("chance shortens a delay by a fifth at most and never lengthens it", () => {
  expect(retryDelayMs(1, 0.5)).toBe(225);
  expect(retryDelayMs(1000, 0.999999)).toBe(4000);
  expect(retryDelayMs(0, 0.9)).toBe(0);
});
