// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ManualClock } from "../testing";
import { Gamepads, stateOf, type GamepadMessage } from "./gamepads";

interface Fake {
  index: number;
  id: string;
  connected: boolean;
  axes: number[];
  buttons: { pressed: boolean; touched: boolean; value: number }[];
  vibrationActuator?: unknown;
}

const released = { pressed: false, touched: false, value: 0 };
const down = { pressed: true, touched: true, value: 1 };
const pad = (index: number, more: Partial<Fake> = {}): Fake => ({ index, id: `Pad ${index}`, connected: true, axes: [0, 0, 0, 0], buttons: [released, released], ...more });

describe("a gamepad's state", () => {
  const of = (axes: number[], buttons: Fake["buttons"], before: Parameters<typeof stateOf>[1] = null) => stateOf({ axes, buttons }, before);

  it("has the wire's units, and no more than the standard mapping", () => {
    expect(of([-1, 0, 0.5, 1, 1], [down, released, { ...released, value: 0.5 }])).toEqual({ axes: [-32_767, 0, 16_384, 32_767], buttons: [255, 0, 128] });
    expect(of([], Array<Fake["buttons"][number]>(20).fill(released)).buttons).toHaveLength(17);
    expect(of([NaN, 7, -7], [{ ...down, value: 0 }])).toEqual({ axes: [0, 32_767, -32_767], buttons: [255] });
  });

  it("does not tremble, but comes to rest and to its ends", () => {
    const before = { axes: [200, 200, 32_600, 1000], buttons: [] };
    expect(of([220 / 32_767, 0, 1, 1300 / 32_767], [], before).axes).toEqual([200, 0, 32_767, 1300]);
  });
});

describe("gamepads", () => {
  let clock: ManualClock;
  let there: (Fake | null)[];
  let sent: GamepadMessage[];
  let takes: boolean;
  let asked: number;
  let gamepads: Gamepads;

  const told = (): string[] => sent.splice(0).map((message) => `${message.type.slice("gamepad".length)} ${message.index}${message.type === "gamepadState" ? ` ${message.axes[0] ?? ""} ${message.buttons[0] ?? ""}` : ""}`);

  beforeEach(() => {
    clock = new ManualClock();
    [there, sent, takes, asked] = [[], [], true, 0];
    gamepads = new Gamepads({
      clock,
      gamepads: () => {
        asked++;
        return there as unknown as (Gamepad | null)[];
      },
      send: (message) => {
        if (takes) sent.push(message);
        return takes;
      },
    });
    window.dispatchEvent(new Event("focus"));
    gamepads.enabled = true;
  });

  // The window keeps its listeners from one test to the next.
  afterEach(() => {
    gamepads.enabled = false;
  });

  const plug = (...pads: (Fake | null)[]): void => {
    there = pads;
    window.dispatchEvent(new Event("gamepadconnected"));
  };

  it("are asked for while there is one, and told when they have changed, once a frame", () => {
    const before = asked;
    clock.paint();
    clock.paint();
    expect(asked).toBe(before);
    plug(null, pad(1));
    expect(told()).toEqual(["Connected 0", "State 0 0 0"]);
    clock.paint();
    clock.paint();
    expect(told()).toEqual([]);
    there = [null, pad(1, { axes: [1], buttons: [down] })];
    clock.paint();
    expect(told()).toEqual(["State 0 32767 255"]);
  });

  it("have places of their own, and a fifth has none", () => {
    plug(pad(7), pad(3), pad(4), pad(5), pad(6));
    expect(told().filter((one) => one.startsWith("Connected"))).toEqual(["Connected 0", "Connected 1", "Connected 2", "Connected 3"]);
    plug(pad(7), null, pad(4), pad(5), pad(6));
    expect(told()).toEqual(["Disconnected 1", "Connected 1", "State 1 0 0"]);
    plug(pad(7, { connected: false }));
    clock.paint();
    expect(told()).toEqual(["Disconnected 0", "Disconnected 1", "Disconnected 2", "Disconnected 3"]);
  });

  it("are let go when the page is left, and come again with it", () => {
    plug(pad(0, { buttons: [down] }));
    told();
    window.dispatchEvent(new Event("blur"));
    expect(told()).toEqual(["Disconnected 0"]);
    clock.paint();
    plug(pad(0, { buttons: [down] }));
    expect(told()).toEqual([]);
    window.dispatchEvent(new Event("focus"));
    expect(told()).toEqual(["Connected 0", "State 0 0 255"]);
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    document.dispatchEvent(new Event("visibilitychange"));
    vi.restoreAllMocks();
    expect(told()).toEqual(["Disconnected 0"]);
  });

  it("say nothing without control, and all when it comes", () => {
    gamepads.enabled = false;
    plug(pad(0));
    clock.paint();
    expect(told()).toEqual([]);
    gamepads.enabled = true;
    expect(told()).toEqual(["Connected 0", "State 0 0 0"]);
    gamepads.forget();
    clock.paint();
    expect(told()).toEqual(["Connected 0", "State 0 0 0"]);
  });

  it("are told once the channel takes it", () => {
    takes = false;
    plug(pad(0));
    clock.paint();
    takes = true;
    clock.paint();
    expect(told()).toEqual(["Connected 0", "State 0 0 0"]);
  });

  describe("with motors", () => {
    let done: string[];
    const motors = {
      playEffect: (type: string, { duration, strongMagnitude, weakMagnitude }: GamepadEffectParameters) => {
        done.push(`${type} ${String(duration)} ${String(strongMagnitude)} ${String(weakMagnitude)}`);
        return Promise.reject(new DOMException("no such motors", "NotSupportedError"));
      },
      reset: () => {
        done.push("reset");
        return Promise.resolve("complete");
      },
    };
    const shake = (index: number, strong = 65_535, weak = 0, durationMs = 250): void => {
      gamepads.rumble({ index, strong, weak, durationMs });
    };
    beforeEach(() => {
      done = [];
      plug(pad(5), pad(3, { vibrationActuator: motors }));
    });

    it("shake as they are told, and only those that there are", () => {
      shake(1);
      shake(0);
      shake(2);
      expect(done.splice(0)).toEqual(["dual-rumble 250 1 0"]);
      shake(1, 0, 65_535, 5000);
      shake(1, 0, 0, 0);
      shake(1, 0, 0, 0);
      expect(done).toEqual(["dual-rumble 5000 0 1", "reset"]);
    });

    it("are still once the page is left, until it is back and told anew", () => {
      shake(1);
      window.dispatchEvent(new Event("blur"));
      shake(1);
      expect(done.splice(0)).toEqual(["dual-rumble 250 1 0", "reset"]);
      window.dispatchEvent(new Event("focus"));
      shake(1);
      expect(done).toEqual(["dual-rumble 250 1 0"]);
    });

    it("are still without control, and when the user would not have them shake", () => {
      shake(1);
      gamepads.rumbles = false;
      shake(1);
      expect(done.splice(0)).toEqual(["dual-rumble 250 1 0", "reset"]);
      gamepads.rumbles = true;
      shake(1);
      gamepads.enabled = false;
      shake(1);
      expect(done).toEqual(["dual-rumble 250 1 0", "reset"]);
    });
  });

  it("are none where the browser forbids to ask", () => {
    const forbids = new Gamepads({
      clock,
      gamepads: () => {
        throw new DOMException("no", "SecurityError");
      },
      send: () => true,
    });
    expect(() => {
      forbids.enabled = true;
    }).not.toThrow();
  });
});
