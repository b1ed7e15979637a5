// The wire: gamepads, mirrored from the crate `protocol`.
import { integer, list } from "./schema";

/** Gamepads of one page, their axes and buttons in the standard mapping, and characters of their names. */
export const MAX_GAMEPADS = 4;
export const MAX_GAMEPAD_AXES = 4;
export const MAX_GAMEPAD_BUTTONS = 17;
export const MAX_GAMEPAD_NAME_CHARS = 128;
/** Longest that a gamepad is told to shake at a time: what browsers take. */
const MAX_RUMBLE_MS = 5_000;

const u16 = integer(0, 0xffff);

export const gamepadIndex = integer(0, MAX_GAMEPADS - 1);
export const gamepadState = { axes: list(integer(-32_767, 32_767), MAX_GAMEPAD_AXES), buttons: list(integer(0, 0xff), MAX_GAMEPAD_BUTTONS) };

export const rumble = { index: gamepadIndex, strong: u16, weak: u16, durationMs: integer(0, MAX_RUMBLE_MS) };
