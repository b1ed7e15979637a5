// Shell: a client of an X display that asks many things at once and hears events, in the X server's own protocol.

import { connect } from "node:net";
import { cookieOf, padded, SocketReader } from "./x11.js";

const [ERROR, REPLY] = [0, 1];

export class Connection {
  private sequence = 0;
  private answers = new Map<number, { take: (reply: Buffer) => void; fail: (error: Error) => void }>();
  private listener: (event: Buffer) => void = () => undefined;

  constructor(
    private readonly reader: SocketReader,
    readonly root: number,
    /** The first of the names for windows that this client may give. */
    readonly resourceBase: number,
  ) {
    // It ends with the connection.
    this.read().catch((error: unknown) => {
      for (const { fail } of this.answers.values()) fail(error as Error);
    });
  }

  listen(listener: (event: Buffer) => void): void {
    this.listener = listener;
  }

  close(): void {
    this.reader.socket.destroy();
  }

  send(opcode: number, detail: number, words: number[]): void {
    this.sendData(opcode, detail, Buffer.from(Uint32Array.from(words.map((word) => word >>> 0)).buffer));
  }

  sendData(opcode: number, detail: number, data: Buffer): void {
    const body = padded(data);
    const head = Buffer.alloc(4);
    head.writeUInt8(opcode, 0);
    head.writeUInt8(detail, 1);
    head.writeUInt16LE(1 + body.length / 4, 2);
    this.sequence = (this.sequence + 1) & 0xffff;
    this.reader.socket.write(Buffer.concat([head, body]));
  }

  sendEvent(window: number, event: Buffer): void {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(window, 0);
    this.sendData(25, 0, Buffer.concat([head, event]));
  }

  ask(opcode: number, detail: number, words: number[]): Promise<Buffer> {
    return this.askData(opcode, detail, Buffer.from(Uint32Array.from(words.map((word) => word >>> 0)).buffer));
  }

  askData(opcode: number, detail: number, data: Buffer): Promise<Buffer> {
    this.sendData(opcode, detail, data);
    const { sequence } = this;
    return new Promise((take, fail) => this.answers.set(sequence, { take, fail }));
  }

  private async read(): Promise<never> {
    for (;;) {
      const head = await this.reader.take(32, Infinity);
      const answer = this.answers.get(head.readUInt16LE(2));
      if (head[0] === REPLY) {
        const reply = Buffer.concat([head, await this.reader.take(head.readUInt32LE(4) * 4)]);
        this.answers.delete(head.readUInt16LE(2));
        answer?.take(reply);
      } else if (head[0] === ERROR) {
        // A request without an answer may fail because the other's window is gone.
        this.answers.delete(head.readUInt16LE(2));
        answer?.fail(new Error(`X error ${head[1] ?? 0} for request ${head[10] ?? 0}`));
      } else {
        // The highest bit only says that another client has sent it.
        head.writeUInt8((head[0] ?? 0) & 0x7f, 0);
        this.listener(head);
      }
    }
  }
}

/** `env` is that of a client of the display. */
export async function connectionOf(env: Record<string, string | undefined>): Promise<Connection> {
  const number = /^:(\d+)/.exec(env["DISPLAY"] ?? "")?.[1];
  if (number === undefined) throw new Error(`no local display: ${env["DISPLAY"] ?? "DISPLAY is not set"}`);
  const cookie = env["XAUTHORITY"] === undefined ? undefined : cookieOf(env["XAUTHORITY"], number);
  const name = cookie ? Buffer.from("MIT-MAGIC-COOKIE-1") : Buffer.alloc(0);
  const data = cookie ?? Buffer.alloc(0);
  const reader = new SocketReader(connect(`/tmp/.X11-unix/X${number}`));
  const hello = Buffer.alloc(12);
  hello.write("l");
  hello.writeUInt16LE(11, 2);
  hello.writeUInt16LE(name.length, 6);
  hello.writeUInt16LE(data.length, 8);
  reader.socket.write(Buffer.concat([hello, padded(name), padded(data)]));
  const head = await reader.take(8);
  const rest = await reader.take(head.readUInt16LE(6) * 4);
  if (head[0] !== 1) throw new Error(`the X server refuses: ${rest.toString("latin1")}`);
  const screen = 32 + Math.ceil(rest.readUInt16LE(16) / 4) * 4 + rest.readUInt8(21) * 8;
  return new Connection(reader, rest.readUInt32LE(screen), rest.readUInt32LE(4));
}
