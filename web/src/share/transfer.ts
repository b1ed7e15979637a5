// Decision: how what was copied is cut into pieces on its way to the server, with no more under way than the window has
// room for, and how what comes from there is put together.
import { bytesOf, type Bytes, type Content } from "./content";
import { MAX_CLIPBOARD_PIECE_BYTES, CLIPBOARD_WINDOW_BYTES, type ClipboardFromPage, type ClipboardOffer, type Mime, type Selection } from "../wire/protocol";

/** Something on its way to the desktop. */
export class Sending {
  readonly id: number;
  readonly total: number;
  readonly selection: Selection;
  /** Nobody has pasted it: what is copied on the desktop meanwhile is newer. */
  readonly givesWay: boolean;
  #bytes: Bytes;
  #offer: ClipboardOffer;
  #sent = 0;
  #received = 0;

  /** `after`: the last of the desktop's offers that this page has seen, where it brings this by itself. */
  constructor(id: number, selection: Selection, content: Content, after: number | null = null) {
    this.id = id;
    this.selection = selection;
    this.givesWay = after !== null;
    this.total = bytesOf(content);
    this.#bytes = new Uint8Array(this.total);
    const items: ClipboardOffer["items"] = [];
    let at = 0;
    for (const [mime, form] of content) {
      items.push({ mime, bytes: form.length });
      this.#bytes.set(form, at);
      at += form.length;
    }
    this.#offer = { id, selection, items, ...(after === null ? {} : { after }) };
  }

  /** The first messages. */
  begin(): ClipboardFromPage[] {
    return [{ type: "offer", ...this.#offer }, ...this.#more()];
  }

  /** So much has arrived; what may follow. */
  received(bytes: number): ClipboardFromPage[] {
    if (bytes > this.#sent) return [];
    this.#received = Math.max(this.#received, bytes);
    return this.#more();
  }

  /** How much has arrived, 0 to 1. */
  get share(): number {
    return this.total === 0 ? 1 : this.#received / this.total;
  }

  #more(): ClipboardFromPage[] {
    const messages: ClipboardFromPage[] = [];
    while (this.#sent < this.total && this.#sent - this.#received < CLIPBOARD_WINDOW_BYTES) {
      const piece = this.#bytes.subarray(this.#sent, this.#sent + MAX_CLIPBOARD_PIECE_BYTES);
      this.#sent += piece.length;
      messages.push({ type: "piece", id: this.id, data: toBase64(piece) });
    }
    return messages;
  }
}

/** Something on its way from the desktop. */
export class Receiving {
  readonly id: number;
  readonly selection: Selection;
  #items: ClipboardOffer["items"];
  #bytes: Bytes;
  #at = 0;

  /** `null`: the offer is not what the server promised. */
  static begin(offer: ClipboardOffer, maxBytes: number): Receiving | null {
    const total = offer.items.reduce((sum, item) => sum + item.bytes, 0);
    const mimes = new Set(offer.items.map((item) => item.mime));
    return total > 0 && total <= maxBytes && mimes.size === offer.items.length ? new Receiving(offer, total) : null;
  }

  private constructor(offer: ClipboardOffer, total: number) {
    this.id = offer.id;
    this.selection = offer.selection;
    this.#items = offer.items;
    this.#bytes = new Uint8Array(total);
  }

  /** Takes the next piece: how much has come, or `null` if it is none. */
  piece(data: string): number | null {
    const piece = fromBase64(data);
    if (piece === null || piece.length === 0 || this.#at + piece.length > this.#bytes.length) return null;
    this.#bytes.set(piece, this.#at);
    this.#at += piece.length;
    return this.#at;
  }

  /** Everything, once it is there. */
  get content(): Content | null {
    if (this.#at < this.#bytes.length) return null;
    const content = new Map<Mime, Bytes>();
    let at = 0;
    for (const { mime, bytes } of this.#items) {
      if (bytes > 0) content.set(mime, this.#bytes.slice(at, at + bytes));
      at += bytes;
    }
    return content;
  }
}

function toBase64(bytes: Bytes): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string): Bytes | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
