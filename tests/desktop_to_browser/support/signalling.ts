// Shell: a consumer that is no browser: it speaks the signalling of protocol/src/signalling.rs over a WebSocket, well or badly.

import WebSocket from "ws";
import { until, within } from "./wait.js";

export interface Message {
  type: string;
  [field: string]: unknown;
}

export const SUBPROTOCOL = "vdi.1";
export const HELLO = { type: "hello", version: 1 };

export class Signalling {
  readonly messages: Message[] = [];
  closed = false;

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data: Buffer) => this.messages.push(JSON.parse(data.toString("utf8")) as Message));
    socket.on("close", () => (this.closed = true));
    socket.on("error", () => (this.closed = true));
  }

  /** Opens the WebSocket; the error of a refused one holds the HTTP status. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<Signalling> {
    const socket = new WebSocket(new URL("/ws", url.replace(/^http/, "ws")), [SUBPROTOCOL], { headers, handshakeTimeout: 5_000 });
    const signalling = new Signalling(socket);
    await within(
      "the WebSocket to open",
      6_000,
      new Promise((resolve, reject) => {
        socket.once("open", resolve);
        socket.once("error", reject);
      }),
    );
    return signalling;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  sendBinary(bytes: Buffer): void {
    this.socket.send(bytes, { binary: true });
  }

  /** The first message of this type, now or within the limit. */
  async next(type: string, limitMs = 10_000): Promise<Message> {
    return until(`a message "${type}"`, limitMs, () => {
      const found = this.messages.find((message) => message.type === type);
      if (!found) throw new Error(`${this.closed ? "closed, " : ""}got ${JSON.stringify(this.messages).slice(0, 500)}`);
      return found;
    });
  }

  async untilClosed(limitMs = 10_000): Promise<void> {
    await until("the WebSocket to be closed", limitMs, () => this.closed);
  }

  close(): void {
    this.socket.terminate();
  }
}

/** The offer that a well-behaved consumer gets. */
export async function offerFrom(url: string, headers: Record<string, string> = {}): Promise<string> {
  const signalling = await Signalling.open(url, headers);
  try {
    signalling.send(HELLO);
    const { sdp } = await signalling.next("offer");
    return String(sdp);
  } finally {
    signalling.close();
  }
}
