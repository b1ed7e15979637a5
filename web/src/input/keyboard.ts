// Shell: turns the keys of this page into keysyms that go down and up. It keeps its own truth, the set of held keys, so
// that no key can stick: each is released as what it was pressed as, all are when the window loses the keyboard, and
// while any is held the whole set is told four times a second.
//
// Text that comes without keys (dead keys, input methods, touch keyboards) is typed through a text area: it is the
// element that has the focus, and what appears in it is sent as strokes.
import type { Cancel, Clock } from "../clock";
import { BACK_SPACE, ISO_LEVEL3_SHIFT, isModifier, keysymOf, keysymOfCharacter, RETURN, type Platform } from "./keysyms";
import { MAX_HELD_KEYS, type Input } from "../wire/protocol";

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

/** What is left of the modifiers on events of keys and pointer. */
interface Modifiers {
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
}

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
    });
    text.addEventListener("compositionupdate", ({ data }) => {
      if (around.touch) this.#compose(data);
    });
    text.addEventListener("compositionend", ({ data }) => {
      this.#compose(data);
      this.#composed = "";
      text.value = "";
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
    this.#beat();
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
        (code.startsWith("Alt") && !seen.altKey);
      if (up) this.#release(code);
    }
  }

  #down(event: KeyboardEvent): void {
    // The page's own shortcuts are taken by a listener before this one.
    if (!this.#enabled || event.defaultPrevented || this.#around.isLocal(event.target)) return;
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- Safari tells of an input method's key in no other way.
    if (event.isComposing || event.keyCode === COMPOSING || event.key === "Dead") return;
    const keysym = keysymOf(event, this.#around.platform);
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
  }

  #type(text: string): void {
    for (const character of text) {
      const keysym = keysymOfCharacter(character);
      if (keysym !== null) this.#stroke(keysym);
    }
  }
}

/** `keyCode` of keys that an input method is at work on (UI Events, 7.3). */
const COMPOSING = 229;
