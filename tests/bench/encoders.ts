// Shell: what each encoder of this machine costs and how long it takes, for each kind of content, beside a naive pipeline.
// No network and no browser: a decoder on the same machine would be measured with them.

import { execFile } from "node:child_process";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import { Launcher, built, targetFolder } from "../desktop_to_browser/support/launcher.js";
import { within } from "../desktop_to_browser/support/wait.js";
import type { Report } from "./figures.js";
import { Stage, type Content } from "./stage.js";

/** The encoder that runs where there is no GPU: it has goals, the others are only told. */
const DEFAULT_ENCODER = "x264enc";
/** A frame has to be encoded before the next one comes. */
const FRAME_MS = 1000 / 60;

interface Measured {
  framesPerSecond: number;
  cpu: number;
  encoder?: string | null;
  chromaFormat?: string;
  encodeMs?: number;
  limitation?: string;
  latencyMs?: { p50?: number; p95?: number };
}

const NAIVE = "ximagesrc use-damage=false ! video/x-raw,framerate=60/1 ! videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=8000 ! fakesink name=sink sync=false";

/** The launcher's encoder without the limits that would lower the frame rate, behind a source that gives 60 frames a second whatever changes. */
function ours(encoder: string, chromaFormat: string, seconds: number): string {
  const bin = `adaptiveencbin name=encoder encoder=${encoder} chroma-format=${chromaFormat} bitrate=8000 max-cpu=0 max-latency=0`;
  return `ximagesrc use-damage=false ! video/x-raw,framerate=60/1 ! ${bin} ! latencystats name=latency window=${seconds * 1000} ! fakesink name=sink sync=false`;
}

async function measure(env: { DISPLAY: string }, seconds: number, pipeline: string): Promise<Measured> {
  const run = promisify(execFile)("/usr/bin/python3", [resolve(import.meta.dirname, "measure.py"), String(seconds), pipeline], {
    env: { ...process.env, ...env, GST_PLUGIN_PATH: dirname(built("libgstvdi.so")), GST_REGISTRY: resolve(targetFolder, "bench-registry.bin") },
    timeout: (seconds + 60) * 1000,
  });
  return JSON.parse((await run).stdout) as Measured;
}

/** Every encoder that this version knows: the launcher names them all to whoever asks for one that it does not know. */
async function known(): Promise<string[]> {
  const child = Launcher.spawn({ flags: ["--encoder", "none-of-these"], desktop: [] });
  await within("the launcher to refuse", 10_000, child.ended);
  const [, names = ""] = /accepted is auto, ((?:[a-z0-9]+, )*[a-z0-9]+)/.exec(child.stderr) ?? [];
  if (!names.includes(DEFAULT_ENCODER)) throw new Error(`no list of encoders in: ${child.stderr}`);
  return names.split(", ");
}

export async function encoders({ step, note }: Report, seconds: number): Promise<void> {
  let present = (await known()).flatMap((encoder) => [encoder, `${encoder} 4:4:4`]);
  for (const content of ["static", "text", "motion"] as Content[]) {
    step(`encoders, 1920x1080@60 ${content}: ${seconds} s for each`);
    const stage = await Stage.set("1920x1080", content);
    const naive = await measure(stage.env, seconds, NAIVE);
    step(`  (naive pipeline: ${words(naive)})`);
    const perFrame = naive.cpu / naive.framesPerSecond;
    const works: string[] = [];
    for (const kind of present) {
      const [encoder = "", chromaFormat = "4:2:0"] = kind.split(" ");
      const measured = await measure(stage.env, seconds, ours(encoder, chromaFormat, seconds)).catch(lastWords);
      if (typeof measured === "string" || measured.encoder !== encoder) {
        step(`  ${kind} does not work on this machine${typeof measured === "string" ? `: ${measured}` : ""}`);
        continue;
      }
      // One that makes 4:2:0 although it was asked for more has been measured already.
      if (measured.chromaFormat !== chromaFormat) continue;
      works.push(kind);
      const [name, judged] = [`${kind}, ${content}`, kind === DEFAULT_ENCODER];
      step(`  (${kind}: ${words(measured)})`);
      note(`CPU per frame against naive x264enc, ${name}`, measured.cpu / measured.framesPerSecond / perFrame, "ratio", judged ? 1.4 : null);
      if (measured.encodeMs !== undefined) note(`time in the encoder, p95, ${name}`, measured.encodeMs, "ms", judged ? FRAME_MS : null);
      if (measured.latencyMs?.p95 !== undefined) note(`capture to encoded, p95, ${name}`, measured.latencyMs.p95, "ms", judged ? 2 * FRAME_MS : null);
    }
    await stage.strike();
    present = works;
  }
}

/** The last line of a process that failed. */
function lastWords(error: unknown): string {
  const { stderr = String(error) } = error as { stderr?: string };
  return stderr.trim().split("\n").at(-1) ?? "";
}

function words({ framesPerSecond, cpu, limitation = "none" }: Measured): string {
  const limited = limitation === "none" ? "" : `, limited by ${limitation}`;
  return `${framesPerSecond.toFixed(1)} frames per second for ${cpu.toFixed(0)} % of a core${limited}`;
}
