// @vitest-environment happy-dom
import { beforeEach, expect, it } from "vitest";
import { KeyRow, REPEAT_AFTER_MS, REPEAT_EVERY_MS, type KeyRowAction } from "./keyrow";
import { ManualClock } from "../testing";
import { words } from "../words/language";

let clock: ManualClock;
let element: HTMLElement;
let done: KeyRowAction[];
let row: KeyRow;

beforeEach(() => {
  clock = new ManualClock();
  element = document.createElement("div");
  done = [];
  row = new KeyRow(element, clock, (action) => done.push(action));
  row.show(true, words, () => "off", 0);
});

const press = (name: string, type = "pointerdown"): boolean => {
  const button = [...element.querySelectorAll("button")].find((one) => one.dataset.key === name || one.textContent === name);
  return !button?.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true }));
};

it("reports keys and modifiers, and leaves the focus with the touch keyboard", () => {
  expect(press("Escape")).toBe(true);
  press("Escape", "pointerup");
  press("Control");
  press("F5");
  expect(done).toEqual([
    { type: "stroke", keysym: 0xff1b },
    { type: "latch", keysym: 0xffe3 },
    { type: "stroke", keysym: 0xffc2 },
  ]);
});

it("repeats a key on which the finger rests, until it leaves", async () => {
  press("ArrowLeft");
  await clock.pass(REPEAT_AFTER_MS + 2 * REPEAT_EVERY_MS);
  expect(done).toHaveLength(4);
  press("ArrowLeft", "pointerup");
  await clock.pass(1000);
  expect(done).toHaveLength(4);
});

it("shows which modifiers are down, to the eye and to who hears the page", () => {
  row.show(true, words, (keysym) => (keysym === 0xffe3 ? "locked" : "off"), 300);
  const control = element.querySelector<HTMLElement>('[data-key="Control"]');
  expect([control?.dataset.latch, control?.getAttribute("aria-pressed"), element.style.getPropertyValue("--above")]).toEqual(["locked", "true", "300px"]);
});

it("names every button", () => {
  for (const button of element.querySelectorAll("button")) {
    expect(button.getAttribute("aria-label") ?? button.textContent).not.toBe("");
  }
});
