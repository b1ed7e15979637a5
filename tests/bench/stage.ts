// Shell: an X display with something on it: the three kinds of content that the figures are told for.

import { Child } from "../desktop_to_browser/support/child.js";
import { delay } from "../desktop_to_browser/support/wait.js";

/** `static`: a page of text that stays. `text`: a terminal that scrolls. `motion`: a picture that fills the display and pans. */
export type Content = "static" | "text" | "motion";

const SCROLL = 'i=0; while :; do i=$((i+1)); echo "$i: the quick brown fox jumps over the lazy dog, again and again and again"; sleep 0.02; done';
const STILL = "ls -l /usr/bin | head -n 60; exec sleep 3600";

export class Stage {
  private constructor(
    readonly env: { DISPLAY: string },
    private readonly children: Child[],
  ) {}

  static async set(size: string, content: Content): Promise<Stage> {
    const x = Child.start("Xvfb", ["-displayfd", "1", "-screen", "0", `${size}x24`, "-nolisten", "tcp", "-noreset"]);
    const [, number = ""] = await x.says(/^(\d+)$/m, 10_000);
    const env = { DISPLAY: `:${number}` };
    const actor = content === "motion" ? panning(size, env) : terminal(content === "text" ? SCROLL : STILL, env);
    await delay(1500);
    return new Stage(env, [actor, x]);
  }

  async strike(): Promise<void> {
    for (const child of this.children) await child.stop("SIGTERM");
  }
}

function terminal(script: string, env: { DISPLAY: string }): Child {
  return Child.start("xterm", ["-geometry", "150x50+20+20", "-fa", "DejaVu Sans Mono", "-fs", "11", "-e", "sh", "-c", script], { env });
}

/** Colour bars with a field of noise, moved by 12 pixels a frame: every pixel changes, and a sixth of an encoder's time is this client's. */
function panning(size: string, env: { DISPLAY: string }): Child {
  const [width = "", height = ""] = size.split("x");
  const line = `-q videotestsrc pattern=smpte horizontal-speed=12 ! video/x-raw,format=BGRx,width=${width},height=${height},framerate=60/1 ! ximagesink`;
  return Child.start("gst-launch-1.0", line.split(" "), { env });
}
