import { beforeEach, expect, it } from "vitest";
import { ManualClock } from "../testing";
import type { Viewport } from "../wire/protocol";
import { Resizing } from "./resizing";

let clock: ManualClock;
let told: number[];
let isOpen: boolean;
let resizing: Resizing;

beforeEach(() => {
  clock = new ManualClock();
  told = [];
  isOpen = true;
  resizing = new Resizing(clock, ({ width }) => {
    if (isOpen) told.push(width);
    return isOpen;
  });
  resizing.follow = true;
});

function window(width: number): Viewport {
  return { width, height: 600, scale: 1 };
}

function update(width: number, controls = true, resizable = true): void {
  resizing.update({ window: window(width), controls, resizable });
}

it("the window is told at once, and again when another size has come to rest", async () => {
  update(800);
  expect(told).toEqual([800]);
  for (const width of [810, 820, 830]) {
    update(width);
    await clock.pass(100);
  }
  expect(told).toEqual([800]);
  update(830);
  await clock.pass(250);
  expect(told).toEqual([800, 830]);
});

it("a window that is back at its size has nothing to say", async () => {
  update(800);
  update(900);
  update(800);
  await clock.pass(1000);
  expect(told).toEqual([800]);
});

it("who watches says nothing, and says it when it gets control, each time", async () => {
  update(800, false);
  await clock.pass(1000);
  expect(told).toEqual([]);
  update(800);
  update(800, false);
  update(800);
  expect(told).toEqual([800, 800]);
});

it("nothing is said where the server does not resize, or the user does not want it", async () => {
  update(800, true, false);
  resizing.follow = false;
  update(810);
  await clock.pass(1000);
  expect(told).toEqual([]);
  resizing.follow = true;
  update(810);
  expect(told).toEqual([810]);
});

it("what could not be sent is sent with the next look, and a new session hears it anew", () => {
  isOpen = false;
  update(800);
  isOpen = true;
  update(800);
  expect(told).toEqual([800]);
  resizing.forget();
  update(800);
  expect(told).toEqual([800, 800]);
});
