// Shell: tabs, of which one is shown, worked as ARIA's authoring practices have it: one stop of the Tab key, arrows between them.
import { missing } from "../chrome/curtain";

export class Tabs {
  #tabs: HTMLElement[];
  #callback: (shown: string) => void;

  /** The callback hears the `id` of the tab that is shown from now on. */
  constructor(list: HTMLElement, callback: (shown: string) => void) {
    this.#tabs = [...list.querySelectorAll<HTMLElement>('[role="tab"]')];
    this.#callback = callback;
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => {
        this.show(tab.id);
      });
      tab.addEventListener("keydown", (event) => {
        const offered = this.#tabs.filter(({ hidden }) => !hidden);
        const index = offered.indexOf(tab);
        const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: -1 }[event.key];
        const next = to === undefined ? undefined : offered.at(to % offered.length);
        if (!next) return;
        event.preventDefault();
        this.show(next.id);
        next.focus();
      });
    }
    const [first] = this.#tabs;
    if (first) this.#select(first.id);
  }

  get shown(): string {
    return this.#tabs.find((tab) => tab.ariaSelected === "true")?.id ?? "";
  }

  show(id: string): void {
    if (id === this.shown) return;
    this.#select(id);
    this.#callback(id);
  }

  /** Whether a tab is there at all; one that is not is not shown. */
  offer(id: string, there: boolean): void {
    for (const tab of this.#tabs) if (tab.id === id) tab.hidden = !there;
    const [first] = this.#tabs;
    if (!there && first && id === this.shown) this.show(first.id);
  }

  #select(id: string): void {
    for (const tab of this.#tabs) {
      const selected = tab.id === id;
      tab.ariaSelected = String(selected);
      tab.tabIndex = selected ? 0 : -1;
      const part = tab.getAttribute("aria-controls") ?? "";
      (document.getElementById(part) ?? missing(part)).hidden = !selected;
    }
  }
}
