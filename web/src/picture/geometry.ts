// Decision: from a place on the page to a pixel of the desktop and back, and how large a pixel of the desktop is on the page, for a
// video drawn with `object-fit: contain`.

export interface Size {
  readonly width: number;
  readonly height: number;
}
export interface Rect extends Size {
  readonly left: number;
  readonly top: number;
}
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** Where the picture is drawn inside `box`: as large as fits, centred, with bars at two sides. */
export function contain(box: Rect, picture: Size): Rect {
  // The limiting side is taken as it is, not through a scale, so that its edges are exact.
  const wide = picture.width * box.height >= picture.height * box.width;
  const width = wide ? box.width : (box.height * picture.width) / picture.height;
  const height = wide ? (box.width * picture.height) / picture.width : box.height;
  return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
}

/**
 * The pixel of the desktop under a place on the page; the nearest one if the place is on a bar (`inside` tells). The
 * picture, drawn in `box`, has the whole desktop, of which only `part` is shown unless that is `null`, and may be smaller
 * than it. `null` while there is no picture, or no room for it.
 */
export function toDesktop(place: Place, box: Rect, picture: Size, desktop: Size, part: Rect | null = null): (Place & { readonly inside: boolean }) | null {
  if ([picture, desktop, box].some(({ width, height }) => width <= 0 || height <= 0)) return null;
  const drawn = contain(box, picture);
  const x = Math.floor(((place.x - drawn.left) * desktop.width) / drawn.width);
  const y = Math.floor(((place.y - drawn.top) * desktop.height) / drawn.height);
  const { left, top, width, height } = part ?? { ...desktop, left: 0, top: 0 };
  const inX = Math.min(Math.max(x, left), left + width - 1);
  const inY = Math.min(Math.max(y, top), top + height - 1);
  return { x: inX, y: inY, inside: x === inX && y === inY };
}

/**
 * The place on the page at which the middle of a pixel of the desktop is drawn: the way back from `toDesktop`. `null` where it
 * is not shown, or as long as nothing is.
 */
export function toPage(pixel: Place, box: Rect, picture: Size, desktop: Size, part: Rect | null = null): Place | null {
  if ([picture, desktop, box].some(({ width, height }) => width <= 0 || height <= 0)) return null;
  const { left, top, width, height } = part ?? { ...desktop, left: 0, top: 0 };
  if (pixel.x < left || pixel.y < top || pixel.x >= left + width || pixel.y >= top + height) return null;
  const drawn = contain(box, picture);
  return { x: drawn.left + ((pixel.x + 0.5) * drawn.width) / desktop.width, y: drawn.top + ((pixel.y + 0.5) * drawn.height) / desktop.height };
}

/** How large a pixel of the desktop is drawn, in CSS pixels; 1 while there is no picture, or no room for it. */
export function scaleOf(box: Rect, picture: Size, desktop: Size): number {
  if ([picture, desktop, box].some(({ width, height }) => width <= 0 || height <= 0)) return 1;
  return contain(box, picture).width / desktop.width;
}

export interface CursorSize extends Size {
  /** Pixels of the picture, which is `width` by `height` of them, in one CSS pixel. */
  readonly density: number;
  /** In CSS pixels. */
  readonly hotspotX: number;
  readonly hotspotY: number;
}

/** Browsers show no cursor that is larger than this in either direction, in CSS pixels. */
const MAX_CURSOR_CSS_PX = 128;

/** The picture of a cursor for a desktop that is drawn at `scale` on a screen with `density` pixels in a CSS pixel. */
export function cursorSize(shape: Size & { readonly hotspotX: number; readonly hotspotY: number }, scale: number, density: number): CursorSize {
  const fits = Math.min(scale, MAX_CURSOR_CSS_PX / Math.max(shape.width, shape.height));
  const pixels = (length: number): number => Math.max(1, Math.round(length * fits * density));
  return {
    width: pixels(shape.width),
    height: pixels(shape.height),
    density,
    hotspotX: Math.round(shape.hotspotX * fits),
    hotspotY: Math.round(shape.hotspotY * fits),
  };
}
