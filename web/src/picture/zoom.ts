// Decision: which part of the picture fills the page: how much it is enlarged, and where it stands. It never leaves the page,
// and is never smaller than it.
import type { Place, Size } from "./geometry";

export interface View {
  readonly scale: number;
  /** Where the upper left corner of the enlarged stage is, in CSS pixels from that of the page; never positive. */
  readonly x: number;
  readonly y: number;
}

export const WHOLE: View = { scale: 1, x: 0, y: 0 };
/** More would show single pixels as tiles. */
export const MAX_ZOOM = 8;
/** Fingers seldom come back to exactly the whole. */
const NEARLY_WHOLE = 1.02;

/** The view enlarged by a factor around a place of the page, and then moved. */
export function zoomed(view: View, factor: number, around: Place, moved: { dx: number; dy: number }, page: Size): View {
  if (!Number.isFinite(factor) || factor <= 0) return view;
  const scale = Math.min(Math.max(view.scale * factor, 1), MAX_ZOOM);
  const grown = scale / view.scale;
  return within({ scale, x: around.x - (around.x - view.x) * grown + moved.dx, y: around.y - (around.y - view.y) * grown + moved.dy }, page);
}

/** The nearest view that covers the page, as after the page has got another size. */
export function within(view: View, page: Size): View {
  if (view.scale < NEARLY_WHOLE) return WHOLE;
  const clamp = (at: number, length: number): number => Math.min(0, Math.max(at, length * (1 - view.scale)));
  return { scale: view.scale, x: clamp(view.x, page.width), y: clamp(view.y, page.height) };
}
