import { beforeEach, describe, expect, it } from "vitest";
import { Gestures, LONG_PRESS_MS, type Action } from "./gestures";

let gestures: Gestures;
let done: Action[];

beforeEach(() => {
  gestures = new Gestures();
  done = [];
});

const down = (id: number, x: number, y: number, nowMs = 0): void => void done.push(...gestures.down(id, { x, y }, nowMs));
const move = (id: number, x: number, y: number): void => void done.push(...gestures.move(id, { x, y }));
const up = (id: number, nowMs = 100): void => void done.push(...gestures.up(id, nowMs));
/** Short: `@10,20` a move, `>3,4` a shift, `+0` and `-0` a button, `~0,5` a scroll. */
const told = (): string[] =>
  done.splice(0).map((action) => {
    switch (action.type) {
      case "move":
        return `@${action.place.x},${action.place.y}`;
      case "shift":
        return `>${action.dx},${action.dy}`;
      case "press":
        return `+${action.button}`;
      case "release":
        return `-${action.button}`;
      case "scroll":
        return `~${action.dx},${action.dy}`;
      case "zoom":
        return `x${action.factor.toFixed(2)} ${action.around.x},${action.around.y} ${action.dx},${action.dy}`;
    }
  });

describe("as a touch screen", () => {
  it("a tap clicks there, though the finger trembles", () => {
    down(1, 100, 100);
    move(1, 104, 103);
    up(1);
    expect(told()).toEqual(["@100,100", "+0", "-0"]);
  });

  it("a long press clicks the right button, once, and what follows means nothing", () => {
    down(1, 100, 100, 1000);
    expect(gestures.dueMs).toBe(1000 + LONG_PRESS_MS);
    expect(gestures.pass(1400)).toEqual([]);
    done.push(...gestures.pass(1500));
    expect(told()).toEqual(["@100,100", "+2", "-2"]);
    move(1, 300, 300);
    up(1, 1900);
    expect(told()).toEqual([]);
  });

  it("a finger that moves drags from where it came down", () => {
    down(1, 100, 100);
    move(1, 100, 120);
    move(1, 100, 140);
    up(1);
    expect(told()).toEqual(["@100,100", "+0", "@100,120", "@100,140", "-0"]);
  });

  it("a tap with two fingers is the right button, with three the middle one", () => {
    down(1, 100, 100);
    down(2, 150, 100);
    up(1);
    up(2);
    expect(told()).toEqual(["@150,100", "+2", "-2"]);
    down(1, 100, 100);
    down(2, 150, 100);
    down(3, 200, 100);
    up(2);
    up(1);
    up(3);
    expect(told()).toEqual(["@200,100", "+1", "-1"]);
  });

  it("two fingers that move together scroll, and click nothing when they leave", () => {
    down(1, 100, 300);
    down(2, 160, 300);
    for (const y of [285, 270]) {
      move(1, 100, y);
      move(2, 160, y);
    }
    up(1);
    up(2);
    const scrolled = told();
    expect(scrolled.every((action) => action.startsWith("~0,"))).toBe(true);
    expect(scrolled.map((action) => Number(action.slice(3))).reduce((sum, dy) => sum + dy, 0)).toBe(15);
  });

  it("two fingers that move apart zoom around their middle and take the view along", () => {
    down(1, 100, 100);
    down(2, 200, 100);
    move(2, 240, 100);
    expect(told()).toEqual([]);
    move(2, 380, 100);
    expect(told()).toEqual(["x2.00 170,100 70,0"]);
    up(2);
    move(1, 0, 0);
    up(1);
    expect(told()).toEqual([]);
  });

  it("a second finger ends a drag", () => {
    down(1, 100, 100);
    move(1, 150, 100);
    down(2, 300, 300);
    expect(told().at(-1)).toBe("-0");
    up(1);
    up(2);
    expect(told()).toEqual([]);
  });

  it("fingers that the browser takes away leave no button down", () => {
    down(1, 100, 100);
    move(1, 150, 100);
    told();
    expect(gestures.cancel()).toEqual([{ type: "release", button: 0 }]);
    expect(gestures.cancel()).toEqual([]);
  });
});

describe("as a trackpad", () => {
  beforeEach(() => {
    gestures.become("trackpad");
  });

  it("a finger moves the pointer, and a tap clicks where it is", () => {
    down(1, 100, 100);
    move(1, 120, 100);
    move(1, 121, 98);
    up(1, 400);
    down(1, 300, 300, 2000);
    up(1, 2100);
    expect(told()).toEqual([">20,0", ">1,-2", "+0", "-0"]);
  });

  it("a tap and a finger that follows it and moves drag", () => {
    down(1, 100, 100, 0);
    up(1, 80);
    down(1, 100, 100, 200);
    move(1, 130, 100);
    up(1, 600);
    expect(told()).toEqual(["+0", "-0", "+0", ">30,0", "-0"]);
  });

  it("changing the mode lets go", () => {
    down(1, 100, 100, 0);
    up(1, 80);
    down(1, 100, 100, 200);
    move(1, 130, 100);
    expect(gestures.become("touchscreen")).toEqual([{ type: "release", button: 0 }]);
  });
});
