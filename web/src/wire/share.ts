// The wire: what is shared, mirrored from `clipboard` and `files` of the crate `protocol`.
import { byDefault, flag, integer, list, oneOf, optional, struct, tagged, text, type Read } from "./schema";

const u32 = integer(0, 0xffff_ffff);
const count = integer(0, Number.MAX_SAFE_INTEGER);

/** Bytes of one piece of what was copied, before base64. */
export const MAX_CLIPBOARD_PIECE_BYTES = 16 * 1024;
/** Bytes of it that may be on their way. */
export const CLIPBOARD_WINDOW_BYTES = 8 * MAX_CLIPBOARD_PIECE_BYTES;
/** The types that what was copied may have. */
export const clipboardMimes = ["text/plain", "text/html", "image/png"] as const;
export type Mime = (typeof clipboardMimes)[number];

const selection = oneOf(["clipboard", "primary"]);
/** Which of the desktop's selections: what was copied, or what is marked. */
export type Selection = Read<typeof selection>;

const refusal = oneOf(["tooLarge", "notAllowed", "empty", "malformed", "failed", "superseded"]);
/** Why something that was copied does not get through. */
export type Refusal = Read<typeof refusal>;

const offer = {
  id: u32,
  selection: byDefault(selection, "clipboard"),
  items: list(struct({ mime: oneOf(clipboardMimes), bytes: count }), clipboardMimes.length),
  after: optional(u32),
};
export const clipboardOfferReader = struct(offer);
/** Something is copied, and its pieces follow. */
export type ClipboardOffer = Read<typeof clipboardOfferReader>;

/** Data channel `clipboard`, page to server. */
export const clipboardFromPage = tagged({
  ready: {},
  fetch: { selection },
  offer,
  piece: { id: u32, data: text },
  received: { id: u32, bytes: count },
});
export type ClipboardFromPage = Read<typeof clipboardFromPage>;

/** Data channel `clipboard`, server to page. */
export const clipboardToPage = tagged({
  offer,
  piece: { id: u32, data: text },
  received: { id: u32, bytes: count },
  taken: { id: u32 },
  refused: { id: u32, reason: refusal },
  missed: { selection, reason: refusal },
});
export type ClipboardToPage = Read<typeof clipboardToPage>;

export const clipboardPolicy = { read: byDefault(flag, false), write: byDefault(flag, false), maxBytes: byDefault(count, 0) };
export const clipboardPolicyReader = struct(clipboardPolicy);
/** What this page may do with the clipboard. */
export type ClipboardPolicy = Read<typeof clipboardPolicyReader>;

export const filesPolicy = { token: byDefault(text, ""), read: byDefault(flag, false), write: byDefault(flag, false), maxBytes: byDefault(count, 0) };
export const filesPolicyReader = struct(filesPolicy);
/** What this page may do with files, and the token that is part of the path. */
export type FilesPolicy = Read<typeof filesPolicyReader>;

const fileEntry = struct({ name: text, folder: flag, bytes: count, modifiedSeconds: count });
/** A file or a folder. */
export type FileEntry = Read<typeof fileEntry>;
/** What is in a folder. */
export const fileList = struct({ entries: list(fileEntry) });
