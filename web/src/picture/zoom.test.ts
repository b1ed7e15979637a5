import { expect, it } from "vitest";
import { MAX_ZOOM, WHOLE, within, zoomed } from "./zoom";

const page = { width: 400, height: 800 };
const still = { dx: 0, dy: 0 };

it("grows around the place between the fingers, which stays where it is", () => {
  const view = zoomed(WHOLE, 2, { x: 100, y: 300 }, still, page);
  expect(view).toEqual({ scale: 2, x: -100, y: -300 });
  expect(zoomed(view, 1, { x: 100, y: 300 }, { dx: -50, dy: 20 }, page)).toEqual({ scale: 2, x: -150, y: -280 });
});

it("never leaves the page nor shows what is beside the picture", () => {
  expect(zoomed(WHOLE, 2, { x: 0, y: 0 }, { dx: 500, dy: -5000 }, page)).toEqual({ scale: 2, x: 0, y: -800 });
  expect(zoomed(WHOLE, 0.2, { x: 100, y: 100 }, still, page)).toEqual(WHOLE);
  expect(zoomed(WHOLE, 100, { x: 0, y: 0 }, still, page).scale).toBe(MAX_ZOOM);
  expect(zoomed(WHOLE, Number.NaN, { x: 0, y: 0 }, still, page)).toEqual(WHOLE);
});

it("is the whole again when fingers come nearly back, and follows the page's size", () => {
  expect(zoomed({ scale: 2, x: -400, y: 0 }, 0.505, { x: 0, y: 0 }, still, page)).toEqual(WHOLE);
  expect(within({ scale: 2, x: -400, y: -800 }, { width: 200, height: 900 })).toEqual({ scale: 2, x: -200, y: -800 });
});
