// Shell: what stands on the page while there is no stream: the words, a spinner, and what the user can do.
import type { Action, Announcement } from "../words/messages";

export class Curtain {
  #root: HTMLElement;
  #title: HTMLElement;
  #detail: HTMLElement;
  #when: HTMLElement;
  #quote: HTMLElement;
  #button: HTMLButtonElement;
  #action: Action | null = null;

  constructor(root: HTMLElement, callback: (action: Action) => void) {
    const find = <E extends HTMLElement>(name: string): E => root.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
    this.#root = root;
    this.#title = find("title");
    this.#detail = find("detail");
    this.#when = find("when");
    this.#quote = find("quote");
    this.#button = find("action");
    this.#button.addEventListener("click", () => {
      if (this.#action) callback(this.#action);
    });
  }

  /** Shows an announcement; `overPicture` lets the last picture shine through. */
  show(announcement: Announcement | null, overPicture: boolean): void {
    this.#root.hidden = announcement === null;
    if (!announcement) return;
    this.#root.dataset.busy = String(announcement.busy);
    this.#root.dataset.over = overPicture ? "picture" : "nothing";
    say(this.#title, announcement.title);
    say(this.#detail, announcement.detail);
    say(this.#when, announcement.when);
    say(this.#quote, announcement.quote);
    this.#quote.hidden = announcement.quote === "";
    const before = this.#action;
    this.#action = announcement.action?.does ?? null;
    this.#button.hidden = !announcement.action;
    if (announcement.action) say(this.#button, announcement.action.label);
    // The only thing to do gets the focus, so that Enter does it.
    if (this.#action && !before) this.#button.focus({ preventScroll: true });
  }
}

/** Changes a text only if it differs: screen readers announce what is written anew. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function missing(what: string): never {
  throw new Error(`the page lacks its element ${what}`);
}
