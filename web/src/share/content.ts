// Decision: what was copied, in the forms that the wire knows, and whether two of them are the same to the user.
import { clipboardMimes, type Mime } from "../wire/protocol";

export type Bytes = Uint8Array<ArrayBuffer>;

/** Everything that was copied at once, each form as its bytes. */
export type Content = ReadonlyMap<Mime, Bytes>;

export function bytesOf(content: Content): number {
  let bytes = 0;
  for (const form of content.values()) bytes += form.length;
  return bytes;
}

/** What of it there is room for: text before pictures, since who has no room for the whole wants the words. */
export function fitting(content: Content, maxBytes: number): Content {
  const kept = new Map<Mime, Bytes>();
  let left = maxBytes;
  for (const mime of clipboardMimes) {
    const form = content.get(mime);
    if (!form || form.length === 0 || form.length > left) continue;
    kept.set(mime, form);
    left -= form.length;
  }
  return kept;
}

/** Text as desktops write it: Windows' browsers end lines with two characters. */
export function unixLines(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** What two copies of the same thing have in common: the text if there is one, else the picture's pixels. */
export interface Known {
  readonly text: string | null;
  readonly picture: string | null;
}

export function isSame(a: Known | null, b: Known): boolean {
  if (a === null) return false;
  if (a.text !== null || b.text !== null) return a.text === b.text;
  return a.picture !== null && a.picture === b.picture;
}

/** A number for a picture's pixels: browsers write a PNG anew, so its bytes say nothing (FNV-1a over whole pixels). */
export function fingerprint(width: number, height: number, pixels: Uint32Array): string {
  let hash = 0x811c9dc5;
  for (const pixel of pixels) hash = Math.imul(hash ^ pixel, 0x01000193);
  return `${width}x${height}:${hash >>> 0}`;
}
