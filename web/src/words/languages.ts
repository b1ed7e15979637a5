// Decision: which of the page's languages somebody reads.

/** The languages, each by its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español", fr: "Français", ja: "日本語", zh: "中文" } as const;

export type Language = keyof typeof LANGUAGES;

/** What stands in `<html lang>`: browsers choose the shapes of Chinese characters by it. */
export const TAGS: Readonly<Record<Language, string>> = { en: "en", de: "de", es: "es", fr: "fr", ja: "ja", zh: "zh-Hans" };

/** The entry of the browser's memory with the language that was chosen in the page. */
export const LANGUAGE_KEY = "gst-vdi.language";

export function isLanguage(name: string | null): name is Language {
  return name !== null && Object.hasOwn(LANGUAGES, name);
}

/** The one that was chosen, else the first of the browser's that there is, else English. */
export function choose(chosen: string | null, preferred: readonly string[]): Language {
  if (isLanguage(chosen)) return chosen;
  return preferred.map((tag) => tag.toLowerCase().split("-")[0] ?? "").find(isLanguage) ?? "en";
}
