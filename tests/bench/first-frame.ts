// Shell: from opening the page to its first frame, by each way that the media can take, and what the time is spent on.
//
// The ways take turns, so that whatever else the machine does hits all alike. Each load has a fresh profile in a warm
// browser, and counts only if the browser says that the media came by the way that was meant.

import type { Chromium, Viewer } from "../desktop_to_browser/support/browser.js";
import { Coturn, type Transport } from "../desktop_to_browser/support/coturn.js";
import { Launcher } from "../desktop_to_browser/support/launcher.js";
import { wayOf } from "../desktop_to_browser/support/path.js";
import { columns, median, percentile, type Report } from "./figures.js";
import { Stage } from "./stage.js";

/** Loads for each way. */
const LOADS = 15;
/** Seconds that a load takes with all that belongs to it. */
const LOAD_SECONDS = 2;

/** Which of the servers that the page is told of it may use; null leaves it all. */
type Choice = { only: string } | { server: RTCIceServer } | null;

interface Wanted {
  name: string;
  choice: Choice;
  /** What the browser has to say of the way; empty for no relay. */
  relayProtocol: string;
  goalMs: number | null;
}

/** What a page does until its first frame, in this order; each is told as the time since the one before. */
const STEPS = ["page", "socket", "offer", "answer", "ice", "dtls", "frame"] as const;
const WORDS: Record<(typeof STEPS)[number], string> = {
  page: "page and script",
  socket: "WebSocket",
  offer: "offer",
  answer: "answer",
  ice: "ICE",
  dtls: "DTLS",
  frame: "frame shown",
};
type Marks = Record<(typeof STEPS)[number], number>;

/** One page load, in milliseconds since its navigation. */
export interface Load {
  way: string;
  marks: Marks;
}

/** In the page, before its own script: notes when it comes to each step, and holds it to the servers of `choice`. */
function mark(choice: Choice): void {
  const page = globalThis as unknown as { marks: Partial<Marks> };
  const marks: Partial<Marks> = (page.marks = {});
  const at = (step: keyof Marks): void => {
    marks[step] ??= performance.now();
  };
  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      at("page");
      this.addEventListener("open", () => { at("socket"); });
    }
  };
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(told?: RTCConfiguration) {
      const fits = ({ urls }: RTCIceServer): boolean => choice !== null && "only" in choice && [urls].flat().some((url) => new RegExp(choice.only).test(url));
      const servers = choice === null ? told?.iceServers : "server" in choice ? [choice.server] : told?.iceServers?.filter(fits);
      super({ ...told, ...(servers && { iceServers: servers }), ...(choice && { iceTransportPolicy: "relay" as const }) });
      this.addEventListener("iceconnectionstatechange", () => {
        if (this.iceConnectionState === "connected" || this.iceConnectionState === "completed") at("ice");
      });
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") at("dtls");
      });
      this.addEventListener("signalingstatechange", () => { at(this.signalingState === "have-remote-offer" ? "offer" : "answer"); });
    }
  };
}

async function load(chromium: Chromium, launcher: Launcher, { name, choice, relayProtocol }: Wanted): Promise<Load> {
  const viewer = await chromium.prepare(launcher);
  await viewer.page.addInitScript(mark, choice);
  await viewer.page.goto(launcher.url);
  const frame = await viewer.firstFrameMs();
  await assertMeant(viewer, name, relayProtocol);
  const marks = await viewer.page.evaluate(() => (globalThis as unknown as { marks: Marks }).marks);
  await viewer.close();
  await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  return { way: name, marks: { ...marks, frame } };
}

async function assertMeant(viewer: Viewer, name: string, relayProtocol: string): Promise<void> {
  const way = await wayOf(viewer);
  if (way.relayProtocol !== relayProtocol) throw new Error(`${name}: the media came by another way: ${JSON.stringify(way)}`);
}

/** What each step took, the median of all loads. */
function spent(loads: readonly Load[]): number[] {
  return STEPS.map((step, index) => {
    const before = STEPS[index - 1];
    return median(loads.map(({ marks }) => marks[step] - (before ? marks[before] : 0)));
  });
}

export const FIRST_FRAME_SECONDS = 5 * LOADS * LOAD_SECONDS + 10;

export async function firstFrame({ step, note }: Report, chromium: Chromium): Promise<{ loads: Load[]; table: string }> {
  step(`time to the first frame: ${LOADS} page loads by each way`);
  const stage = await Stage.set("1280x720", "static");
  const launcher = await Launcher.start({ desktop: [], env: stage.env });
  const coturn = await Coturn.start({ users: { user: "bench", password: "bench" }, port: 43478, tlsPort: 45349 });
  const through = (transport: Transport): Choice => ({ server: coturn.iceServer(transport) });
  const ways: Wanted[] = [
    { name: "direct", choice: null, relayProtocol: "", goalMs: 400 },
    { name: "built-in TURN/TCP", choice: { only: "^turn:.*transport=tcp$" }, relayProtocol: "tcp", goalMs: 700 },
    { name: "built-in TURN/UDP", choice: { only: "^turn:.*transport=udp$" }, relayProtocol: "udp", goalMs: null },
    { name: "coturn TURN/TCP", choice: through("tcp"), relayProtocol: "tcp", goalMs: null },
    { name: "coturn TURN/UDP", choice: through("udp"), relayProtocol: "udp", goalMs: null },
  ];
  const loads: Load[] = [];
  try {
    // The first loads of a browser and of a launcher warm both.
    for (const way of ways) await load(chromium, launcher, way);
    for (let round = 0; round < LOADS; round++) {
      for (const way of ways) loads.push(await load(chromium, launcher, way));
    }
  } finally {
    await launcher.stop();
    await coturn.stop();
    await stage.strike();
  }
  const rows: string[][] = [];
  for (const { name, goalMs } of ways) {
    const own = loads.filter(({ way }) => way === name);
    const times = own.map(({ marks }) => marks.frame);
    note(`time to first frame, ${name}, p50`, median(times), "ms", goalMs);
    note(`time to first frame, ${name}, p95`, percentile(times, 0.95), "ms", null);
    note(`time to first frame, ${name}, slowest`, Math.max(...times), "ms", null);
    rows.push([name, ...spent(own).map((ms) => ms.toFixed(0)), median(times).toFixed(0)]);
  }
  const head = ["what it is spent on, ms (medians)", ...STEPS.map((one) => WORDS[one]), "whole"];
  return { loads, table: columns([head, ...rows]) };
}
