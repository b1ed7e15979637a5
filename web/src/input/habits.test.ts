import { expect, it } from "vitest";
import { keep, kept, USUAL, type Habits } from "./habits";

const storage = (text: string | null) => ({ getItem: () => text });

it("habits are kept between visits", () => {
  let text = "";
  const habits: Habits = { macKeys: "on", touchMode: "trackpad", rumble: false };
  keep({ setItem: (_, value) => (text = value) }, habits);
  expect(kept(storage(text))).toEqual(habits);
});

it("what is none of them is as usual", () => {
  for (const text of [null, "", "null", "7", "{", '{"macKeys":"often","touchMode":3,"rumble":"no"}']) expect(kept(storage(text))).toEqual(USUAL);
  expect(kept(storage('{"macKeys":"off"}'))).toEqual({ ...USUAL, macKeys: "off" });
});

it("a browser that forbids storage has the usual ones", () => {
  const forbids = (): never => {
    throw new Error("denied");
  };
  expect(kept({ getItem: forbids })).toEqual(USUAL);
  expect(() => {
    keep({ setItem: forbids }, USUAL);
  }).not.toThrow();
});
