// Shell: a link between a page and a launcher whose rate, queue, delay and loss a test sets while it runs, and which tells what
// really happened to each packet. The media goes through a relay (`tests/bench/link`): signalling gives the page the relay's
// address in the place of the server's, and keeps the page's own from the server. It needs no rights and no second machine.

import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Viewer } from "./browser.js";
import { Child } from "./child.js";
import { built } from "./launcher.js";
import { packetsOf, type Direction, type Packet } from "./packets.js";
import { Hopeless, until, within } from "./wait.js";

/** Flags for a launcher that can be reached by one direct path over UDP and by nothing else. */
export const ONE_PATH = ["--builtin-turn", "false", "--ice-interfaces", "127.0.0.1", "--rtc-config-json", "/nonexistent/rtc.json"];

/** What a direction has done in a second; times in milliseconds of CLOCK_MONOTONIC. */
export interface Second {
  direction: Direction;
  atMs: number;
  seconds: number;
  queuedBytes: number;
  offered: Amount;
  delivered: Amount;
  /** By the queue. */
  dropped: Amount;
  /** By chance. */
  lost: Amount;
  queueDelayMs: Spread;
  /** By how much the relay itself was late. */
  lateMs: Spread;
}

interface Amount {
  packets: number;
  bytes: number;
}

interface Spread {
  p50: number;
  p95: number;
  max: number;
}

type Answer = { type: "path"; address: string } | { type: "changed"; atMs: number } | { type: "refused"; message: string };

/** The words of `tests/bench/link/src/words.rs` for each direction. */
export interface LinkOptions {
  down?: string;
  up?: string;
  seed?: number;
}

/** Before everybody else, if that is allowed: what the relay plays is right on a busy machine too, but it comes late. */
const AT_ONCE = 'chrt --fifo 10 true 2>/dev/null && exec chrt --fifo 10 "$0" "$@"; exec "$0" "$@"';

const START_MS = 10_000;
const ANSWER_MS = 10_000;

export class Link {
  private asked = 0;

  private constructor(
    private readonly child: Child,
    private readonly folder: string,
  ) {}

  static start({ down = "", up = "", seed = 1 }: LinkOptions): Link {
    const folder = mkdtempSync(join(tmpdir(), "vdi-link-"));
    const words = ["--down", down, "--up", up, "--seed", String(seed), "--packets", join(folder, "packets.csv")];
    return new Link(Child.start("sh", ["-c", AT_ONCE, built("vdi-bench-link"), ...words]), folder);
  }

  /** What the direction is like from now on, in words; what these do not name stays. Gives the time of the change. */
  async becomes(direction: Direction, words: string): Promise<number> {
    const answer = await this.ask(`${direction} ${words}`);
    if (answer.type !== "changed") throw new Error(`the link answers ${JSON.stringify(answer)}`);
    return answer.atMs;
  }

  /** From now on a greedy flow competes on the way to the page, as a download does. */
  async compete(): Promise<void> {
    const answer = await this.ask("rival on");
    if (answer.type !== "changed") throw new Error(`the link answers ${JSON.stringify(answer)}`);
  }

  /** The address that leads to this one through the link. */
  async to(target: string): Promise<string> {
    const answer = await this.ask(`path ${target}`);
    if (answer.type !== "path") throw new Error(`the link answers ${JSON.stringify(answer)}`);
    return answer.address;
  }

  /** What it has told of each second so far. */
  seconds(direction: Direction): Second[] {
    return this.lines().flatMap((line) => (line.type === "second" && line.direction === direction ? [line] : []));
  }

  /** Waits until this many more seconds have been told of, and gives them. */
  async nextSeconds(direction: Direction, count: number): Promise<Second[]> {
    const before = this.seconds(direction).length;
    return until(`${count} seconds of the link`, count * 1000 + START_MS, () => {
      const seconds = this.seconds(direction).slice(before);
      return seconds.length >= count && seconds;
    });
  }

  /** Ends it, and tells of every packet. */
  async stop(): Promise<Packet[]> {
    try {
      this.child.stdin.end();
      const { code } = await within("the link to end", ANSWER_MS, this.child.ended);
      if (code !== 0) throw new Error(`the link has ended with ${code}: ${this.child.stderr}`);
      return packetsOf(await readFile(join(this.folder, "packets.csv"), "utf8"));
    } finally {
      rmSync(this.folder, { recursive: true });
    }
  }

  private lines(): (Answer | ({ type: "second" } & Second))[] {
    const whole = this.child.stdout.split("\n").slice(0, -1);
    return whole.map((line) => JSON.parse(line) as Answer | ({ type: "second" } & Second));
  }

  private async ask(command: string): Promise<Answer> {
    const index = this.asked++;
    this.child.stdin.write(`${command}\n`);
    return until(`the link to answer "${command}"`, ANSWER_MS, () => {
      if (this.child.ending) throw new Hopeless(`the link has ended: ${this.child.stderr}`);
      return this.lines().filter((line): line is Answer => line.type !== "second")[index];
    });
  }
}

interface Ice {
  type: string;
  candidate?: string;
  sdp?: string;
}

/** From now on the viewer's pages get their media through the link only. To be called before the page goes anywhere. */
export async function through(link: Link, viewer: Viewer): Promise<void> {
  await viewer.page.routeWebSocket(/\/ws$/, (page) => {
    const server = page.connectToServer();
    // One after the other, so that messages keep their order.
    let before: Promise<void> = Promise.resolve();
    server.onMessage((message) => {
      before = before.then(async () => {
        const kept = await towardsPage(link, JSON.parse(String(message)) as Ice);
        if (kept) page.send(JSON.stringify(kept));
      });
    });
    page.onMessage((message) => {
      const told = JSON.parse(String(message)) as Ice;
      if (told.type !== "ice") server.send(JSON.stringify(withoutCandidates(told)));
    });
  });
}

/** A message of the server, with the link in the place of the server, or nothing if it leads past the link. */
async function towardsPage(link: Link, message: Ice): Promise<Ice | null> {
  if (message.type !== "ice" || !message.candidate) return withoutCandidates(message);
  const words = message.candidate.split(" ");
  const [transport = "", , address = "", port = "", , kind = ""] = words.slice(2);
  if (transport.toLowerCase() !== "udp" || kind !== "host") return null;
  const begins = await link.to(`${address}:${port}`);
  const colon = begins.lastIndexOf(":");
  return { ...message, candidate: words.with(4, begins.slice(0, colon)).with(5, begins.slice(colon + 1)).join(" ") };
}

function withoutCandidates(message: Ice): Ice {
  if (message.sdp === undefined) return message;
  return { ...message, sdp: message.sdp.replaceAll(/^a=(candidate:.*|end-of-candidates)\r?\n/gm, "") };
}
