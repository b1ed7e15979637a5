// Shell: the truth about an X display, asked of the X server itself over its own protocol, past everything under test.
//
// Only the four requests that the tests need (X11 protocol, appendix B): no extension, one request at a time.

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { within } from "./wait.js";

const REPLY = 1;
const ERROR = 0;

/** Where the pointer is, and which buttons are down (`1` left, `2` middle, `3` right). */
export interface Pointer {
  x: number;
  y: number;
  buttons: number[];
}

/** A picture, four bytes (blue, green, red, nothing) for each pixel. */
export interface Picture {
  width: number;
  height: number;
  bgrx: Buffer;
}

export class Display {
  private constructor(
    private readonly reader: SocketReader,
    private readonly root: number,
    readonly width: number,
    readonly height: number,
    private readonly minKeycode: number,
    private readonly maxKeycode: number,
  ) {}

  /** `env` is that of a client of the display: DISPLAY, and XAUTHORITY where the display wants a cookie. */
  static async open(env: Record<string, string | undefined>): Promise<Display> {
    const number = /^:(\d+)/.exec(env["DISPLAY"] ?? "")?.[1];
    if (number === undefined) throw new Error(`no local display: ${env["DISPLAY"] ?? "DISPLAY is not set"}`);
    const cookie = env["XAUTHORITY"] === undefined ? undefined : cookieOf(env["XAUTHORITY"], number);
    const name = cookie ? Buffer.from("MIT-MAGIC-COOKIE-1") : Buffer.alloc(0);
    const data = cookie ?? Buffer.alloc(0);

    const socket = connect(`/tmp/.X11-unix/X${number}`);
    const reader = new SocketReader(socket);
    const hello = Buffer.alloc(12);
    hello.write("l");
    hello.writeUInt16LE(11, 2);
    hello.writeUInt16LE(name.length, 6);
    hello.writeUInt16LE(data.length, 8);
    socket.write(Buffer.concat([hello, padded(name), padded(data)]));

    const head = await reader.take(8);
    const rest = await reader.take(head.readUInt16LE(6) * 4);
    if (head[0] !== 1) throw new Error(`the X server refuses: ${rest.toString("latin1")}`);
    const vendorBytes = rest.readUInt16LE(16);
    const formats = rest.readUInt8(21);
    const screen = 32 + Math.ceil(vendorBytes / 4) * 4 + formats * 8;
    return new Display(
      reader,
      rest.readUInt32LE(screen),
      rest.readUInt16LE(screen + 20),
      rest.readUInt16LE(screen + 22),
      rest.readUInt8(26),
      rest.readUInt8(27),
    );
  }

  close(): void {
    this.reader.socket.destroy();
  }

  async pointer(): Promise<Pointer> {
    const reply = await this.ask(38, 0, [this.root]);
    const mask = reply.readUInt16LE(24);
    return { x: reply.readInt16LE(16), y: reply.readInt16LE(18), buttons: [1, 2, 3].filter((button) => mask & (0x80 << button)) };
  }

  /** The keysyms (first column of the keyboard mapping) of the keys that are down. */
  async keysDown(): Promise<number[]> {
    const keymap = (await this.ask(44, 0, [])).subarray(8, 40);
    const count = this.maxKeycode - this.minKeycode + 1;
    const mapping = await this.ask(101, 0, [this.minKeycode | (count << 8)]);
    const columns = mapping.readUInt8(1);
    const down: number[] = [];
    for (let keycode = this.minKeycode; keycode <= this.maxKeycode; keycode++) {
      if (((keymap[keycode >> 3] ?? 0) >> (keycode & 7)) & 1) {
        down.push(mapping.readUInt32LE(32 + (keycode - this.minKeycode) * columns * 4));
      }
    }
    return down;
  }

  async picture(): Promise<Picture> {
    const zPixmap = 2;
    const size = this.width | (this.height << 16);
    const reply = await this.ask(73, zPixmap, [this.root, 0, size, 0xffffffff]);
    return { width: this.width, height: this.height, bgrx: reply.subarray(32) };
  }

  private async ask(opcode: number, detail: number, words: number[]): Promise<Buffer> {
    const request = Buffer.alloc(4 + words.length * 4);
    request.writeUInt8(opcode, 0);
    request.writeUInt8(detail, 1);
    request.writeUInt16LE(1 + words.length, 2);
    words.forEach((word, index) => request.writeUInt32LE(word >>> 0, 4 + index * 4));
    this.reader.socket.write(request);
    for (;;) {
      const head = await this.reader.take(32);
      if (head[0] === ERROR) throw new Error(`X error ${head[1] ?? 0} for request ${opcode}`);
      // Everything else is an event; the server sends MappingNotify to every client.
      if (head[0] === REPLY) return Buffer.concat([head, await this.reader.take(head.readUInt32LE(4) * 4)]);
    }
  }
}

/** Reads a socket in pieces of a known size. */
export class SocketReader {
  private chunks = Buffer.alloc(0);
  private wake: () => void = () => undefined;
  private failure: Error | undefined;

  constructor(readonly socket: Socket) {
    const fail = (error: Error): void => {
      this.failure = error;
      this.wake();
    };
    socket.on("data", (chunk) => {
      this.chunks = Buffer.concat([this.chunks, chunk]);
      this.wake();
    });
    socket.on("error", fail);
    socket.on("close", () => { fail(new Error("the X server has closed the connection")); });
  }

  /** Without a limit it waits for as long as the connection lasts. */
  async take(bytes: number, limitMs = 5_000): Promise<Buffer> {
    while (this.chunks.length < bytes) {
      if (this.failure) throw this.failure;
      const more = new Promise<void>((resolve) => (this.wake = resolve));
      await (limitMs === Infinity ? more : within("an answer of the X server", limitMs, more));
    }
    const taken = this.chunks.subarray(0, bytes);
    this.chunks = this.chunks.subarray(bytes);
    return taken;
  }
}

export function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}

/** The cookie of a display in an Xauthority file: entries of family, address, number, name and data, lengths big-endian. */
export function cookieOf(file: string, display: string): Buffer | undefined {
  const data = readFileSync(file);
  let at = 0;
  const field = (): Buffer => {
    const length = data.readUInt16BE(at);
    at += 2 + length;
    return data.subarray(at - length, at);
  };
  while (at < data.length) {
    at += 2;
    field();
    const number = field().toString();
    const name = field().toString();
    const value = field();
    if (name === "MIT-MAGIC-COOKIE-1" && (number === display || number === "")) return value;
  }
  return undefined;
}
