// The tables against each other: every language has every word, in its own script, with what is put into it.
import { afterEach, describe, expect, it } from "vitest";
import { table as de } from "./de";
import { table as en } from "./en";
import { table as es } from "./es";
import { table as fr } from "./fr";
import { table as ja } from "./ja";
import { doctorWords, figure, language, speak, words } from "./language";
import { choose } from "./languages";
import type { Table } from "./table";
import { table as zh } from "./zh";
import { milliseconds } from "../panel/waterfall";

/** Every word of a table by its place; a sentence with gaps has digits in them, which read as a word and as a number. */
function said(table: unknown, place = ""): [string, string][] {
  if (typeof table === "string") return [[place, table]];
  if (typeof table === "function") return [[place, (table as (...of: string[]) => string)(...["71", "72", "73", "74", "75"].slice(0, table.length))]];
  return Object.entries(table as object).flatMap(([name, inner]) => said(inner, `${place}.${name}`));
}

afterEach(async () => {
  await speak("en");
});

describe.each(Object.entries({ de, es, fr, ja, zh }))("the table of %s", (name, table: Table) => {
  const english = new Map(said(en));
  const other = said(table);

  it("has every word", () => {
    expect(other.map(([place]) => place)).toEqual([...english.keys()]);
    const empty = other.filter(([place, text]) => text === "" && english.get(place) !== "");
    expect(empty).toEqual([]);
  });

  it("is translated: hardly a word is the English one", () => {
    const same = other.filter(([place, text]) => /[a-z]{4}/.test(text) && text === english.get(place)).map(([place]) => place);
    expect(same.length, same.join(", ")).toBeLessThan(16);
  });

  it("puts into every sentence what English puts into it", () => {
    const gaps = (text: string): string[] => [...new Set(text.match(/7[1-9]/g) ?? [])].sort();
    const lost = other.filter(([place, text]) => gaps(text).join() !== gaps(english.get(place) ?? "").join()).map(([place]) => place);
    expect(lost).toEqual([]);
  });

  it(name === "ja" || name === "zh" ? "has no Latin sentence" : "has no Chinese or Japanese sign", () => {
    const cjk = /[\u3040-\u30ff\u4e00-\u9fff]/;
    const wrong = name === "ja" || name === "zh" ? other.filter(([, text]) => /[a-z]+ [a-z]+ [a-z]+/.test(text) && !cjk.test(text)) : other.filter(([, text]) => cjk.test(text));
    expect(wrong).toEqual([]);
  });
});

describe("the language", () => {
  it("is the one that was chosen, else the browser's first that there is, else English", () => {
    expect(choose("ja", ["de"])).toBe("ja");
    expect(choose(null, ["pt-BR", "fr-CA", "de"])).toBe("fr");
    expect(choose(null, ["ZH-Hant-TW"])).toBe("zh");
    expect(choose(null, ["pt"])).toBe("en");
    expect(choose("klingon", ["es-419"])).toBe("es");
    expect(choose("constructor", [])).toBe("en");
  });

  it("changes every word, and how numbers are written", async () => {
    expect([words.tryAgain, doctorWords.copy, milliseconds(9.4), figure(12_345)]).toEqual(["Try again", "Copy report", "9.4", "12,345"]);
    await speak("de");
    expect([language(), words.tryAgain, doctorWords.copy, milliseconds(9.4), figure(12_345)]).toEqual([
      "de",
      "Noch einmal versuchen",
      "Bericht kopieren",
      "9,4",
      "12.345",
    ]);
  });

  it("is the last one that was asked for, whichever is loaded first", async () => {
    await Promise.all([speak("fr"), speak("en")]);
    expect(language()).toBe("en");
  });
});
