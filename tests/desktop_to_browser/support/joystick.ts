// Shell: a program's end of a gamepad's socket, read as Selkies' joystick interposer reads it: `js_config_t`, then `struct js_event`
// of linux/joystick.h.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { until } from "./wait.js";

const NAME_BYTES = 255;
const MAP_AT = 260;
const AXES_AT = MAP_AT + 512 * 2;
const CONFIG_BYTES = AXES_AT + 64;
const EVENT_BYTES = 8;
const BUTTON = 1;
const INIT = 0x80;

export class Joystick {
  /** Numbers of the buttons that have gone down since it was opened, one after the other. */
  readonly pressedEver: number[] = [];
  readonly #axes: number[] = [];
  readonly #buttons: boolean[] = [];
  #bytes = Buffer.alloc(0);
  #config: Buffer | null = null;

  private constructor(private readonly socket: Socket) {
    socket.on("data", (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      if (!this.#config && this.#bytes.length >= CONFIG_BYTES) {
        this.#config = this.#bytes.subarray(0, CONFIG_BYTES);
        this.#bytes = this.#bytes.subarray(CONFIG_BYTES);
      }
      while (this.#config && this.#bytes.length >= EVENT_BYTES) {
        this.#take(this.#bytes.subarray(0, EVENT_BYTES));
        this.#bytes = this.#bytes.subarray(EVENT_BYTES);
      }
    });
  }

  /** Opens it, and waits for it to say what it is. */
  static async open(folder: string, index: number): Promise<Joystick> {
    const socket = connect(join(folder, `selkies_js${index}.sock`));
    await new Promise((opened, failed) => socket.once("connect", opened).once("error", failed));
    const joystick = new Joystick(socket);
    await until(`joystick ${index} to say what it is`, 10_000, () => joystick.#axes.length === 8);
    return joystick;
  }

  get name(): string {
    const name = this.#configuration.subarray(0, NAME_BYTES);
    return name.subarray(0, name.indexOf(0)).toString();
  }

  get buttonCodes(): number[] {
    return Array.from({ length: this.#configuration.readUInt16LE(256) }, (_, number) => this.#configuration.readUInt16LE(MAP_AT + 2 * number));
  }

  get axisCodes(): number[] {
    return Array.from({ length: this.#configuration.readUInt16LE(258) }, (_, number) => this.#configuration.readUInt8(AXES_AT + number));
  }

  /** Waits for it to stand so: its axes, and the numbers of the buttons that are down. */
  async stands(what: string, wanted: { axes?: number[]; buttons: number[] }): Promise<void> {
    await until(`a joystick that shows ${what}`, 15_000, () => {
      const buttons = [...this.#buttons.keys()].filter((number) => this.#buttons[number]);
      assert.deepEqual({ axes: wanted.axes && this.#axes, buttons }, { axes: wanted.axes, buttons: wanted.buttons });
      return true;
    });
  }

  close(): void {
    this.socket.destroy();
  }

  get #configuration(): Buffer {
    assert.ok(this.#config);
    return this.#config;
  }

  #take(event: Buffer): void {
    const [value, kind, number] = [event.readInt16LE(4), event.readUInt8(6), event.readUInt8(7)];
    if ((kind & ~INIT) === BUTTON) {
      this.#buttons[number] = value !== 0;
      if (value !== 0 && (kind & INIT) === 0) this.pressedEver.push(number);
    } else {
      this.#axes[number] = value;
    }
  }
}
