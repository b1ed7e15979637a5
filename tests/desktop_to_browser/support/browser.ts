// Shell: Debian's Chromium, headless, with a fresh profile, and the page under test inside it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { children, descendants, isAlive } from "./child.js";
import { targetFolder } from "./launcher.js";
import type { Host } from "./netns.js";
import { delay, until, within } from "./wait.js";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

/** Figures of one received track, from the browser's W3C statistics. */
export interface Inbound {
  timestamp: number;
  framesDecoded: number;
  framesDropped: number;
  keyFramesDecoded: number;
  frameWidth: number;
  frameHeight: number;
  totalAudioEnergy: number;
  bytesReceived: number;
  /** Among them, those of packets that were sent again. */
  retransmittedBytesReceived: number;
  /** Seconds that all samples or frames spent in the jitter buffer, and how many came out of it. */
  jitterBufferDelay: number;
  jitterBufferEmittedCount: number;
  freezeCount: number;
}

/** The video as the page shows it, scaled down to a small grid; each cell is [red, green, blue]. */
export interface Shown {
  width: number;
  height: number;
  cells: [number, number, number][];
  /** How many different colours the grid has. */
  colours: number;
}

/** A server with the page: the launcher, or an example. An empty user stands for a server that asks for none. */
export interface Server {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

/** What the page offers to tests. */
interface Handle {
  state: string;
  consumer: string | null;
  role: string | null;
  peer: RTCPeerConnection | null;
}

export interface ChromiumOptions {
  /** Flags besides those that all tests need. */
  flags?: readonly string[];
  /** Runs it in this host's network. */
  inside?: Host;
}

export class Chromium {
  private constructor(
    private readonly browser: Browser,
    private readonly pid: number,
  ) {}

  /** To be started one after the other: the new child process is the browser. */
  static async start({ flags = [], inside }: ChromiumOptions = {}): Promise<Chromium> {
    const before = new Set(children(process.pid));
    const executable = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
    const folder = mkdtempSync(join(tmpdir(), "vdi-chromium-"));
    const wrapper = join(folder, "chromium");
    // Pipes, by which the browser is driven, know no namespaces; and each `exec` stays the same process.
    if (inside) writeFileSync(wrapper, `#!/bin/sh\nexec ${inside.entry.join(" ")} ${executable} "$@"\n`, { mode: 0o755 });
    const browser = await chromium
      .launch({
        executablePath: inside ? wrapper : executable,
        headless: true,
        args: [...FLAGS, ...flags],
        ignoreDefaultArgs: ["--mute-audio"],
        timeout: 60_000,
      })
      .finally(() => { rmSync(folder, { recursive: true }); });
    const added = children(process.pid).filter((pid) => !before.has(pid));
    const [pid] = added;
    if (pid === undefined || added.length > 1) throw new Error(`which process is the browser? ${added.join() || "none"}`);
    return new Chromium(browser, pid);
  }

  /** Its renderer processes: those of its pages, and one that it may keep in reserve. */
  get renderers(): number[] {
    return descendants(this.pid)
      .filter((one) => one.command.includes("--type=renderer"))
      .map((one) => one.pid);
  }

  /** The browser and everything that it has started stand still, as on a laptop that sleeps, while `meanwhile` lasts. */
  async stopped(meanwhile: Promise<unknown>): Promise<void> {
    const all = [this.pid, ...descendants(this.pid).map((one) => one.pid)];
    const signal = (name: NodeJS.Signals): void => {
      for (const pid of all) if (isAlive(pid)) process.kill(pid, name);
    };
    signal("SIGSTOP");
    try {
      await meanwhile;
    } finally {
      signal("SIGCONT");
    }
  }

  /** Opens the server's page in a profile of its own. */
  async open(server: Server, options: ViewerOptions = {}): Promise<Viewer> {
    const viewer = await this.prepare(server, options);
    await viewer.page.goto(server.url, { timeout: 15_000 });
    await viewer.connected();
    return viewer;
  }

  /** The same, without going there yet. */
  async prepare(server: Server, { viewport, deviceScaleFactor, password, ignoreHTTPSErrors = false, touch = false, locale = "en-US" }: ViewerOptions = {}): Promise<Viewer> {
    const context = await this.browser.newContext({
      viewport: viewport ?? { width: 1280, height: 720 },
      ...(deviceScaleFactor !== undefined && { deviceScaleFactor }),
      ignoreHTTPSErrors,
      hasTouch: touch,
      isMobile: touch,
      locale,
      ...(server.user && { httpCredentials: { username: server.user, password: password ?? server.password } }),
    });
    // The TypeScript loader wraps inner functions in a helper that pages do not have.
    await context.addInitScript("globalThis.__name ??= (f) => f;");
    await context.addInitScript(markFirstFrame);
    await context.addInitScript(keepChannels);
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    return new Viewer(page, context);
  }

  /** Ends it as a machine that loses power would: without a word to anybody. */
  kill(): void {
    const all = [this.pid, ...descendants(this.pid).map((one) => one.pid)];
    for (const pid of all) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  }

  async stop(): Promise<void> {
    await within("Chromium to close", 15_000, this.browser.close());
  }
}

/** In the page: keeps the time, on the page's own clock, at which it presented the first frame in any of its videos. */
function markFirstFrame(): void {
  const marks = globalThis as unknown as { firstFrameMs?: number };
  const watched = new WeakSet<HTMLVideoElement>();
  const watch = (): void => {
    for (const video of document.querySelectorAll("video")) {
      if (watched.has(video)) continue;
      watched.add(video);
      video.requestVideoFrameCallback(() => (marks.firstFrameMs ??= performance.now()));
    }
    if (marks.firstFrameMs === undefined) requestAnimationFrame(watch);
  };
  watch();
}

/** In the page: keeps the data channels, so that a test can say on them what the page would not. */
function keepChannels(): void {
  const kept: Record<string, RTCDataChannel> = {};
  (globalThis as unknown as { channels: Record<string, RTCDataChannel> }).channels = kept;
  const Native = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Native {
    constructor(config?: RTCConfiguration) {
      super(config);
      this.addEventListener("datachannel", ({ channel }) => (kept[channel.label] = channel));
    }
  };
}

/** In the page: what the video shows, on a grid of so many columns and rows. */
export function look([columns, rows]: readonly [number, number]): Shown {
  const video = document.querySelector("video");
  if (!video) throw new Error("no video");
  const canvas = new OffscreenCanvas(video.videoWidth || 1, video.videoHeight || 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.drawImage(video, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  const cells: [number, number, number][] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (Math.floor(((row + 0.5) * height) / rows) * width + Math.floor(((column + 0.5) * width) / columns)) * 4;
      cells.push([data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0]);
    }
  }
  const colours = new Set<number>();
  for (let at = 0; at < data.length; at += 4) {
    // The upper four bits of each: what a lossy codec leaves alike is one colour.
    colours.add(((data[at] ?? 0) >> 4) | (((data[at + 1] ?? 0) >> 4) << 4) | (((data[at + 2] ?? 0) >> 4) << 8));
  }
  return { width: video.videoWidth, height: video.videoHeight, cells, colours: colours.size };
}

export interface ViewerOptions {
  viewport?: { width: number; height: number };
  /** Pixels of the screen in a CSS pixel. */
  deviceScaleFactor?: number;
  password?: string;
  /** As somebody does who has compared the fingerprint. */
  ignoreHTTPSErrors?: boolean;
  /** As a phone: fingers, and no mouse. */
  touch?: boolean;
  /** The browser's language. */
  locale?: string;
}

export class Viewer {
  constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
  ) {}

  state(): Promise<string> {
    return this.page.evaluate(() => document.documentElement.dataset["state"] ?? "");
  }

  /** Waits until the page says that it is connected and frames are being decoded. */
  async connected(limitMs = 20_000): Promise<void> {
    await until("the page to be connected", limitMs, async () => {
      const state = await this.state();
      if (state !== "streaming") throw new Error(`data-state is "${state}": ${await this.words()}`);
      return true;
    });
    await until("the first frame", limitMs, async () => (await this.inbound("video")).framesDecoded > 0);
  }

  /** Milliseconds from the beginning of the navigation to the first frame on the page. */
  firstFrameMs(limitMs = 20_000): Promise<number> {
    return until("the first frame on the page", limitMs, () =>
      this.page.evaluate(() => (globalThis as unknown as { firstFrameMs?: number }).firstFrameMs),
    );
  }

  /** What the page says to its user. */
  words(): Promise<string> {
    return this.page.evaluate(() => document.body.innerText.trim().replace(/\s+/g, " "));
  }

  consumer(): Promise<string> {
    return this.page.evaluate(() => (globalThis as unknown as { vdi: Handle }).vdi.consumer ?? "");
  }

  /** Waits for this role, which the page is told of by a data channel, so that it may be connected and decode before. */
  async becomes(role: "controller" | "viewer", limitMs = 10_000): Promise<void> {
    await until(`the page to be ${role}`, limitMs, async () => {
      const now = await this.page.evaluate(() => (globalThis as unknown as { vdi: Handle }).vdi.role ?? "without a role");
      if (now !== role) throw new Error(now);
      return true;
    });
  }

  async inbound(kind: "video" | "audio"): Promise<Inbound> {
    const found = await within(
      "the browser's statistics",
      10_000,
      this.page.evaluate(async (wanted) => {
        const peer = (globalThis as unknown as { vdi: Handle }).vdi.peer;
        if (!peer) return null;
        for (const report of (await peer.getStats()).values()) {
          const entry = report as { type: string; kind?: string };
          if (entry.type === "inbound-rtp" && entry.kind === wanted) return { ...entry };
        }
        return null;
      }, kind),
    );
    if (!found) throw new Error(`the page receives no ${kind}`);
    const zero = { framesDecoded: 0, framesDropped: 0, keyFramesDecoded: 0, frameWidth: 0, frameHeight: 0, freezeCount: 0 };
    return { ...zero, totalAudioEnergy: 0, bytesReceived: 0, retransmittedBytesReceived: 0, jitterBufferDelay: 0, jitterBufferEmittedCount: 0, ...found } as unknown as Inbound;
  }

  /** Energy that the browser heard in half a second (W3C `totalAudioEnergy`: 1 is a second at full scale). */
  async heard(): Promise<number> {
    const from = (await this.inbound("audio")).totalAudioEnergy;
    await delay(500);
    return (await this.inbound("audio")).totalAudioEnergy - from;
  }

  /** Looks at the pixels of the video, on a grid of `columns` by `rows`, each cell the pixel in its middle. */
  shown(columns = 32, rows = 18): Promise<Shown> {
    return this.page.evaluate(look, [columns, rows] as const);
  }

  /** Gives the window another size, and waits until the page has laid itself out in it: observers of sizes hear of it in the next frame only. */
  async resize(width: number, height: number): Promise<void> {
    await this.page.setViewportSize({ width, height });
    await this.page.waitForFunction(([width, height]) => window.innerWidth === width && window.innerHeight === height, [width, height]);
    await this.page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
  }

  /** The place in the viewport where a pixel of the video frame is shown, for a video that is letterboxed to fit. */
  placeOf(x: number, y: number): Promise<{ x: number; y: number }> {
    return this.page.evaluate(
      ([x, y]) => {
        const video = document.querySelector("video");
        if (!video) throw new Error("no video");
        const box = video.getBoundingClientRect();
        const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
        const left = box.left + (box.width - video.videoWidth * scale) / 2;
        const top = box.top + (box.height - video.videoHeight * scale) / 2;
        // The middle of the pixel.
        return { x: left + (x + 0.5) * scale, y: top + (y + 0.5) * scale };
      },
      [x, y] as const,
    );
  }

  /** For people to look at, in target/screenshots/. */
  async screenshot(name: string): Promise<void> {
    const folder = resolve(targetFolder, "screenshots");
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: resolve(folder, `${name}.png`) });
  }

  /** The page may read and write the browser's clipboard, as if its user had said so. */
  async allowClipboard(server: Server): Promise<void> {
    await this.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(server.url).origin });
  }

  /**
   * Waits until the clipboard is shared, and the server has heard that the page listens: what was copied before that is old. Its answer
   * to the question asked here comes after that, and the page may show it.
   */
  async sharesClipboard(): Promise<void> {
    await until("the page to share the clipboard", 10_000, () => this.page.evaluate(() => !document.getElementById("share")?.hidden));
    const answers = await this.speak([{ type: "fetch", selection: "primary" }]);
    await until("the server to have heard that the page listens", 10_000, async () => (await answers()).some((answer) => (answer as { type: string }).type === "missed"));
  }

  /** Says something on the channel `clipboard` past the page; the function returned tells what was answered so far. */
  async speak(messages: readonly object[], label = "clipboard"): Promise<() => Promise<unknown[]>> {
    await this.page.evaluate(
      ([name, texts]) => {
        const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel | undefined> };
        const channel = channels[name];
        if (!channel) throw new Error(`no channel ${name}`);
        const heard: unknown[] = [];
        (globalThis as unknown as { heard: unknown[] }).heard = heard;
        channel.addEventListener("message", ({ data }) => heard.push(JSON.parse(String(data)) as unknown));
        for (const text of texts) channel.send(text);
      },
      [label, messages.map((message) => JSON.stringify(message))] as const,
    );
    return () => this.page.evaluate(() => (globalThis as unknown as { heard: unknown[] }).heard);
  }

  /** An empty tab of the same profile. */
  async blank(): Promise<Page> {
    return this.context.newPage();
  }

  /** A second tab of the same profile. */
  async another(server: Server): Promise<Viewer> {
    const page = await this.context.newPage();
    page.setDefaultTimeout(10_000);
    const viewer = new Viewer(page, this.context);
    await page.goto(server.url, { timeout: 15_000 });
    await viewer.connected();
    return viewer;
  }

  /** With its profile, and all other tabs of it. */
  async close(): Promise<void> {
    await within("the page to close", 10_000, this.context.close());
  }
}
