// Shell: what is copied goes both ways between the browser's clipboard and the desktop's, as far as the server lets this page.
//
// Browser to desktop: the browser's own paste brings what is there at the moment of Ctrl+V, in every browser and without a
// permission; the key waits at the gate until the desktop has it. Where reading is allowed, the page reads when it gets the
// focus as well, so that a paste by mouse pastes the same.
//
// Desktop to browser: written as soon as it is there and the browser allows it, else with the next focus or gesture.
import type { Cancel, Clock } from "../clock";
import type { Readable, Written } from "./browser";
import { bytesOf, fitting, isSame, type Content, type Known } from "./content";
import type { Gate } from "./gate";
import { Receiving, Sending } from "./transfer";
import { clipboardToPage, type ClipboardFromPage, type ClipboardPolicy, type ClipboardToPage, type Input, type Refusal, type Selection } from "../wire/protocol";
import { parse } from "../wire/schema";

/** Time for the browser's paste to follow its key; without anything to paste some browsers say nothing. */
export const PASTE_MS = 250;
/** Time for the next sign of life of a transfer that keys wait for. */
export const STALL_MS = 4000;
/** Silence after which a transfer that no key waits for is given up: networks are patched up within this. */
export const LOST_MS = 20_000;

/** Of the browser, what this class needs; browser.ts has it. */
export interface Surroundings {
  readonly clock: Clock;
  readonly gate: Pick<Gate<Input>, "close" | "open" | "closed">;
  readonly browser: {
    readable(): Promise<Readable>;
    read(): Promise<Content>;
    write(content: Content): Promise<Written>;
    copy(content: Content): boolean;
    known(content: Content): Promise<Known>;
  };
}

export type ClipboardEvents =
  /** What it shows of itself has changed. */
  | { type: "changed" }
  /** Something that was copied did not get through. */
  | { type: "missed"; reason: Exclude<Refusal, "superseded"> | "impossible"; limitBytes: number }
  /** What was asked for is in the browser's clipboard. */
  | { type: "fetched" };

/** As the panel shows it. */
export interface ClipboardFacts {
  readonly policy: ClipboardPolicy | null;
  readonly readable: Readable;
  /** Share of what is on its way to the desktop that has arrived; `null` if nothing is. */
  readonly progress: number | null;
}

export class Clipboard {
  #around: Surroundings;
  #callback: (event: ClipboardEvents) => void;
  #channel: RTCDataChannel | null = null;
  #policy: ClipboardPolicy | null = null;
  #readable: Readable = "no";
  #sending: Sending | null = null;
  #receiving: Receiving | null = null;
  #lastId = 0;
  /** What browser and desktop have in common. */
  #known: Known | null = null;
  /** The browser's clipboard holds what the desktop gave, since the page has not been left after that. */
  #unchanged = false;
  /** Waits for the browser to take it. */
  #pending: Content | null = null;
  /** It is what was marked, and not what was copied. */
  #primary = false;
  /** The user asked for what comes. */
  #asked = false;
  #reading = false;
  #silence: Cancel | null = null;
  /** Counts what the desktop has given. */
  #arrivals = 0;
  /** The last of the desktop's offers of what was copied. */
  #seen = 0;
  /** What the desktop was given last to be pasted by the middle button; and what it is to be given next. */
  #marked: Known | null = null;
  #next: Content | null = null;
  /** What was copied, and waits until the desktop has what it is given to be pasted by the middle button. */
  #queued: Sending | null = null;
  /** Readings of the browser's clipboard for which keys wait. */
  #readers = 0;

  constructor(around: Surroundings, callback: (event: ClipboardEvents) => void) {
    this.#around = around;
    this.#callback = callback;
  }

  get facts(): ClipboardFacts {
    return { policy: this.#policy, readable: this.#readable, progress: this.#sending && this.#sending.share };
  }

  /** The channel of the present connection; another one begins anew. */
  use(channel: RTCDataChannel | null): void {
    if (channel === this.#channel) return;
    this.#channel = channel;
    this.#drop();
    channel?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (channel === this.#channel) this.#told(String(data));
    });
    if (channel && channel.readyState !== "open") {
      channel.addEventListener("open", () => {
        if (channel === this.#channel) this.#listen();
      });
    } else this.#listen();
  }

  /** Another session begins, whose desktop has nothing in common with this browser yet. */
  forget(): void {
    this.use(null);
    this.#policy = this.#known = this.#marked = this.#pending = null;
    this.#unchanged = this.#asked = false;
    this.#seen = 0;
  }

  /** What this page may. */
  allow(policy: ClipboardPolicy | null): void {
    this.#policy = policy;
    if (policy?.read !== true) this.#pending = null;
    if (policy?.write !== true) {
      this.#drop();
      this.#known = null;
    }
    this.#listen();
    void this.#look();
  }

  /** A key that pastes goes down: it waits until the browser has told what it would paste. */
  pastes(): void {
    if (this.#policy?.write === true && this.#open) this.#around.gate.close(PASTE_MS);
  }

  /** The browser's own paste has brought this. Nobody is told that it is too large unless it was asked for. */
  async pasted(brought: Promise<Content>): Promise<void> {
    if (this.#policy?.write !== true || !this.#open) {
      this.#around.gate.open();
      return;
    }
    this.#around.gate.close(STALL_MS);
    this.#readers++;
    try {
      const content = await brought;
      if (!this.#unchanged || content.has("text/plain")) await this.#offer(content, true);
    } catch (error) {
      console.warn("gst-vdi: what was pasted cannot be read:", error);
    }
    this.#readers--;
    if (!this.#sending) this.#goOn();
  }

  /**
   * The middle button goes down, whose user wants it to paste what was copied elsewhere: it waits until the desktop has that as what is
   * marked. What it has had already is left alone, since something may have been marked there after it.
   */
  async marks(): Promise<void> {
    if (this.#policy?.write !== true || !this.#open || this.#readable !== "granted" || this.#unchanged) return;
    this.#around.gate.close(STALL_MS);
    this.#readers++;
    try {
      const fits = fitting(await this.#around.browser.read(), this.#policy.maxBytes);
      const known = await this.#around.browser.known(fits);
      if (fits.size > 0 && !isSame(this.#marked, known)) {
        this.#marked = known;
        this.#next = fits;
      }
    } catch {
      // Then it pastes what is marked on the desktop.
    }
    this.#readers--;
    if (!this.#sending) this.#goOn();
  }

  /** The page got the focus, or the browser says that something was copied. */
  async focused(): Promise<void> {
    await this.#look();
    if (this.#readable === "granted" && this.#policy?.write === true && !this.#reading) await this.#read();
    await this.#write();
  }

  /** The page lost the focus: whatever is copied now is copied elsewhere. */
  blurred(): void {
    this.#unchanged = false;
  }

  /** The user has touched the page, which lets browsers allow more than otherwise. */
  gesture(): void {
    if (!this.#pending) return;
    const content = this.#pending;
    void this.#write().then(() => {
      // Whatever the asynchronous way is missing, the gesture is over then; so the old way is tried at the next.
      if (this.#pending === content) this.#copyNext = true;
    });
    if (!this.#copyNext || this.#pending !== content) return;
    if (this.#around.browser.copy(content)) void this.#written(content);
  }
  #copyNext = false;

  /** Asks the user, through the browser, to let the page read. */
  async ask(): Promise<void> {
    try {
      await this.#offer(await this.#around.browser.read(), true);
    } catch {
      // Whoever says no has seen the question.
    }
    await this.#look();
  }

  /** Brings what this selection holds into the browser's clipboard. */
  fetch(selection: Selection): void {
    this.#asked = this.#send({ type: "fetch", selection });
  }

  get #open(): boolean {
    return this.#channel?.readyState === "open";
  }

  #send(message: ClipboardFromPage): boolean {
    if (!this.#channel || !this.#open) return false;
    this.#channel.send(JSON.stringify(message));
    return true;
  }

  #listen(): void {
    if (this.#policy && (this.#policy.read || this.#policy.write)) this.#send({ type: "ready" });
  }

  /** What was under way is not any more. */
  #drop(): void {
    if (this.#queued || this.#sending?.selection === "clipboard") this.#known = null;
    if (this.#next || this.#sending?.selection === "primary") this.#marked = null;
    this.#receiving = this.#next = this.#queued = null;
    this.#silence?.();
    if (!this.#sending) return;
    this.#sending = null;
    this.#around.gate.open();
    this.#callback({ type: "changed" });
  }

  async #look(): Promise<void> {
    const readable = await this.#around.browser.readable();
    if (readable === this.#readable) return;
    this.#readable = readable;
    this.#callback({ type: "changed" });
  }

  async #read(): Promise<void> {
    this.#reading = true;
    const before = this.#arrivals;
    try {
      // What the desktop gives meanwhile is newer than what was there to be read.
      await this.#offer(await this.#around.browser.read(), false, () => this.#arrivals === before);
    } catch {
      // Another window may have got the focus meanwhile; the next time is as good.
    } finally {
      this.#reading = false;
    }
  }

  /** Offers what the browser has, if it is another than what the desktop has. */
  async #offer(content: Content, wanted: boolean, isFresh = (): boolean => true): Promise<void> {
    const policy = this.#policy;
    if (policy?.write !== true || bytesOf(content) === 0) return;
    const fits = fitting(content, policy.maxBytes);
    if (fits.size === 0) {
      if (wanted) this.#callback({ type: "missed", reason: "tooLarge", limitBytes: policy.maxBytes });
      return;
    }
    const known = await this.#around.browser.known(fits);
    // It may have been forbidden meanwhile.
    if (this.#policy?.write !== true) return;
    if (isSame(this.#known, known) || !isFresh()) return;
    this.#known = known;
    // What waits to be written, or is still coming, is older than what the user has copied since.
    this.#pending = null;
    if (this.#receiving?.selection === "clipboard") this.#receiving = null;
    const sending = new Sending(++this.#lastId, "clipboard", fits, wanted ? null : this.#seen);
    // A transfer that is cut short for another is lost; a newer one of the same selection is what it is lost to.
    if (this.#sending?.selection === "primary") this.#queued = sending;
    else this.#begin(sending);
  }

  #begin(sending: Sending): void {
    this.#sending = sending;
    for (const message of sending.begin()) this.#send(message);
    this.#wait();
    this.#callback({ type: "changed" });
  }

  #told(data: string): void {
    // What comes after the user has switched it off is nobody's.
    const policy = this.#policy;
    if (policy === null) return;
    let message: ClipboardToPage;
    try {
      message = parse(clipboardToPage, data);
    } catch (error) {
      console.warn("gst-vdi: clipboard message ignored:", error instanceof Error ? error.message : error);
      return;
    }
    switch (message.type) {
      case "offer":
        // It has crossed what this page's user pastes, which the server is about to take: both sides shall have the same. What the page
        // has brought by itself is older than this, and the server does not take it.
        if (message.selection === "clipboard") {
          this.#seen = message.id;
          const own = this.#queued ?? (this.#sending?.selection === "clipboard" ? this.#sending : null);
          if (own && !own.givesWay) return;
          if (own) {
            this.#known = null;
            this.#queued = null;
            this.#settled(own.id);
          }
        }
        this.#arrivals++;
        this.#receiving = Receiving.begin(message, policy.maxBytes);
        break;
      case "piece":
        this.#piece(message.id, message.data);
        break;
      case "received":
        if (message.id !== this.#sending?.id) return;
        if (this.#around.gate.closed) this.#around.gate.close(STALL_MS);
        for (const next of this.#sending.received(message.bytes)) this.#send(next);
        this.#wait();
        this.#callback({ type: "changed" });
        break;
      case "taken":
        this.#settled(message.id);
        break;
      case "refused":
        if (message.id !== this.#sending?.id) return;
        if (this.#sending.selection === "primary") this.#marked = null;
        else this.#known = null;
        this.#settled(message.id);
        // What takes its place is about to come.
        if (message.reason === "superseded") break;
        this.#callback({ type: "missed", reason: message.reason, limitBytes: policy.maxBytes });
        break;
      case "missed":
        this.#asked = false;
        if (message.reason === "superseded") break;
        this.#callback({ type: "missed", reason: message.reason, limitBytes: policy.maxBytes });
        break;
    }
  }

  /** A server that says nothing of what is sent any more has lost it. */
  #wait(): void {
    this.#silence?.();
    this.#silence = this.#around.clock.after(LOST_MS, () => {
      this.#drop();
    });
  }

  #settled(id: number): void {
    if (id !== this.#sending?.id) return;
    this.#silence?.();
    this.#sending = null;
    this.#goOn();
    this.#callback({ type: "changed" });
  }

  /** What waited for the desktop to have something else: the middle button's, what was copied, and after that every key. */
  #goOn(): void {
    const [next, queued] = [this.#next, this.#queued];
    this.#next = null;
    if (next && this.#policy?.write === true) {
      this.#begin(new Sending(++this.#lastId, "primary", next));
    } else if (queued) {
      this.#queued = null;
      this.#begin(queued);
    } else if (this.#readers === 0) {
      this.#around.gate.open();
    }
  }

  #piece(id: number, data: string): void {
    const receiving = this.#receiving;
    if (receiving?.id !== id) return;
    const bytes = receiving.piece(data);
    if (bytes === null) {
      console.warn("gst-vdi: what was copied on the desktop does not come as it was offered");
      this.#receiving = null;
      return;
    }
    this.#send({ type: "received", id, bytes });
    const content = receiving.content;
    if (!content) return;
    this.#receiving = null;
    this.#pending = content;
    this.#primary = receiving.selection === "primary";
    this.#copyNext = false;
    void this.#write();
  }

  async #write(): Promise<void> {
    const content = this.#pending;
    if (!content) return;
    const written = await this.#around.browser.write(content);
    // Something newer may have come while the browser was at work.
    if (this.#pending !== content || written === "later") return;
    if (written === "written") await this.#written(content);
    else {
      this.#pending = null;
      this.#asked = false;
      this.#callback({ type: "missed", reason: "impossible", limitBytes: 0 });
    }
  }

  async #written(content: Content): Promise<void> {
    this.#pending = null;
    const asked = this.#asked;
    this.#asked = false;
    // What was marked is not what the desktop would paste by itself.
    this.#unchanged = !this.#primary;
    this.#known = null;
    if (!this.#primary) this.#known = await this.#around.browser.known(content);
    if (asked) this.#callback({ type: "fetched" });
  }
}
