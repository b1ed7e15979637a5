// Shell: a program on the X display that copies and pastes, by the rules (ICCCM, 2), with large things in pieces (INCR). It speaks
// the X server's own protocol, past everything under test.

import { connectionOf, type Connection } from "./x11-client.js";
import { within } from "./wait.js";

const [NONE, ATOM, STRING, INTEGER] = [0, 4, 31, 19];
const PROPERTY_CHANGE = 1 << 22;
const [PROPERTY_NOTIFY, SELECTION_CLEAR, SELECTION_REQUEST, SELECTION_NOTIFY] = [28, 29, 30, 31];
/** Larger things go in pieces of this size. */
const PIECE_BYTES = 100_000;
const PATIENCE_MS = 20_000;

/** Forms of what is copied, by the names that programs on X displays give them. */
export type Forms = Record<string, Buffer>;

export class Program {
  private readonly atoms = new Map<string, number>();
  private readonly names = new Map<number, string>();
  private owned = new Map<number, { forms: Forms; since: number }>();
  private sendings: { requestor: number; property: number; type: number; rest: Buffer }[] = [];
  private waiting: { fits: (event: Buffer) => boolean; take: (event: Buffer) => void }[] = [];
  /** Targets that were asked of this program, in order. */
  readonly asked: string[] = [];
  /** Whether the next thing that is taken from it shall come in pieces, however small. */
  inPieces = false;
  /** It answers nobody any more. */
  silent = false;
  private next: number;
  private readonly window: number;

  private constructor(private readonly x: Connection) {
    this.next = x.resourceBase;
    this.window = this.newWindow();
    x.listen((event) => { void this.happened(event); });
  }

  static async start(env: Record<string, string | undefined>): Promise<Program> {
    return new Program(await connectionOf(env));
  }

  /** The program ends, and what it has copied with it, unless somebody has kept it. */
  end(): void {
    this.x.close();
  }

  /** Copies: returns when it owns the selection. */
  async copy(forms: Forms, selection = "CLIPBOARD"): Promise<void> {
    const name = await this.atom(selection);
    const since = await this.time();
    this.owned.set(name, { forms, since });
    this.x.send(22, 0, [this.window, name, since]);
    const owner = (await this.x.ask(23, 0, [name])).readUInt32LE(8);
    if (owner !== this.window) throw new Error(`the X server does not give ${selection}`);
  }

  /** Takes back what it has copied. */
  async clear(selection = "CLIPBOARD"): Promise<void> {
    this.x.send(22, 0, [NONE, await this.atom(selection), await this.time()]);
  }

  /** The forms that can be pasted. */
  async targets(selection = "CLIPBOARD"): Promise<string[]> {
    const list = await this.convert("TARGETS", selection);
    if (!list) return [];
    const names: string[] = [];
    for (let at = 0; at < list.length; at += 4) names.push(await this.name(list.readUInt32LE(at)));
    return names;
  }

  /** Pastes one form, byte for byte; `null` if there is none. */
  async paste(target: string, selection = "CLIPBOARD"): Promise<Buffer | null> {
    return this.convert(target, selection);
  }

  /** Pastes several forms with one request (MULTIPLE). */
  async pasteMany(targets: string[], selection = "CLIPBOARD"): Promise<(Buffer | null)[]> {
    const window = this.newWindow();
    const pairs: number[] = [];
    for (const [index, target] of targets.entries()) pairs.push(await this.atom(target), await this.atom(`VDI_TEST_${index}`));
    const [many, pair, property] = [await this.atom("MULTIPLE"), await this.atom("ATOM_PAIR"), await this.atom("VDI_TEST_PAIRS")];
    this.changeProperty(window, property, pair, 32, Buffer.from(Uint32Array.from(pairs).buffer));
    const answered = this.event("the answer to MULTIPLE", (event) => event[0] === SELECTION_NOTIFY && event.readUInt32LE(8) === window);
    this.x.send(24, 0, [window, await this.atom(selection), many, property, await this.time()]);
    if ((await answered).readUInt32LE(20) === NONE) return targets.map(() => null);
    const given = (await this.property(window, property)).bytes;
    return Promise.all(
      targets.map(async (_, index) => {
        const at = given.readUInt32LE(index * 8 + 4);
        return at === NONE ? null : (await this.property(window, at)).bytes;
      }),
    );
  }

  private async convert(target: string, selection: string): Promise<Buffer | null> {
    const window = this.newWindow();
    const property = await this.atom("VDI_TEST");
    const [name, form, incr] = [await this.atom(selection), await this.atom(target), await this.atom("INCR")];
    const answered = this.event(`${target} of ${selection}`, (event) => event[0] === SELECTION_NOTIFY && event.readUInt32LE(8) === window);
    this.x.send(24, 0, [window, name, form, property, await this.time()]);
    if ((await answered).readUInt32LE(20) === NONE) return null;
    const isPiece = (event: Buffer): boolean => event[0] === PROPERTY_NOTIFY && event.readUInt32LE(4) === window && event.readUInt32LE(8) === property && event[16] === 0;
    // Looked for before the property goes, since that is what brings the first piece.
    let piece = this.event("the first piece", isPiece);
    piece.catch(() => undefined);
    const first = await this.property(window, property);
    if (first.type !== incr) return first.bytes;
    const pieces: Buffer[] = [];
    for (;;) {
      await piece;
      piece = this.event("the next piece", isPiece);
      piece.catch(() => undefined);
      const { bytes } = await this.property(window, property);
      if (bytes.length === 0) return Buffer.concat(pieces);
      pieces.push(bytes);
    }
  }

  private async happened(event: Buffer): Promise<void> {
    const index = this.waiting.findIndex(({ fits }) => fits(event));
    if (index >= 0) this.waiting.splice(index, 1)[0]?.take(event);
    if (event[0] === SELECTION_CLEAR) this.owned.delete(event.readUInt32LE(12));
    if (event[0] === SELECTION_REQUEST && !this.silent) await this.requested(event);
    if (event[0] === PROPERTY_NOTIFY && event[16] === 1) this.more(event.readUInt32LE(4), event.readUInt32LE(8));
  }

  private async requested(event: Buffer): Promise<void> {
    const [time, , requestor = 0, selection = 0, target = 0, property = 0] = [4, 8, 12, 16, 20, 24].map((at) => event.readUInt32LE(at));
    const owned = this.owned.get(selection);
    const name = await this.name(target);
    this.asked.push(name);
    const given = owned !== undefined && (await this.give(owned.forms, name, requestor, target, property));
    const answer = Buffer.alloc(32);
    answer.writeUInt8(SELECTION_NOTIFY, 0);
    [time ?? 0, requestor, selection, target, given ? property : NONE].forEach((word, index) => answer.writeUInt32LE(word, 4 + index * 4));
    this.x.sendEvent(requestor, answer);
  }

  private async give(forms: Forms, name: string, requestor: number, target: number, property: number): Promise<boolean> {
    if (name === "TARGETS") {
      const atoms = await Promise.all(["TARGETS", ...Object.keys(forms)].map((form) => this.atom(form)));
      this.changeProperty(requestor, property, ATOM, 32, Buffer.from(Uint32Array.from(atoms).buffer));
      return true;
    }
    const bytes = forms[name];
    if (!bytes) return false;
    if (bytes.length <= PIECE_BYTES && !this.inPieces) {
      this.changeProperty(requestor, property, target, 8, bytes);
      return true;
    }
    // Everything that changes in the other's window from now on.
    this.x.send(2, 0, [requestor, 1 << 11, PROPERTY_CHANGE]);
    this.sendings.push({ requestor, property, type: target, rest: bytes });
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    this.changeProperty(requestor, property, await this.atom("INCR"), 32, size);
    return true;
  }

  private more(requestor: number, property: number): void {
    const sending = this.sendings.find((one) => one.requestor === requestor && one.property === property);
    if (!sending) return;
    const piece = sending.rest.subarray(0, PIECE_BYTES);
    sending.rest = sending.rest.subarray(PIECE_BYTES);
    this.changeProperty(requestor, property, sending.type, 8, piece);
    if (piece.length === 0) this.sendings = this.sendings.filter((one) => one !== sending);
  }

  private event(what: string, fits: (event: Buffer) => boolean): Promise<Buffer> {
    return within(what, PATIENCE_MS, new Promise<Buffer>((take) => this.waiting.push({ fits, take })));
  }

  /** The server's time, which it tells with every change of a property. */
  private async time(): Promise<number> {
    const name = await this.atom("VDI_TEST_TIME");
    const told = this.event("the server's time", (event) => event[0] === PROPERTY_NOTIFY && event.readUInt32LE(4) === this.window && event.readUInt32LE(8) === name);
    this.changeProperty(this.window, name, INTEGER, 32, Buffer.alloc(4));
    return (await told).readUInt32LE(12);
  }

  private async property(window: number, property: number): Promise<{ type: number; bytes: Buffer }> {
    const reply = await this.x.ask(20, 1, [window, property, 0, 0, 0x1000_0000]);
    const bytes = reply.readUInt32LE(16) * ((reply[1] ?? 0) / 8);
    return { type: reply.readUInt32LE(8), bytes: Buffer.from(reply.subarray(32, 32 + bytes)) };
  }

  private changeProperty(window: number, property: number, type: number, format: 8 | 32, data: Buffer): void {
    const head = Buffer.alloc(20);
    [window, property, type].forEach((word, index) => head.writeUInt32LE(word, index * 4));
    head.writeUInt8(format, 12);
    head.writeUInt32LE(data.length / (format / 8), 16);
    this.x.sendData(18, 0, Buffer.concat([head, data]));
  }

  private newWindow(): number {
    const window = this.next++;
    // A window of one pixel that is never mapped, and is told of its properties.
    this.x.send(1, 0, [window, this.x.root, 0, 1 | (1 << 16), 1 << 16, 0, 1 << 11, PROPERTY_CHANGE]);
    return window;
  }

  private async atom(name: string): Promise<number> {
    const fixed = { STRING, ATOM, PRIMARY: 1 }[name];
    if (fixed !== undefined) return fixed;
    const known = this.atoms.get(name);
    if (known !== undefined) return known;
    const head = Buffer.alloc(4);
    head.writeUInt16LE(Buffer.byteLength(name));
    const atom = (await this.x.askData(16, 0, Buffer.concat([head, Buffer.from(name)]))).readUInt32LE(8);
    this.atoms.set(name, atom);
    this.names.set(atom, name);
    return atom;
  }

  private async name(atom: number): Promise<string> {
    const known = this.names.get(atom) ?? { [STRING]: "STRING", [ATOM]: "ATOM" }[atom];
    if (known !== undefined) return known;
    const reply = await this.x.ask(17, 0, [atom]);
    const name = reply.subarray(32, 32 + reply.readUInt16LE(8)).toString();
    this.names.set(atom, name);
    this.atoms.set(name, atom);
    return name;
  }
}
