// Decision: what somebody prefers of this page alone, and the browser remembers: how that is written and read again.

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export interface Preferences {
  readonly theme: Theme;
  /** From 0 to 1. */
  readonly volume: number;
  /** Whether this page reads and writes the clipboard of its machine. */
  readonly clipboard: boolean;
  /** Whether the others see where this page's user points, while he watches. */
  readonly pointer: boolean;
  /** What somebody wants to be called; empty for nothing. */
  readonly name: string;
}

export const PREFERENCES: Preferences = { theme: "auto", volume: 1, clipboard: true, pointer: true, name: "" };

/** Characters of a name that the server keeps. */
const MAX_NAME_CHARS = 40;

/** The entry of the browser's memory. */
export const PREFERENCES_KEY = "gst-vdi.preferences";

/** What was written, as far as it can be read; a page of another version may have written it. */
export function readPreferences(text: string | null): Preferences {
  let read: unknown = null;
  try {
    read = JSON.parse(text ?? "");
  } catch {
    // Nothing, or nothing of ours.
  }
  const { theme, volume, clipboard, pointer, name } = (typeof read === "object" && read !== null ? read : {}) as Record<string, unknown>;
  return {
    theme: THEMES.find((one) => one === theme) ?? PREFERENCES.theme,
    name: typeof name === "string" ? name.slice(0, MAX_NAME_CHARS) : PREFERENCES.name,
    clipboard: typeof clipboard === "boolean" ? clipboard : PREFERENCES.clipboard,
    pointer: typeof pointer === "boolean" ? pointer : PREFERENCES.pointer,
    volume: typeof volume === "number" && volume >= 0 && volume <= 1 ? volume : PREFERENCES.volume,
  };
}
