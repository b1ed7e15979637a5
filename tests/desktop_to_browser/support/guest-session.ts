// Shell: a session in a virtual machine: the launcher beside a display, and a program of its desktop that the test can ask. Browsers are
// this machine's, and reach the launcher through its one port.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server } from "./browser.js";
import { Guest, type Talk } from "./guest.js";
import { built, root } from "./launcher.js";
import { until } from "./wait.js";

const PORT = 8080;
const PROGRAM = 9000;
const PASSWORD = "a password of the test";

const missing = ["qemu-system-x86_64", "busybox"].filter((program) => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return false;
  } catch {
    return true;
  }
});

/** Why there is none here, if so. */
export const lacks = missing.length > 0 && process.env["CI"] !== "true" ? `scripts/setup.sh test gets ${missing.join(" and ")}` : false;

/** An emulated processor is given one thing at a time, and little to encode. */
const script = (registry: string, environment: string, program: string): string => `
export GST_REGISTRY=${registry} GST_REGISTRY_UPDATE=no PULSE_SERVER=unix:/nonexistent SELKIES_BASIC_AUTH_PASSWORD='${PASSWORD}'
export SELKIES_ADDR=0.0.0.0 SELKIES_PORT=${PORT} SELKIES_FRAMERATE=5 SELKIES_ENABLE_RESIZE=false SELKIES_MAX_CPU=0 SELKIES_MAX_LATENCY=0
export SELKIES_ENABLE_MICROPHONE=false ${environment}
Xvfb :77 -screen 0 160x120x24 -noreset -extension GLX &
until [ -e /tmp/.X11-unix/X77 ]; do sleep 0.2; done
DISPLAY=:77 ${built("vdi-launcher")} &
launcher=$!
echo $launcher >/run/launcher
until busybox wget -q -O /dev/null http://127.0.0.1:${PORT}/readyz || ! kill -0 $launcher; do sleep 0.5; done
python3 ${join(root, "tests/desktop_to_browser/guest", program)} ${PROGRAM} &
wait $launcher
echo "launcher: ended with $?"
sleep 30
`;

export class GuestSession {
  private constructor(
    readonly guest: Guest,
    readonly server: Server,
    /** The program of the desktop. */
    readonly program: Talk,
    private readonly folder: string,
  ) {}

  /** Boots the machine and waits for launcher and program, which is one of the folder `guest`; `environment` is the launcher's. */
  static async start(environment: string, program: string): Promise<GuestSession> {
    const folder = mkdtempSync(join(tmpdir(), "vdi-guest-session-"));
    const registry = join(folder, "registry.bin");
    let guest: Guest | undefined;
    try {
      // Looking at every plugin takes a minute there, and the plugins are the same.
      execFileSync("gst-inspect-1.0", ["fakesink"], { env: { ...process.env, GST_REGISTRY: registry }, stdio: "ignore" });
      guest = await Guest.boot(script(registry, environment, program), [PORT, PROGRAM]);
      const server = { url: `http://${guest.at(PORT)}/`, user: "user", password: PASSWORD };
      await until("the launcher to be ready", 90_000, async () => (await fetch(new URL("readyz", server.url), { signal: AbortSignal.timeout(5_000) })).ok);
      return new GuestSession(guest, server, await guest.talk(PROGRAM), folder);
    } catch (error) {
      await guest?.stop();
      rmSync(folder, { recursive: true });
      throw new Error(`${String(error)}\n${guest?.words ?? ""}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    this.program.close();
    await this.guest.stop();
    rmSync(this.folder, { recursive: true });
  }
}
