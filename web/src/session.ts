// Shell: one session: one WebSocket, one RTCPeerConnection with its data channels, watched by the statistics. It ends
// once, with a cause, and is not used again; whether another one follows is connection.ts's decision.
import { isFatal, type Cause } from "./cause";
import type { Cancel, Clock } from "./clock";
import { toPage, VERSION, type FromPage, type Input, type Motion, type PageStats, type ToConsumer, type ToPage, type Welcome } from "./protocol";
import { parse } from "./schema";
import { Signalling, type SignallingEvent } from "./signalling";
import { Stats, type StatsEvent } from "./stats";
import { watch, watchfulFrom, type Watch } from "./watchdog";

/** What a session needs of the browser. */
export interface World {
  readonly clock: Clock;
  openSocket(url: string, protocol: string): WebSocket;
  createPeer(config: RTCConfiguration): RTCPeerConnection;
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
/** Bytes waiting on the pointer channel above which a motion is left out: the next one says where the pointer is. */
const MAX_POINTER_BACKLOG_BYTES = 4096;

export class Session {
  #world: World;
  #callback: (event: SessionEvent) => void;
  #signalling: Signalling;
  #peer: RTCPeerConnection | null = null;
  #channels = new Map<string, RTCDataChannel>();
  #stats: Stats | null = null;
  #watch: Watch = watchfulFrom;
  #negotiation = Promise.resolve();
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

  /** Sends on a data channel; `false` if it is not open (or the motion is left out). */
  send<C extends ChannelName>(name: C, message: Outgoing[C]): boolean {
    const channel = this.#channels.get(name);
    if (channel?.readyState !== "open") return false;
    if (name === "pointer" && channel.bufferedAmount > MAX_POINTER_BACKLOG_BYTES) return false;
    channel.send(JSON.stringify(message));
    return true;
  }

  /** Asks whether the server is still there; without an answer in time the session is over. */
  probe(): void {
    if (!this.#stats || this.#probe || !this.#connected) return;
    const askedMs = this.#world.clock.nowMs();
    this.#stats.ping();
    this.#probe = this.#world.clock.after(PROBE_MS, () => {
      this.#probe = null;
      const answered = this.#stats?.answeredAtMs;
      if (answered === null || answered === undefined || answered < askedMs) this.#finish({ kind: "lost" });
    });
  }

  /** Ends it from this side. Nothing is reported after this. */
  end(): void {
    this.#over = true;
    this.#deadline();
    this.#disconnected?.();
    this.#probe?.();
    this.#stats?.stop();
    this.#signalling.end();
    this.#peer?.close();
  }

  #finish(cause: Cause): void {
    if (this.#over) return;
    this.#callback({ type: "ending" });
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
    const iceServers = welcome.iceServers.map((server) => ({ ...server }));
    const peer = this.#world.createPeer({ iceServers, iceTransportPolicy: welcome.iceTransportPolicy, bundlePolicy: "max-bundle" });
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
    const peer = this.#peer;
    if (!peer) return;
    this.#stats ??= new Stats(
      this.#world.clock,
      () => peer.getStats() as Promise<Iterable<readonly [string, unknown]>>,
      (event) => {
        this.#measured(event);
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
    if (message.type === "pong") this.#stats?.pong(message.id);
    else this.#callback({ type: "control", message });
  }

  #measured(event: StatsEvent): void {
    if (this.#over) return;
    if (event.type === "ping") {
      this.send("control", event);
      return;
    }
    const { stats, totals, unansweredSinceMs } = event;
    this.send("control", { type: "stats", ...stats });
    this.#callback({ type: "stats", stats });
    const [next, remedy] = watch(this.#watch, {
      nowMs: this.#world.clock.nowMs(),
      bytes: totals.bytesReceived,
      frames: totals.framesDecoded,
      unansweredSinceMs,
      hidden: this.#world.isHidden(),
    });
    this.#watch = next;
    if (remedy === "requestKeyFrame") this.send("control", { type: "requestKeyFrame" });
    else if (remedy === "restart") this.#finish({ kind: "lost" });
  }
}

/** The codec of the offered video if the answer refuses it (port 0), else `null`. */
export function refusedVideo(offer: string, answer: string): string | null {
  if (!/^m=video 0 /m.test(answer)) return null;
  return /^a=rtpmap:\d+ ([^/\r\n]+)/m.exec(offer.slice(offer.search(/^m=video /m)))?.[1] ?? "?";
}
