// Decision: what a link did with packets, from its own list of them (`tests/bench/link/src/log.rs`): rates, losses and queueing
// delays of any stretch of time. Times are milliseconds of CLOCK_MONOTONIC.

export type Direction = "down" | "up";

/** A packet that has come to the link. */
export interface Packet {
  direction: Direction;
  /** `full` and `codel` were dropped by the queue, `lost` by chance. */
  fate: "delivered" | "full" | "codel" | "lost";
  arrivedMs: number;
  /** When it left the queue. */
  startedMs: number;
  /** When it was handed on, by the link's plan. */
  dueMs: number;
  /** How much later the relay did that. */
  lateMs: number;
  /** On the wire. */
  bytes: number;
  /** What can be seen of media from outside. */
  rtp: Rtp | null;
}

export interface Rtp {
  payloadType: number;
  /** A frame ends with it. */
  marker: boolean;
  sequence: number;
  timestamp: number;
  ssrc: number;
}

const HEAD = "direction,fate,arrivedUs,startedUs,dueUs,lateUs,bytes,kind,payloadType,marker,sequence,timestamp,ssrc";

/** Reads the list. Packets that the relay still had when it ended are not in it, and those of a rival are left out. */
export function packetsOf(csv: string): Packet[] {
  const [head, ...lines] = csv.split("\n");
  if (head !== HEAD) throw new Error(`the list of packets begins with "${head ?? ""}"`);
  return lines.filter((line) => line !== "" && !line.includes(",rival,")).map(packetOf);
}

function packetOf(line: string): Packet {
  const fields = line.split(",");
  const [direction, fate] = fields as [Direction, Packet["fate"]];
  const [arrivedMs = 0, startedMs = 0, dueMs = 0, lateMs = 0] = fields.slice(2, 6).map((us) => Number(us) / 1000);
  const [payloadType = 0, marker = 0, sequence = 0, timestamp = 0, ssrc = 0] = fields.slice(8).map(Number);
  const rtp = fields[7] === "rtp" ? { payloadType, marker: marker === 1, sequence, timestamp, ssrc } : null;
  return { direction, fate, arrivedMs, startedMs, dueMs, lateMs, bytes: Number(fields[6]), rtp };
}

const isDelivered = ({ fate }: Packet): boolean => fate === "delivered";
/** Through the queue: delivered, or lost behind it. */
const isCarried = ({ fate }: Packet): boolean => fate === "delivered" || fate === "lost";

const sumBytes = (packets: readonly Packet[]): number => packets.reduce((sum, { bytes }) => sum + bytes, 0);

/** What came out of the link between two moments, in bit/s. */
export function deliveredBps(packets: readonly Packet[], fromMs: number, toMs: number): number {
  return (sumBytes(packets.filter((one) => isDelivered(one) && one.dueMs >= fromMs && one.dueMs < toMs)) * 8000) / (toMs - fromMs);
}

/** What the link has carried, what chance took from it included: the share of its capacity that was used. */
export function carriedBps(packets: readonly Packet[], fromMs: number, toMs: number): number {
  return (sumBytes(packets.filter((one) => isCarried(one) && one.startedMs >= fromMs && one.startedMs < toMs)) * 8000) / (toMs - fromMs);
}

/** Times in the queue of what left it between two moments. */
export function queueDelaysMs(packets: readonly Packet[], fromMs: number, toMs: number): number[] {
  return packets.filter((one) => isCarried(one) && one.startedMs >= fromMs && one.startedMs < toMs).map((one) => one.startedMs - one.arrivedMs);
}

/** A step of a curve. */
export interface Bin {
  fromMs: number;
  offeredBps: number;
  deliveredBps: number;
  /** The longest time in the queue; `null` where nothing left it. */
  queueDelayMs: number | null;
  dropped: number;
}

/** Curves for plots, in steps of `stepMs`. */
export function bins(packets: readonly Packet[], fromMs: number, toMs: number, stepMs: number): Bin[] {
  const all: Bin[] = Array.from({ length: Math.ceil((toMs - fromMs) / stepMs) }, (_, index) => ({
    fromMs: fromMs + index * stepMs,
    offeredBps: 0,
    deliveredBps: 0,
    queueDelayMs: null,
    dropped: 0,
  }));
  const at = (ms: number): Bin | undefined => all[Math.floor((ms - fromMs) / stepMs)];
  for (const one of packets) {
    const bps = (one.bytes * 8000) / stepMs;
    const [came, left, due] = [at(one.arrivedMs), at(one.startedMs), at(one.dueMs)];
    if (came) came.offeredBps += bps;
    if (due && isDelivered(one)) due.deliveredBps += bps;
    if (left && isCarried(one)) left.queueDelayMs = Math.max(left.queueDelayMs ?? 0, one.startedMs - one.arrivedMs);
    if (came && !isCarried(one)) came.dropped += 1;
  }
  return all;
}

/** A frame on its way through the link. */
export interface Crossing {
  bytes: number;
  packets: number;
  /** First packet at the link, and last one behind it. */
  fromMs: number;
  toMs: number;
}

/** The stream that most of what goes to the page belongs to: its video, without retransmissions. */
export function videoOf(packets: readonly Packet[]): Packet[] {
  const streams = new Map<number, Packet[]>();
  for (const one of packets) {
    if (one.direction !== "down" || !one.rtp) continue;
    const stream = streams.get(one.rtp.ssrc) ?? [];
    streams.set(one.rtp.ssrc, stream);
    stream.push(one);
  }
  return [...streams.values()].toSorted((one, other) => sumBytes(other) - sumBytes(one))[0] ?? [];
}

/** The frame with this RTP timestamp, if all of it has come through at once. */
export function crossing(packets: readonly Packet[], timestamp: number): Crossing | null {
  const parts = videoOf(packets).filter(({ rtp }) => rtp?.timestamp === timestamp);
  if (parts.length === 0 || !parts.every(isDelivered)) return null;
  return {
    bytes: sumBytes(parts),
    packets: parts.length,
    fromMs: Math.min(...parts.map(({ arrivedMs }) => arrivedMs)),
    toMs: Math.max(...parts.map(({ dueMs }) => dueMs)),
  };
}
