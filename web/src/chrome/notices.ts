// Shell: short messages from the server at the edge of the page; they go by themselves unless they tell of an error.
import type { Clock } from "../clock";
import { words } from "../words/language";
import { noticeWords } from "../words/notices";
import type { Notice, NoticeLevel, Role } from "../wire/protocol";

/** How long a notice stays: long enough to read two sentences. */
export const STAY_MS = 8000;
/** Where a tab remembers what it has shown, in the browser `sessionStorage`: it outlives a reload, not the tab. */
export type Memory = Pick<Storage, "getItem" | "setItem">;
/** The entry under which it does. */
export const MEMORY_KEY = "gst-vdi.notices";
/** Names that are remembered; the oldest makes room. */
const MAX_REMEMBERED = 16;

/** Notices on the page at once; the oldest makes room. */
export const MAX_NOTICES = 4;

/** A button beside a notice, which takes the notice away. */
export interface NoticeAction {
  readonly label: string;
  /** The page's role for which the notice is; it is not seen in another. */
  readonly role: Role;
  does(): void;
}

export class Notices {
  #root: HTMLElement;
  #clock: Clock;
  #memory: Memory;

  constructor(root: HTMLElement, clock: Clock, memory: Memory) {
    this.#root = root;
    this.#clock = clock;
    this.#memory = memory;
  }

  /** Shows a notice of the server's, whose own sentence has more of the particulars. */
  tell(notice: Notice): void {
    this.add(notice.level, noticeWords(notice), notice.once, null, notice.text);
  }

  /** Shows a notice; one with a name only if this tab has not shown one of that name. `action`: what the user may do; `hint`: what it says under a pointer. */
  add(level: NoticeLevel, text: string, once: string | null = null, action: NoticeAction | null = null, hint = text): void {
    if (once !== null && !this.#remember(once)) return;
    for (const shown of this.#root.children) if (shown.firstChild?.textContent === text) return;
    while (this.#root.children.length >= MAX_NOTICES) this.#root.firstElementChild?.remove();
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.dataset.level = level;
    const sentence = document.createElement("p");
    sentence.textContent = text;
    sentence.title = hint;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.setAttribute("aria-label", words.dismiss);
    button.textContent = "×";
    button.addEventListener("click", () => {
      notice.remove();
    });
    notice.append(sentence);
    if (action) {
      notice.dataset.for = action.role;
      const act = document.createElement("button");
      act.type = "button";
      act.textContent = action.label;
      act.addEventListener("click", () => {
        notice.remove();
        action.does();
      });
      notice.append(act);
    }
    notice.append(button);
    this.#root.append(notice);
    if (level !== "error") {
      this.#clock.after(STAY_MS, () => {
        notice.remove();
      });
    }
  }

  /** Whether the name is a new one; from now on it is not. */
  #remember(name: string): boolean {
    try {
      const names = (this.#memory.getItem(MEMORY_KEY) ?? "").split(" ").filter(Boolean);
      if (names.includes(name)) return false;
      this.#memory.setItem(MEMORY_KEY, [...names, name].slice(-MAX_REMEMBERED).join(" "));
    } catch {
      // A browser that keeps nothing for this page shows it again.
    }
    return true;
  }
}
