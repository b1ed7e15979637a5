// Shell: writes the words of the table into the page's own HTML, where attributes name them.
import { missing, say } from "../chrome/curtain";
import { doctorWords, language, words } from "./language";
import { TAGS } from "./languages";

/** Writes every word that stands still; what changes is written by whoever changes it. */
export function writeWords(root: HTMLElement): void {
  root.lang = TAGS[language()];
  for (const element of root.querySelectorAll<HTMLElement>("[data-word]")) say(element, found(words, element.dataset.word));
  for (const element of root.querySelectorAll<HTMLElement>("[data-label]")) element.setAttribute("aria-label", found(words, element.dataset.label));
  for (const element of root.querySelectorAll<HTMLElement>("[data-hint]")) element.title = found(words, element.dataset.hint);
  for (const element of root.querySelectorAll<HTMLElement>("[data-doctor]")) say(element, found(doctorWords, element.dataset.doctor));
  for (const element of root.querySelectorAll<HTMLElement>("[data-doctor-label]")) element.setAttribute("aria-label", found(doctorWords, element.dataset.doctorLabel));
}

function found(table: object, name: string | undefined): string {
  const word: unknown = name !== undefined && Object.hasOwn(table, name) ? table[name as keyof typeof table] : undefined;
  return typeof word === "string" ? word : missing(`word ${name ?? ""}`);
}
