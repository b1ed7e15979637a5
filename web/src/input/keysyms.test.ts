import { describe, expect, it } from "vitest";
import { keysymOf, keysymOfCharacter, latinOf } from "./keysyms";

const of = (key: string, location = 0, code = "", mac = false): number | null => keysymOf({ key, code, location }, mac);

describe("characters", () => {
  it("of Latin-1 are their own keysym", () => {
    expect(["a", "A", " ", "~", "ü", "ÿ"].map((key) => of(key))).toEqual([0x61, 0x41, 0x20, 0x7e, 0xfc, 0xff]);
  });
  it("beyond it are their code point above 0x01000000, also those of two UTF-16 units", () => {
    expect(["€", "ж", "😀"].map((key) => of(key))).toEqual([0x10020ac, 0x1000436, 0x101f600]);
  });
  it("that control are keys or nothing", () => {
    expect(["\n", "\t", "\b", "\u0001", "\u007f", ""].map(keysymOfCharacter)).toEqual([0xff0d, 0xff09, 0xff08, null, null, null]);
  });
});

describe("named keys", () => {
  it("go by name", () => {
    expect(["Enter", "Escape", "ArrowLeft", "Delete", "F1", "F12", "F35"].map((key) => of(key))).toEqual([
      0xff0d, 0xff1b, 0xff51, 0xffff, 0xffbe, 0xffc9, 0xffe0,
    ]);
  });
  it("go by side where there are two", () => {
    expect([of("Shift", 1), of("Shift", 2), of("Control", 1), of("Control", 2), of("Alt", 2), of("Meta", 1)]).toEqual([
      0xffe1, 0xffe2, 0xffe3, 0xffe4, 0xffea, 0xffeb,
    ]);
  });
  it("of the number pad have keysyms of their own", () => {
    expect([of("7", 3), of("Home", 3), of("Enter", 3), of("+", 3), of(".", 3, "NumpadDecimal"), of(",", 3, "NumpadDecimal")]).toEqual([
      0xffb7, 0xff95, 0xff8d, 0xffab, 0xffae, 0xffac,
    ]);
  });
  it("that a browser cannot name, dead keys and locks mean nothing", () => {
    expect(["Unidentified", "Dead", "Process", "CapsLock", "NumLock", "F36", "constructor"].map((key) => of(key))).toEqual(Array(7).fill(null));
  });
});

it("on a Mac, Option is AltGr, Command is Control, and the right Command stays Super", () => {
  expect([of("Alt", 1, "AltLeft", true), of("Meta", 1, "MetaLeft", true), of("Meta", 2, "MetaRight", true)]).toEqual([0xfe03, 0xffe3, 0xffeb]);
});

describe("shortcuts", () => {
  const none = { shiftKey: false, ctrlKey: false, altKey: false, metaKey: false };
  const latin = (key: string, code: string, modifiers: Partial<typeof none>): string | null => latinOf({ key, code, location: 0 }, { ...none, ...modifiers });

  it("of another alphabet mean the Latin letter of that key", () => {
    expect([latin("с", "KeyC", { ctrlKey: true }), latin("С", "KeyC", { ctrlKey: true, shiftKey: true }), latin("ж", "Semicolon", { metaKey: true })]).toEqual(["c", "C", ";"]);
    expect([latin("σ", "KeyS", { ctrlKey: true }), latin("№", "Digit3", { ctrlKey: true, shiftKey: true }), latin("Dead", "Semicolon", { ctrlKey: true })]).toEqual(["s", "#", ";"]);
  });
  it("of a Latin layout are what is written on the key, wherever it stands", () => {
    expect([latin("z", "KeyY", { ctrlKey: true }), latin("ö", "Semicolon", { ctrlKey: true }), latin("Enter", "Enter", { ctrlKey: true })]).toEqual([null, null, null]);
  });
  it("are those with Control or Command: letters alone and menus with Alt stay as they are", () => {
    expect([latin("с", "KeyC", {}), latin("ф", "KeyA", { altKey: true })]).toEqual([null, null]);
  });
  it("with Command and Option mean the key, not what Option composes", () => {
    expect(latin("†", "KeyT", { metaKey: true, altKey: true })).toBe("t");
    expect(latin("å", "KeyA", { metaKey: true, altKey: true })).toBe("a");
  });
});
