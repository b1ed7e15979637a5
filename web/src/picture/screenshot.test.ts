import { expect, it } from "vitest";
import { screenshotName } from "./screenshot";

it("a screenshot is named after the clock on the wall, in a way that sorts and that every file system takes", () => {
  // eslint-disable-next-line no-restricted-globals -- a fixed time, as an argument.
  expect(screenshotName(new Date(2026, 10, 2, 9, 4, 5))).toBe("desktop-2026-11-02-09-04-05.png");
});
