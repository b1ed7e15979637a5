// Shell: gamepads in a browser that has none: the page asks for what the test says, and what it has their motors do is kept.

import { until } from "./wait.js";
import type { Viewer } from "./browser.js";

export interface Fake {
  axes?: number[];
  /** Pressure by the number of the button. */
  buttons?: Record<number, number>;
}

/** What the page has had a gamepad's motors do: strong and weak of 1, and milliseconds; or stop. */
export type Felt = { strong: number; weak: number; ms: number } | "stop";

interface Own {
  pads: unknown[];
  felt: Felt[];
}

/** Before the page is opened. */
export async function giveGamepads(viewer: Viewer): Promise<void> {
  await viewer.page.addInitScript(() => {
    const own = globalThis as unknown as Own;
    [own.pads, own.felt] = [[], []];
    navigator.getGamepads = () => own.pads as ReturnType<Navigator["getGamepads"]>;
  });
}

/** What a person does with a gamepad; `null` takes it away. */
export function hold(viewer: Viewer, fake: Fake | null): Promise<void> {
  return viewer.page.evaluate((wanted) => {
    const own = globalThis as unknown as Own;
    const buttons = Array.from({ length: 17 }, (_, number) => {
      const value = wanted?.buttons?.[number] ?? 0;
      return { pressed: value > 0.5, touched: value > 0, value };
    });
    const vibrationActuator = {
      playEffect: (type: string, { duration = 0, strongMagnitude = 0, weakMagnitude = 0 }: GamepadEffectParameters) => {
        if (type !== "dual-rumble") throw new TypeError(type);
        own.felt.push({ strong: strongMagnitude, weak: weakMagnitude, ms: duration });
        return Promise.resolve("complete");
      },
      reset: () => {
        own.felt.push("stop");
        return Promise.resolve("complete");
      },
    };
    const pad = { index: 0, id: "Test Pad (STANDARD GAMEPAD)", mapping: "standard", connected: true, timestamp: 0, axes: wanted?.axes ?? [0, 0, 0, 0], buttons, vibrationActuator };
    const known = own.pads.length > 0;
    own.pads = wanted ? [pad] : [];
    if (known !== own.pads.length > 0) window.dispatchEvent(new Event(wanted ? "gamepadconnected" : "gamepaddisconnected"));
  }, fake);
}

/** What the motors have done since this was asked last, once there is so much of it. */
export async function felt(viewer: Viewer, what: string, count: number): Promise<Felt[]> {
  await until(`a gamepad to feel ${what}`, 20_000, async () => {
    const so = await viewer.page.evaluate(() => (globalThis as unknown as Own).felt);
    if (so.length < count) throw new Error(JSON.stringify(so));
    return true;
  });
  return viewer.page.evaluate(() => (globalThis as unknown as Own).felt.splice(0));
}
