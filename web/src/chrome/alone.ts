// Decision: whether the server is a stream alone, a pipeline that hosts this page without a launcher. A launcher tells each page its
// role together with the media. Whoever was told one, be it once, has a launcher; and what is alone stays so until one is told.
import type { Role } from "../wire/protocol";
import type { Sound } from "../picture/media";

/** For so long a picture is shown without a word of a role: each other message has come many times by then. */
export const ALONE_MS = 5000;

/** Hides what has an effect with a launcher only (`data-with="launcher"`), or with one or with sound (`data-with="sound"`); shows
 * what is so without one (`data-with="stream"`). */
export class Alone {
  #parts: readonly HTMLElement[];
  #launched = false;
  #sinceMs: number | null = null;
  #silent = false;
  #is = false;

  constructor(root: HTMLElement) {
    this.#parts = [...root.querySelectorAll<HTMLElement>("[data-with]")];
  }

  get is(): boolean {
    return this.#is;
  }

  /** `streams`: the picture is shown, and the server has told of its media. To be called at least each second. */
  show(streams: boolean, role: Role | null, sound: Sound, nowMs: number): void {
    this.#launched ||= role !== null;
    if (!streams) this.#sinceMs = null;
    else this.#sinceMs ??= nowMs;
    this.#is = !this.#launched && (this.#is || (this.#sinceMs !== null && nowMs - this.#sinceMs >= ALONE_MS));
    // Whether there is sound is only known of a stream that is here.
    if (streams) this.#silent = sound === "none";
    for (const part of this.#parts) {
      const { with: needs } = part.dataset;
      part.hidden = needs === "stream" ? !this.#is : this.#is && (needs === "launcher" || this.#silent);
    }
  }
}
