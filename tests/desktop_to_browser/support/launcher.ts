// Shell: the real vdi-launcher as a process: started on a free port, asked over HTTP, ended with a signal.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Child, descendants, environmentOf } from "./child.js";
import { Door } from "./door.js";
import type { Host } from "./netns.js";
import { Hopeless, until } from "./wait.js";
import { Display } from "./x11.js";

export const root = resolve(import.meta.dirname, "../../..");
export const targetFolder = process.env["CARGO_TARGET_DIR"] ?? resolve(root, "target");

/** Where cargo put a program or library of the profile under test (`VDI_PROFILE`, `debug` unless told). */
export function built(name: string): string {
  const path = resolve(targetFolder, process.env["VDI_PROFILE"] ?? "debug", name);
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`make test\`, or \`cargo build --workspace\` first`);
  return path;
}

/** The body of `/status`, as protocol/src/status.rs has it. */
export interface Status {
  phase: string;
  reason: string | null;
  message: string | null;
  lastInputSecondsAgo: number | null;
  secondsWithoutPage: number | null;
  limits: { expiresAt: string | null; extendedSeconds: number; extensionSeconds: number; extensionsLeft: number };
  display: string | null;
  screen: ScreenStatus;
  encoder: EncoderStatus | null;
  latency: LatencyStatus | null;
  audio: { running: boolean; message: string | null };
  microphone: { running: boolean; message: string | null };
  webcam: { running: boolean; message: string | null };
  recording: RecordingStatus | null;
  gpu: { devices: unknown[]; message: string | null };
  tls: { source: string; fingerprint: string; notAfter: string; message: string | null } | null;
  consumers: { id: string; role: string; connected: boolean; media: ConsumerMedia | null }[];
  connection: { failures: Record<string, number> };
}

/** What becomes of the recording. */
export interface RecordingStatus {
  running: boolean;
  startedAt: string | null;
  file: string | null;
  files: number;
  bytesWritten: number;
  framesDropped: number;
  failures: number;
  failure: string | null;
  message: string | null;
}

/** What the screen is, as protocol/src/screen.rs has it. */
export interface ScreenStatus {
  resizable: boolean;
  message?: string;
  maxWidth: number;
  maxHeight: number;
  dpi: number;
  monitors: { name: string; x: number; y: number; width: number; height: number; primary: boolean }[];
}

/** What reaches a page, as it says. */
export interface ConsumerMedia {
  framesDecoded: number;
  framesPerSecond: number;
  jitterSeconds: number;
  packetsReceived: number;
  packetsLost: number;
  roundTripSeconds: number;
}

interface LatencyFigures {
  p50Seconds: number;
  p95Seconds: number;
  p99Seconds: number;
}

export interface LatencyStatus {
  consumer: string;
  estimated: boolean;
  frames: number;
  uncertaintySeconds: number;
  glassToGlass: LatencyFigures;
  stages: (LatencyFigures & { stage: string })[];
}

export interface EncoderStatus {
  name: string;
  hardware: boolean;
  codec: string;
  chromaFormat: string;
  sourceWidth: number;
  sourceHeight: number;
  frameWidth: number;
  frameHeight: number;
  framesPerSecond: number;
  maxFramerate: number | null;
  targetBitrateBps: number;
  framesEncoded: number;
  keyFramesEncoded: number;
  framesDropped: number;
  totalEncodeTimeSeconds: number;
  encodeTimeSeconds: number;
  cpuUsage: number | null;
  latencySeconds: number | null;
  qualityLimitationReason: string;
  qualityLimitationDurations: { none: number; cpu: number; bandwidth: number; latency: number };
  qualityLimitationResolutionChanges: number;
  switches: number;
  lastSwitch: { from: string; to: string; cause: string; message: string } | null;
  rejections: { encoder: string; reason: string; message: string }[];
}

export interface LauncherOptions {
  /** Flags before `--`. */
  flags?: string[];
  /** The desktop's command after `--`. */
  desktop: string[];
  env?: Record<string, string | undefined>;
  /** Runs it in this host's network, on its first address; its `url` is then the one that hosts of that network use. */
  inside?: Host;
}

/**
 * An X server looks for a free number among the abstract sockets of its own network, and takes the place of a server of another
 * one under /tmp/.X11-unix: so in a network of its own it gets such a folder of its own.
 */
const OWN_DISPLAYS = ["sh", "-c", 'mkdir -p /tmp/.X11-unix && mount -t tmpfs -o mode=1777 vdi /tmp/.X11-unix && exec "$0" "$@"'];

export class Launcher {
  private constructor(
    readonly child: Child,
    readonly url: string,
    readonly user: string,
    readonly password: string,
    private readonly desktop: string[],
    private readonly door: Door | undefined,
  ) {}

  static spawn({ flags = [], desktop, env = {}, inside }: LauncherOptions): Child {
    const own = Object.fromEntries(Object.keys(process.env).filter((name) => name.startsWith("SELKIES_")).map((name) => [name, undefined]));
    const [command = "", ...args] = [...(inside ? [...inside.entry, ...OWN_DISPLAYS] : []), built("vdi-launcher"), ...flags, ...(desktop.length > 0 ? ["--", ...desktop] : [])];
    return Child.start(command, args, {
      // Nothing of the machine's own desktop or settings may reach the process under test.
      env: {
        ...own,
        DISPLAY: undefined,
        XAUTHORITY: undefined,
        PULSE_SERVER: "unix:/nonexistent",
        // Nothing is to be kept of a test, and here nothing can be.
        XDG_STATE_HOME: "/proc/nonexistent",
        // Nor is anything to be made in the home of whoever runs them.
        SELKIES_FILES_FOLDER: "/proc/nonexistent",
        // Gamepads have their sockets in a folder that all sessions of a machine share, unless a test says another.
        SELKIES_JS_SOCKET_PATH: "/proc/nonexistent",
        // And devices would be the whole machine's.
        SELKIES_GAMEPADS: "sockets",
        SELKIES_ADDR: inside?.address ?? "127.0.0.1",
        SELKIES_PORT: "0",
        // What two cores can do beside three browsers that decode it.
        SELKIES_FRAMERATE: "30",
        // The size of the desktop is the test's.
        SELKIES_ENABLE_RESIZE: "false",
        // Nor may a busy machine make the picture worse under a test that is about something else.
        SELKIES_MAX_CPU: "0",
        SELKIES_MAX_LATENCY: "0",
        ...env,
      },
    });
  }

  /** Starts it and waits until it is ready to be watched. */
  static async start(options: LauncherOptions): Promise<Launcher> {
    const child = Launcher.spawn(options);
    const [, url = ""] = await child.says(/^URL:\s+(\S+)$/m, 30_000);
    const [, user = ""] = await child.says(/^User:\s+(\S+)$/m, 1_000);
    const [, password = ""] = await child.says(/^Password:\s+(\S+)$/m, 1_000);
    const door = options.inside && (await Door.open(options.inside, new URL(url).host));
    const launcher = new Launcher(child, url, user, password, options.desktop, door);
    await until("/readyz to say yes", 30_000, async () => {
      if (child.ending) throw new Hopeless(`the launcher has ended: ${JSON.stringify(child.ending)}\n${child.stderr}`);
      return (await launcher.get("/readyz")).ok;
    });
    return launcher;
  }

  get pid(): number {
    return this.child.pid;
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`${this.user}:${this.password}`).toString("base64")}`;
  }

  get(path: string, headers: Record<string, string> = { authorization: this.authorization }): Promise<Response> {
    return fetch(new URL(path, this.door?.url ?? this.url), { headers, redirect: "manual", signal: AbortSignal.timeout(5_000) });
  }

  async status(): Promise<Status> {
    const response = await this.get("/status");
    if (!response.ok) throw new Error(`/status says ${response.status}`);
    return (await response.json()) as Status;
  }

  /** Waits until `/status` is as it should be. */
  async statusWhere(what: string, fits: (status: Status) => boolean, limitMs = 10_000): Promise<Status> {
    try {
      return await until(`/status: ${what}`, limitMs, async () => {
        const status = await this.status();
        if (!fits(status)) throw new Error(JSON.stringify(status));
        return status;
      });
    } catch (error) {
      throw new Error(`the launcher's last words:\n${this.words.slice(-3000)}`, { cause: error });
    }
  }

  /** The environment of the desktop's command: its DISPLAY and XAUTHORITY lead to the X server's own truth. */
  async desktopEnvironment(): Promise<Record<string, string>> {
    const command = this.desktop.join(" ");
    return until("the desktop's process", 10_000, () => {
      const desktop = descendants(this.pid).find((candidate) => candidate.command.includes(command));
      const env = desktop && environmentOf(desktop.pid);
      return env?.["DISPLAY"] === undefined ? undefined : env;
    });
  }

  /** Its log so far. */
  get words(): string {
    return this.child.stderr;
  }

  /** Waits until its log has such words: what `/status` and pages tell may be ahead of it. */
  async logged(words: RegExp): Promise<void> {
    await until(`${words} in the log`, 5_000, () => {
      if (!words.test(this.words)) throw new Error(this.words.slice(-3000));
      return true;
    });
  }

  async openDisplay(): Promise<Display> {
    return Display.open(await this.desktopEnvironment());
  }

  /** Ends it as an orchestrator would. A process left behind, or an exit code other than 0, is a failure. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const family = descendants(this.pid);
    await this.door?.close();
    const ending = await this.child.stop(signal, 15_000);
    if (ending.code !== 0) throw new Error(`the launcher ended with ${JSON.stringify(ending)}\n${this.child.stderr}`);
    await until("the launcher's descendants to be gone", 5_000, () => {
      const left = family.filter((one) => existsSync(`/proc/${one.pid}`));
      if (left.length > 0) throw new Error(`still there: ${left.map((one) => `${one.pid} ${one.command}`).join(", ")}`);
      return true;
    });
  }
}
