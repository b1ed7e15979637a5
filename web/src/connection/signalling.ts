// Shell: the signalling WebSocket of one session. Says hello, reads and writes messages, and keeps candidates that come
// before the offer until after it. It knows no RTCPeerConnection and is not used twice.
import { ownFullChroma, ownVideo } from "./chroma";
import { parse, SchemaError } from "../wire/schema";
import { ownSurround } from "./surround";
import { SUBPROTOCOL, toConsumer, VERSION, type Continued, type FromConsumer, type ToConsumer } from "../wire/protocol";

/** `WebSocket.OPEN`. */
const OPEN = 1;
/** Candidates kept while there is no offer; browsers and webrtcbin send fewer than 20. */
const MAX_EARLY_CANDIDATES = 100;

/** What hello says beside the version: which browser this is, and the session that goes on. */
export interface Greeting {
  readonly client?: string;
  /** It only watched before. */
  readonly watches?: boolean;
  readonly session?: Continued;
}

export type SignallingEvent =
  | { type: "message"; message: ToConsumer }
  /** The WebSocket is closed; `opened` tells whether it had been open. */
  | { type: "closed"; opened: boolean };

/** Where signalling lives: beside the page, whatever path a reverse proxy gave it. */
export function signallingUrl(base: string): string {
  const url = new URL("ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  // A WebSocket URL has no fragment, and the page's query is not the server's.
  url.hash = "";
  return url.href;
}

export class Signalling {
  #socket: WebSocket;
  #callback: (event: SignallingEvent) => void;
  #opened = false;
  #closed = false;
  #offered = false;
  #early: ToConsumer[] = [];

  constructor(url: string, greeting: Greeting, openSocket: (url: string, protocol: string) => WebSocket, callback: (event: SignallingEvent) => void) {
    this.#callback = callback;
    // The peer connection of a session that is kept has had its offer, and takes candidates at any time.
    this.#offered = greeting.session?.media === "keep";
    this.#socket = openSocket(url, SUBPROTOCOL);
    this.#socket.addEventListener("open", () => {
      this.#opened = true;
      const [decodes, fullChroma] = [ownVideo(), ownFullChroma()];
      this.send({
        type: "hello",
        version: VERSION,
        ...greeting,
        ...(decodes.length > 0 && { decodes }),
        ...(fullChroma.length > 0 && { fullChroma }),
        ...(ownSurround() && { surround: true }),
      });
    });
    this.#socket.addEventListener("message", (event) => {
      this.#receive(event.data);
    });
    this.#socket.addEventListener("close", () => {
      this.#close();
    });
  }

  send(message: FromConsumer): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Says good-bye and closes. Nothing is reported after this. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.send({ type: "bye" });
    this.#socket.close(1000);
  }

  /** Closes without a word: another WebSocket speaks for the session. Nothing is reported after this. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close(1000);
  }

  #receive(data: unknown): void {
    if (this.#closed) return;
    let message: ToConsumer;
    try {
      if (typeof data !== "string") throw new SchemaError("a binary frame");
      message = parse(toConsumer, data);
    } catch (error) {
      // A newer server may say more than this page understands; what matters shows in what follows.
      console.warn("gst-vdi: signalling message ignored:", error instanceof Error ? error.message : error);
      return;
    }
    if (message.type === "ice" && !this.#offered) {
      if (this.#early.length < MAX_EARLY_CANDIDATES) this.#early.push(message);
      return;
    }
    this.#callback({ type: "message", message });
    if (message.type === "offer") {
      this.#offered = true;
      for (const early of this.#early.splice(0)) this.#callback({ type: "message", message: early });
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#callback({ type: "closed", opened: this.#opened });
  }
}
