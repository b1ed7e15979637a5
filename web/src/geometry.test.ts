import { expect, it } from "vitest";
import { contain, toDesktop } from "./geometry";

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
