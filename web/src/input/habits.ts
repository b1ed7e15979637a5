// Decision: how this user's hands work, whatever desktop they are on: what is kept of it between visits, and what is not believed.
import type { MacKeys } from "./keyboard";
import type { TouchMode } from "./gestures";

export interface Habits {
  /** Whether Command is Control and Option composes characters: on Macs, everywhere, or nowhere. */
  readonly macKeys: MacKeys;
  /** Whether fingers touch the picture, or move the pointer as on a trackpad. */
  readonly touchMode: TouchMode;
  /** Whether gamepads shake when a game would have them do so. */
  readonly rumble: boolean;
}

export const USUAL: Habits = { macKeys: "auto", touchMode: "touchscreen", rumble: true };
/** Where they are kept. */
const KEY = "vdi.input";

/** Everything that may be chosen. */
export const MAC_KEYS: readonly MacKeys[] = ["auto", "on", "off"];
export const TOUCH_MODES: readonly TouchMode[] = ["touchscreen", "trackpad"];

/** What was kept, as far as it can be read; the rest is as usual. */
export function kept(storage: Pick<Storage, "getItem">): Habits {
  try {
    const found: unknown = JSON.parse(storage.getItem(KEY) ?? "{}");
    const { macKeys, touchMode, rumble } = (typeof found === "object" && found !== null ? found : {}) as Partial<Record<keyof Habits, unknown>>;
    return {
      macKeys: MAC_KEYS.find((one) => one === macKeys) ?? USUAL.macKeys,
      touchMode: TOUCH_MODES.find((one) => one === touchMode) ?? USUAL.touchMode,
      rumble: typeof rumble === "boolean" ? rumble : USUAL.rumble,
    };
  } catch {
    // A browser that forbids storage, or something that is not ours.
    return USUAL;
  }
}

export function keep(storage: Pick<Storage, "setItem">, habits: Habits): void {
  try {
    storage.setItem(KEY, JSON.stringify(habits));
  } catch {
    // They last as long as the page then.
  }
}
