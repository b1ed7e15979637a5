// Shell: a process that a test has started: its output, its end, and what the kernel says of it and its descendants.

import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { after } from "node:test";
import { Hopeless, until, within } from "./wait.js";

/** Why a process ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Processes that a failing test has left. SIGTERM, so that those with children of their own can end them. */
const running = new Set<ChildProcess>();
function endRunning(): void {
  for (const child of running) child.kill("SIGTERM");
}
process.on("exit", endRunning);

/** Longer than anything takes that the hooks of a file's tests end in order. */
const LEFT_MS = 60_000;
// A process that is left keeps this one from ending, for which the test runner would wait for ever.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  after(() => {
    setTimeout(endRunning, LEFT_MS).unref();
  });
}

/** Output kept for the error messages of failing tests. */
const MAX_OUTPUT_CHARS = 1_000_000;

export interface StartOptions {
  env?: Record<string, string | undefined>;
  /** In a process group of its own, as a shell starts a job at a terminal. */
  ownGroup?: boolean;
}

export class Child {
  readonly ended: Promise<Ending>;
  ending: Ending | undefined;
  stdout = "";
  stderr = "";

  private constructor(
    readonly name: string,
    private readonly process: ChildProcess,
  ) {
    running.add(process);
    process.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout = (this.stdout + text).slice(-MAX_OUTPUT_CHARS)));
    process.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr = (this.stderr + text).slice(-MAX_OUTPUT_CHARS)));
    this.ended = new Promise((resolve, reject) => {
      process.once("error", reject);
      // "close" comes after "exit", when the output has been read to its end.
      process.once("close", (code, signal) => {
        running.delete(process);
        this.ending = { code, signal };
        resolve(this.ending);
      });
    });
    this.ended.catch(() => undefined);
  }

  /** `env` is added to this process's environment; an undefined value removes a name. */
  static start(command: string, args: string[], options: StartOptions = {}): Child {
    const env = { ...process.env, ...options.env };
    return new Child(command, spawn(command, args, { env, detached: options.ownGroup ?? false, stdio: ["pipe", "pipe", "pipe"] }));
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.process.pid;
  }

  get stdin(): NodeJS.WritableStream {
    if (!this.process.stdin) throw new Error(`${this.name} has no standard input`);
    return this.process.stdin;
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** To the whole group, as a terminal does for Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** The first match in the standard output (or in what `from` names) so far or within the limit. */
  async says(pattern: RegExp, limitMs: number, from: "stdout" | "stderr" = "stdout"): Promise<RegExpMatchArray> {
    return until(`${this.name} to say ${pattern}`, limitMs, () => {
      const match = this[from].match(pattern);
      if (!match && this.ending) {
        throw new Hopeless(`${this.name} should have said ${pattern} and has ended: ${JSON.stringify(this.ending)}\n${this.stdout}\n${this.stderr}`);
      }
      return match;
    });
  }

  /** Asks it to end and waits for that. An end that has to be forced is a failure. */
  async stop(signal: NodeJS.Signals = "SIGTERM", limitMs = 10_000): Promise<Ending> {
    if (!this.ending) this.process.kill(signal);
    try {
      return await within(`${this.name} to end after ${signal}`, limitMs, this.ended);
    } catch (error) {
      this.process.kill("SIGKILL");
      throw new Error(`${String(error)}\n${this.stdout}\n${this.stderr}`, { cause: error });
    }
  }
}

/** What `/proc/PID/stat` says after the name, or nothing for a process that is gone. */
function stat(pid: number): { name: string; state: string; parent: number; ticks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const end = text.lastIndexOf(")");
    const fields = text.slice(end + 2).split(" ");
    return {
      name: text.slice(text.indexOf("(") + 1, end),
      state: fields[0] ?? "",
      parent: Number(fields[1]),
      ticks: Number(fields[11]) + Number(fields[12]),
    };
  } catch {
    return undefined;
  }
}

/** One process as the kernel sees it. */
export interface ProcessFacts {
  pid: number;
  name: string;
  command: string;
}

/** The living descendants of a process, zombies not among them. */
export function descendants(pid: number): ProcessFacts[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), facts: stat(Number(name)) }));
  const found: ProcessFacts[] = [];
  const parents = [pid];
  for (const parent of parents) {
    for (const { pid: child, facts } of all) {
      if (facts?.parent !== parent || facts.state === "Z") continue;
      parents.push(child);
      found.push({ pid: child, name: facts.name, command: read(`/proc/${child}/cmdline`).replaceAll("\0", " ").trim() });
    }
  }
  return found;
}

/** The processes that a process has started itself. */
export const children = (pid: number): number[] => descendants(pid).filter((one) => stat(one.pid)?.parent === pid).map((one) => one.pid);

export function isAlive(pid: number): boolean {
  const facts = stat(pid);
  return facts !== undefined && facts.state !== "Z";
}

/** The environment that a process was started with. */
export function environmentOf(pid: number): Record<string, string> {
  const entries = read(`/proc/${pid}/environ`).split("\0").filter((entry) => entry.includes("="));
  return Object.fromEntries(entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]));
}

export const threadCount = (pid: number): number => readdirSync(`/proc/${pid}/task`).length;
export const fdCount = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Processor time that a process has used, in seconds. Clock ticks are 1/100 s on every Linux that we run on. */
export const cpuSeconds = (pid: number): number => (stat(pid)?.ticks ?? 0) / 100;

/** Memory in RAM, in bytes. */
export const residentBytes = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;

/** The TCP sockets on which a process listens, as `address:port`. */
export function listeningOn(pid: number): string[] {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  const inodes = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const listening = read(`/proc/${pid}/net/tcp`).split("\n").slice(1).map((line) => line.trim().split(/\s+/));
  return listening
    .filter((fields) => fields[3] === "0A" && inodes.has(fields[9]))
    .map((fields) => {
      const [address = "", port = ""] = (fields[1] ?? "").split(":");
      const bytes = [6, 4, 2, 0].map((at) => Number.parseInt(address.slice(at, at + 2), 16));
      return `${bytes.join(".")}:${Number.parseInt(port, 16)}`;
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
