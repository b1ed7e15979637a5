// Decision: where the picture stands on the page, in whole pixels of the screen wherever it is not scaled, so that text
// stays as sharp as on the desktop.
import { contain, type Place, type Rect, type Size } from "./geometry";

/** `fit`: all of the desktop, as large as there is room. `exact`: a pixel of the desktop is a pixel of the screen. */
export type Scaling = "fit" | "exact";

/** The room for the picture. */
export interface Room extends Size {
  /** Pixels of the screen in a CSS pixel. */
  readonly density: number;
}

/** A desktop has even sizes only; what a window has more than that is no reason to scale. */
const ODD_PX = 2;

/** A picture on the page, in CSS pixels. */
export interface Placed extends Rect {
  /** What is cut off at its edges, where only a part of it is shown. */
  readonly cut: { readonly top: number; readonly right: number; readonly bottom: number; readonly left: number } | null;
}

/**
 * Where the picture is drawn. `room` is in pixels of the screen, and so is `offset`: what is scrolled away. Of a desktop of
 * several monitors it may be only a `part` that is shown; the picture's other parts are cut off.
 */
export function place(room: Room, desktop: Size, scaling: Scaling, offset: Place, part: Rect | null = null): Placed {
  const { density } = room;
  const shown = part ?? desktop;
  const px = scaling === "exact" || isNearly(room, shown) ? exactly(room, shown, offset) : contain({ left: 0, top: 0, ...room }, shown);
  const css = { left: px.left / density, top: px.top / density, width: px.width / density, height: px.height / density };
  if (part === null) return { ...css, cut: null };
  const [across, down] = [css.width / part.width, css.height / part.height];
  const [width, height] = [desktop.width * across, desktop.height * down];
  const [left, top] = [part.left * across, part.top * down];
  return { left: css.left - left, top: css.top - top, width, height, cut: { top, right: width - left - css.width, bottom: height - top - css.height, left } };
}

function isNearly(room: Size, desktop: Size): boolean {
  const [x, y] = [room.width - desktop.width, room.height - desktop.height];
  return x >= 0 && y >= 0 && (x < ODD_PX || y < ODD_PX);
}

function exactly(room: Size, { width, height }: Size, offset: Place): Rect {
  const desktop = { width, height };
  const most = overflow(room, desktop);
  const start = (room: number, length: number, most: number, offset: number): number =>
    most > 0 ? -Math.round(Math.min(Math.max(offset, 0), most)) : Math.floor((room - length) / 2);
  return { left: start(room.width, desktop.width, most.x, offset.x), top: start(room.height, desktop.height, most.y, offset.y), ...desktop };
}

/** How much of the desktop there is no room for, pixel for pixel. */
export function overflow(room: Size, desktop: Size): Place {
  return { x: Math.max(desktop.width - room.width, 0), y: Math.max(desktop.height - room.height, 0) };
}

/** The strip at an edge in which the pointer pulls in what is beyond it, in CSS pixels. */
const EDGE_CSS_PX = 40;
/** How fast it does so at the very edge, in CSS pixels a frame. */
const FASTEST_CSS_PX = 24;

/** What is scrolled away a frame later, with the pointer at a place of the room (in CSS pixels, as `room` is here). */
export function scrolled(offset: Place, most: Place, pointer: Place, room: Size, density: number): Place {
  const along = (offset: number, most: number, at: number, length: number): number => {
    const edge = Math.min(EDGE_CSS_PX, length / 4);
    const depth = at < edge ? at - edge : Math.max(at - (length - edge), 0);
    const step = (Math.max(-1, Math.min(depth / edge, 1)) * FASTEST_CSS_PX * density) || 0;
    return Math.min(Math.max(offset + step, 0), most);
  };
  return { x: along(offset.x, most.x, pointer.x, room.width), y: along(offset.y, most.y, pointer.y, room.height) };
}
