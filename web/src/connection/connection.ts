// Shell: keeps the page connected. It begins sessions, and when one is over it decides by the cause (cause.ts) and the
// number of tries (backoff.ts) what comes next. It owns the state that the user sees and nothing of how it looks.
//
// A session whose media path is lost gets a successor: a second connection under the same name. The old one stays, with
// its picture, until the successor's first frame is on the screen; only if the server knows nothing of the session any
// more does a new one begin.
//
//   connecting ──▶ streaming ◀──▶ reconnecting          failed: the user is told why, and may try again
//        └─────────────┴──────────────┴──▶ failed, ended   ended: the server closed the session as asked
import type { Aligned } from "./alignment";
import { retryDelayMs } from "./backoff";
import { consequence, type Cause } from "./cause";
import type { Cancel } from "../clock";
import type { FrameMetadata } from "./frames";
import type { Size } from "../picture/geometry";
import { GOOD_STREAM_MS, QUIET_MS, CUT_NOTICE_MS, DOUBT_PAUSE_MS, FRESH_MS } from "./patience";
import type { Continued, CursorShape, Input, Latency, MediaInfo, PageStats, Pointing, Quality, Role, SessionInfo, ToPage } from "../wire/protocol";
import { isForAnother } from "./sdp";
import { Session, type ChannelName, type Outgoing, type SessionEvent, type World } from "./session";
import type { Coming, ConnectionEvent, Stage, State } from "./state";

export type { ConnectionEvent, Stage, State } from "./state";

export class Connection {
  #url: string;
  #world: World;
  #client: string | null;
  #callback: (event: ConnectionEvent) => void;
  #session: Session | null = null;
  /** On its way to take the session's place. */
  #successor: Session | null = null;
  /** The successor's sound, for the moment at which it does. */
  #sound: Extract<ConnectionEvent, { type: "track" }> | null = null;
  #succeedsSinceMs = 0;
  #doubtedAtMs: number | null = null;
  #quiet: Cancel | null = null;
  #cut: Cancel | null = null;
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
  /** The limit that will end the session, and when; `null` while none is near. */
  coming: Coming | null = null;

  /** `client`: the browser's name, if it has one. */
  constructor(url: string, client: string | null, world: World, callback: (event: ConnectionEvent) => void) {
    this.#url = url;
    this.#client = client;
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

  /** A data channel of the present session. */
  channel(label: string): RTCDataChannel | null {
    return this.#session?.channel(label) ?? null;
  }

  /** Whether messages of signalling reach the server. */
  get signalled(): boolean {
    return this.#session?.signalled ?? false;
  }

  /** Whether keys and pointer of this page may reach the desktop. A page that was told nothing may try. */
  get mayAct(): boolean {
    return this.#state.name === "streaming" && this.role !== "viewer";
  }

  /** Begins, or begins anew because the user asks for it. */
  start(): void {
    this.#attempt = 0;
    this.#become({ name: "connecting", stage: "server" });
    this.role = null;
    this.#begin();
  }

  /** Gives up: this browser cannot do it, or the server does not let it in. */
  refuse(cause: Cause): void {
    this.#become({ name: "failed", cause, retrying: false });
  }

  /** Leaves: the page goes away. */
  stop(): void {
    this.#retry?.();
    this.#retry = null;
    this.#calm();
    this.#cut?.();
    this.#cut = null;
    this.#dropSuccessor();
    this.#session?.end();
    this.#session = null;
  }

  /** The page is visible, or the network is there again: a wait ends now, and a session has to prove that it lives. */
  wake(): void {
    if (this.#retry) {
      this.#attempt = 0;
      this.#again();
    } else {
      this.#session?.wake();
    }
  }

  /** The machine is in another network, or may be: whatever is on its way may have set out in the old one. */
  networkChanged(): void {
    if (this.#successor && this.#world.clock.nowMs() - this.#succeedsSinceMs >= FRESH_MS) this.#succeed();
    else this.wake();
  }

  /** The first picture of the present session is on the screen. */
  pictureShown(): void {
    if (this.#successor) {
      this.#takeOver(this.#successor);
      return;
    }
    if (!this.#session || this.#shownAtMs !== null) return;
    this.#shownAtMs = this.#world.clock.nowMs();
    this.#showProgress("frame");
  }

  /** A frame is on the screen, of the present session or (`coming`) of its successor. */
  frameSeen(frame: FrameMetadata, coming = false): void {
    (coming ? (this.#successor ?? this.#session) : this.#session)?.frameSeen(frame);
  }

  sendInput(message: Input): boolean {
    return this.mayAct && this.#send("input", message);
  }

  sendMotion(message: Pointing): boolean {
    return this.mayAct && this.#send("pointer", message);
  }

  sendControl(message: Outgoing["control"]): boolean {
    return this.#send("control", message);
  }

  #send<C extends ChannelName>(channel: C, message: Outgoing[C]): boolean {
    // A server whose channels to the successor are open hears nothing else.
    return [this.#successor, this.#session].some((session) => session?.send(channel, message));
  }

  /** Another try: with what is left of the session, or anew. */
  #again(): void {
    this.#retry?.();
    this.#retry = null;
    if (this.#session) this.#succeed();
    else this.#begin();
  }

  #begin(): void {
    // A page that only watched comes back by itself as one that watches, and not as the user's newest.
    const watched = this.role === "viewer" && this.#state.name !== "connecting";
    this.stop();
    this.#shownAtMs = null;
    this.#failure = null;
    this.#starting = false;
    this.consumer = this.role = this.consumers = this.stats = null;
    this.display = this.quality = this.latency = this.cursor = this.coming = null;
    if (this.#state.name === "reconnecting") this.#become({ ...this.#state, retryAtMs: null });
    this.#callback({ type: "begun" });
    const greeting = { ...(this.#client !== null && { client: this.#client }), ...(watched && { watches: true }) };
    const session: Session = new Session(this.#url, greeting, this.#world, (event) => {
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
      case "doubted":
        this.#doubted(event.certain);
        break;
      case "healed":
        this.#healed();
        break;
      case "line":
        this.#lineChanged();
        break;
      case "over":
        this.#over(event.cause);
        break;
    }
  }

  #doubted(certain: boolean): void {
    const { clock } = this.#world;
    if (this.#shownAtMs === null || this.#failure) {
      if (certain) this.#giveUp({ kind: "lost" });
      return;
    }
    if (this.#successor || this.#retry) return;
    if (!certain) {
      if (this.#doubtedAtMs !== null && clock.nowMs() - this.#doubtedAtMs < DOUBT_PAUSE_MS) return;
      this.#doubtedAtMs = clock.nowMs();
    }
    this.#attempt = 0;
    this.#succeed();
  }

  /** Lets a second connection go on with the session. A picture that stands is told of, unless the second one's first is on its way. */
  #succeed(): void {
    const { clock } = this.#world;
    const session = this.#session;
    const continued: Omit<Continued, "media"> | null = session?.continued ?? null;
    if (!session || !continued) {
      this.#giveUp({ kind: "lost" });
      return;
    }
    this.#dropSuccessor();
    session.awaitSuccessor(true);
    this.#succeedsSinceMs = clock.nowMs();
    if (this.#state.name === "reconnecting") this.#become({ ...this.#state, retryAtMs: null });
    else {
      const tell = (): void => {
        this.#quiet = null;
        if (session.healthy || this.#state.name !== "streaming") return;
        this.#quiet = this.#successor?.healthy ? clock.after(QUIET_MS, tell) : null;
        if (!this.#quiet) this.#become({ name: "reconnecting", cause: { kind: "lost" }, retryAtMs: null });
      };
      this.#quiet ??= clock.after(QUIET_MS, tell);
    }
    const successor: Session = new Session(this.#url, { session: { ...continued, media: "replace" } }, this.#world, (event) => {
      if (successor === this.#successor) this.#successorHappened(event);
      else if (successor === this.#session) this.#happened(event);
    });
    this.#successor = successor;
  }

  /** What was negotiated holds for a connection's whole life: another codec takes another one. */
  #followCodec(): void {
    const newest = this.#successor ?? this.#session;
    if (isForAnother(newest?.peer, this.media?.codec)) this.#succeed();
  }

  #successorHappened(event: SessionEvent): void {
    switch (event.type) {
      case "track":
        if (event.track.kind === "audio") this.#sound = event;
        else this.#callback(event);
        break;
      case "control":
        this.#controlled(event.message);
        break;
      case "doubted":
        if (event.certain) this.#successorFailed({ kind: "lost" });
        break;
      case "over":
        this.#successorFailed(event.cause);
        break;
      default:
        break;
    }
  }

  /** The successor's first picture is on the screen. */
  #takeOver(successor: Session): void {
    const old = this.#session;
    const sound = this.#sound;
    this.#successor = null;
    this.#sound = null;
    this.#session = successor;
    this.#shownAtMs = this.#world.clock.nowMs();
    this.#attempt = 0;
    this.#calm();
    old?.end();
    this.#lineChanged();
    if (sound) this.#callback(sound);
    this.#become({ name: "streaming" });
    this.#callback({ type: "succeeded" });
  }

  #successorFailed(cause: Cause): void {
    const session = this.#session;
    this.#dropSuccessor();
    const gone = cause.kind === "refused" && cause.code === "unknownConsumer";
    if (!gone && consequence(cause) !== "retry") {
      this.#giveUp(cause);
    } else if (session?.healthy && !isForAnother(session.peer, this.media?.codec)) {
      session.awaitSuccessor(false);
      this.#calm();
      this.#callback({ type: "changed" });
    } else if (gone) {
      this.#calm();
      this.#attempt = 0;
      this.#giveUp({ kind: "lost" });
    } else {
      this.#calm();
      this.#later(cause, () => {
        this.#again();
      });
    }
  }

  #dropSuccessor(): void {
    if (!this.#successor) return;
    const successor = this.#successor;
    this.#successor = null;
    this.#sound = null;
    successor.end();
    this.#callback({ type: "abandoned" });
  }

  /** The present session is over, whatever it says itself. */
  #giveUp(cause: Cause): void {
    this.#callback({ type: "ending" });
    this.#session?.end();
    this.#over(cause);
  }

  /** The path is there after all. */
  #healed(): void {
    this.#calm();
    if (this.#retry) this.#session?.awaitSuccessor(false);
    this.#retry?.();
    this.#retry = null;
    if (this.#state.name !== "reconnecting" || this.#shownAtMs === null) return;
    this.#become({ name: "streaming" });
    this.#callback({ type: "healed" });
  }

  #calm(): void {
    this.#quiet?.();
    this.#quiet = null;
  }

  #lineChanged(): void {
    if (this.signalled) {
      this.#cut?.();
      this.#cut = null;
    } else {
      this.#cut ??= this.#world.clock.after(CUT_NOTICE_MS, () => {
        if (this.#state.name === "streaming" && !this.signalled) this.#callback({ type: "cut" });
      });
    }
    this.#callback({ type: "changed" });
  }

  #controlled(message: ToPage): void {
    switch (message.type) {
      case "media":
        this.media = message;
        this.#followCodec();
        break;
      case "quality":
        this.quality = message;
        this.#qualityAtMs = this.#world.clock.nowMs();
        break;
      case "latency":
        this.latency = message;
        this.#latencyAtMs = this.#world.clock.nowMs();
        break;
      case "cursor":
        this.cursor = message;
        break;
      case "display":
        this.display = { width: message.width, height: message.height };
        break;
      case "ending":
        this.coming = message.limit ? { limit: message.limit, atMs: this.#world.clock.nowMs() + message.seconds * 1000, extensionSeconds: message.extensionSeconds ?? null } : null;
        break;
      case "session":
        this.#sessionChanged(message);
        return;
      case "pong":
        return;
      default:
        this.#callback(message);
        return;
    }
    this.#callback({ type: "changed" });
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
      this.#become({ name: "ended", message: session.message ?? "", end: null });
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
    this.#calm();
    this.#dropSuccessor();
    this.#session = null;
    this.stats = null;
    // A session that failed takes its leave as well, and may come back like one that was lost. A page that tries again
    // at once may meet it while it is still going down.
    const farewell = cause.kind === "bye" && (this.#failure !== null || this.#state.name === "failed");
    switch (farewell ? "retry" : consequence(cause)) {
      case "end":
        if (cause.kind === "bye") this.#become({ name: "ended", message: cause.message, end: cause.end });
        break;
      case "fail":
        this.#become({ name: "failed", cause, retrying: false });
        break;
      case "retry":
        this.#later(cause, () => {
          this.#begin();
        });
        break;
    }
  }

  #later(cause: Cause, then: () => void): void {
    const { clock } = this.#world;
    const delayMs = retryDelayMs(this.#attempt++, this.#world.random());
    this.#retry?.();
    this.#retry = clock.after(delayMs, then);
    // What the server said last explains more than that the connection is gone.
    if (this.#state.name === "failed") this.#become({ ...this.#state, retrying: true });
    else this.#become({ name: "reconnecting", cause, retryAtMs: clock.nowMs() + delayMs });
  }

  #become(state: State): void {
    this.#state = state;
    this.#callback({ type: "changed" });
  }
}
