// Shell: the choice of the page's language: as the browser has it, or one that somebody picked here and the browser remembers.
import { words } from "../words/language";
import { choose, isLanguage, LANGUAGE_KEY, LANGUAGES, type Language } from "../words/languages";

/** The browser's memory; it throws where it is forbidden. */
export type Memory = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class LanguageChoice {
  #select: HTMLSelectElement;
  #memory: Memory;
  #preferred: readonly string[];
  #chosen: Language | null;

  /** `preferred`: the browser's languages, best first. The callback hears of every choice. */
  constructor(select: HTMLSelectElement, memory: Memory, preferred: readonly string[], callback: (language: Language) => void) {
    this.#select = select;
    this.#memory = memory;
    this.#preferred = preferred;
    this.#chosen = this.#remembered();
    const names = Object.entries(LANGUAGES).map(([language, name]) => {
      const option = new Option(name, language);
      option.lang = language;
      return option;
    });
    select.replaceChildren(new Option("", ""), ...names);
    select.addEventListener("change", () => {
      this.#chosen = isLanguage(select.value) ? select.value : null;
      this.#remember();
      callback(this.language);
    });
    this.show();
  }

  get language(): Language {
    return choose(this.#chosen, this.#preferred);
  }

  /** Back to the browser's own. */
  forget(): void {
    if (this.#chosen === null) return;
    this.#select.value = "";
    this.#select.dispatchEvent(new Event("change"));
  }

  /** Writes the words of the language that is spoken now. */
  show(): void {
    const own = this.#select.options[0];
    if (own) own.text = words.ownLanguage(LANGUAGES[choose(null, this.#preferred)]);
    this.#select.value = this.#chosen ?? "";
  }

  #remembered(): Language | null {
    try {
      const name = this.#memory.getItem(LANGUAGE_KEY);
      return isLanguage(name) ? name : null;
    } catch {
      return null;
    }
  }

  #remember(): void {
    try {
      if (this.#chosen === null) this.#memory.removeItem(LANGUAGE_KEY);
      else this.#memory.setItem(LANGUAGE_KEY, this.#chosen);
    } catch {
      // A browser that keeps nothing for this page is asked again the next time.
    }
  }
}
