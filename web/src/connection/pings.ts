// Shell: asks the server, over the channel that loses nothing, whether it is there and what time it has: often at first,
// then once a second. It keeps the round trip, who owes an answer since when, and how the clocks are aligned.
import { Alignment, type Aligned } from "./alignment";
import type { Cancel, Clock } from "../clock";
import type { Pong } from "../wire/protocol";

/** Time between two pings. */
export const PING_MS = 1000;
/** Pings that go out quickly at first: the best of some is far better than the only one. */
export const QUICK_PINGS = 5;
export const QUICK_PING_MS = 60;
/** Pings whose answer is still waited for; older ones are forgotten. */
const MAX_PENDING = 16;

export class Pings {
  #clock: Clock;
  #send: (id: number) => void;
  #alignment = new Alignment();
  #stop: Cancel;
  #quick: Cancel | null = null;
  /** In the order in which they went out. */
  #pending = new Map<number, number>();
  #next = 1;
  #roundTripMs = 0;
  #answeredAtMs: number | null = null;

  constructor(clock: Clock, send: (id: number) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#stop = clock.every(PING_MS, () => {
      this.ping();
    });
    this.#quickly(QUICK_PINGS);
  }

  /** Of the last ping that was answered, in ms; 0 before the first answer. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  get answeredAtMs(): number | null {
    return this.#answeredAtMs;
  }

  /** Since when the server owes an answer; `null` if it owes none, or never gave one. */
  get unansweredSinceMs(): number | null {
    const answeredAtMs = this.#answeredAtMs;
    if (answeredAtMs === null) return null;
    // Those from before the last answer were lost, which says nothing.
    for (const sentMs of this.#pending.values()) if (sentMs > answeredAtMs) return sentMs;
    return null;
  }

  /** How the clocks are aligned now; `null` while that is not known. */
  get aligned(): Aligned | null {
    return this.#alignment.at(this.#clock.nowMs());
  }

  /** Sends a ping now, besides the one of each second. */
  ping(): void {
    const id = this.#next;
    this.#next = (id + 1) >>> 0;
    this.#pending.set(id, this.#clock.nowMs());
    for (const old of this.#pending.keys()) {
      if (this.#pending.size <= MAX_PENDING) break;
      this.#pending.delete(old);
    }
    this.#send(id);
  }

  /** The server has answered a ping. Answers to none of ours are ignored. */
  pong({ id, receivedUs, sentUs }: Pong): void {
    const sentMs = this.#pending.get(id);
    if (sentMs === undefined) return;
    this.#pending.delete(id);
    const receivedMs = this.#clock.nowMs();
    this.#answeredAtMs = receivedMs;
    this.#roundTripMs = receivedMs - sentMs;
    if (receivedUs === undefined || sentUs === undefined) return;
    this.#alignment.learn({ sentMs, receivedMs, serverReceivedUs: receivedUs, serverSentUs: sentUs });
  }

  /** The page, or the machine under it, stood still: its clock may have too, and no answer is late for that. */
  anew(): void {
    this.#pending.clear();
    this.#alignment.forget();
    this.#quickly(QUICK_PINGS);
  }

  stop(): void {
    this.#stop();
    this.#quick?.();
  }

  #quickly(left: number): void {
    this.#quick?.();
    this.#quick = null;
    if (left === 0) return;
    this.ping();
    this.#quick = this.#clock.after(QUICK_PING_MS, () => {
      this.#quickly(left - 1);
    });
  }
}
