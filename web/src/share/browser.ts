// Shell: the browser's clipboard. Where the page may (secure contexts) it uses the asynchronous Clipboard API; everywhere
// it understands the browser's own paste, and in a gesture of the user it can make the browser's own copy.
import { fingerprint, unixLines, type Bytes, type Content, type Known } from "./content";
import { clipboardMimes, type Mime } from "../wire/protocol";

/** What came of a try to put something into the browser's clipboard. */
export type Written = "written" | /* not now: without focus, or without a gesture of the user */ "later" | "impossible";

export type Readable = "granted" | "prompt" | "no";

export class BrowserClipboard {
  #windows: boolean;

  constructor(windows: boolean) {
    this.#windows = windows;
  }

  /** Whether the page may read without a gesture. Only browsers that can be asked whether they would ask the user count. */
  async readable(): Promise<Readable> {
    if (!("clipboard" in navigator) || !("read" in navigator.clipboard)) return "no";
    try {
      const { state } = await navigator.permissions.query({ name: "clipboard-read" as PermissionName });
      return state === "denied" ? "no" : state;
    } catch {
      return "no";
    }
  }

  /** What the clipboard holds. Fails where the user or the browser does not allow it. */
  async read(): Promise<Content> {
    const content = new Map<Mime, Bytes>();
    const items = await navigator.clipboard.read();
    for (const mime of clipboardMimes) {
      const item = items.find(({ types }) => types.includes(mime));
      if (item) content.set(mime, this.#form(mime, new Uint8Array(await (await item.getType(mime)).arrayBuffer())));
    }
    return content;
  }

  /** What the browser's own paste brings. To be called while its event is handled; the bytes follow. */
  pasted(data: DataTransfer): Promise<Content> {
    const content = new Map<Mime, Bytes>();
    for (const mime of ["text/plain", "text/html"] as const) {
      const text = data.getData(mime);
      if (text !== "") content.set(mime, this.#form(mime, new TextEncoder().encode(text)));
    }
    const picture = Array.from(data.items).find((item) => item.kind === "file" && item.type === "image/png")?.getAsFile();
    if (!picture) return Promise.resolve(content);
    return picture.arrayBuffer().then((bytes) => content.set("image/png", new Uint8Array(bytes)));
  }

  async write(content: Content): Promise<Written> {
    if (!("clipboard" in navigator) || !("write" in navigator.clipboard)) {
      return content.has("text/plain") || content.has("text/html") ? "later" : "impossible";
    }
    const forms = [...content].filter(([mime]) => !("supports" in ClipboardItem) || ClipboardItem.supports(mime));
    if (forms.length === 0) return "impossible";
    if (!document.hasFocus()) return "later";
    try {
      await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(forms.map(([mime, form]) => [mime, new Blob([form], { type: mime })])))]);
      return "written";
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") return "later";
      console.warn("gst-vdi: the browser does not take what was copied:", error);
      return "impossible";
    }
  }

  /** The browser's own copy, which needs a gesture and no permission, and takes text only. */
  copy(content: Content): boolean {
    const before = document.activeElement;
    const area = document.createElement("textarea");
    // Browsers copy only where something is marked.
    area.value = " ";
    area.style.position = "fixed";
    area.style.opacity = "0";
    area.dataset.local = "";
    const fill = (event: ClipboardEvent): void => {
      for (const mime of ["text/plain", "text/html"] as const) {
        const form = content.get(mime);
        if (form) event.clipboardData?.setData(mime, new TextDecoder().decode(form));
      }
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    document.body.append(area);
    area.select();
    document.addEventListener("copy", fill, { capture: true });
    try {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- without TLS browsers have no other way.
      return document.execCommand("copy");
    } finally {
      document.removeEventListener("copy", fill, { capture: true });
      area.remove();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    }
  }

  /** What tells this content from another. */
  async known(content: Content): Promise<Known> {
    const text = content.get("text/plain") ?? content.get("text/html");
    const picture = content.get("image/png");
    return {
      text: text ? new TextDecoder().decode(text) : null,
      picture: !text && picture ? await pixelsOf(picture) : null,
    };
  }

  #form(mime: Mime, bytes: Bytes): Bytes {
    if (mime === "image/png" || !this.#windows) return bytes;
    return new TextEncoder().encode(unixLines(new TextDecoder().decode(bytes)));
  }
}

async function pixelsOf(png: Bytes): Promise<string | null> {
  try {
    const bitmap = await createImageBitmap(new Blob([png], { type: "image/png" }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context?.drawImage(bitmap, 0, 0);
    bitmap.close();
    const pixels = context?.getImageData(0, 0, width, height);
    return pixels ? fingerprint(width, height, new Uint32Array(pixels.data.buffer)) : null;
  } catch {
    return null;
  }
}
