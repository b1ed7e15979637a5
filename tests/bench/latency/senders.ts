// Shell: the three senders that are compared, each with a page of the same browser that shows what it sends.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, resolve } from "node:path";
import type { Page } from "playwright-core";
import type { Chromium, Viewer } from "../../desktop_to_browser/support/browser.js";
import { Child, descendants } from "../../desktop_to_browser/support/child.js";
import { Launcher, built, targetFolder } from "../../desktop_to_browser/support/launcher.js";
import { until } from "../../desktop_to_browser/support/wait.js";
import { hearken } from "./told.js";

/** `plain` is ximagesrc ! videoconvert ! x264enc ! webrtcbin as everyone writes it, `playout-delay` the same with that header extension at 0. */
export const SENDERS = ["plain", "playout-delay", "ours"] as const;
export type SenderName = (typeof SENDERS)[number];

const KBIT_PER_S = 8000;
const FRAMES_PER_S = 60;
/** A page that shows the whole video scaled down costs the browser the same for every sender. */
const VIEWPORT = { width: 640, height: 360 };
const BARE_PAGE = `<!doctype html><title>bare</title><style>body{margin:0}video{width:100%}</style><video autoplay muted playsinline></video>`;

export interface Sender {
  readonly page: Page;
  /** Its processes. */
  readonly pids: number[];
  readonly launcher: Launcher | null;
  stop(): Promise<void>;
}

export async function start(name: SenderName, chromium: Chromium, env: { DISPLAY: string }): Promise<Sender> {
  const words = [String(KBIT_PER_S), String(FRAMES_PER_S), ...(name === "playout-delay" ? [name] : [])];
  return name === "ours" ? ours(chromium, env) : naive(chromium, env, words);
}

/** pulsesrc ! opusenc ! webrtcbin as everyone writes it, to a page that plays it. */
export function naiveSound(chromium: Chromium, env: Record<string, string>): Promise<Sender> {
  return naive(chromium, env, ["sound"]);
}

async function ours(chromium: Chromium, env: { DISPLAY: string }): Promise<Sender> {
  const flags = ["--framerate", String(FRAMES_PER_S), "--video-bitrate", String(KBIT_PER_S)];
  const launcher = await Launcher.start({ flags, desktop: [], env });
  const viewer = await chromium.prepare(launcher, { viewport: VIEWPORT });
  await hearken(viewer.page);
  await viewer.page.goto(launcher.url);
  await viewer.connected();
  return {
    page: viewer.page,
    pids: family(launcher.pid),
    launcher,
    stop: async () => {
      await viewer.close();
      await launcher.stop();
    },
  };
}

const family = (pid: number): number[] => [pid, ...descendants(pid).map((one) => one.pid)];

/** A message of naive.py. */
type Said = { type: "offer"; sdp: string } | { type: "candidate"; sdpMLineIndex: number; candidate: string };

async function naive(chromium: Chromium, env: Record<string, string>, words: string[]): Promise<Sender> {
  const web = createServer((_, response) => response.setHeader("content-type", "text/html").end(BARE_PAGE));
  const url = await listening(web);
  const viewer = await chromium.prepare({ url, user: "", password: "" }, { viewport: VIEWPORT });
  await viewer.page.goto(url);

  const line = [resolve(import.meta.dirname, "naive.py"), ...words];
  const plugins = { GST_PLUGIN_PATH: dirname(built("libgstvdi.so")), GST_REGISTRY: resolve(targetFolder, "bench-registry.bin") };
  const child = Child.start("/usr/bin/python3", line, { env: { ...env, ...plugins } });
  await viewer.page.exposeFunction("say", (message: object) => child.stdin.write(`${JSON.stringify(message)}\n`));
  let heard = 0;
  await until("the naive sender's picture or sound in the page", 30_000, async () => {
    if (child.ending) throw new Error(`naive.py has ended: ${child.stderr}`);
    const lines = child.stdout.split("\n").slice(0, -1);
    for (; heard < lines.length; heard++) await viewer.page.evaluate(hear, JSON.parse(lines[heard] ?? "") as Said);
    return viewer.page.evaluate(() => (document.querySelector("video")?.currentTime ?? 0) > 0);
  });
  return {
    page: viewer.page,
    pids: family(child.pid),
    launcher: null,
    stop: () => end(viewer, child, web),
  };
}

async function end(viewer: Viewer, child: Child, web: Server): Promise<void> {
  await viewer.close();
  child.stdin.end();
  await child.stop("SIGTERM");
  await new Promise((closed) => {
    web.close(closed);
    web.closeAllConnections();
  });
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Bytes of video that the page has received. */
export async function receivedBytes(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const known = globalThis as unknown as { peer?: RTCPeerConnection; vdi?: { peer: RTCPeerConnection | null } };
    const reports = [...((await (known.peer ?? known.vdi?.peer)?.getStats())?.values() ?? [])] as { type: string; kind?: string; bytesReceived?: number }[];
    return reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video")?.bytesReceived ?? 0;
  });
}

/** In the page: one message of the sender. */
async function hear(message: Said): Promise<void> {
  const page = globalThis as unknown as { peer?: RTCPeerConnection; say: (message: object) => void };
  if (message.type === "offer") {
    const peer = (page.peer = new RTCPeerConnection());
    peer.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) page.say({ type: "candidate", sdpMLineIndex: candidate.sdpMLineIndex, candidate: candidate.candidate });
    };
    peer.ontrack = ({ streams }) => {
      const video = document.querySelector("video");
      if (video) video.srcObject = streams[0] ?? null;
    };
    await peer.setRemoteDescription({ type: "offer", sdp: message.sdp });
    await peer.setLocalDescription();
    page.say({ type: "answer", sdp: peer.localDescription?.sdp });
  } else {
    await page.peer?.addIceCandidate({ sdpMLineIndex: message.sdpMLineIndex, candidate: message.candidate });
  }
}
