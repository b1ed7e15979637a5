import { describe, expect, it } from "vitest";
import { keysymOf, keysymOfCharacter, type Platform } from "./keysyms";

const of = (key: string, location = 0, code = "", platform: Platform = "other"): number | null => keysymOf({ key, code, location }, platform);

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

it("on a Mac, Option is AltGr and Command is Alt", () => {
  expect([of("Alt", 1, "AltLeft", "mac"), of("Meta", 1, "MetaLeft", "mac"), of("Meta", 2, "MetaRight", "mac")]).toEqual([0xfe03, 0xffe9, 0xffeb]);
});
