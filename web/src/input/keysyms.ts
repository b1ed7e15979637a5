// Decision: which X keysym a key of the browser means. Characters follow the user's own layout; keys without a character
// go by name and, where a keyboard has two of them, by side.

/** What is used of a KeyboardEvent. */
export interface KeyFacts {
  readonly key: string;
  readonly code: string;
  readonly location: number;
}

export type Platform = "mac" | "windows" | "other";

/** Modifiers of an event. */
export interface Modifiers {
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

export const BACK_SPACE = 0xff08;
export const RETURN = 0xff0d;
export const ISO_LEVEL3_SHIFT = 0xfe03;
export const SHIFT_L = 0xffe1;
export const CONTROL_L = 0xffe3;
export const ALT_L = 0xffe9;
export const SUPER_L = 0xffeb;

/** Names of DOM `key` → keysym: standard place, right side (location 2), number pad (location 3). */
const NAMED: Record<string, readonly [number, (number | null)?, number?]> = {
  Backspace: [BACK_SPACE],
  Tab: [0xff09, null, 0xff89],
  Clear: [0xff0b, null, 0xff9d],
  Enter: [RETURN, null, 0xff8d],
  Pause: [0xff13],
  ScrollLock: [0xff14],
  Escape: [0xff1b],
  Compose: [0xff20],
  KanjiMode: [0xff21],
  NonConvert: [0xff22],
  Convert: [0xff23],
  Romaji: [0xff24],
  Hiragana: [0xff25],
  Katakana: [0xff26],
  HiraganaKatakana: [0xff27],
  Zenkaku: [0xff28],
  Hankaku: [0xff29],
  ZenkakuHankaku: [0xff2a],
  Eisu: [0xff2f],
  HangulMode: [0xff31],
  HanjaMode: [0xff34],
  Home: [0xff50, null, 0xff95],
  ArrowLeft: [0xff51, null, 0xff96],
  ArrowUp: [0xff52, null, 0xff97],
  ArrowRight: [0xff53, null, 0xff98],
  ArrowDown: [0xff54, null, 0xff99],
  PageUp: [0xff55, null, 0xff9a],
  PageDown: [0xff56, null, 0xff9b],
  End: [0xff57, null, 0xff9c],
  Select: [0xff60],
  PrintScreen: [0xff61],
  Execute: [0xff62],
  Insert: [0xff63, null, 0xff9e],
  Undo: [0xff65],
  Redo: [0xff66],
  ContextMenu: [0xff67],
  Find: [0xff68],
  Cancel: [0xff69],
  Help: [0xff6a],
  ModeChange: [0xff7e],
  Shift: [0xffe1, 0xffe2],
  Control: [0xffe3, 0xffe4],
  Alt: [ALT_L, 0xffea],
  AltGraph: [ISO_LEVEL3_SHIFT],
  Meta: [SUPER_L, 0xffec],
  OS: [SUPER_L, 0xffec],
  Super: [SUPER_L, 0xffec],
  Hyper: [0xffed, 0xffee],
  Delete: [0xffff, null, 0xff9f],
  BrightnessUp: [0x1008_ff02],
  BrightnessDown: [0x1008_ff03],
  AudioVolumeDown: [0x1008_ff11],
  AudioVolumeMute: [0x1008_ff12],
  AudioVolumeUp: [0x1008_ff13],
  MediaPlayPause: [0x1008_ff14],
  MediaStop: [0x1008_ff15],
  MediaTrackPrevious: [0x1008_ff16],
  MediaTrackNext: [0x1008_ff17],
  BrowserHome: [0x1008_ff18],
  LaunchMail: [0x1008_ff19],
  BrowserSearch: [0x1008_ff1b],
  LaunchApplication2: [0x1008_ff1d],
  BrowserBack: [0x1008_ff26],
  BrowserForward: [0x1008_ff27],
  BrowserRefresh: [0x1008_ff29],
  BrowserFavorites: [0x1008_ff30],
  Cut: [0x1008_ff58],
  Copy: [0x1008_ff57],
  Paste: [0x1008_ff6d],
};

/** Characters of the number pad. */
const PAD: Record<string, number> = { "*": 0xffaa, "+": 0xffab, ",": 0xffac, "-": 0xffad, ".": 0xffae, "/": 0xffaf, "=": 0xffbd };

/** The keysym of a character: itself in Latin-1, else its code point above 0x01000000 (X11 protocol, appendix A). */
export function keysymOfCharacter(character: string): number | null {
  const point = character.codePointAt(0);
  if (point === undefined) return null;
  if (point === 0x0a || point === 0x0d) return RETURN;
  if (point === 0x09) return 0xff09;
  if (point === 0x08) return BACK_SPACE;
  if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return null;
  return point <= 0xff ? point : 0x0100_0000 + point;
}

/**
 * The keysym of a key, or `null` if it means nothing by itself: dead keys (the character comes with the next key or with
 * the composition), and CapsLock and NumLock, whose effect the keysyms of the other keys already carry. `mac`: the keyboard is
 * an Apple one, whose modifiers stand in other places.
 */
export function keysymOf({ key, code, location }: KeyFacts, mac: boolean): number | null {
  if (mac) {
    // Option picks characters as AltGr does elsewhere, and Command makes the commands that Control makes elsewhere. The
    // right one is left for the desktop's own menus.
    if (key === "Alt") return ISO_LEVEL3_SHIFT;
    if (key === "Meta") return location === 2 ? SUPER_L : CONTROL_L;
  }
  const named = Object.hasOwn(NAMED, key) ? NAMED[key] : undefined;
  if (named) return named[location === 2 ? 1 : location === 3 ? 2 : 0] ?? named[0];
  const fn = /^F(\d{1,2})$/.exec(key)?.[1];
  if (fn !== undefined && Number(fn) >= 1 && Number(fn) <= 35) return 0xffbe + Number(fn) - 1;
  if (!isCharacter(key)) return null;
  if (location === 3) {
    if (key >= "0" && key <= "9") return 0xffb0 + Number(key);
    // The decimal key writes a comma in some layouts, and is still that key.
    if (code === "NumpadDecimal") return key === "," ? 0xffac : 0xffae;
    const pad = PAD[key];
    if (pad !== undefined) return pad;
  }
  return keysymOfCharacter(key);
}

/** Whether a DOM `key` is a character, and not the name of a key. */
export function isCharacter(key: string): boolean {
  return Array.from(key).length === 1;
}

/** Keys that have no letter, as `code` → what is written on them without and with Shift on a keyboard for English. */
const LATIN: Record<string, readonly [string, string]> = {
  Minus: ["-", "_"],
  Equal: ["=", "+"],
  BracketLeft: ["[", "{"],
  BracketRight: ["]", "}"],
  Semicolon: [";", ":"],
  Quote: ["'", '"'],
  Backquote: ["`", "~"],
  Backslash: ["\\", "|"],
  Comma: [",", "<"],
  Period: [".", ">"],
  Slash: ["/", "?"],
};
const SHIFTED_DIGITS = ")!@#$%^&*(";
/** The last code point of the Latin alphabets' blocks. */
const LAST_LATIN = 0x24f;

/**
 * What a shortcut means whose key writes another alphabet: the programs' shortcuts are Latin letters, and everywhere Control
 * with the key of С copies. `null` if the key says it itself.
 */
export function latinOf({ key, code }: KeyFacts, { shiftKey, ctrlKey, metaKey, altKey }: Modifiers): string | null {
  // Alt alone opens menus, whose letters are in the language of the desktop.
  if (!ctrlKey && !metaKey) return null;
  const foreign = key === "Dead" || (isCharacter(key) && ((key.codePointAt(0) ?? 0) > LAST_LATIN || (altKey && metaKey)));
  if (!foreign) return null;
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  if (letter !== undefined) return shiftKey ? letter : letter.toLowerCase();
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  if (digit !== undefined) return shiftKey ? (SHIFTED_DIGITS[Number(digit)] ?? null) : digit;
  return LATIN[code]?.[shiftKey ? 1 : 0] ?? null;
}

/** Shift, Control, Alt, Meta, the locks and AltGr: held, never repeated. */
export function isModifier(keysym: number): boolean {
  return (keysym >= 0xffe1 && keysym <= 0xffee) || keysym === ISO_LEVEL3_SHIFT;
}
