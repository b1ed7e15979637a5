// Decision: how this user's hands work, whatever desktop they are on: what is kept of it between visits, and what is not believed.
import type { MacKeys } from "./keyboard";
import type { TouchMode } from "./gestures";

export interface Habits {
  /** Whether Command is Control and Option composes characters: on Macs, everywhere, or nowhere. */
  readonly macKeys: MacKeys;
  /** Whether fingers touch the picture, or move the pointer as on a trackpad. */
  readonly touchMode: TouchMode;
}

export const USUAL: Habits = { macKeys: "auto", touchMode: "touchscreen" };
/** Where they are kept. */
const KEY = "vdi.input";

const MAC_KEYS: readonly string[] = ["auto", "on", "off"] satisfies MacKeys[];
const TOUCH_MODES: readonly string[] = ["touchscreen", "trackpad"] satisfies TouchMode[];

/** What was kept, as far as it can be read; the rest is as usual. */
export function kept(storage: Pick<Storage, "getItem">): Habits {
  try {
    const found: unknown = JSON.parse(storage.getItem(KEY) ?? "{}");
    const { macKeys, touchMode } = (typeof found === "object" && found !== null ? found : {}) as Partial<Record<keyof Habits, unknown>>;
    return {
      macKeys: typeof macKeys === "string" && MAC_KEYS.includes(macKeys) ? (macKeys as MacKeys) : USUAL.macKeys,
      touchMode: typeof touchMode === "string" && TOUCH_MODES.includes(touchMode) ? (touchMode as TouchMode) : USUAL.touchMode,
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
