// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changes, Pointer, type PointerMessage } from "./pointer";
import { ManualClock } from "../testing";
import { toUnits, Wheel } from "./wheel";

let clock: ManualClock;
let element: HTMLElement;
let sent: PointerMessage["message"][];
let captured: number[];

function event(type: string, x: number, y: number, buttons = 0, more: PointerEventInit = {}): void {
  element.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, buttons, isPrimary: true, pointerId: 1, bubbles: true, cancelable: true, ...more }));
}

const motion = (seq: number, x: number, y: number) => ({ type: "motion", seq, x, y });
const travel = (seq: number, lock: number, x: number, y: number) => ({ type: "travel", seq, lock, x, y });
const button = (number: number, down: boolean, x: number, y: number) => ({ type: "button", button: number, down, x, y });

beforeEach(() => {
  clock = new ManualClock();
  sent = [];
  captured = [];
  element = document.createElement("div");
  element.setPointerCapture = (id) => captured.push(id);
});

describe("the pointer", () => {
  // A picture of 1600 × 900 in a box of 800 × 600: half size, with bars of 75 above and below.
  const around = () => ({ clock, box: () => ({ left: 0, top: 0, width: 800, height: 600 }), picture: () => ({ width: 1600, height: 900 }), desktop: () => ({ width: 1600, height: 900 }), part: () => null });
  const start = (): Pointer => {
    const pointer = new Pointer(element, around(), ({ message }) => sent.push(message));
    pointer.enabled = true;
    return pointer;
  };

  it("sends the first motion at once and the latest of the others with the frame", () => {
    start();
    event("pointermove", 100, 175);
    expect(sent).toEqual([motion(1, 200, 200)]);
    event("pointermove", 101, 175);
    event("pointermove", 102, 175);
    event("pointermove", 103, 176);
    expect(sent).toHaveLength(1);
    clock.paint();
    expect(sent.slice(1)).toEqual([motion(2, 206, 202)]);
    clock.paint();
    clock.paint();
    event("pointermove", 104, 176);
    expect(sent.slice(2)).toEqual([motion(3, 208, 202)]);
  });

  it("tells pixels of the desktop however small the picture is", () => {
    const small = { ...around(), picture: () => ({ width: 640, height: 360 }) };
    new Pointer(element, small, ({ message }) => sent.push(message)).enabled = true;
    event("pointermove", 100, 175);
    event("pointerdown", 799, 75, 1);
    expect(sent).toEqual([motion(1, 200, 200), button(0, true, 1598, 0)]);
  });

  it("does not repeat a place", () => {
    start();
    event("pointermove", 100, 175);
    clock.paint();
    event("pointermove", 100, 175);
    clock.paint();
    expect(sent).toHaveLength(1);
  });

  it("presses and releases where it is, captures, and drops a motion that a press has overtaken", () => {
    start();
    event("pointermove", 100, 175);
    event("pointermove", 150, 175);
    event("pointerdown", 160, 175, 1);
    event("pointerup", 161, 175, 0);
    clock.paint();
    expect(sent).toEqual([motion(1, 200, 200), button(0, true, 320, 200), button(0, false, 322, 200)]);
    expect(captured).toEqual([1]);
  });

  it("sees further buttons that come as motion, as the standard has it", () => {
    start();
    event("pointerdown", 160, 175, 1);
    event("pointermove", 160, 175, 3);
    event("pointermove", 160, 175, 2);
    event("pointerup", 160, 175, 0);
    expect(sent).toEqual([button(0, true, 320, 200), button(2, true, 320, 200), button(0, false, 320, 200), button(2, false, 320, 200)]);
  });

  it("ignores a press on a bar, and a drag that comes in from there", () => {
    start();
    event("pointerdown", 160, 20, 1);
    event("pointermove", 160, 300, 1);
    event("pointerup", 160, 300, 0);
    expect(sent.filter((message) => message.type !== "motion")).toEqual([]);
  });

  it("goes on with a drag outside, at the picture's edge", () => {
    start();
    event("pointerdown", 160, 175, 1);
    event("pointerup", 160, 1000, 0);
    expect(sent.at(-1)).toEqual(button(0, false, 320, 899));
  });

  it("releases what is held when the pointer is taken away, or it is switched off", () => {
    const pointer = start();
    event("pointerdown", 160, 175, 1);
    event("pointercancel", 0, 0);
    event("pointerdown", 160, 175, 4);
    pointer.enabled = false;
    event("pointermove", 10, 175);
    expect(sent).toEqual([button(0, true, 320, 200), button(0, false, 320, 200), button(1, true, 320, 200), button(1, false, 320, 200)]);
  });

  it("that has not moved yet, or knows where it is, has nothing else let go of", () => {
    const pointer = start();
    pointer.settle();
    expect(sent).toEqual([]);
    event("pointerdown", 100, 175, 1);
    pointer.enabled = false;
    pointer.enabled = true;
    sent = [];
    pointer.settle();
    expect(sent).toEqual([]);
    pointer.renew();
    expect(sent).toContainEqual(button(0, false, 200, 200));
  });

  it("leaves fingers to their gestures, and a second pen alone", () => {
    start();
    event("pointerdown", 160, 175, 1, { pointerType: "touch" });
    event("pointerdown", 160, 175, 1, { isPrimary: false, pointerId: 2, pointerType: "pen" });
    expect(sent).toEqual([]);
  });

  it("draws through every point that the browser has gathered while a button is down", () => {
    start();
    const gathered = (...points: [number, number][]): void => {
      const moved = new PointerEvent("pointermove", { clientX: points.at(-1)?.[0] ?? 0, clientY: points.at(-1)?.[1] ?? 0, buttons: 1, isPrimary: true, pointerType: "pen" });
      moved.getCoalescedEvents = () => points.map(([clientX, clientY]) => new PointerEvent("pointermove", { clientX, clientY }));
      element.dispatchEvent(moved);
    };
    event("pointerdown", 100, 175, 1, { pointerType: "pen" });
    gathered([101, 175], [102, 176], [103, 178]);
    expect(sent.slice(1)).toEqual([motion(1, 202, 200), motion(2, 204, 202), motion(3, 206, 206)]);
  });

  it("takes the eraser of a pen for its tip", () => {
    start();
    event("pointerdown", 160, 175, 32, { pointerType: "pen" });
    event("pointerup", 160, 175, 0, { pointerType: "pen" });
    expect(sent).toEqual([button(0, true, 320, 200), button(0, false, 320, 200)]);
  });

  describe("that is locked", () => {
    const locked = (number: number, down: boolean, seq: number, x: number, y: number) => ({ type: "lockedButton", button: number, down, seq, lock: 1, x, y });
    const lock = (held: boolean): void => {
      Object.defineProperty(document, "pointerLockElement", { value: held ? element : null, configurable: true });
    };
    afterEach(() => {
      lock(false);
    });
    const moved = (movementX: number, movementY: number, buttons = 0, type = "pointermove"): void => {
      event(type, 400, 300, buttons, { movementX, movementY });
    };

    it("tells how far it has gone altogether, fractions too, once per frame", () => {
      const pointer = start();
      lock(true);
      pointer.travel();
      for (let i = 0; i < 4; i++) {
        moved(0.75, -10);
        clock.paint();
      }
      expect(sent).toEqual([travel(1, 1, 0, 0), travel(2, 1, 0, -10), travel(3, 1, 1, -20), travel(4, 1, 2, -30), travel(5, 1, 3, -40)]);
      moved(5, 0);
      moved(5, 0);
      moved(5, 0);
      clock.paint();
      expect(sent.slice(5)).toEqual([travel(6, 1, 8, -40), travel(7, 1, 18, -40)]);
    });

    it("presses after the way that was gone, and has a place again once it is unlocked", () => {
      const pointer = start();
      lock(true);
      pointer.travel();
      moved(7, 7);
      moved(7, 7);
      moved(0, 0, 1, "pointerdown");
      expect(sent).toEqual([travel(1, 1, 0, 0), travel(2, 1, 7, 7), locked(0, true, 3, 14, 14)]);
      clock.paint();
      lock(false);
      pointer.arrive();
      expect(sent.slice(3)).toEqual([locked(0, false, 4, 14, 14)]);
      clock.paint();
      event("pointermove", 100, 175);
      expect(sent.slice(4)).toEqual([motion(5, 200, 200)]);
    });

    it("has everything let go of where its lock was lost with the path, and nobody knows what is held", () => {
      const pointer = start();
      lock(true);
      pointer.travel();
      moved(0, 0, 1, "pointerdown");
      pointer.enabled = false;
      lock(false);
      pointer.arrive();
      pointer.enabled = true;
      sent = [];
      for (let time = 0; time < 2; time++) {
        pointer.settle();
        pointer.renew();
      }
      expect(sent).toEqual([{ type: "releaseAll" }]);
    });

    it("begins anew for a server that has seen nothing of it", () => {
      const pointer = start();
      lock(true);
      pointer.travel();
      moved(7, 7);
      sent = [];
      pointer.forget();
      expect(sent).toEqual([travel(3, 2, 0, 0)]);
    });
  });

  describe("of a finger", () => {
    it("goes to a place and clicks there", () => {
      const pointer = start();
      pointer.act({ type: "move", place: { x: 100, y: 175 } });
      pointer.act({ type: "press", button: 2 });
      pointer.act({ type: "release", button: 2 });
      expect(sent).toEqual([motion(1, 200, 200), button(2, true, 200, 200), button(2, false, 200, 200)]);
    });

    it("goes as far on the screen as the finger on a trackpad, and clicks where it is", () => {
      const pointer = start();
      pointer.act({ type: "shift", dx: 10, dy: -3 });
      clock.paint();
      pointer.act({ type: "press", button: 0 });
      expect(sent).toEqual([travel(1, 1, 0, 0), travel(2, 1, 20, -6), { type: "lockedButton", button: 0, down: true, seq: 3, lock: 1, x: 20, y: -6 }]);
    });
  });

  it("keeps the browser's menu away only while it acts", () => {
    const pointer = start();
    const menu = (): boolean => !element.dispatchEvent(new MouseEvent("contextmenu", { cancelable: true }));
    expect(menu()).toBe(true);
    pointer.enabled = false;
    expect(menu()).toBe(false);
  });

  it("numbers buttons as the DOM does, and releases before it presses", () => {
    expect(changes(0, 31).map((change) => change.button)).toEqual([0, 1, 2, 3, 4]);
    expect(changes(1, 2)).toEqual([
      { button: 0, down: false },
      { button: 2, down: true },
    ]);
    expect(changes(7, 7)).toEqual([]);
  });
});

describe("the wheel", () => {
  const start = (): Wheel => {
    const wheel = new Wheel(element, clock, (message) => sent.push(message as never));
    wheel.enabled = true;
    return wheel;
  };
  const turn = (deltaX: number, deltaY: number, deltaMode = 0): boolean =>
    !element.dispatchEvent(new WheelEvent("wheel", { deltaX, deltaY, deltaMode, cancelable: true }));

  it("counts one notch as 120, whether the browser tells pixels, lines or pages", () => {
    expect([toUnits(100, 0), toUnits(-3, 1), toUnits(0.125, 2), toUnits(1, 9), toUnits(NaN, 0)]).toEqual([120, -120, 120, 1.2, 0]);
    expect(toUnits(1e12, 0)).toBe(14_400);
  });

  it("is kept from the page and gathered to one message per frame", () => {
    start();
    expect(turn(0, 100)).toBe(true);
    turn(0, 100);
    turn(50, 100);
    expect(sent).toEqual([{ type: "wheel", dx: 0, dy: 120 }]);
    clock.paint();
    expect(sent.slice(1)).toEqual([{ type: "wheel", dx: 60, dy: 240 }]);
  });

  it("adds a trackpad's fractions until they are whole", () => {
    start();
    for (let i = 0; i < 8; i++) {
      turn(0, 0.625); // three quarters of a unit
      clock.paint();
    }
    expect(sent.reduce((sum, message) => sum + ("dy" in message ? (message as { dy: number }).dy : 0), 0)).toBe(6);
  });

  it("does nothing while it is off", () => {
    start().enabled = false;
    expect(turn(0, 100)).toBe(false);
    expect(sent).toEqual([]);
  });
});
