// Shell: short messages from the server at the edge of the page; they go by themselves unless they tell of an error.
import type { Clock } from "./clock";
import { words } from "./messages";
import type { NoticeLevel } from "./protocol";

/** How long a notice stays: long enough to read two sentences. */
export const STAY_MS = 8000;
/** Notices on the page at once; the oldest makes room. */
export const MAX_NOTICES = 4;

export class Notices {
  #root: HTMLElement;
  #clock: Clock;

  constructor(root: HTMLElement, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
  }

  add(level: NoticeLevel, text: string): void {
    for (const shown of this.#root.children) if (shown.firstChild?.textContent === text) return;
    while (this.#root.children.length >= MAX_NOTICES) this.#root.firstElementChild?.remove();
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.dataset.level = level;
    const sentence = document.createElement("p");
    sentence.textContent = text;
    sentence.title = text;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.setAttribute("aria-label", words.dismiss);
    button.textContent = "×";
    button.addEventListener("click", () => {
      notice.remove();
    });
    notice.append(sentence, button);
    this.#root.append(notice);
    if (level !== "error") {
      this.#clock.after(STAY_MS, () => {
        notice.remove();
      });
    }
  }
}
