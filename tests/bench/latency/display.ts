// Shell: an X display of its own with our client on it, which draws a content when it is told to.

import { built } from "../../desktop_to_browser/support/launcher.js";
import { Child } from "../../desktop_to_browser/support/child.js";
import { Display, type Picture } from "../../desktop_to_browser/support/x11.js";
import { Hopeless, until } from "../../desktop_to_browser/support/wait.js";
import type { Geometry } from "./marker.js";

export const CONTENTS = ["static", "typing", "text", "motion", "grain"] as const;
export type Content = (typeof CONTENTS)[number];

/** Time for drawing a film's pictures and for Xvfb to start, on a busy machine. */
const START_MS = 30_000;
const ANSWER_MS = 10_000;

export class Desktop {
  private answers = 0;

  private constructor(
    readonly env: { DISPLAY: string },
    private readonly x: Child,
    private readonly client: Child,
    readonly size: { width: number; height: number },
    readonly marker: Geometry,
  ) {}

  static async start(size: string, content: Content): Promise<Desktop> {
    const x = Child.start("Xvfb", ["-displayfd", "1", "-screen", "0", `${size}x24`, "-nolisten", "tcp", "-noreset"]);
    const [, number = ""] = await x.says(/^(\d+)$/m, START_MS);
    const env = { DISPLAY: `:${number}` };
    const client = Child.start(built("vdi-bench-marker"), [content], { env });
    const [, ...words] = await client.says(/^ready (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m, START_MS);
    const [width = 0, height = 0, left = 0, top = 0, cellPx = 0, columns = 0, rows = 0] = words.map(Number);
    return new Desktop(env, x, client, { width, height }, { x: left, y: top, cellPx, columns, rows });
  }

  /** The X server. */
  get pid(): number {
    return this.x.pid;
  }

  /** Says what to do to the client; the answer is the number of the last frame. */
  async tell(command: "go" | "hold" | "once"): Promise<number> {
    this.client.stdin.write(`${command}\n`);
    const wanted = ++this.answers;
    const number = await until(`the client to do "${command}"`, ANSWER_MS, () => {
      if (this.client.ending) throw new Hopeless(`the client has ended: ${this.client.stderr}`);
      return [...this.client.stdout.matchAll(/^at (\d+)$/gm)][wanted - 1]?.[1];
    });
    return Number(number);
  }

  /** The numbers of the first pictures after each key that it has had, once it has had so many. */
  async answersToKeys(count: number): Promise<number[]> {
    return until(`the client to have had ${count} keys`, ANSWER_MS, () => {
      if (this.client.ending) throw new Hopeless(`the client has ended: ${this.client.stderr}`);
      const answers = [...this.client.stdout.matchAll(/^key (\d+)$/gm)].map(([, number]) => Number(number));
      return answers.length >= count ? answers : null;
    });
  }

  /** What the X server shows. */
  async picture(): Promise<Picture> {
    const display = await Display.open(this.env);
    try {
      return await display.picture();
    } finally {
      display.close();
    }
  }

  async stop(): Promise<void> {
    await this.client.stop("SIGTERM");
    await this.x.stop("SIGTERM");
  }
}
