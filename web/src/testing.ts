// Setup: stand-ins for the browser's clock, sockets and peer connections, for the tests only.
import type { Clock } from "./clock";

/** A clock that moves when told to. */
export class ManualClock implements Clock {
  #nowMs = 1000;
  #next = 0;
  #timers = new Map<number, { dueMs: number; everyMs: number | null; then: () => void }>();
  #frames = new Map<number, () => void>();

  /** What the wall's clock is ahead of the other. */
  wallAheadMs = 1_700_000_000_000;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.wallAheadMs;
  }

  after(ms: number, then: () => void): () => void {
    return this.#arm(ms, null, then);
  }

  every(ms: number, then: () => void): () => void {
    return this.#arm(ms, ms, then);
  }

  frame(then: () => void): () => void {
    const id = this.#next++;
    this.#frames.set(id, then);
    return () => {
      this.#frames.delete(id);
    };
  }

  /** Moves on, running what comes due in its order, and lets promises settle in between. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.dueMs <= endMs).sort((a, b) => a[1].dueMs - b[1].dueMs)[0];
      if (!due) break;
      const [id, timer] = due;
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      if (timer.everyMs === null) this.#timers.delete(id);
      else timer.dueMs += timer.everyMs;
      timer.then();
      await settle();
    }
    this.#nowMs = endMs;
  }

  /** Stands still, as a page does whose thread is blocked: what comes due meanwhile runs once, afterwards. */
  async stall(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = [...this.#timers.values()].filter((timer) => timer.dueMs <= this.#nowMs).sort((a, b) => a.dueMs - b.dueMs);
    for (const timer of due) timer.dueMs = this.#nowMs;
    await this.pass(0);
  }

  /** Paints one frame. */
  paint(): void {
    const due = [...this.#frames.values()];
    this.#frames.clear();
    for (const then of due) then();
  }

  /** Timers that are armed. */
  get armed(): number {
    return this.#timers.size;
  }

  #arm(ms: number, everyMs: number | null, then: () => void): () => void {
    const id = this.#next++;
    this.#timers.set(id, { dueMs: this.#nowMs + ms, everyMs, then });
    return () => {
      this.#timers.delete(id);
    };
  }
}

/** Lets promises that are ready run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** A WebSocket whose other end is the test. */
export class FakeSocket extends EventTarget {
  readyState = 0;
  sent: unknown[] = [];
  closedWith: number | null = null;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    super();
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  say(message: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data: typeof message === "string" ? message : JSON.stringify(message) }));
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code = 1006): void {
    this.closedWith = code;
    this.drop();
  }

  /** The connection is gone, from whichever end. */
  drop(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
}

/** A data channel whose other end is the test. */
export class FakeChannel extends EventTarget {
  readyState: RTCDataChannelState = "connecting";
  bufferedAmount = 0;
  sent: unknown[] = [];

  constructor(readonly label: string) {
    super();
  }

  open(): void {
    this.readyState = "open";
    this.dispatchEvent(new Event("open"));
  }

  say(message: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = "closed";
    this.dispatchEvent(new Event("close"));
  }
}

/** An RTCPeerConnection whose other end is the test. */
export class FakePeer extends EventTarget {
  connectionState: RTCPeerConnectionState = "new";
  remoteDescription: RTCSessionDescriptionInit | null = null;
  /** All of them, one after the other. */
  offers: (string | undefined)[] = [];
  localDescription: RTCSessionDescriptionInit | null = null;
  candidates: RTCIceCandidateInit[] = [];
  closed = false;
  answerSdp = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
  report: [string, unknown][] = [];
  transceivers: RTCRtpTransceiver[] = [];

  constructor(public config: RTCConfiguration) {
    super();
  }

  getConfiguration(): RTCConfiguration {
    return this.config;
  }

  setConfiguration(config: RTCConfiguration): void {
    this.config = config;
  }

  setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.remoteDescription = description;
    this.offers.push(description.sdp);
    return Promise.resolve();
  }

  createAnswer(): Promise<RTCSessionDescriptionInit> {
    return Promise.resolve({ type: "answer", sdp: this.answerSdp });
  }

  setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = description;
    return Promise.resolve();
  }

  addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    if (!this.remoteDescription) return Promise.reject(new Error("no remote description"));
    this.candidates.push(candidate);
    return Promise.resolve();
  }

  getTransceivers(): RTCRtpTransceiver[] {
    return this.transceivers;
  }

  getStats(): Promise<Map<string, unknown>> {
    return Promise.resolve(new Map(this.report));
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  announce(channel: FakeChannel): void {
    this.dispatchEvent(Object.assign(new Event("datachannel"), { channel }));
  }

  close(): void {
    this.closed = true;
    this.connectionState = "closed";
  }
}

/** Random numbers from 0 to 1 that are the same in each run (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
