// Shell: what is shared between browser and desktop, joined to the events of the window, and shown in the panel.
import type { Notices } from "../chrome/notices";
import { missing, say } from "../chrome/curtain";
import type { Clock } from "../clock";
import { latinOf, type Platform } from "../input/keysyms";
import type { ClipboardPolicy, FilesPolicy, Input } from "../wire/protocol";
import { figure, words } from "../words/language";
import { BrowserClipboard } from "./browser";
import { Clipboard, type ClipboardEvents } from "./clipboard";
import { Files } from "./files";
import { Gate } from "./gate";

export interface ShareSurroundings {
  readonly clock: Clock;
  readonly platform: Platform;
  readonly stage: HTMLElement;
  /** The clipboard's place in the panel, and that of files. */
  readonly panel: HTMLElement;
  readonly files: HTMLElement;
  /** Says that a file may be dropped. */
  readonly target: HTMLElement;
  /** Shows what keys wait for. */
  readonly pill: HTMLElement;
  readonly random: () => number;
  readonly storage: Pick<Storage, "getItem" | "setItem">;
  readonly notices: Pick<Notices, "add">;
  isLocal(target: EventTarget | null): boolean;
  /** Whether the server is there, as far as that is known. */
  reached(): boolean;
  focusDesktop(): void;
  /** Shows the panel. */
  reveal(): void;
}

/** What takes less is not worth a word. */
const SLOW_MS = 400;
/** Where the browser remembers that the middle button is to paste what was copied elsewhere. */
const MIDDLE_KEY = "gst-vdi.middle";
const MIDDLE_BUTTON = 1;

export class Share {
  #around: ShareSurroundings;
  #gate: Gate<Input>;
  #clipboard: Clipboard;
  #browser: BrowserClipboard;
  #files: Files;
  /** What the server lets this page do; and whether its user wants any of it. */
  #policy: ClipboardPolicy | null = null;
  #wanted = true;
  #since: number | null = null;

  constructor(around: ShareSurroundings, send: (message: Input) => void) {
    this.#around = around;
    this.#gate = new Gate(around.clock, send);
    this.#browser = new BrowserClipboard(around.platform === "windows");
    this.#clipboard = new Clipboard({ clock: around.clock, gate: this.#gate, browser: this.#browser }, (event) => {
      this.#happened(event);
    });
    this.#files = new Files({
      clock: around.clock,
      stage: around.stage,
      panel: around.files,
      target: around.target,
      fetch: (path, init) => fetch(new URL(path, document.baseURI), init),
      reached: () => around.reached(),
      random: around.random,
      storage: around.storage,
      warn: (text) => {
        around.notices.add("warning", text);
      },
      reveal: () => {
        around.reveal();
      },
    });
    this.#part("marked").addEventListener("click", () => {
      this.#clipboard.fetch("primary");
      around.focusDesktop();
    });
    const middle = this.#part<HTMLInputElement>("middle");
    middle.checked = remembered(around.storage);
    middle.addEventListener("change", () => {
      remember(around.storage, middle.checked);
      around.focusDesktop();
    });
    this.#part("allow").addEventListener("click", () => {
      void this.#clipboard.ask();
    });
    window.addEventListener("paste", (event) => {
      if (around.isLocal(event.target) || !event.clipboardData) return;
      event.preventDefault();
      if (this.#wanted) void this.#clipboard.pasted(this.#browser.pasted(event.clipboardData));
    });
    window.addEventListener("focus", () => {
      void this.#clipboard.focused();
    });
    window.addEventListener("blur", () => {
      this.#clipboard.blurred();
    });
    for (const type of ["pointerdown", "keydown"] as const) {
      window.addEventListener(
        type,
        () => {
          this.#clipboard.gesture();
        },
        { capture: true },
      );
    }
    // Where browsers tell of it, a program that copies behind the page's back is heard.
    if ("clipboard" in navigator && "onclipboardchange" in navigator.clipboard) {
      navigator.clipboard.addEventListener("clipboardchange", () => {
        if (document.hasFocus()) void this.#clipboard.focused();
      });
    }
  }

  /** Keys, buttons and wheel, which may have to wait for what they paste. */
  input(message: Input): void {
    const presses = (message.type === "button" || message.type === "lockedButton") && message.down && message.button === MIDDLE_BUTTON;
    if (presses && this.#wanted && this.#part<HTMLInputElement>("middle").checked) void this.#clipboard.marks();
    this.#gate.pass(message);
  }

  use(channel: RTCDataChannel | null): void {
    this.#clipboard.use(channel);
  }

  allow(policy: ClipboardPolicy): void {
    this.#policy = policy;
    this.#apply();
  }

  /** Whether the user wants the clipboard shared; where not, this page neither reads it nor writes it. */
  set clipboardWanted(wanted: boolean) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#apply();
  }

  allowFiles(policy: FilesPolicy): void {
    this.#files.allow(policy);
  }

  forget(): void {
    this.#files.allow(null);
    this.#gate.forget();
    this.#policy = null;
    this.#clipboard.forget();
    this.show();
  }

  #apply(): void {
    this.#clipboard.allow(this.#wanted ? this.#policy : null);
    if (this.#wanted && this.#policy && document.hasFocus()) void this.#clipboard.focused();
    this.show();
  }

  /** Whether a key is left to the browser, since it makes it paste. */
  pastes(event: KeyboardEvent): boolean {
    const command = this.#around.platform === "mac" ? event.metaKey : event.ctrlKey;
    const pastes =
      // What the key writes counts, not where it is: the key of another letter is there on Dvorak. A layout without Latin
      // letters has them for shortcuts where they are elsewhere.
      (command && !event.altKey && (latinOf(event, event) ?? event.key).toLowerCase() === "v") ||
      (event.key === "Insert" && event.shiftKey && !event.ctrlKey && !event.altKey);
    if (!pastes || this.#clipboard.facts.policy?.write !== true) return false;
    this.#clipboard.pastes();
    return true;
  }

  #happened(event: ClipboardEvents): void {
    switch (event.type) {
      case "missed":
        this.#around.notices.add(event.reason === "empty" ? "info" : "warning", missedWords(event.reason, event.limitBytes));
        break;
      case "fetched":
        this.#around.notices.add("info", words.copiedMarked);
        break;
      case "changed":
        break;
    }
    this.show();
  }

  /** Writes what it says of itself; also to be called when the language is another. */
  show(): void {
    const { policy, readable, progress } = this.#clipboard.facts;
    const { panel, pill, clock } = this.#around;
    panel.hidden = this.#policy?.read !== true && this.#policy?.write !== true;
    const way = policy?.read === true && policy.write ? "both" : policy?.write === true ? "in" : "out";
    say(this.#part("clipboardWay"), this.#wanted ? words.clipboardWay[way] : words.clipboardUnwanted);
    this.#part("marked").hidden = policy?.read !== true;
    this.#part("asks").hidden = policy?.write !== true || readable !== "prompt";
    this.#part("middleRow").hidden = policy?.write !== true || readable !== "granted";
    this.#part("keysOnly").hidden = policy?.write !== true || readable !== "no";
    this.#since = progress === null ? null : (this.#since ?? clock.nowMs());
    pill.hidden = this.#since === null || clock.nowMs() - this.#since < SLOW_MS;
    if (progress !== null) say(pill, words.pasting(Math.floor(progress * 100)));
  }

  #part<E extends HTMLElement = HTMLElement>(name: string): E {
    return this.#around.panel.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}

function remembered(storage: Pick<Storage, "getItem">): boolean {
  try {
    return storage.getItem(MIDDLE_KEY) === "true";
  } catch {
    return false;
  }
}

function remember(storage: Pick<Storage, "setItem">, wanted: boolean): void {
  try {
    storage.setItem(MIDDLE_KEY, String(wanted));
  } catch {
    // Then it is only known as long as this page is open.
  }
}

function missedWords(reason: Extract<ClipboardEvents, { type: "missed" }>["reason"], limitBytes: number): string {
  if (reason !== "tooLarge") return words.clipboardMissed[reason];
  const megabytes = limitBytes / 1e6;
  return words.clipboardMissed.tooLarge(words.megabytes(figure(megabytes, megabytes < 10 ? 1 : 0)));
}
