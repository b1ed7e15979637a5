import { expect, it } from "vitest";
import { overflow, place, scrolled } from "./layout";

const nowhere = { x: 0, y: 0 };
const room = (width: number, height: number, density = 1): { width: number; height: number; density: number } => ({ width, height, density });

it("a desktop of the window's size is drawn pixel for pixel, also on a dense screen", () => {
  expect(place(room(1280, 720), { width: 1280, height: 720 }, "fit", nowhere)).toEqual({ left: 0, top: 0, width: 1280, height: 720, cut: null });
  expect(place(room(2560, 1440, 2), { width: 2560, height: 1440 }, "fit", nowhere)).toEqual({ left: 0, top: 0, width: 1280, height: 720, cut: null });
});

it("an odd window does not stretch a desktop that is one pixel smaller", () => {
  expect(place(room(1281, 721), { width: 1280, height: 720 }, "fit", nowhere)).toEqual({ left: 0, top: 0, width: 1280, height: 720, cut: null });
});

it("another desktop fills the window as far as its shape allows", () => {
  expect(place(room(1000, 1000), { width: 2000, height: 1000 }, "fit", nowhere)).toEqual({ left: 0, top: 250, width: 1000, height: 500, cut: null });
  expect(place(room(2000, 1000), { width: 640, height: 480 }, "fit", nowhere).height).toBe(1000);
});

it("pixel for pixel, a small desktop stands in the middle and a large one is scrolled", () => {
  expect(place(room(1001, 800), { width: 640, height: 480 }, "exact", nowhere)).toEqual({ left: 180, top: 160, width: 640, height: 480, cut: null });
  const large = { width: 1920, height: 1080 };
  expect(place(room(1000, 800, 2), large, "exact", { x: 100, y: 5000 })).toEqual({ left: -50, top: -140, width: 960, height: 540, cut: null });
  expect(overflow(room(1000, 2000), large)).toEqual({ x: 920, y: 0 });
});

it("one of several monitors fills the window, and the others are cut off", () => {
  const desktop = { width: 3200, height: 1080 };
  const right = { left: 1920, top: 0, width: 1280, height: 1024 };
  // It is drawn at a half; above and below there is room.
  expect(place(room(640, 600), desktop, "fit", nowhere, right)).toEqual({ left: -960, top: 44, width: 1600, height: 540, cut: { top: 0, right: 0, bottom: 28, left: 960 } });
  expect(place(room(2560, 2048, 2), desktop, "exact", nowhere, right)).toEqual({ left: -640, top: 256, width: 1600, height: 540, cut: { top: 0, right: 0, bottom: 28, left: 960 } });
});

it("the pointer at an edge pulls in what is beyond it, and in the middle nothing", () => {
  const window = { width: 1000, height: 800 };
  const most = { x: 920, y: 280 };
  expect(scrolled({ x: 100, y: 100 }, most, { x: 500, y: 400 }, window, 1)).toEqual({ x: 100, y: 100 });
  expect(scrolled({ x: 100, y: 100 }, most, { x: 999.9, y: 400 }, window, 1).x).toBeGreaterThan(120);
  expect(scrolled({ x: 100, y: 100 }, most, { x: 980, y: 400 }, window, 1)).toEqual({ x: 112, y: 100 });
  expect(scrolled({ x: 10, y: 275 }, most, { x: 0, y: 800 }, window, 2)).toEqual({ x: 0, y: 280 });
});
