// Shell: the language that the page speaks now. English is part of the page; every other language is a file of its own that
// is loaded when it is spoken, so that nobody waits for six.
import { table as english } from "./en";
import type { Language } from "./languages";
import type { DoctorWords, PageWords, ShareWords, Table } from "./table";

/** The words of the language that is spoken; they change with it, so nobody keeps them. */
export let words: PageWords & ShareWords = { ...english.page, ...english.share };
export let doctorWords: DoctorWords = english.doctor;
let spoken: Language = "en";
let wanted: Language = "en";

const OTHERS: Readonly<Record<Exclude<Language, "en">, () => Promise<{ readonly table: Table }>>> = {
  de: () => import("./de"),
  es: () => import("./es"),
  fr: () => import("./fr"),
  ja: () => import("./ja"),
  zh: () => import("./zh"),
};

/** Loads a language and speaks it, unless another was wanted meanwhile. It rejects where the table cannot be loaded. */
export async function speak(language: Language): Promise<void> {
  wanted = language;
  const table = language === "en" ? english : (await OTHERS[language]()).table;
  if (wanted !== language) return;
  spoken = language;
  words = { ...table.page, ...table.share };
  doctorWords = table.doctor;
}

export function language(): Language {
  return spoken;
}

const formats = new Map<string, Intl.NumberFormat>();

/** A number as the language writes it, with so many digits after its point. */
export function figure(value: number, digits = 0): string {
  const key = `${spoken} ${digits}`;
  const format = formats.get(key) ?? new Intl.NumberFormat(spoken, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  formats.set(key, format);
  return format.format(value);
}
