// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { LONG_PRESS_MS, type Action } from "./gestures";
import { Touch } from "./touch";
import { ManualClock } from "../testing";

let clock: ManualClock;
let element: HTMLElement;
let done: Action[];

/** A finger does this at that time, whenever the page comes to it. */
function finger(type: "pointerdown" | "pointerup", atMs: number): void {
  const event = new PointerEvent(type, { pointerId: 1, pointerType: "touch", clientX: 10, clientY: 20 });
  Object.defineProperty(event, "timeStamp", { value: atMs });
  element.dispatchEvent(event);
}

const buttons = (): number[] => done.flatMap((action) => (action.type === "press" ? [action.button] : []));

beforeEach(() => {
  clock = new ManualClock();
  element = document.createElement("div");
  done = [];
  new Touch(element, clock, (action) => done.push(action)).enabled = true;
});

describe("on a page that stands still", () => {
  it("a tap is no long press, although its end is seen late", async () => {
    const beganMs = clock.nowMs();
    finger("pointerdown", beganMs);
    clock.after(LONG_PRESS_MS, () => { finger("pointerup", beganMs + 80); });
    await clock.stall(2000);
    await clock.pass(2000);
    expect(buttons()).toEqual([0]);
  });

  it("a long press is one, although its end is seen before its time was noticed", async () => {
    const beganMs = clock.nowMs();
    finger("pointerdown", beganMs);
    const stalled = clock.stall(2000);
    finger("pointerup", beganMs + LONG_PRESS_MS + 100);
    await stalled;
    expect(buttons()).toEqual([2]);
  });
});

it("a finger that rests clicks the right button while it still does", async () => {
  finger("pointerdown", clock.nowMs());
  await clock.pass(LONG_PRESS_MS);
  expect(buttons()).toEqual([2]);
  finger("pointerup", clock.nowMs());
  expect(buttons()).toEqual([2]);
});
