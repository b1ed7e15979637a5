// Shell: one session: one WebSocket, one RTCPeerConnection with its data channels, watched by the statistics. It ends
// once, with a cause, and is not used again; whether another one follows is connection.ts's decision.
import type { Aligned } from "./alignment";
import { backlog, noBacklog, type Backlog } from "./backlog";
import { isFatal, type Cause } from "./cause";
import type { Cancel, Clock } from "./clock";
import { Frames, type FrameMetadata } from "./frames";
import { gapMs, PULSE_MS, type Pulse } from "./gap";
import { Pings } from "./pings";
import { toPage, VERSION, type ConnectionFailure, type FromPage, type IceServers, type Input, type Motion, type PageStats, type ToConsumer, type ToPage, type Welcome } from "./protocol";
import { parse } from "./schema";
import { Signalling, type SignallingEvent } from "./signalling";
import { Stats, type StatsReport } from "./stats";
import { watch, watchfulFrom, type Watch } from "./watchdog";

/** What a session needs of the browser. */
export interface World {
  readonly clock: Clock;
  openSocket(url: string, protocol: string): WebSocket;
  createPeer(config: RTCConfiguration): RTCPeerConnection;
  /** Why the connection does not come up, as far as the browser knows. */
  failure?(): { reason: ConnectionFailure; message: string } | null;
  isHidden(): boolean;
}

export type SessionEvent =
  | { type: "welcome"; consumer: string }
  | { type: "offered" }
  /** The media path is up. */
  | { type: "connected" }
  | { type: "track"; track: MediaStreamTrack; receiver: RTCRtpReceiver }
  | { type: "control"; message: ToPage }
  | { type: "stats"; stats: PageStats }
  /** The page stood still, and goes on: whatever it keeps of before is stale. */
  | { type: "resumed" }
  /** About to end: the last moment at which the picture is there. */
  | { type: "ending" }
  | { type: "over"; cause: Cause };

/** Data channels, all created by the server, and what the page sends on them. */
export interface Outgoing {
  control: FromPage;
  input: Input;
  pointer: Motion;
}
export type ChannelName = keyof Outgoing;

/** From the first byte to the welcome: a healthy server answers in milliseconds. */
export const WELCOME_TIMEOUT_MS = 8000;
/** From the first byte to a media path; the server itself gives up after 15 s and says so. */
export const CONNECT_TIMEOUT_MS = 20_000;
/** How long a path may be `disconnected` before it counts as lost: shorter gaps heal by themselves. */
export const DISCONNECTED_MS = 1000;
/** How long the answer to a probing ping may take. */
export const PROBE_MS = 1000;
/** After standing still for longer than this, the server has most likely given the page up: it waits for ten seconds. */
export const LONG_GAP_MS = 8000;
/** How long the answer to a ping may take after that, or this many round trips. To begin anew takes half a second. */
export const QUICK_PROBE_MS = 300;
const QUICK_PROBE_ROUND_TRIPS = 3;
/** Bytes waiting on the pointer channel above which a motion is left out: the next one says where the pointer is. */
const MAX_POINTER_BACKLOG_BYTES = 4096;

export class Session {
  #world: World;
  #callback: (event: SessionEvent) => void;
  #signalling: Signalling;
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

  constructor(url: string, world: World, callback: (event: SessionEvent) => void) {
    this.#world = world;
    this.#callback = callback;
    this.#deadline = world.clock.after(WELCOME_TIMEOUT_MS, () => {
      this.#finish({ kind: "timeout" });
    });
    this.#pulse = this.#moment();
    this.#pulsing = world.clock.every(PULSE_MS, () => {
      this.#beat();
    });
    this.#signalling = new Signalling(
      url,
      (at, protocol) => world.openSocket(at, protocol),
      (event) => {
        this.#signalled(event);
      },
    );
  }

  get peer(): RTCPeerConnection | null {
    return this.#peer;
  }

  /** How the page's clock is aligned with the server's; `null` while that is not known. */
  get aligned(): Aligned | null {
    return this.#pings?.aligned ?? null;
  }

  /** Sends on a data channel; `false` if it is not open (or the motion is left out). */
  send<C extends ChannelName>(name: C, message: Outgoing[C]): boolean {
    const channel = this.#channels.get(name);
    if (channel?.readyState !== "open") return false;
    if (name === "pointer" && channel.bufferedAmount > MAX_POINTER_BACKLOG_BYTES) return false;
    channel.send(JSON.stringify(message));
    return true;
  }

  /** A frame of this session's video is on the screen. */
  frameSeen(frame: FrameMetadata): void {
    this.#frames.seen(frame);
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
      if (answered === null || answered < askedMs) this.#finish({ kind: "lost" });
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
    this.#signalling.end();
    this.#peer?.close();
  }

  #finish(cause: Cause): void {
    if (this.#over) return;
    this.#callback({ type: "ending" });
    const failure = this.#connected || cause.kind !== "timeout" ? null : (this.#world.failure?.() ?? null);
    if (failure) this.#signalling.send({ type: "failure", ...failure });
    this.end();
    this.#callback({ type: "over", cause });
  }

  #signalled(event: SignallingEvent): void {
    if (this.#over) return;
    if (event.type === "message") {
      this.#told(event.message);
    } else if (!this.#connected) {
      this.#finish({ kind: event.opened ? "lost" : "unreachable" });
    } else {
      // A proxy may have cut an idle WebSocket while the media lives on, or the server may be gone.
      this.probe();
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
        this.#finish({ kind: "bye", message: message.reason });
        break;
    }
  }

  #welcome(welcome: Welcome): void {
    if (welcome.version !== VERSION) {
      this.#finish({ kind: "version", server: welcome.version });
      return;
    }
    if (this.#peer) return;
    this.#deadline();
    this.#deadline = this.#world.clock.after(CONNECT_TIMEOUT_MS, () => {
      this.#finish({ kind: "timeout" });
    });
    const peer = this.#world.createPeer({ ...rtcServers(welcome), bundlePolicy: "max-bundle" });
    this.#peer = peer;
    peer.addEventListener("icecandidate", ({ candidate }) => {
      // The end of the candidates is an empty one on this wire, and null in the browser.
      const { candidate: line = "", sdpMLineIndex = 0, sdpMid = null } = candidate?.toJSON() ?? {};
      this.#signalling.send({ type: "ice", candidate: line, sdpMLineIndex, ...(sdpMid === null ? {} : { sdpMid }) });
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
      await peer.setRemoteDescription({ type: "offer", sdp });
      const answer = await peer.createAnswer();
      const refused = refusedVideo(sdp, answer.sdp ?? "");
      if (refused !== null) {
        this.#finish({ kind: "noCodec", codec: refused });
        return;
      }
      await peer.setLocalDescription(answer);
      this.#offer = sdp;
      this.#signalling.send({ type: "answer", sdp: peer.localDescription?.sdp ?? answer.sdp ?? "" });
    } catch (error) {
      if (this.#isOver()) return;
      console.error("gst-vdi: the offer could not be answered:", error);
      const message = error instanceof Error ? error.message : String(error);
      this.#finish({ kind: "refused", code: "badSdp", message });
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
      if (this.#connected) return;
      this.#connected = true;
      this.#deadline();
      this.#callback({ type: "connected" });
    } else if (state === "failed" || state === "closed") {
      this.#finish({ kind: this.#connected ? "lost" : "timeout" });
    } else if (state === "disconnected") {
      this.#disconnected ??= this.#world.clock.after(DISCONNECTED_MS, () => {
        this.#finish({ kind: "lost" });
      });
    }
  }

  #adopt(channel: RTCDataChannel): void {
    this.#channels.set(channel.label, channel);
    channel.addEventListener("close", () => {
      this.#finish({ kind: "lost" });
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
    if (message.type === "pong") this.#pings?.pong(message);
    else this.#callback({ type: "control", message });
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
    this.#probe?.();
    this.#probe = null;
    this.probe(Math.max(QUICK_PROBE_MS, QUICK_PROBE_ROUND_TRIPS * this.#pings.roundTripMs));
  }

  /**
   * Gives the sound a receiver that knows nothing of the gap: the old one plays what piled up, and what it learnt of delays
   * keeps the sound late for minutes. The server, which goes on sending, is not part of this.
   */
  async #renewSound(): Promise<void> {
    const offer = this.#offer;
    const quiet = offer === null ? null : withoutSound(offer);
    if (!this.#peer || this.#over || offer === null || quiet === null) return;
    try {
      for (const sdp of [quiet, offer]) {
        await this.#peer.setRemoteDescription({ type: "offer", sdp });
        await this.#peer.setLocalDescription(await this.#peer.createAnswer());
      }
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
      bytes: totals.bytesReceived,
      frames: totals.framesDecoded,
      unansweredSinceMs: this.#pings?.unansweredSinceMs ?? null,
      hidden: this.#world.isHidden(),
    });
    this.#watch = next;
    if (remedy === "requestKeyFrame") this.send("control", { type: "requestKeyFrame" });
    else if (remedy === "restart") this.#finish({ kind: "lost" });
  }
}

/** As `RTCPeerConnection` takes them: lists that may be changed. */
function rtcServers({ iceServers, iceTransportPolicy }: IceServers): RTCConfiguration {
  return { iceServers: iceServers.map((server) => ({ ...server })), iceTransportPolicy };
}

/** The codec of the offered video if the answer refuses it (port 0), else `null`. */
export function refusedVideo(offer: string, answer: string): string | null {
  if (!/^m=video 0 /m.test(answer)) return null;
  return /^a=rtpmap:\d+ ([^/\r\n]+)/m.exec(offer.slice(offer.search(/^m=video /m)))?.[1] ?? "?";
}

/** The offer as it would be if no sound were sent for the moment; `null` if it has none. */
export function withoutSound(offer: string): string | null {
  const sections = offer.split(/^(?=m=)/m);
  const quiet = sections.map((section) => (section.startsWith("m=audio") ? section.replace(/^a=send(?:only|recv)(?=\r?$)/m, "a=inactive") : section)).join("");
  return quiet === offer ? null : quiet;
}
