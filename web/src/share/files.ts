// Shell: files between this page and the desktop's shared folder, in the panel: uploads by drop and by dialog, one after the
// other, and the folder's list for download. What a file may is the server's decision.
import { missing, say } from "../chrome/curtain";
import type { Clock } from "../clock";
import { fileList, type FileEntry, type FilesPolicy } from "../wire/protocol";
import { parse } from "../wire/schema";
import { figure, words } from "../words/language";
import { Halves } from "./halves";
import { Upload, type UploadState, type UploadWorld } from "./upload";

export interface FilesSurroundings {
  readonly clock: Clock;
  /** Where files are dropped. */
  readonly stage: HTMLElement;
  /** Its place in the panel. */
  readonly panel: HTMLElement;
  /** Says that a file may be dropped here. */
  readonly target: HTMLElement;
  readonly fetch: (path: string, init: RequestInit) => Promise<Response>;
  /** Whether the server is there, as far as that is known. */
  reached(): boolean;
  readonly random: () => number;
  readonly storage: Pick<Storage, "getItem" | "setItem">;
  warn(text: string): void;
  /** Shows the panel, since something happens in it. */
  reveal(): void;
}

/** Uploads that the panel shows; those that are over make room. */
const MAX_SHOWN = 8;

export class Files {
  #around: FilesSurroundings;
  #policy: FilesPolicy | null = null;
  #halves: Halves;
  #uploads: Upload[] = [];
  /** Written anew, a button would lose the focus, and a click that has begun. */
  #rows = new Map<Upload, Row>();
  #running = false;
  #folder: string[] = [];

  constructor(around: FilesSurroundings) {
    this.#around = around;
    this.#halves = new Halves(around.storage);
    const { stage, target } = around;
    const chooser = this.#part<HTMLInputElement>("chooser");
    this.#part("choose").addEventListener("click", () => {
      chooser.click();
    });
    chooser.addEventListener("change", () => {
      this.#add(Array.from(chooser.files ?? []));
      chooser.value = "";
    });
    this.#part("refresh").addEventListener("click", () => {
      void this.#list();
    });
    this.#part<HTMLDetailsElement>("folder").addEventListener("toggle", () => {
      if (this.#part<HTMLDetailsElement>("folder").open) void this.#list();
    });
    // Everywhere, or the browser would open the file in place of the desktop.
    for (const type of ["dragenter", "dragover"] as const) {
      window.addEventListener(type, (event) => {
        if (event.dataTransfer?.types.includes("Files") !== true) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = this.#policy?.write === true ? "copy" : "none";
        target.hidden = this.#policy?.write !== true;
      });
    }
    window.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) target.hidden = true;
    });
    window.addEventListener("drop", (event) => {
      if (event.dataTransfer?.types.includes("Files") !== true) return;
      event.preventDefault();
      target.hidden = true;
      this.#add(filesOf(event.dataTransfer));
      stage.focus();
    });
  }

  allow(policy: FilesPolicy | null): void {
    const could = this.#policy?.write === true;
    this.#policy = policy;
    // Whoever waits for a file looks at it, and not at a panel.
    const running = could && policy?.write === false ? this.#uploads.find((upload) => !upload.over) : undefined;
    if (running) this.#around.warn(`${running.file.name}: ${words.uploadState.held}`);
    this.#show();
    void this.#go();
  }

  #add(files: readonly File[]): void {
    const policy = this.#policy;
    if (policy?.write !== true || files.length === 0) return;
    for (const file of files) {
      if (file.size > policy.maxBytes) {
        this.#around.warn(words.fileTooLarge(file.name, bytesWords(policy.maxBytes)));
        continue;
      }
      this.#uploads.push(new Upload(file, this.#world, () => { this.#show(); }));
    }
    while (this.#uploads.length > MAX_SHOWN) {
      const over = this.#uploads.findIndex((upload) => upload.over);
      if (over < 0) break;
      this.#uploads.splice(over, 1);
    }
    this.#around.reveal();
    this.#show();
    void this.#go();
  }

  /** Sends one after the other. */
  async #go(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#next(); next; next = this.#next()) await next.run();
    this.#running = false;
    if (this.#part<HTMLDetailsElement>("folder").open) await this.#list();
  }

  #next(): Upload | undefined {
    return this.#policy?.write === true ? this.#uploads.find((upload) => !upload.over) : undefined;
  }

  get #world(): UploadWorld {
    const { clock, random, fetch } = this.#around;
    const held = (): boolean => this.#policy?.write === false;
    const base = (): string | null => (this.#around.reached() ? this.#base(this.#policy?.write) : null);
    return { clock, random, fetch, base, held, halves: this.#halves };
  }

  #base(may: boolean | undefined): string | null {
    return may === true && this.#policy ? `files/${this.#policy.token}/` : null;
  }

  async #list(): Promise<void> {
    const base = this.#base(this.#policy?.read);
    if (base === null) return;
    const place = this.#folder.map(encodeURIComponent).join("/");
    try {
      const response = await this.#around.fetch(base + place, {});
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.#showList(parse(fileList, await response.text()).entries);
    } catch (error) {
      console.warn("gst-vdi: the folder cannot be listed:", error);
      if (this.#folder.length > 0) {
        this.#folder = [];
        await this.#list();
      }
    }
  }

  #showList(entries: readonly FileEntry[]): void {
    const list = this.#part("list");
    list.replaceChildren();
    if (this.#folder.length > 0) list.append(this.#folderItem("..", this.#folder.slice(0, -1)));
    for (const entry of entries) list.append(entry.folder ? this.#folderItem(entry.name, [...this.#folder, entry.name]) : this.#fileItem(entry));
    if (list.childElementCount === 0) {
      const item = document.createElement("li");
      say(item, words.folderEmpty);
      list.append(item);
    }
  }

  #folderItem(name: string, place: string[]): HTMLElement {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "folder";
    say(button, name === ".." ? words.folderUp : name);
    button.addEventListener("click", () => {
      this.#folder = place;
      void this.#list();
    });
    item.append(button);
    return item;
  }

  #fileItem(entry: FileEntry): HTMLElement {
    const item = document.createElement("li");
    const link = document.createElement("a");
    // The browser's own download shows its progress, and can be paused and resumed there.
    link.href = (this.#base(true) ?? "") + [...this.#folder, entry.name].map(encodeURIComponent).join("/");
    link.download = entry.name;
    say(link, entry.name);
    const size = document.createElement("span");
    say(size, bytesWords(entry.bytes));
    item.append(link, size);
    return item;
  }

  #show(): void {
    const { panel } = this.#around;
    const policy = this.#policy;
    panel.hidden = (policy === null || (!policy.read && !policy.write)) && this.#uploads.every((upload) => upload.over);
    panel.dataset.token = policy?.token ?? "";
    this.#part("choose").hidden = this.#part("dropHint").hidden = policy?.write !== true;
    this.#part("folder").hidden = policy?.read !== true;
    for (const [upload, row] of this.#rows) {
      if (this.#uploads.includes(upload)) continue;
      row.item.remove();
      this.#rows.delete(upload);
    }
    for (const upload of this.#uploads) {
      let row = this.#rows.get(upload);
      if (!row) {
        row = rowOf(upload);
        this.#rows.set(upload, row);
        this.#part("uploads").append(row.item);
      }
      fill(row, upload);
    }
  }

  #part<E extends HTMLElement = HTMLElement>(name: string): E {
    return this.#around.panel.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}

/** What the panel shows of an upload. */
interface Row {
  readonly item: HTMLElement;
  readonly name: HTMLElement;
  readonly says: HTMLElement;
  readonly cancel: HTMLButtonElement;
  readonly bar: HTMLProgressElement;
}

function rowOf(upload: Upload): Row {
  const { file } = upload;
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "name";
  const says = document.createElement("span");
  says.className = "says";
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.className = "quiet";
  cancel.textContent = "×";
  cancel.addEventListener("click", () => {
    upload.cancel();
  });
  const bar = document.createElement("progress");
  bar.max = Math.max(file.size, 1);
  bar.setAttribute("aria-label", file.name);
  item.append(name, says, cancel, bar);
  return { item, name, says, cancel, bar };
}

function fill({ item, name, says, cancel, bar }: Row, { state, file, over }: Upload): void {
  item.dataset.state = state.name;
  say(name, state.name === "done" ? state.as : file.name);
  say(says, stateWords(state, file.size));
  cancel.setAttribute("aria-label", words.cancelUpload(file.name));
  bar.value = "bytes" in state ? state.bytes : 0;
  if (!over) return;
  cancel.remove();
  bar.remove();
}

/** Files of a drop; folders, which browsers give as empty files, are left out. */
function filesOf(data: DataTransfer): File[] {
  return Array.from(data.items).flatMap((item) => {
    const file = item.kind === "file" && item.webkitGetAsEntry()?.isDirectory !== true ? item.getAsFile() : null;
    return file ? [file] : [];
  });
}

export function bytesWords(bytes: number): string {
  if (bytes < 1e3) return words.bytes(figure(bytes));
  if (bytes < 1e6) return words.kilobytes(figure(bytes / 1e3, bytes < 1e4 ? 1 : 0));
  return bytes < 1e9 ? words.megabytes(figure(bytes / 1e6, bytes < 1e7 ? 1 : 0)) : words.gigabytes(figure(bytes / 1e9, 1));
}

function stateWords(state: UploadState, size: number): string {
  switch (state.name) {
    case "running":
      return words.uploaded(bytesWords(state.bytes), bytesWords(size));
    case "failed":
      return words.uploadFailed[state.why];
    default:
      return words.uploadState[state.name];
  }
}
