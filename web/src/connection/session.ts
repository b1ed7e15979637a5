// Shell: one RTCPeerConnection with its data channels and the way of its messages, watched by the statistics. A path that
// is lost, or seems to be, it tells of and goes on, since another connection may follow it under the same name; it ends
// once, with a cause, and is not used again. What follows is connection.ts's decision.
import type { Aligned } from "./alignment";
import { backlog, noBacklog, type Backlog } from "./backlog";
import { failureOf, isFatal, type Cause, type Failure } from "./cause";
import type { Cancel } from "../clock";
import { Flow, judge } from "./doubt";
import { Frames, type FrameMetadata } from "./frames";
import { gapMs, PULSE_MS, type Pulse } from "./gap";
import { Line, type LineEvent, type LineWorld } from "./line";
import {
  WELCOME_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  SUCCESSOR_WELCOME_TIMEOUT_MS,
  DISCONNECTED_MS,
  PROBE_MS,
  LONG_GAP_MS,
  QUICK_PROBE_MS,
  QUICK_PROBE_ROUND_TRIPS,
  MAX_POINTER_BACKLOG_BYTES,
} from "./patience";
import { Pings } from "./pings";
import { toPage, VERSION, type Continued, type FromPage, type IceServers, type Input, type Pointing, type ToConsumer, type ToPage, type Welcome } from "../wire/protocol";
import { parse } from "../wire/schema";
import { giveUpSurround, openVoice, refusedVideo, renewSound, rtcServers, takeAnswer, takeOffer } from "./sdp";
import type { Greeting } from "./signalling";
import { Stats, type StatsReport } from "./stats";
import type { SessionEvent } from "./state";
import { watch, watchfulFrom, type Watch } from "./watchdog";

/** What a session needs of the browser. */
export interface World extends LineWorld {
  createPeer(config: RTCConfiguration): RTCPeerConnection;
  /** Why the connection does not come up, as far as the browser knows. */
  failure?(): Failure | null;
  isHidden(): boolean;
}

export type { SessionEvent } from "./state";

/** Data channels, all created by the server, and what the page sends on them. */
export interface Outgoing {
  control: FromPage;
  input: Input;
  pointer: Pointing;
}
export type ChannelName = keyof Outgoing;

export class Session {
  #world: World;
  #callback: (event: SessionEvent) => void;
  #line: Line;
  #continued: Omit<Continued, "media"> | null = null;
  /** The path is lost, or was believed to be; `dead` is for good. */
  #path: "fine" | "lost" | "dead" = "fine";
  #flow = new Flow();
  #peer: RTCPeerConnection | null = null;
  #channels = new Map<string, RTCDataChannel>();
  #stats: Stats | null = null;
  #pings: Pings | null = null;
  #pulse: Pulse;
  #pulsing: Cancel;
  #frames = new Frames();
  #decoderWaitMs = 0;
  #watch: Watch = watchfulFrom;
  #backlog: Backlog = noBacklog;
  #negotiation = Promise.resolve();
  #offer: string | null = null;
  #connected = false;
  #over = false;
  #deadline: Cancel;
  #disconnected: Cancel | null = null;
  #probe: Cancel | null = null;

  constructor(url: string, greeting: Greeting, world: World, callback: (event: SessionEvent) => void) {
    this.#world = world;
    this.#callback = callback;
    this.#deadline = world.clock.after(greeting.session ? SUCCESSOR_WELCOME_TIMEOUT_MS : WELCOME_TIMEOUT_MS, () => {
      this.#finish({ kind: "timeout" });
    });
    this.#pulse = this.#moment();
    this.#pulsing = world.clock.every(PULSE_MS, () => {
      this.#beat();
    });
    this.#line = new Line(url, greeting, world, (event) => {
      this.#signalled(event);
    });
  }

  get peer(): RTCPeerConnection | null {
    return this.#peer;
  }

  /** How the page's clock is aligned with the server's; `null` while that is not known. */
  get aligned(): Aligned | null {
    return this.#pings?.aligned ?? null;
  }

  /** By what another connection goes on with this session; `null` if the server offers none, or has forgotten it. */
  get continued(): Omit<Continued, "media"> | null {
    return this.#continued;
  }

  /** Whether media and input get through, as far as that is known. */
  get healthy(): boolean {
    return this.#connected && !this.#over && this.#path === "fine";
  }

  /** Whether messages of signalling reach the server. */
  get signalled(): boolean {
    return this.#line.open;
  }

  /** Another connection is about to take this one's place, or (`false`) it is not after all. */
  awaitSuccessor(awaited: boolean): void {
    if (awaited) this.#line.hold();
    else this.#line.release();
  }

  /** Sends on a data channel; `false` if it is not open (or the motion is left out). */
  send<C extends ChannelName>(name: C, message: Outgoing[C]): boolean {
    const channel = this.#channels.get(name);
    if (channel?.readyState !== "open") return false;
    if (name === "pointer" && channel.bufferedAmount > MAX_POINTER_BACKLOG_BYTES) return false;
    channel.send(JSON.stringify(message));
    return true;
  }

  channel(label: string): RTCDataChannel | null {
    return this.#channels.get(label) ?? null;
  }

  /** A frame of this session's video is on the screen. */
  frameSeen(frame: FrameMetadata): void {
    this.#frames.seen(frame);
    this.#flow.seen(this.#world.clock.nowMs());
  }

  /** The page may have been away: looks now, and not with the next beat, whether it has stood still. */
  wake(): void {
    this.#beat();
    this.probe();
  }

  /** Asks whether the server is still there; without an answer in time the session is over. */
  probe(limitMs = PROBE_MS): void {
    const pings = this.#pings;
    if (!pings || this.#probe || !this.#connected) return;
    const askedMs = this.#world.clock.nowMs();
    pings.ping();
    this.#probe = this.#world.clock.after(limitMs, () => {
      this.#probe = null;
      const answered = pings.answeredAtMs;
      if (answered === null || answered < askedMs) this.#lose();
    });
  }

  /** Ends it from this side. Nothing is reported after this. */
  end(): void {
    this.#over = true;
    this.#deadline();
    this.#disconnected?.();
    this.#probe?.();
    this.#pulsing();
    this.#pings?.stop();
    this.#stats?.stop();
    this.#line.end();
    this.#peer?.close();
  }

  #finish(cause: Cause): void {
    if (this.#over) return;
    this.#callback({ type: "ending" });
    const failure = this.#connected ? null : failureOf(cause, () => this.#world.failure?.() ?? null);
    if (failure) this.#line.send({ type: "failure", ...failure });
    this.end();
    this.#callback({ type: "over", cause });
  }

  /** The media path is lost. Another connection may follow, if the server knows how to go on; else this is the end. */
  #lose(dead = false): void {
    if (this.#over || this.#path === "dead" || (this.#path === "lost" && !dead)) return;
    const before = this.#path;
    this.#path = dead ? "dead" : "lost";
    if (!this.#connected || !this.#continued) this.#finish({ kind: "lost" });
    else if (before === "fine") this.#callback({ type: "doubted", certain: true });
  }

  #heal(): void {
    if (this.#over || this.#path !== "lost") return;
    this.#path = "fine";
    this.#callback({ type: "healed" });
  }

  #signalled(event: LineEvent): void {
    if (this.#over) return;
    switch (event.type) {
      case "message":
        this.#told(event.message);
        break;
      case "closed":
        if (!this.#connected) this.#finish({ kind: event.opened ? "lost" : "unreachable" });
        // The server may be gone, or a proxy may have cut an idle WebSocket while the media lives on.
        else this.probe();
        break;
      case "cut":
        this.#callback({ type: "line" });
        this.probe();
        break;
      case "back":
        this.#callback({ type: "line" });
        break;
      case "forgotten":
        // What carries messages may know nothing of going on, while the media lives.
        this.#continued = null;
        this.#ask(this.#quickMs());
        break;
    }
  }

  #told(message: ToConsumer): void {
    switch (message.type) {
      case "welcome":
        this.#welcome(message);
        break;
      case "iceServers":
        this.#renewServers(message);
        break;
      case "offer":
        this.#callback({ type: "offered" });
        this.#negotiation = this.#negotiation.then(() => this.#answer(message.sdp));
        break;
      case "ice":
        this.#negotiation = this.#negotiation.then(() => this.#candidate(message));
        break;
      case "error":
        if (isFatal(message.code)) this.#finish({ kind: "refused", code: message.code, message: message.message });
        else console.warn(`gst-vdi: the server refused a message (${message.code}): ${message.message}`);
        break;
      case "bye":
        this.#finish({ kind: "bye", message: message.reason, end: message.cause ?? null });
        break;
    }
  }

  #welcome(welcome: Welcome): void {
    if (welcome.version !== VERSION) {
      this.#finish({ kind: "version", server: welcome.version });
      return;
    }
    if (this.#peer) return;
    const { consumer, token } = welcome;
    if (token !== undefined) this.#continued = { consumer, token };
    this.#deadline();
    this.#deadline = this.#world.clock.after(CONNECT_TIMEOUT_MS, () => {
      this.#finish({ kind: "timeout" });
    });
    const peer = this.#world.createPeer({ ...rtcServers(welcome), bundlePolicy: "max-bundle" });
    this.#peer = peer;
    peer.addEventListener("icecandidate", ({ candidate }) => {
      // The end of the candidates is an empty one on this wire, and null in the browser.
      const { candidate: line = "", sdpMLineIndex = 0, sdpMid = null } = candidate?.toJSON() ?? {};
      this.#line.send({ type: "ice", candidate: line, sdpMLineIndex, ...(sdpMid === null ? {} : { sdpMid }) });
    });
    peer.addEventListener("track", ({ track, receiver }) => {
      this.#callback({ type: "track", track, receiver });
    });
    peer.addEventListener("datachannel", ({ channel }) => {
      this.#adopt(channel);
    });
    peer.addEventListener("connectionstatechange", () => {
      this.#pathChanged(peer.connectionState);
    });
    this.#callback({ type: "welcome", consumer: welcome.consumer });
  }

  /** Credentials were renewed: the peer connection gathers with the new ones from now on. */
  #renewServers(servers: IceServers): void {
    if (!this.#peer) return;
    try {
      this.#peer.setConfiguration({ ...this.#peer.getConfiguration(), ...rtcServers(servers) });
    } catch (error) {
      // The path that is there does not need them.
      console.warn("gst-vdi: other ICE servers ignored:", error);
    }
  }

  /** Asked after a wait, when the session may have ended meanwhile. */
  #isOver(): boolean {
    return this.#over;
  }

  async #answer(sdp: string): Promise<void> {
    const peer = this.#peer;
    if (!peer || this.#over) return;
    try {
      await takeOffer(peer, sdp);
      openVoice(peer, sdp);
      const answer = await peer.createAnswer();
      const refused = refusedVideo(sdp, answer.sdp ?? "");
      if (refused !== null) {
        this.#finish({ kind: "noCodec", codec: refused });
        return;
      }
      const told = await takeAnswer(peer, sdp, answer);
      this.#offer = sdp;
      this.#line.send({ type: "answer", sdp: told });
    } catch (error) {
      if (this.#isOver()) return;
      console.error("gst-vdi: the offer could not be answered:", error);
      const message = error instanceof Error ? error.message : String(error);
      this.#finish(giveUpSurround(sdp) ? { kind: "lost" } : { kind: "refused", code: "badSdp", message });
    }
  }

  async #candidate(ice: Extract<ToConsumer, { type: "ice" }>): Promise<void> {
    if (!this.#peer || this.#over) return;
    const { candidate, sdpMLineIndex, sdpMid = null } = ice;
    try {
      await this.#peer.addIceCandidate({ candidate, sdpMLineIndex: sdpMLineIndex ?? (sdpMid === null ? 0 : null), sdpMid });
    } catch (error) {
      // One candidate that this browser cannot use is no harm while another one works.
      console.warn("gst-vdi: candidate ignored:", error);
    }
  }

  #pathChanged(state: RTCPeerConnectionState): void {
    if (this.#over) return;
    if (state !== "disconnected") {
      this.#disconnected?.();
      this.#disconnected = null;
    }
    if (state === "connected") {
      this.#heal();
      if (this.#connected) return;
      this.#connected = true;
      this.#deadline();
      if (this.#continued) this.#line.keep(this.#continued);
      this.#callback({ type: "connected" });
    } else if (state === "failed" || state === "closed") {
      if (this.#connected) this.#lose(true);
      else this.#finish({ kind: "timeout" });
    } else if (state === "disconnected") {
      this.#disconnected ??= this.#world.clock.after(DISCONNECTED_MS, () => {
        this.#lose();
      });
    }
  }

  #adopt(channel: RTCDataChannel): void {
    this.#channels.set(channel.label, channel);
    channel.addEventListener("close", () => {
      this.#lose(true);
    });
    if (channel.label !== "control") return;
    channel.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      this.#controlled(data);
    });
    if (channel.readyState === "open") this.#measure();
    else {
      channel.addEventListener("open", () => {
        this.#measure();
      });
    }
  }

  /** Begins to measure: the channel for it is open. */
  #measure(): void {
    const peer = this.#peer;
    if (!peer || this.#over || this.#pings) return;
    const { clock } = this.#world;
    const pings = new Pings(clock, (id) => {
      this.send("control", { type: "ping", id });
    });
    this.#pings = pings;
    this.#stats = new Stats(
      clock,
      () => peer.getStats() as Promise<Iterable<readonly [string, unknown]>>,
      () => ({ roundTripMs: pings.roundTripMs, framesPresented: this.#frames.presented }),
      (report) => {
        this.#measured(report);
      },
    );
  }

  #controlled(data: unknown): void {
    if (this.#over) return;
    let message: ToPage;
    try {
      message = parse(toPage, String(data));
    } catch (error) {
      console.warn("gst-vdi: control message ignored:", error instanceof Error ? error.message : error);
      return;
    }
    if (message.type === "pong") {
      this.#pings?.pong(message);
      // While the browser itself misses the path, a single answer is no proof of it.
      if (this.#peer?.connectionState === "connected") this.#heal();
    } else this.#callback({ type: "control", message });
  }

  #moment(): Pulse {
    const { clock } = this.#world;
    return { nowMs: clock.nowMs(), wallMs: clock.wallMs(), hidden: this.#world.isHidden() };
  }

  #beat(): void {
    const before = this.#pulse;
    this.#pulse = this.#moment();
    const gap = gapMs(before, this.#pulse);
    if (gap > 0) this.#resume(gap);
    this.#judge();
    const waitedMs = this.#frames.leastInBrowserMs;
    if (waitedMs !== null) this.#waited(waitedMs);
    const report = this.#frames.take(this.#pings?.aligned ?? null, this.#decoderWaitMs);
    if (report) this.send("control", report);
  }

  /** The page has stood still for a while, and what came meanwhile has piled up, here or on the way. */
  #resume(gap: number): void {
    this.#watch = watchfulFrom;
    this.#frames.forget();
    this.#pings?.anew();
    if (!this.#connected || !this.#pings) return;
    // Lets the decoder skip what has piled up, and brings the present picture where nothing changes any more.
    this.send("control", { type: "requestKeyFrame" });
    this.#negotiation = this.#negotiation.then(() => this.#renewSound());
    this.#callback({ type: "resumed" });
    if (gap < LONG_GAP_MS) return;
    this.#line.renew();
    this.#ask(this.#quickMs());
  }

  #quickMs(): number {
    return Math.max(QUICK_PROBE_MS, QUICK_PROBE_ROUND_TRIPS * (this.#pings?.roundTripMs ?? 0));
  }

  /** Probes anew, even if a probe is under way. */
  #ask(limitMs: number): void {
    this.#probe?.();
    this.#probe = null;
    this.probe(limitMs);
  }

  /** Looks whether the path may be dead although nobody has said so. */
  #judge(): void {
    const pings = this.#pings;
    if (!pings || !this.#connected || this.#path !== "fine") return;
    const verdict = judge({
      nowMs: this.#world.clock.nowMs(),
      unansweredSinceMs: pings.unansweredSinceMs,
      roundTripMs: pings.roundTripMs,
      lastFrameMs: this.#flow.lastMs,
      flowing: this.#flow.flowing,
      stopped: this.#flow.hasStopped,
      hidden: this.#world.isHidden(),
    });
    if (verdict === "ask") {
      this.#flow.stopped();
      pings.ping();
    } else if (verdict === "doubt" && this.#continued) {
      this.#callback({ type: "doubted", certain: false });
    }
  }

  async #renewSound(): Promise<void> {
    if (!this.#peer || this.#over || this.#offer === null) return;
    try {
      await renewSound(this.#peer, this.#offer);
    } catch (error) {
      if (!this.#isOver()) console.warn("gst-vdi: the sound did not begin anew:", error);
    }
  }

  #waited(waitedMs: number): void {
    const [next, ask] = backlog(this.#backlog, waitedMs, this.#world.clock.nowMs());
    this.#backlog = next;
    if (ask) this.send("control", { type: "requestKeyFrame" });
  }

  #measured({ stats, totals, decoderWaitMs }: StatsReport): void {
    if (this.#over) return;
    this.#decoderWaitMs = decoderWaitMs;
    // A browser that does not say when a frame was received still knows how long frames are kept.
    if (!this.#frames.tellReceipt && stats.framesPerSecond > 0) this.#waited(stats.jitterBufferDelayMs);
    this.send("control", { type: "stats", ...stats });
    this.#callback({ type: "stats", stats });
    const [next, remedy] = watch(this.#watch, {
      nowMs: this.#world.clock.nowMs(),
      bytes: totals.bytesReceived - totals.retransmittedBytesReceived,
      frames: totals.framesDecoded,
      unansweredSinceMs: this.#pings?.unansweredSinceMs ?? null,
      hidden: this.#world.isHidden(),
    });
    this.#watch = next;
    if (remedy === "requestKeyFrame") this.send("control", { type: "requestKeyFrame" });
    else if (remedy === "restart") this.#lose();
  }
}
