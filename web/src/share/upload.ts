// Shell: one file on its way to the desktop, by the protocol of resumable uploads (tus 1.0): in slices, so that its progress
// can be told and a cut costs little. After a cut it asks how much has arrived and goes on from there, and so does the same file that
// is chosen once more. While somebody else is in control it waits.
import { retryDelayMs } from "../connection/backoff";
import type { Clock } from "../clock";
import type { Halves } from "./halves";

/** One request takes so much: a second on a line of 30 Mbit/s. */
export const SLICE_BYTES = 4 * 1024 * 1024;
/** Tries in a row that bring nothing although the server is there; with their pauses half a minute. */
export const MAX_TRIES = 12;
/** How often one looks that waits for the connection or for control. */
export const LOOK_MS = 500;

export interface UploadWorld {
  readonly clock: Clock;
  readonly random: () => number;
  readonly fetch: (path: string, init: RequestInit) => Promise<Response>;
  /** The path under which files are shared now. `null` while they are not, or the server cannot be reached. */
  base(): string | null;
  /** Whether that is because somebody else is in control, and not for want of a connection. */
  held(): boolean;
  /** What is known of files that have come to the desktop in part. */
  readonly halves: Halves;
}

export type UploadState =
  | { readonly name: "waiting" }
  | { readonly name: "running"; readonly bytes: number }
  /** The path is cut; it goes on by itself. */
  | { readonly name: "paused"; readonly bytes: number }
  /** Somebody else is in control; it goes on when this page is again. */
  | { readonly name: "held"; readonly bytes: number }
  | { readonly name: "done"; readonly as: string }
  | { readonly name: "failed"; readonly why: Why }
  | { readonly name: "cancelled" };

export type Why = "tooLarge" | "refused" | "full" | "tooMany" | "lost" | "unreadable";

export class Upload {
  readonly file: File;
  #world: UploadWorld;
  #changed: () => void;
  #state: UploadState = { name: "waiting" };
  #id: string | null = null;
  #at = 0;
  #tries = 0;
  #abort = new AbortController();

  constructor(file: File, world: UploadWorld, changed: () => void) {
    this.file = file;
    this.#world = world;
    this.#changed = changed;
  }

  get state(): UploadState {
    return this.#state;
  }

  get over(): boolean {
    return this.#state.name === "done" || this.#state.name === "failed" || this.#state.name === "cancelled";
  }

  cancel(): void {
    if (this.over) return;
    this.#become({ name: "cancelled" });
    this.#abort.abort();
    this.#leave();
  }

  /** What is there of it needs no room any more. What is not told is swept by the server. */
  #leave(): void {
    this.#world.halves.forget(this.file);
    const path = this.#path();
    if (path !== null) void this.#world.fetch(path, { method: "DELETE" }).catch(() => undefined);
  }

  #fail(why: Why): void {
    this.#become({ name: "failed", why });
    this.#leave();
  }

  /** Sends all of it. Never rejects; how it went is its state. */
  async run(): Promise<void> {
    while (!this.over) {
      if (this.#world.base() === null) {
        await this.#wait();
        continue;
      }
      try {
        await this.#step();
        this.#tries = 0;
      } catch {
        if (this.#cancelled()) return;
        if (++this.#tries >= MAX_TRIES) {
          // What has come is kept: the same file goes on where it was.
          this.#become({ name: "failed", why: "lost" });
          return;
        }
        this.#become({ name: "paused", bytes: this.#at });
        await this.#pause();
        await this.#ask();
      }
    }
  }

  /** Nothing is lost while nothing can be sent, however long that takes: the browser has the file. */
  async #wait(): Promise<void> {
    while (!this.over && this.#world.base() === null) {
      const name = this.#world.held() ? "held" : "paused";
      if (this.#state.name !== name) this.#become({ name, bytes: this.#at });
      await new Promise<void>((resolve) => {
        this.#world.clock.after(LOOK_MS, resolve);
      });
    }
    if (!this.over) await this.#ask();
  }

  /** Asked after a wait, when it may have been cancelled meanwhile. */
  #cancelled(): boolean {
    return this.#state.name === "cancelled";
  }

  #path(): string | null {
    const base = this.#world.base();
    return base === null || this.#id === null ? null : `${base}.uploads/${this.#id}`;
  }

  /** The next request. Throws where another try may help. */
  async #step(): Promise<void> {
    if (this.#id === null) {
      await this.#begin();
      return;
    }
    const path = this.#path();
    if (path === null) throw new Error("not connected");
    this.#become({ name: "running", bytes: this.#at });
    const slice = await this.#read(this.#at, Math.min(this.#at + SLICE_BYTES, this.file.size));
    if (slice === null) return;
    const response = await this.#world.fetch(path, {
      method: "PATCH",
      headers: { "tus-resumable": "1.0.0", "upload-offset": String(this.#at), "content-type": "application/offset+octet-stream" },
      body: slice,
      signal: this.#abort.signal,
    });
    if (!this.#accepted(response)) return;
    this.#at = offsetOf(response);
    this.#become({ name: "running", bytes: this.#at });
    this.#finish(response);
  }

  async #begin(): Promise<void> {
    const base = this.#world.base();
    if (base === null) throw new Error("not connected");
    this.#id = this.#world.halves.find(this.file);
    if (this.#id !== null) {
      await this.#ask();
      return;
    }
    const name = btoa(String.fromCharCode(...new TextEncoder().encode(this.file.name)));
    const response = await this.#world.fetch(base, {
      method: "POST",
      headers: { "tus-resumable": "1.0.0", "upload-length": String(this.file.size), "upload-metadata": `filename ${name}` },
      signal: this.#abort.signal,
    });
    if (!this.#accepted(response)) return;
    this.#id = response.headers.get("location")?.split("/").at(-1) ?? null;
    if (this.#id !== null) this.#world.halves.keep(this.file, this.#id);
    this.#finish(response);
  }

  /** Asks where it stands after a cut. */
  async #ask(): Promise<void> {
    const path = this.#path();
    if (path === null) return;
    try {
      const response = await this.#world.fetch(path, { method: "HEAD", headers: { "tus-resumable": "1.0.0" }, signal: this.#abort.signal });
      if (response.ok) {
        this.#at = offsetOf(response);
        this.#finish(response);
      }
      // The server is another one, or it was too long ago.
      else if (response.status === 404) {
        this.#id = null;
        this.#at = 0;
        this.#world.halves.forget(this.file);
      }
    } catch {
      // The next try asks again.
    }
  }

  #finish(response: Response): void {
    const as = response.headers.get("upload-name");
    if (as === null) return;
    this.#world.halves.forget(this.file);
    this.#become({ name: "done", as: decodeURIComponent(as) });
  }

  /** Whether the server takes it; what no other try helps against is the end. Throws for the rest. */
  #accepted(response: Response): boolean {
    if (response.ok) return true;
    const why = { 400: "refused", 413: "tooLarge", 429: "tooMany", 507: "full" } as const;
    const end = why[response.status as keyof typeof why] as Why | undefined;
    if (end === undefined) throw new Error(`status ${response.status}`);
    this.#fail(end);
    return false;
  }

  /** A part of the file. It may have been changed or removed since it was chosen. */
  async #read(from: number, to: number): Promise<ArrayBuffer | null> {
    try {
      return await this.file.slice(from, to).arrayBuffer();
    } catch {
      this.#fail("unreadable");
      return null;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#world.clock.after(retryDelayMs(this.#tries - 1, this.#world.random()), resolve);
    });
  }

  #become(state: UploadState): void {
    if (this.over) return;
    this.#state = state;
    this.#changed();
  }
}

function offsetOf(response: Response): number {
  const offset = Number(response.headers.get("upload-offset"));
  if (!Number.isSafeInteger(offset) || offset < 0) throw new Error("no offset");
  return offset;
}
