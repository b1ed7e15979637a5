// Shell: a sound server of this test's own, with a null sink, and tones played into it: PulseAudio, or PipeWire, which speaks
// PulseAudio's language.

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.js";
import { until } from "./wait.js";

/** Clients of a sound server; its folder is its own. */
abstract class SoundServer {
  protected constructor(protected readonly folder: string) {}

  /** For clients: the value of PULSE_SERVER. */
  abstract readonly server: string;
  abstract stop(): Promise<void>;

  /** What a user does with `pactl`. */
  control(...args: string[]): string {
    return execFileSync("pactl", args, { env: { ...process.env, PULSE_SERVER: this.server, HOME: join(this.folder, "home"), XDG_RUNTIME_DIR: this.folder }, encoding: "utf8", timeout: 10_000 });
  }

  /** A program that is ready to play, and as soon as it is told to plays a tone of 0.3 s. */
  player(): { tone: () => void; end: () => Promise<unknown> } {
    const env = { PULSE_SERVER: this.server, HOME: join(this.folder, "home"), XDG_RUNTIME_DIR: this.folder };
    const player = Child.start("pacat", ["--playback", "--raw", "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=20"], { env });
    player.stdin.on("error", () => undefined);
    const samples = Buffer.alloc(14_400 * 2);
    for (let sample = 0; sample < 14_400; sample++) samples.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * 440 * sample) / 48_000)), 2 * sample);
    return { tone: () => player.stdin.write(samples), end: () => player.stop("SIGKILL") };
  }

  /** Plays a sine until it is stopped, to the default sink if to none of this name. */
  playTone(frequencyHz = 440, sink?: string): Child {
    const rate = 48_000;
    const second = Buffer.alloc(rate * 2 * 2);
    for (let sample = 0; sample < rate; sample++) {
      const value = Math.round(12_000 * Math.sin((2 * Math.PI * frequencyHz * sample) / rate));
      second.writeInt16LE(value, sample * 4);
      second.writeInt16LE(value, sample * 4 + 2);
    }
    const player = Child.start("pacat", ["--playback", "--raw", `--rate=${rate}`, "--channels=2", "--format=s16le", "--latency-msec=50", ...(sink === undefined ? [] : [`--device=${sink}`])], {
      env: { PULSE_SERVER: this.server, HOME: join(this.folder, "home"), XDG_RUNTIME_DIR: this.folder },
    });
    // A minute of it at most; pacat reads no faster than it plays.
    player.stdin.on("error", () => undefined);
    for (let played = 0; played < 60; played++) player.stdin.write(second);
    return player;
  }

  /** Plays a sine of another frequency on each channel, named as PulseAudio names them, until it is stopped. */
  playChord(tones: Readonly<Record<string, number>>): Child {
    const [rate, frequencies] = [48_000, Object.values(tones)];
    const second = Buffer.alloc(rate * 2 * frequencies.length);
    for (let sample = 0; sample < rate; sample++) {
      frequencies.forEach((hz, channel) => second.writeInt16LE(Math.round(6_000 * Math.sin((2 * Math.PI * hz * sample) / rate)), 2 * (sample * frequencies.length + channel)));
    }
    const form = [`--rate=${rate}`, `--channels=${frequencies.length}`, `--channel-map=${Object.keys(tones).join(",")}`, "--format=s16le", "--latency-msec=50"];
    const player = Child.start("pacat", ["--playback", "--raw", ...form], { env: { PULSE_SERVER: this.server, HOME: join(this.folder, "home"), XDG_RUNTIME_DIR: this.folder } });
    player.stdin.on("error", () => undefined);
    for (let played = 0; played < 60; played++) player.stdin.write(second);
    return player;
  }

  /** What a program hears that records from this source for so long: the root mean square of its samples, 1 being full scale. */
  async recorded(source: string, ms = 700): Promise<number> {
    const env = { ...process.env, PULSE_SERVER: this.server, HOME: join(this.folder, "home"), XDG_RUNTIME_DIR: this.folder };
    const args = [`${ms / 1000}`, "parec", `--device=${source}`, "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=20"];
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      execFile("timeout", args, { env, encoding: "buffer", maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
        // 124: it was stopped when its time was over.
        if (error && error.code !== 124) reject(new Error(stderr.toString() || error.message));
        else resolve(stdout);
      });
    });
    const samples = Math.floor(bytes.length / 2);
    if (samples === 0) throw new Error(`nothing could be recorded from ${source}`);
    let squares = 0;
    for (let sample = 0; sample < samples; sample++) squares += (bytes.readInt16LE(2 * sample) / 32_768) ** 2;
    return Math.sqrt(squares / samples);
  }
}

export class Pulse extends SoundServer {
  private constructor(
    private child: Child,
    folder: string,
    private readonly form: string,
  ) {
    super(folder);
  }

  get server(): string {
    return `unix:${this.folder}/native`;
  }

  /** `form`: words of the sink about its channels, stereo without. */
  static async start(form = ""): Promise<Pulse> {
    const folder = mkdtempSync(join(tmpdir(), "vdi-pulse-"));
    mkdirSync(join(folder, "home"));
    return new Pulse(await Pulse.spawn(folder, form), folder, form);
  }

  private static async spawn(folder: string, form: string): Promise<Child> {
    const socket = join(folder, "native");
    const child = Child.start(
      "pulseaudio",
      [
        ..."-n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --realtime=no --high-priority=no --log-level=warning".split(" "),
        `--load=module-null-sink sink_name=desktop ${form}`,
        `--load=module-native-protocol-unix socket=${socket} auth-anonymous=1`,
      ],
      {
        env: {
          HOME: join(folder, "home"),
          XDG_RUNTIME_DIR: folder,
          PULSE_RUNTIME_PATH: folder,
          PULSE_STATE_PATH: folder,
          PULSE_SERVER: undefined,
          DISPLAY: undefined,
          DBUS_SESSION_BUS_ADDRESS: undefined,
        },
      },
    );
    await until("PulseAudio's socket", 10_000, () => existsSync(socket));
    return child;
  }

  /** It ends without a word to its clients, and there is none until `again`. */
  async kill(): Promise<void> {
    await this.child.stop("SIGKILL");
    rmSync(join(this.folder, "native"), { force: true });
  }

  async again(): Promise<void> {
    this.child = await Pulse.spawn(this.folder, this.form);
  }

  async stop(): Promise<void> {
    await this.child.stop("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** PipeWire with its session manager and its server for PulseAudio's clients, on a session bus of its own. */
export class PipeWire extends SoundServer {
  private constructor(
    private readonly children: Child[],
    folder: string,
  ) {
    super(folder);
  }

  get server(): string {
    return `unix:${this.folder}/pulse/native`;
  }

  static async start(): Promise<PipeWire> {
    const folder = mkdtempSync(join(tmpdir(), "vdi-pipewire-"));
    mkdirSync(join(folder, "home"));
    const bus = `unix:path=${folder}/bus`;
    const env = {
      HOME: join(folder, "home"),
      XDG_RUNTIME_DIR: folder,
      PIPEWIRE_RUNTIME_DIR: folder,
      DBUS_SESSION_BUS_ADDRESS: bus,
      PULSE_SERVER: undefined,
      DISPLAY: undefined,
    };
    const children: Child[] = [];
    const one = async (socket: string | null, program: string, ...words: string[]): Promise<void> => {
      children.push(Child.start(program, words, { env }));
      if (socket !== null) await until(`${program} to listen`, 10_000, () => existsSync(join(folder, socket)));
    };
    await one("bus", "dbus-daemon", "--session", "--nofork", "--nopidfile", `--address=${bus}`);
    await one("pipewire-0", "pipewire");
    await one(null, "wireplumber");
    await one("pulse/native", "pipewire-pulse");
    const server = new PipeWire(children, folder);
    await until("a sink", 10_000, () => {
      if (!server.control("list", "short", "sinks").includes("desktop")) server.control("load-module", "module-null-sink", "sink_name=desktop");
      return server.control("get-default-sink").trim() === "desktop";
    });
    return server;
  }

  async stop(): Promise<void> {
    for (const child of this.children.toReversed()) await child.stop("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
