// The wire: how large the desktop is, and how large a page would have it, mirrored from protocol/src/screen.rs.
import { byDefault, flag, integer, list, number, optional, struct, text, type Read } from "./schema";

/** Monitors that are told of. */
const MAX_MONITORS = 16;

const u32 = integer(0, 0xffff_ffff);

export const viewport = { width: u32, height: u32, scale: number };
export const viewportReader = struct(viewport);
/** The window, as large as the user would have the desktop, in pixels of the screen. */
export type Viewport = Read<typeof viewportReader>;

const monitor = struct({
  name: byDefault(text, ""),
  x: byDefault(u32, 0),
  y: byDefault(u32, 0),
  width: byDefault(u32, 0),
  height: byDefault(u32, 0),
  primary: byDefault(flag, false),
});
export const screen = {
  resizable: byDefault(flag, false),
  message: optional(text),
  maxWidth: byDefault(u32, 0),
  maxHeight: byDefault(u32, 0),
  dpi: byDefault(u32, 0),
  monitors: byDefault(list(monitor, MAX_MONITORS), []),
};
export const screenReader = struct(screen);
/** What the screen is, and whether its size follows the controller's window. */
export type ScreenInfo = Read<typeof screenReader>;
