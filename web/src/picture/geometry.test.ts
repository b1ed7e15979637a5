import { expect, it } from "vitest";
import { contain, cursorSize, scaleOf, toDesktop, toPage } from "./geometry";

const box = { left: 0, top: 0, width: 1000, height: 1000 };
const wide = { width: 1920, height: 1080 };

it("a wide picture in a square box has bars above and below", () => {
  expect(contain(box, wide)).toEqual({ left: 0, top: 218.75, width: 1000, height: 562.5 });
});

it("a tall picture has bars left and right, counted from where the box stands", () => {
  const placed = { left: 10, top: 20, width: 400, height: 100 };
  expect(contain(placed, { width: 50, height: 100 })).toEqual({ left: 185, top: 20, width: 50, height: 100 });
});

it("the corners of the drawn picture are its first and last pixels", () => {
  expect(toDesktop({ x: 0, y: 218.75 }, box, wide, wide)).toEqual({ x: 0, y: 0, inside: true });
  expect(toDesktop({ x: 999.99, y: 781.24 }, box, wide, wide)).toEqual({ x: 1919, y: 1079, inside: true });
  expect(toDesktop({ x: 500, y: 500 }, box, wide, wide)).toEqual({ x: 960, y: 540, inside: true });
});

it("where one of several monitors is shown, the others are beside the picture", () => {
  const right = { left: 960, top: 0, width: 960, height: 1080 };
  expect(toDesktop({ x: 600, y: 500 }, box, wide, wide, right)).toEqual({ x: 1152, y: 540, inside: true });
  expect(toDesktop({ x: 499, y: 500 }, box, wide, wide, right)).toEqual({ x: 960, y: 540, inside: false });
});

it("a pixel of the desktop is drawn where a hand finds it again, and nowhere on a monitor that is not shown", () => {
  const right = { left: 960, top: 0, width: 960, height: 1080 };
  const small = { width: 854, height: 480 };
  for (const picture of [wide, small]) {
    for (const pixel of [{ x: 960, y: 0 }, { x: 1234, y: 567 }, { x: 1919, y: 1079 }]) {
      const place = toPage(pixel, box, picture, wide, right);
      expect(place && toDesktop(place, box, picture, wide, right)).toEqual({ ...pixel, inside: true });
    }
  }
  expect(toPage({ x: 959, y: 540 }, box, wide, wide, right)).toBeNull();
  expect(toPage({ x: 1920, y: 0 }, box, wide, wide)).toBeNull();
  expect(toPage({ x: 0, y: 0 }, box, { width: 0, height: 0 }, wide)).toBeNull();
});

it("at scale one each pixel of the page is the same pixel of the picture", () => {
  const same = { left: 8, top: 16, width: 640, height: 480 };
  for (const x of [0, 1, 319, 639]) {
    expect(toDesktop({ x: 8 + x + 0.5, y: 16 + 7.5 }, same, same, same)).toEqual({ x, y: 7, inside: true });
  }
});

it("a picture that is smaller than the desktop still leads to the desktop's own pixels", () => {
  // Half as wide, and rounded to an even height, so that its bars differ from the desktop's by a hair.
  const small = { width: 854, height: 480 };
  expect(toDesktop({ x: 500, y: 500 }, box, small, wide)).toEqual({ x: 960, y: 540, inside: true });
  expect(toDesktop({ x: 0, y: 219 }, box, small, wide)).toEqual({ x: 0, y: 0, inside: true });
  expect(toDesktop({ x: 999.9, y: 780.9 }, box, small, wide)).toEqual({ x: 1919, y: 1079, inside: true });
});

it("a place on a bar is the nearest pixel, and said to be outside", () => {
  expect(toDesktop({ x: 500, y: 0 }, box, wide, wide)).toEqual({ x: 960, y: 0, inside: false });
  expect(toDesktop({ x: -50, y: 1200 }, box, wide, wide)).toEqual({ x: 0, y: 1079, inside: false });
});

it("there is no pixel before the first picture, nor in a box without room", () => {
  expect(toDesktop({ x: 1, y: 1 }, box, { width: 0, height: 0 }, wide)).toBeNull();
  expect(toDesktop({ x: 1, y: 1 }, { ...box, width: 0 }, wide, wide)).toBeNull();
});

it("a pixel of the desktop is as large as the picture makes it, however small the picture was sent", () => {
  expect(scaleOf(box, wide, wide)).toBeCloseTo(1000 / 1920, 10);
  expect(scaleOf(box, { width: 960, height: 540 }, wide)).toBeCloseTo(1000 / 1920, 10);
  expect(scaleOf(box, { width: 0, height: 0 }, wide)).toBe(1);
});

it("a cursor is as large as it would be in the picture, in the pixels of the screen, and points where it did", () => {
  const shape = { width: 24, height: 32, hotspotX: 12, hotspotY: 31 };
  expect(cursorSize(shape, 1, 1)).toEqual({ width: 24, height: 32, density: 1, hotspotX: 12, hotspotY: 31 });
  expect(cursorSize(shape, 0.5, 1)).toEqual({ width: 12, height: 16, density: 1, hotspotX: 6, hotspotY: 16 });
  expect(cursorSize(shape, 0.5, 2)).toEqual({ width: 24, height: 32, density: 2, hotspotX: 6, hotspotY: 16 });
  expect(cursorSize(shape, 0.01, 1)).toEqual({ width: 1, height: 1, density: 1, hotspotX: 0, hotspotY: 0 });
});

it("a cursor is never larger than browsers show", () => {
  const size = cursorSize({ width: 64, height: 96, hotspotX: 32, hotspotY: 96 }, 3, 2);
  expect(size).toEqual({ width: 171, height: 256, density: 2, hotspotX: 43, hotspotY: 128 });
});
