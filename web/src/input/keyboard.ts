// Shell: turns the keys of this page into keysyms that go down and up. It keeps its own truth, the set of held keys, so
// that no key can stick: each is released as what it was pressed as, all are when the window loses the keyboard, and
// while any is held the whole set is told four times a second.
//
// Text that comes without keys (dead keys, input methods, touch keyboards) is typed through a text area: it is the
// element that has the focus, and what appears in it is sent as text, once it is finished.
import type { Cancel, Clock } from "../clock";
import { ALT_L, BACK_SPACE, ISO_LEVEL3_SHIFT, isCharacter, isModifier, keysymOf, keysymOfCharacter, latinOf, RETURN, type Modifiers, type Platform } from "./keysyms";
import { MAX_HELD_KEYS, MAX_TEXT_CHARS, type Input } from "../wire/protocol";

/** Time between two tellings of the held keys. */
export const HEARTBEAT_MS = 250;

export interface KeyboardSurroundings {
  readonly clock: Clock;
  readonly platform: Platform;
  /** A touch keyboard composes whole words, which have to be shown while they grow. */
  readonly touch: boolean;
  /** Whether an element is the page's own (a button of the panel) and keeps its keys. */
  isLocal(target: EventTarget | null): boolean;
  /** Whether a key is what makes the browser paste, and may. */
  pastes?(event: KeyboardEvent): boolean;
}

/** Whether Command and Option are mapped as on a Mac: where the page runs on one, always, or never. */
export type MacKeys = "auto" | "on" | "off";

/** How a modifier of the key row stands: up, down for one key, or down until it is pressed again. */
export type Latch = "off" | "once" | "locked";

/** What stands before the keysym in the name of a key that no keyboard has. */
const LATCHED = "latched:";

/** What turns one text into another: strokes of BackSpace, then characters. */
export function edits(before: string, after: string): { backspaces: number; typed: string } {
  const old = Array.from(before);
  const now = Array.from(after);
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same++;
  return { backspaces: old.length - same, typed: now.slice(same).join("") };
}

export class Keyboard {
  #text: HTMLTextAreaElement;
  #around: KeyboardSurroundings;
  #callback: (message: Input) => void;
  /** DOM `code` → the keysym it was pressed as. */
  #held = new Map<string, number>();
  #heartbeat: Cancel | null = null;
  #enabled = false;
  #composed = "";
  /** A dead key was pressed: what the next key writes comes as text. */
  #dead = false;
  #macKeys: MacKeys = "auto";
  #latches = new Map<number, Exclude<Latch, "off">>();
  /** Told when a latch has let go by itself. */
  latchesChanged: () => void = () => undefined;

  constructor(text: HTMLTextAreaElement, around: KeyboardSurroundings, callback: (message: Input) => void) {
    this.#text = text;
    this.#around = around;
    this.#callback = callback;
    window.addEventListener("keydown", (event) => {
      this.#down(event);
    });
    window.addEventListener("keyup", (event) => {
      this.#up(event);
    });
    window.addEventListener("blur", () => {
      this.releaseAll();
    });
    window.addEventListener("pagehide", () => {
      this.releaseAll();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.releaseAll();
    });
    text.addEventListener("compositionstart", () => {
      this.#composed = "";
      text.classList.add("composing");
    });
    text.addEventListener("compositionupdate", ({ data }) => {
      if (around.touch) this.#compose(data);
    });
    text.addEventListener("compositionend", ({ data }) => {
      this.#compose(data);
      this.#composed = "";
      this.#dead = false;
      text.value = "";
      text.classList.remove("composing");
    });
    text.addEventListener("input", (event) => {
      this.#typed(event);
    });
  }

  /** Whether keys go to the desktop. Off, the page leaves every key to the browser. */
  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    if (!enabled) this.releaseAll();
    this.#enabled = enabled;
  }

  get macKeys(): MacKeys {
    return this.#macKeys;
  }

  set macKeys(setting: MacKeys) {
    this.releaseAll();
    this.#macKeys = setting;
  }

  /** How a modifier of the key row stands. */
  latched(keysym: number): Latch {
    return this.#latches.get(keysym) ?? "off";
  }

  /** Presses a modifier of the key row: for one key, then for good, then not any more. */
  latch(keysym: number): void {
    if (!this.#enabled) return;
    const code = `${LATCHED}${keysym}`;
    const now = this.latched(keysym);
    if (now === "locked") {
      this.#latches.delete(keysym);
      this.#release(code);
    } else {
      this.#latches.set(keysym, now === "off" ? "once" : "locked");
      if (now === "off") this.#press(code, keysym);
    }
    this.latchesChanged();
  }

  /** A key of the key row. */
  stroke(keysym: number): void {
    if (!this.#enabled) return;
    this.#stroke(keysym);
    this.#unlatch();
  }

  /** Keysyms held now. */
  get held(): number[] {
    return [...new Set(this.#held.values())];
  }

  /** Releases everything, here and on the server. */
  releaseAll(): void {
    if (this.#held.size > 0) this.#callback({ type: "releaseAll" });
    this.forget();
  }

  /** Forgets what is held, since the server no longer holds it either. */
  forget(): void {
    this.#held.clear();
    this.#dead = false;
    this.#beat();
    if (this.#latches.size === 0) return;
    this.#latches.clear();
    this.latchesChanged();
  }

  /**
   * What was sent last may be lost: tells what is held, and modifiers anew, since without them the next key means something
   * else. Other keys say it themselves as long as they are held.
   */
  renew(): void {
    this.#callback({ type: "held", keysyms: this.held });
    for (const keysym of this.held.filter(isModifier)) this.#callback({ type: "key", keysym, down: true });
  }

  /** Releases modifiers whose key-up went to somebody else, as an event that was just seen tells. */
  reconcile(seen: Modifiers, except = ""): void {
    for (const [code, keysym] of [...this.#held]) {
      if (code === except || keysym === ISO_LEVEL3_SHIFT) continue;
      const up =
        (code.startsWith("Shift") && !seen.shiftKey) ||
        (code.startsWith("Control") && !seen.ctrlKey) ||
        (code.startsWith("Alt") && !seen.altKey) ||
        (code.startsWith("Meta") && !seen.metaKey);
      if (up) this.#release(code);
    }
  }

  #down(event: KeyboardEvent): void {
    // The page's own shortcuts are taken by a listener before this one.
    if (!this.#enabled || event.defaultPrevented || this.#around.isLocal(event.target)) return;
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- Safari tells of an input method's key in no other way.
    if (event.isComposing || event.keyCode === COMPOSING) return;
    const latin = this.#composesByAltGr(event) ? null : latinOf(event, event);
    if (latin === null && event.key === "Dead") {
      this.#dead = true;
      return;
    }
    if (this.#dead && isCharacter(event.key) && !event.ctrlKey && !event.metaKey) {
      // Browsers disagree whether this key already has the accent; the text that it writes has.
      this.#dead = false;
      return;
    }
    const keysym = latin === null ? keysymOf(event, this.#mac) : keysymOfCharacter(latin);
    if (keysym === null) {
      // A key that only an input method understands must reach it; locks and unknown keys do nothing anyway.
      if (event.code === "" || event.key === "Unidentified" || event.key === "Process") return;
      event.preventDefault();
      return;
    }
    if (event.repeat || this.#around.pastes?.(event) !== true) event.preventDefault();
    if (event.repeat) {
      this.#repeat(event.code);
      return;
    }
    this.reconcile(event, event.code);
    if (event.code === "") {
      // A key without a place cannot be followed until it is released.
      this.#stroke(keysym);
      return;
    }
    if (!isModifier(keysym)) this.#dead = false;
    this.#chooseOption(event, keysym);
    if (keysym === ISO_LEVEL3_SHIFT && this.#around.platform === "windows") {
      // Windows says AltGr as Control and Alt: the Control was none.
      this.#release("ControlLeft");
    }
    if (this.#held.has(event.code)) return;
    if (this.#held.size >= MAX_HELD_KEYS) this.releaseAll();
    this.#press(event.code, keysym);
    if (this.#around.platform === "mac" && event.metaKey && event.key !== "Meta") {
      // macOS keeps the key-up of everything that is pressed with Command.
      this.#release(event.code);
    }
    if (!isModifier(keysym)) this.#unlatch();
  }

  /** Whether Control, as far as the event says it, is half of an AltGr. */
  #composesByAltGr(event: KeyboardEvent): boolean {
    if (this.#mac) return false;
    if (event.getModifierState("AltGraph") || this.held.includes(ISO_LEVEL3_SHIFT)) return true;
    return this.#around.platform === "windows" && event.ctrlKey && event.altKey;
  }

  get #mac(): boolean {
    return this.#macKeys === "on" || (this.#macKeys === "auto" && this.#around.platform === "mac");
  }

  /** Option composes characters; with a key that writes none, or in a command, it is Alt. */
  #chooseOption(event: KeyboardEvent, keysym: number): void {
    if (!this.#mac || isModifier(keysym)) return;
    const wanted = isCharacter(event.key) && !event.ctrlKey && !event.metaKey ? ISO_LEVEL3_SHIFT : ALT_L;
    for (const [code, held] of [...this.#held]) {
      if (!code.startsWith("Alt") || held === wanted) continue;
      this.#release(code);
      this.#press(code, wanted);
    }
  }

  /** Modifiers of the key row that were pressed for one key go up after it. */
  #unlatch(): void {
    const once = [...this.#latches].filter(([, latch]) => latch === "once");
    for (const [keysym] of once) {
      this.#latches.delete(keysym);
      this.#release(`${LATCHED}${keysym}`);
    }
    if (once.length > 0) this.latchesChanged();
  }

  #up(event: KeyboardEvent): void {
    if (!this.#held.has(event.code)) return;
    event.preventDefault();
    this.#release(event.code);
    if (event.code.startsWith("Shift")) this.reconcile(event);
  }

  /**
   * The browser repeats a held key, and so does the desktop then. The X server must not repeat by itself: when the way
   * to it stalls, a key-up that waits there would become many characters, or many deletions.
   */
  #repeat(code: string): void {
    const keysym = this.#held.get(code);
    if (keysym !== undefined && !isModifier(keysym)) this.#callback({ type: "key", keysym, down: true });
  }

  #press(code: string, keysym: number): void {
    this.#held.set(code, keysym);
    this.#callback({ type: "key", keysym, down: true });
    this.#beat();
  }

  #release(code: string): void {
    const keysym = this.#held.get(code);
    if (keysym === undefined) return;
    this.#held.delete(code);
    // Two keys may mean the same keysym; the server holds it until both are up.
    if (!this.held.includes(keysym)) this.#callback({ type: "key", keysym, down: false });
    this.#beat();
  }

  #stroke(keysym: number): void {
    this.#callback({ type: "key", keysym, down: true });
    this.#callback({ type: "key", keysym, down: false });
  }

  #beat(): void {
    if (this.#held.size === 0) {
      this.#heartbeat?.();
      this.#heartbeat = null;
    } else {
      this.#heartbeat ??= this.#around.clock.every(HEARTBEAT_MS, () => {
        this.#callback({ type: "held", keysyms: this.held });
      });
    }
  }

  #compose(text: string): void {
    if (!this.#enabled) return;
    const { backspaces, typed } = edits(this.#composed, text);
    this.#composed = text;
    for (let i = 0; i < backspaces; i++) this.#stroke(BACK_SPACE);
    this.#type(typed);
  }

  #typed(event: InputEvent): void {
    if (event.isComposing || event.inputType === "insertCompositionText") return;
    this.#text.value = "";
    if (!this.#enabled) return;
    if (event.inputType === "insertLineBreak" || event.inputType === "insertParagraph") this.#stroke(RETURN);
    else if (event.inputType.startsWith("delete")) this.#stroke(BACK_SPACE);
    else if (event.inputType === "insertText") this.#type(event.data ?? "");
    this.#unlatch();
  }

  #type(text: string): void {
    if (this.#latches.size > 0) {
      // With Control of the key row these are shortcuts, and no text.
      const keysyms = Array.from(text).map(keysymOfCharacter);
      for (const keysym of keysyms) if (keysym !== null) this.#stroke(keysym);
      return;
    }
    const characters = Array.from(text);
    for (let at = 0; at < characters.length; at += MAX_TEXT_CHARS) {
      this.#callback({ type: "text", text: characters.slice(at, at + MAX_TEXT_CHARS).join("") });
    }
  }
}

/** `keyCode` of keys that an input method is at work on (UI Events, 7.3). */
const COMPOSING = 229;
