// Shell: the way of a session's messages: one WebSocket after the other. Once the media path is up, a WebSocket that is
// lost (a proxy cuts it, a server behind it restarts) is opened again with the session's secret, as often as it takes and
// without a word to the user: picture and input do not need it.
import { retryDelayMs } from "./backoff";
import type { Cancel, Clock } from "../clock";
import type { Continued, FromConsumer, ToConsumer } from "../wire/protocol";
import { Signalling, type Greeting } from "./signalling";

export interface LineWorld {
  readonly clock: Clock;
  random(): number;
  openSocket(url: string, protocol: string): WebSocket;
}

export type LineEvent =
  | { type: "message"; message: ToConsumer }
  /** The first WebSocket is closed before the media path was up; `opened` tells whether it had been open. */
  | { type: "closed"; opened: boolean }
  /** There is no way for messages now; another one is looked for. */
  | { type: "cut" }
  /** There is one again. */
  | { type: "back" }
  /** The server knows nothing of this session any more. */
  | { type: "forgotten" };

/** Time for a new WebSocket to be welcomed; a path that swallows everything would keep it waiting for minutes. */
export const REOPEN_TIMEOUT_MS = 8000;

export class Line {
  #url: string;
  #world: LineWorld;
  #callback: (event: LineEvent) => void;
  #present: Signalling | null;
  /** Not welcomed yet. */
  #coming: Signalling | null = null;
  #continued: Omit<Continued, "media"> | null = null;
  #held = false;
  #attempt = 0;
  #wait: Cancel | null = null;
  #ended = false;

  constructor(url: string, greeting: Greeting, world: LineWorld, callback: (event: LineEvent) => void) {
    this.#url = url;
    this.#world = world;
    this.#callback = callback;
    this.#present = this.#open(greeting, (event) => {
      if (event.type === "message") callback(event);
      else this.#lost(event.opened);
    });
  }

  /** Whether messages reach the server, as far as that is known. */
  get open(): boolean {
    return this.#present !== null;
  }

  send(message: FromConsumer): void {
    this.#present?.send(message);
  }

  /** From now on another WebSocket follows one that is lost. */
  keep(continued: Omit<Continued, "media">): void {
    this.#continued = continued;
    if (!this.#present) this.#reopen();
  }

  /** Another connection is about to take this one's place, which makes its WebSocket one that is to go. */
  hold(): void {
    this.#held = true;
    this.#dropComing();
  }

  /** It did not. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (!this.#present) this.renew();
  }

  /** The WebSocket may be dead without a word, after a sleep for example: another one takes its place now. */
  renew(): void {
    if (!this.#continued || this.#held || this.#ended) return;
    this.#attempt = 0;
    this.#reopen();
  }

  /** Says good-bye and closes. Nothing is reported after this. */
  end(): void {
    this.#ended = true;
    this.#dropComing();
    this.#present?.end();
    this.#present = null;
  }

  #open(greeting: Greeting, callback: ConstructorParameters<typeof Signalling>[3]): Signalling {
    return new Signalling(this.#url, greeting, (at, protocol) => this.#world.openSocket(at, protocol), callback);
  }

  #lost(opened: boolean): void {
    this.#present = null;
    if (this.#ended) return;
    if (!this.#continued) {
      this.#callback({ type: "closed", opened });
      return;
    }
    this.#callback({ type: "cut" });
    if (!this.#coming) this.#later();
  }

  #later(): void {
    if (this.#held || this.#ended) return;
    this.#dropComing();
    this.#wait = this.#world.clock.after(retryDelayMs(this.#attempt++, this.#world.random()), () => {
      this.#reopen();
    });
  }

  #reopen(): void {
    const continued = this.#continued;
    if (!continued || this.#held || this.#ended) return;
    this.#dropComing();
    this.#wait = this.#world.clock.after(REOPEN_TIMEOUT_MS, () => {
      this.#later();
    });
    const coming = this.#open({ session: { ...continued, media: "keep" } }, (event) => {
      if (coming === this.#present) {
        if (event.type === "message") this.#callback(event);
        else this.#lost(event.opened);
      } else if (coming === this.#coming) {
        if (event.type === "message") this.#answered(coming, event.message);
        else this.#later();
      }
    });
    this.#coming = coming;
  }

  #answered(coming: Signalling, message: ToConsumer): void {
    if (message.type === "welcome" && message.resumed === true) {
      this.#coming = null;
      this.#dropComing();
      // The server has let go of the old one already, and hears nothing more from it.
      const old = this.#present;
      this.#present = coming;
      old?.abandon();
      this.#attempt = 0;
      this.#callback({ type: "back" });
    } else if (message.type === "error" && message.code === "unknownConsumer") {
      this.#dropComing();
      this.#continued = null;
      this.#callback({ type: "forgotten" });
    } else if (message.type === "error") {
      this.#later();
    }
  }

  #dropComing(): void {
    this.#wait?.();
    this.#wait = null;
    this.#coming?.abandon();
    this.#coming = null;
  }
}
