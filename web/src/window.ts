// Shell: `window.vdi`, a read-only view of the page for tests and for people at the browser's console.
import type { Aligned } from "./connection/alignment";
import type { Connection, State } from "./connection/connection";
import type { Size } from "./picture/geometry";
import type { Keyboard } from "./input/keyboard";
import type { Media, Sound } from "./picture/media";
import type { CursorShape, Latency, MediaInfo, PageStats, Quality, Role, ScreenInfo } from "./wire/protocol";

export interface Vdi {
  /** As on `<html data-state>`. */
  readonly state: State["name"];
  /** The whole state, with cause and time of the next try. */
  readonly detail: State;
  /** The server's name for this page. */
  readonly consumer: string | null;
  readonly role: Role | null;
  /** Whether messages of signalling reach the server; picture and input do not need them. */
  readonly signalled: boolean;
  /** Connected pages. */
  readonly consumers: number | null;
  /** What the server says it sends. */
  readonly media: MediaInfo | null;
  /** What it says of the encoder and of what holds quality back. */
  readonly quality: Quality | null;
  /** Size of the desktop, if it was told. */
  readonly display: Size | null;
  /** What the server says of the screen, if it did. */
  readonly screen: ScreenInfo | null;
  /** Size of the picture as decoded. */
  readonly size: Size;
  readonly sound: Sound;
  /** The report of the last second. */
  readonly stats: PageStats | null;
  /** How long frames take to the screen, as the server told it last. */
  readonly latency: Latency | null;
  /** What added to `performance.now()`, in microseconds, is the server's clock, and how wrong that may be. */
  readonly aligned: Aligned | null;
  /** The pointer's shape, if it is not drawn into the picture. */
  readonly cursor: CursorShape | null;
  /** Keysyms held now. */
  readonly held: readonly number[];
  readonly peer: RTCPeerConnection | null;
}

declare global {
  interface Window {
    readonly vdi: Vdi;
  }
}

export function publish(connection: Connection, media: Media, keyboard: Keyboard, screen: () => ScreenInfo | null): void {
  const view: Vdi = {
    get state() {
      return connection.state.name;
    },
    get detail() {
      return connection.state;
    },
    get consumer() {
      return connection.consumer;
    },
    get role() {
      return connection.role;
    },
    get signalled() {
      return connection.signalled;
    },
    get consumers() {
      return connection.consumers;
    },
    get media() {
      return connection.media;
    },
    get quality() {
      return connection.quality;
    },
    get display() {
      return connection.display;
    },
    get screen() {
      return screen();
    },
    get size() {
      return media.size;
    },
    get sound() {
      return media.sound;
    },
    get stats() {
      return connection.stats;
    },
    get latency() {
      return connection.latency;
    },
    get aligned() {
      return connection.aligned;
    },
    get cursor() {
      return connection.cursor;
    },
    get held() {
      return keyboard.held;
    },
    get peer() {
      return connection.peer;
    },
  };
  Object.defineProperty(window, "vdi", { value: Object.freeze(view) });
}
