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

/** What only some notices have. */
export interface NoticeMore {
  /** A tab shows a notice of this name once. */
  readonly once?: string | undefined;
  /** The page's role of which it tells; it goes when that is another. */
  readonly role?: Role;
  /** The particulars, for whoever opens them. */
  readonly particulars?: string;
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
    const text = noticeWords(notice);
    this.add(notice.level, text, { once: notice.once, ...(notice.text !== text && { particulars: notice.text }) });
  }

  /** Takes away what tells of another role than the page has. */
  role(role: Role): void {
    for (const notice of [...this.#root.querySelectorAll<HTMLElement>("[data-for]")]) if (notice.dataset.for !== role) notice.remove();
  }

  add(level: NoticeLevel, text: string, { once, role, particulars }: NoticeMore = {}): void {
    if (once !== undefined && !this.#remember(once)) return;
    for (const shown of this.#root.children) {
      if (shown.querySelector("p")?.textContent !== text) continue;
      // The same with other particulars is the newer.
      const quote = shown.querySelector("q");
      if (quote && particulars !== undefined) quote.textContent = particulars;
      return;
    }
    while (this.#root.children.length >= MAX_NOTICES) this.#root.firstElementChild?.remove();
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.dataset.level = level;
    if (role) notice.dataset.for = role;
    const says = document.createElement("div");
    const sentence = says.appendChild(document.createElement("p"));
    sentence.textContent = text;
    if (particulars !== undefined) says.append(folded(particulars));
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.setAttribute("aria-label", words.dismiss);
    button.textContent = "×";
    button.addEventListener("click", () => {
      notice.remove();
    });
    notice.append(says, button);
    this.#root.append(notice);
    if (level !== "error") {
      this.#clock.after(STAY_MS, () => {
        // Whoever reads the particulars takes longer, and dismisses it.
        if (!says.querySelector("details[open]")) notice.remove();
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

/** What the server says itself, which only some want to read. */
function folded(text: string): HTMLElement {
  const details = document.createElement("details");
  const summary = details.appendChild(document.createElement("summary"));
  summary.textContent = words.particulars;
  const quote = details.appendChild(document.createElement("q"));
  quote.textContent = text;
  return details;
}
