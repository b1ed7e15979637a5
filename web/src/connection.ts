// Shell: keeps the page connected. It begins sessions, and when one is over it decides by the cause (cause.ts) and the
// number of tries (backoff.ts) what comes next. It owns the state that the user sees and nothing of how it looks.
//
//   connecting ──▶ streaming ◀──▶ reconnecting          failed: the user is told why, and may try again
//        └─────────────┴──────────────┴──▶ failed, ended   ended: the server closed the session as asked
import type { Aligned } from "./alignment";
import { retryDelayMs } from "./backoff";
import { consequence, type Cause } from "./cause";
import type { Cancel } from "./clock";
import type { FrameMetadata } from "./frames";
import type { Size } from "./geometry";
import type { CursorShape, Input, Latency, MediaInfo, Motion, NoticeLevel, PageStats, Quality, Role, SessionInfo, ToPage } from "./protocol";
import { Session, type ChannelName, type Outgoing, type SessionEvent, type World } from "./session";

/** How far a session has come. */
export type Stage = "server" | "offer" | "media" | "desktop" | "frame";

export type State =
  | { readonly name: "connecting"; readonly stage: Stage }
  | { readonly name: "streaming" }
  /** `retryAtMs` is `null` while a try is being made. */
  | { readonly name: "reconnecting"; readonly cause: Cause; readonly retryAtMs: number | null }
  /** `retrying`: the page goes on trying by itself. */
  | { readonly name: "failed"; readonly cause: Cause; readonly retrying: boolean }
  | { readonly name: "ended"; readonly message: string };

export type ConnectionEvent =
  /** State, role, media, statistics or the number of pages changed. */
  | { type: "changed" }
  /** A new session begins: what was held before is not held in it. */
  | { type: "begun" }
  /** The present session is about to end: the last moment at which its picture is there. */
  | { type: "ending" }
  /** The page stood still, and goes on. */
  | { type: "resumed" }
  | { type: "track"; track: MediaStreamTrack; receiver: RTCRtpReceiver }
  | { type: "notice"; level: NoticeLevel; text: string; once?: string };

/** A stream that lasted this long was a good one: after its loss the delays begin anew. */
export const GOOD_STREAM_MS = 5000;

export class Connection {
  #url: string;
  #world: World & { random(): number };
  #callback: (event: ConnectionEvent) => void;
  #session: Session | null = null;
  #state: State = { name: "connecting", stage: "server" };
  #attempt = 0;
  #retry: Cancel | null = null;
  #shownAtMs: number | null = null;
  /** What the server said of this session, if it said that it failed. */
  #failure: Cause | null = null;
  #starting = false;

  consumer: string | null = null;
  role: Role | null = null;
  consumers: number | null = null;
  media: MediaInfo | null = null;
  /** The desktop's size, if the server told it. */
  display: Size | null = null;
  quality: Quality | null = null;
  #qualityAtMs = 0;
  stats: PageStats | null = null;
  /** How long frames take to the screen, if the server told it. */
  latency: Latency | null = null;
  #latencyAtMs = 0;
  /** The pointer's shape, if it is not drawn into the picture. */
  cursor: CursorShape | null = null;

  constructor(url: string, world: World & { random(): number }, callback: (event: ConnectionEvent) => void) {
    this.#url = url;
    this.#world = world;
    this.#callback = callback;
  }

  get state(): State {
    return this.#state;
  }

  /** For how long what limits quality has done so, in seconds. */
  get limitedSeconds(): number {
    return this.quality ? this.quality.seconds + (this.#world.clock.nowMs() - this.#qualityAtMs) / 1000 : 0;
  }

  /** How old the figures of latency are: there are none while nothing changes on the desktop. */
  get latencySeconds(): number {
    return this.latency ? (this.#world.clock.nowMs() - this.#latencyAtMs) / 1000 : 0;
  }

  /** How the page's clock is aligned with the server's. */
  get aligned(): Aligned | null {
    return this.#session?.aligned ?? null;
  }

  get peer(): RTCPeerConnection | null {
    return this.#session?.peer ?? null;
  }

  /** Whether keys and pointer of this page may reach the desktop. A page that was told nothing may try. */
  get mayAct(): boolean {
    return this.#state.name === "streaming" && this.role !== "viewer";
  }

  /** Begins, or begins anew because the user asks for it. */
  start(): void {
    this.#attempt = 0;
    this.#become({ name: "connecting", stage: "server" });
    this.#begin();
  }

  /** Gives up before the first try, since this browser cannot do it. */
  refuse(cause: Cause): void {
    this.#become({ name: "failed", cause, retrying: false });
  }

  /** Leaves: the page goes away. */
  stop(): void {
    this.#retry?.();
    this.#retry = null;
    this.#session?.end();
    this.#session = null;
  }

  /** The page is visible, or the network is there again: a wait ends now, and a session has to prove that it lives. */
  wake(): void {
    if (this.#retry) {
      this.#attempt = 0;
      this.#begin();
    } else {
      this.#session?.wake();
    }
  }

  /** The first picture of the present session is on the screen. */
  pictureShown(): void {
    if (!this.#session || this.#shownAtMs !== null) return;
    this.#shownAtMs = this.#world.clock.nowMs();
    this.#showProgress("frame");
  }

  /** A frame of the present session is on the screen. */
  frameSeen(frame: FrameMetadata): void {
    this.#session?.frameSeen(frame);
  }

  sendInput(message: Input): boolean {
    return this.mayAct && this.#send("input", message);
  }

  sendMotion(message: Motion): boolean {
    return this.mayAct && this.#send("pointer", message);
  }

  takeControl(): boolean {
    return this.#send("control", { type: "takeControl" });
  }

  #send<C extends ChannelName>(channel: C, message: Outgoing[C]): boolean {
    return this.#session?.send(channel, message) ?? false;
  }

  #begin(): void {
    this.stop();
    this.#shownAtMs = null;
    this.#failure = null;
    this.#starting = false;
    this.consumer = null;
    this.role = null;
    this.consumers = null;
    this.display = null;
    this.quality = null;
    this.stats = null;
    this.latency = null;
    this.cursor = null;
    if (this.#state.name === "reconnecting") this.#become({ ...this.#state, retryAtMs: null });
    this.#callback({ type: "begun" });
    const session: Session = new Session(this.#url, this.#world, (event) => {
      if (session === this.#session) this.#happened(event);
    });
    this.#session = session;
  }

  #happened(event: SessionEvent): void {
    switch (event.type) {
      case "welcome":
        this.consumer = event.consumer;
        this.#showProgress("offer");
        break;
      case "offered":
        this.#showProgress("media");
        break;
      case "connected":
        this.#showProgress("frame");
        break;
      case "track":
      case "ending":
      case "resumed":
        this.#callback(event);
        break;
      case "stats":
        this.stats = event.stats;
        this.#callback({ type: "changed" });
        break;
      case "control":
        this.#controlled(event.message);
        break;
      case "over":
        this.#over(event.cause);
        break;
    }
  }

  #controlled(message: ToPage): void {
    switch (message.type) {
      case "media":
        this.media = message;
        this.#callback({ type: "changed" });
        break;
      case "quality":
        this.quality = message;
        this.#qualityAtMs = this.#world.clock.nowMs();
        this.#callback({ type: "changed" });
        break;
      case "latency":
        this.latency = message;
        this.#latencyAtMs = this.#world.clock.nowMs();
        this.#callback({ type: "changed" });
        break;
      case "cursor":
        this.cursor = message;
        this.#callback({ type: "changed" });
        break;
      case "display":
        this.display = { width: message.width, height: message.height };
        this.#callback({ type: "changed" });
        break;
      case "session":
        this.#sessionChanged(message);
        break;
      case "notice":
        this.#callback(message);
        break;
      case "pong":
      case "controlTaken":
        break;
    }
  }

  #sessionChanged(session: SessionInfo): void {
    this.role = session.role;
    this.consumers = session.consumers;
    this.#starting = session.phase === "Starting";
    if (session.phase === "Failed") {
      this.#failure = { kind: "session", reason: session.reason ?? null, message: session.message ?? null };
      this.#become({ name: "failed", cause: this.#failure, retrying: true });
    } else if (session.phase === "Ended") {
      this.stop();
      this.#become({ name: "ended", message: session.message ?? "" });
    } else {
      this.#failure = null;
      this.#showProgress("frame");
    }
  }

  /** Shows how far the session has come, unless something worse has to be shown. */
  #showProgress(stage: Stage): void {
    if (this.#failure) return;
    if (this.#shownAtMs !== null) this.#become({ name: "streaming" });
    else if (this.#state.name === "connecting") this.#become({ name: "connecting", stage: this.#starting ? "desktop" : stage });
    else this.#callback({ type: "changed" });
  }

  #over(cause: Cause): void {
    const { clock } = this.#world;
    const lasted = this.#shownAtMs === null ? 0 : clock.nowMs() - this.#shownAtMs;
    if (lasted >= GOOD_STREAM_MS) this.#attempt = 0;
    this.#session = null;
    this.stats = null;
    // A session that failed takes its leave as well, and may come back like one that was lost. A page that tries again
    // at once may meet it while it is still going down.
    const farewell = cause.kind === "bye" && (this.#failure !== null || this.#state.name === "failed");
    switch (farewell ? "retry" : consequence(cause)) {
      case "end":
        this.#become({ name: "ended", message: cause.kind === "bye" ? cause.message : "" });
        break;
      case "fail":
        this.#become({ name: "failed", cause, retrying: false });
        break;
      case "retry": {
        const delayMs = retryDelayMs(this.#attempt++, this.#world.random());
        this.#retry = clock.after(delayMs, () => {
          this.#begin();
        });
        // What the server said last explains more than that the connection is gone.
        if (this.#state.name === "failed") this.#become({ ...this.#state, retrying: true });
        else this.#become({ name: "reconnecting", cause, retryAtMs: clock.nowMs() + delayMs });
        break;
      }
    }
  }

  #become(state: State): void {
    this.#state = state;
    this.#callback({ type: "changed" });
  }
}
