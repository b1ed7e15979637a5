// Decision: which files have come to the desktop in part, and under which number, so that the same file, chosen once more in this
// browser, goes on where it was. Whether that part is still there, the server knows.
import { list, parse, struct, text, type Read } from "../wire/schema";

const KEY = "gst-vdi.uploads";
/** As many as the server keeps. */
const MAX = 16;

const halves = list(struct({ file: text, id: text }), MAX);

export class Halves {
  #storage: Pick<Storage, "getItem" | "setItem">;

  constructor(storage: Pick<Storage, "getItem" | "setItem">) {
    this.#storage = storage;
  }

  /** The number of the upload of this file, if it has not come to an end. */
  find(file: File): string | null {
    return this.#read().find((known) => known.file === nameOf(file))?.id ?? null;
  }

  keep(file: File, id: string): void {
    const others = this.#read().filter((known) => known.file !== nameOf(file));
    this.#write([...others.slice(1 - MAX), { file: nameOf(file), id }]);
  }

  forget(file: File): void {
    const known = this.#read();
    const others = known.filter((one) => one.file !== nameOf(file));
    if (others.length < known.length) this.#write(others);
  }

  #read(): Read<typeof halves> {
    try {
      return parse(halves, this.#storage.getItem(KEY) ?? "[]");
    } catch {
      // Storage is forbidden, or holds something else.
      return [];
    }
  }

  #write(known: Read<typeof halves>): void {
    try {
      this.#storage.setItem(KEY, JSON.stringify(known));
    } catch {
      // Then it is only known as long as this page is open.
    }
  }
}

/** What tells a file from another that is called the same. */
function nameOf({ name, size, lastModified }: File): string {
  return JSON.stringify([name, size, lastModified]);
}
