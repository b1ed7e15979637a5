// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { edits, Keyboard } from "./keyboard";
import type { Platform } from "./keysyms";
import type { Input } from "../wire/protocol";
import { ManualClock } from "../testing";

let clock: ManualClock;
let text: HTMLTextAreaElement;
let sent: Input[];
let keyboards: Keyboard[] = [];

function keyboard(platform: Platform = "other", touch = false): Keyboard {
  const isLocal = (target: EventTarget | null): boolean => target instanceof HTMLButtonElement;
  const created = new Keyboard(text, { clock, platform, touch, isLocal }, (message) => sent.push(message));
  created.enabled = true;
  keyboards.push(created);
  return created;
}

/** A key event as browsers make it; returns whether the browser keeps it from its own shortcuts. */
function press(type: "keydown" | "keyup", key: string, code: string, more: KeyboardEventInit = {}, target: EventTarget = text): boolean {
  const event = new KeyboardEvent(type, { key, code, bubbles: true, cancelable: true, ...more });
  target.dispatchEvent(event);
  return event.defaultPrevented;
}
const down = (key: string, code: string, more?: KeyboardEventInit): boolean => press("keydown", key, code, more);
const up = (key: string, code: string, more?: KeyboardEventInit): boolean => press("keyup", key, code, more);

function element<K extends "textarea" | "button">(name: K): HTMLElementTagNameMap[K] {
  return document.querySelector(name) ?? document.createElement(name);
}

/** What was sent, short: `+61` is keysym 0x61 down. */
function told(): string[] {
  return sent.splice(0).map((message) => {
    if (message.type === "key") return `${message.down ? "+" : "-"}${message.keysym.toString(16)}`;
    if (message.type === "text") return message.text;
    return message.type === "held" ? `held ${message.keysyms.map((k) => k.toString(16)).join(" ")}` : message.type;
  });
}

beforeEach(() => {
  clock = new ManualClock();
  sent = [];
  document.body.innerHTML = "<textarea></textarea><button></button>";
  text = element("textarea");
});
afterEach(() => {
  // The listeners of earlier keyboards stay on the window; switched off, they are silent.
  for (const old of keyboards) old.enabled = false;
  keyboards = [];
});

describe("keys", () => {
  it("go down and up as keysyms, and are kept from the browser", () => {
    keyboard();
    expect(down("a", "KeyA")).toBe(true);
    expect(up("a", "KeyA")).toBe(true);
    expect(told()).toEqual(["+61", "-61"]);
  });

  it("are released as what they were pressed as, though Shift has gone meanwhile", () => {
    keyboard();
    down("Shift", "ShiftLeft", { location: 1, shiftKey: true });
    down("A", "KeyA", { shiftKey: true });
    up("Shift", "ShiftLeft", { location: 1 });
    up("a", "KeyA");
    expect(told()).toEqual(["+ffe1", "+41", "-ffe1", "-41"]);
  });

  it("that the browser repeats are repeated, modifiers are not", () => {
    keyboard();
    down("a", "KeyA");
    expect(down("a", "KeyA", { repeat: true })).toBe(true);
    expect(told()).toEqual(["+61", "+61"]);
    down("Shift", "ShiftLeft", { location: 1 });
    down("Shift", "ShiftLeft", { location: 1, repeat: true });
    expect(told()).toEqual(["+ffe1"]);
    down("b", "KeyB", { repeat: true });
    expect(told()).toEqual([]);
  });

  it("that were not seen going down are not sent going up", () => {
    keyboard();
    expect(up("Tab", "Tab")).toBe(false);
    expect(told()).toEqual([]);
  });

  it("of the page's own buttons stay there", () => {
    keyboard();
    expect(press("keydown", "Enter", "Enter", {}, element("button"))).toBe(false);
    expect(told()).toEqual([]);
  });

  it("belong to the browser while the keyboard is off", () => {
    keyboard().enabled = false;
    expect(down("F5", "F5")).toBe(false);
    expect(told()).toEqual([]);
  });

  it("that two keys mean alike are held until both are up", () => {
    keyboard();
    down("1", "Digit1");
    down("1", "F13");
    up("1", "Digit1");
    expect(told()).toEqual(["+31", "+31"]);
    up("1", "F13");
    expect(told()).toEqual(["-31"]);
  });
});

describe("no key sticks", () => {
  it("held keys are told four times a second, and no longer once all are up", async () => {
    keyboard();
    down("Shift", "ShiftLeft", { location: 1, shiftKey: true });
    down("A", "KeyA", { shiftKey: true });
    told();
    await clock.pass(500);
    expect(told()).toEqual(["held ffe1 41", "held ffe1 41"]);
    up("A", "KeyA", { shiftKey: true });
    up("Shift", "ShiftLeft");
    told();
    await clock.pass(1000);
    expect(told()).toEqual([]);
  });

  it("all are released when the window loses the keyboard", () => {
    const { held } = keyboard();
    expect(held).toEqual([]);
    down("Alt", "AltLeft", { location: 1, altKey: true });
    window.dispatchEvent(new Event("blur"));
    up("Alt", "AltLeft");
    expect(told()).toEqual(["+ffe9", "releaseAll"]);
    expect(clock.armed).toBe(0);
  });

  it("nothing is said on blur when nothing is held", () => {
    keyboard();
    window.dispatchEvent(new Event("blur"));
    window.dispatchEvent(new Event("pagehide"));
    expect(told()).toEqual([]);
  });

  it("switching off releases", () => {
    const active = keyboard();
    down("a", "KeyA");
    active.enabled = false;
    expect(told()).toEqual(["+61", "releaseAll"]);
  });

  it("a modifier whose release went elsewhere is released with the next event", () => {
    const active = keyboard();
    down("Control", "ControlLeft", { location: 1, ctrlKey: true });
    down("a", "KeyA"); // without Control: its key-up was lost
    expect(told()).toEqual(["+ffe3", "-ffe3", "+61"]);
    down("Alt", "AltLeft", { location: 1, altKey: true });
    active.reconcile({ shiftKey: false, ctrlKey: false, altKey: false, metaKey: false }); // as a pointer event says
    expect(told()).toEqual(["+ffe9", "-ffe9"]);
  });

  it("more keys than anyone has fingers are let go", () => {
    keyboard();
    for (let i = 0; i < 65; i++) down(String.fromCodePoint(0x100 + i), `Key${i}`);
    expect(told().filter((message) => message === "releaseAll")).toHaveLength(1);
  });
});

describe("systems", () => {
  it("on Windows, AltGr is one key and its Control none", () => {
    keyboard("windows");
    down("Control", "ControlLeft", { location: 1, ctrlKey: true });
    down("AltGraph", "AltRight", { location: 2, ctrlKey: true, altKey: true });
    down("@", "KeyQ", { ctrlKey: true, altKey: true });
    up("@", "KeyQ", { ctrlKey: true, altKey: true });
    up("Control", "ControlLeft", { location: 1, altKey: true });
    up("AltGraph", "AltRight", { location: 2 });
    expect(told()).toEqual(["+ffe3", "-ffe3", "+fe03", "+40", "-40", "-fe03"]);
  });

  it("on Windows, what AltGr writes is no shortcut", () => {
    keyboard("windows");
    down("Control", "ControlLeft", { location: 1, ctrlKey: true });
    down("AltGraph", "AltRight", { location: 2, ctrlKey: true, altKey: true });
    told();
    down("€", "KeyE", { ctrlKey: true, altKey: true });
    expect(told()).toEqual(["+10020ac"]);
  });

  it("on a Mac, keys pressed with Command are released at once, since their release never comes", () => {
    keyboard("mac");
    down("Meta", "MetaLeft", { location: 1, metaKey: true });
    down("c", "KeyC", { metaKey: true });
    up("Meta", "MetaLeft", { location: 1 });
    expect(told()).toEqual(["+ffe3", "+63", "-63", "-ffe3"]);
  });

  it("on a Mac, a Command whose release went elsewhere is released with the next event", () => {
    keyboard("mac");
    down("Meta", "MetaLeft", { location: 1, metaKey: true });
    down("a", "KeyA");
    expect(told()).toEqual(["+ffe3", "-ffe3", "+61"]);
  });

  it("on a Mac, Option composes characters, and is Alt with a key that writes none", () => {
    keyboard("mac");
    down("Alt", "AltLeft", { location: 1, altKey: true });
    down("@", "KeyL", { altKey: true });
    up("@", "KeyL", { altKey: true });
    expect(told()).toEqual(["+fe03", "+40", "-40"]);
    down("ArrowLeft", "ArrowLeft", { altKey: true });
    up("ArrowLeft", "ArrowLeft", { altKey: true });
    expect(told()).toEqual(["-fe03", "+ffe9", "+ff51", "-ff51"]);
    down("∂", "KeyD", { altKey: true });
    up("∂", "KeyD", { altKey: true });
    up("Alt", "AltLeft", { location: 1 });
    expect(told()).toEqual(["-ffe9", "+fe03", "+1002202", "-1002202", "-fe03"]);
  });

  it("the Mac's mapping can be had anywhere, and be refused on a Mac", () => {
    keyboard().macKeys = "on";
    down("Meta", "MetaLeft", { location: 1, metaKey: true });
    up("Meta", "MetaLeft", { location: 1 });
    expect(told()).toEqual(["+ffe3", "-ffe3"]);
    for (const old of keyboards) old.enabled = false;
    keyboard("mac").macKeys = "off";
    down("Meta", "MetaLeft", { location: 1, metaKey: true });
    up("Meta", "MetaLeft", { location: 1 });
    down("Alt", "AltLeft", { location: 1, altKey: true });
    expect(told()).toEqual(["+ffeb", "-ffeb", "+ffe9"]);
  });

  it("Control with a key of another alphabet is the shortcut of the Latin letter", () => {
    keyboard();
    down("Control", "ControlLeft", { location: 1, ctrlKey: true });
    down("с", "KeyC", { ctrlKey: true });
    up("с", "KeyC", { ctrlKey: true });
    up("Control", "ControlLeft", { location: 1 });
    expect(told()).toEqual(["+ffe3", "+63", "-63", "-ffe3"]);
  });
});

describe("the key row", () => {
  const CONTROL = 0xffe3;

  it("holds a modifier for one key, then for good, then not any more", () => {
    const row = keyboard("other", true);
    row.latch(CONTROL);
    expect([row.latched(CONTROL), told()]).toEqual(["once", ["+ffe3"]]);
    row.stroke(0xff09);
    expect([row.latched(CONTROL), told()]).toEqual(["off", ["+ff09", "-ff09", "-ffe3"]]);
    row.latch(CONTROL);
    row.latch(CONTROL);
    row.stroke(0xff09);
    expect([row.latched(CONTROL), told()]).toEqual(["locked", ["+ffe3", "+ff09", "-ff09"]]);
    row.latch(CONTROL);
    expect([row.latched(CONTROL), told()]).toEqual(["off", ["-ffe3"]]);
  });

  it("makes shortcuts of what the touch keyboard writes", () => {
    const row = keyboard("other", true);
    row.latch(CONTROL);
    told();
    text.dispatchEvent(new InputEvent("input", { inputType: "insertText", data: "c" }));
    expect(told()).toEqual(["+63", "-63", "-ffe3"]);
  });

  it("lets go with everything else, and says so", () => {
    const row = keyboard("other", true);
    let changes = 0;
    row.latchesChanged = () => changes++;
    row.latch(CONTROL);
    row.releaseAll();
    expect([row.latched(CONTROL), changes, told()]).toEqual(["off", 2, ["+ffe3", "releaseAll"]]);
  });
});

describe("text without keys", () => {
  const compose = (type: string, data: string): void => {
    text.dispatchEvent(Object.assign(new Event(type), { data }));
  };

  const written = (data: string): void => {
    text.value = data;
    text.dispatchEvent(new InputEvent("input", { inputType: "insertText", data }));
  };

  it("a dead key waits for its letter, and what the two write is what counts", () => {
    keyboard();
    expect(down("Dead", "Equal")).toBe(false);
    expect(down("Shift", "ShiftLeft", { location: 1, shiftKey: true })).toBe(true);
    // A browser that names the key without its accent.
    expect(down("E", "KeyE", { shiftKey: true })).toBe(false);
    written("É");
    up("E", "KeyE", { shiftKey: true });
    up("Shift", "ShiftLeft", { location: 1 });
    down("e", "KeyE");
    expect(told()).toEqual(["+ffe1", "É", "-ffe1", "+65"]);
  });

  it("a dead key is forgotten over a key that writes nothing", () => {
    keyboard();
    down("Dead", "Equal");
    expect(down("Escape", "Escape")).toBe(true);
    expect(down("e", "KeyE")).toBe(true);
    expect(told()).toEqual(["+ff1b", "+65"]);
  });

  it("an input method sends what was chosen, not the way there", () => {
    keyboard();
    compose("compositionstart", "");
    compose("compositionupdate", "に");
    compose("compositionupdate", "にほん");
    compose("compositionend", "日本");
    expect(told()).toEqual(["日本"]);
  });

  it("an input method that is given up sends nothing", () => {
    keyboard();
    compose("compositionstart", "");
    compose("compositionupdate", "に");
    compose("compositionend", "");
    expect(told()).toEqual([]);
  });

  it("text longer than one message goes in pieces", () => {
    keyboard();
    compose("compositionend", "語".repeat(1025));
    expect(told()).toEqual(["語".repeat(1024), "語"]);
  });

  it("a touch keyboard is followed letter by letter, corrections too", () => {
    keyboard("other", true);
    compose("compositionstart", "");
    compose("compositionupdate", "t");
    compose("compositionupdate", "te");
    compose("compositionend", "to");
    expect(told()).toEqual(["t", "e", "+ff08", "-ff08", "o"]);
  });

  it("inserted text and line breaks are sent, and the text area stays empty", () => {
    keyboard();
    written("ü€");
    text.dispatchEvent(new InputEvent("input", { inputType: "insertLineBreak" }));
    text.dispatchEvent(new InputEvent("input", { inputType: "deleteContentBackward" }));
    expect(told()).toEqual(["ü€", "+ff0d", "-ff0d", "+ff08", "-ff08"]);
    expect(text.value).toBe("");
  });

  it("edits are the fewest strokes at the end", () => {
    expect(edits("", "abc")).toEqual({ backspaces: 0, typed: "abc" });
    expect(edits("teh", "the")).toEqual({ backspaces: 2, typed: "he" });
    expect(edits("a😀", "a")).toEqual({ backspaces: 1, typed: "" });
  });
});
