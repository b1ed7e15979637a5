// Shell: an X server that is there before the launcher, on a free display.

import { Child } from "./child.js";

export class Xvfb {
  private constructor(
    private readonly child: Child,
    readonly display: string,
  ) {}

  /** `size` is the largest that it can have as well. */
  static async start(size: string, words: string[] = []): Promise<Xvfb> {
    const child = Child.start("Xvfb", ["-displayfd", "1", "-screen", "0", `${size}x24`, "-nolisten", "tcp", "-noreset", ...words]);
    const [, number = ""] = await child.says(/^(\d+)$/m, 15_000);
    return new Xvfb(child, `:${number}`);
  }

  /** For clients. */
  get env(): Record<string, string> {
    return { ...process.env as Record<string, string>, DISPLAY: this.display };
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGTERM");
  }
}
