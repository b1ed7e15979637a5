// Shell: what is in a recording, as GStreamer's own demuxer and decoders find it.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Each picture is scaled to this: enough to tell colours. */
const SIZE = { width: 32, height: 24 };
/** Looks at a second of it. */
const LOOKS = 100;
const SAMPLES_PER_LOOK = 48_000 / LOOKS;
/** The head of the file, in which the muxer says how long it is. */
const HEAD_BYTES = 4096;

/** What is seen or heard at some time of the file, in seconds. */
interface At<T> {
  at: number;
  what: T;
}
export type Colour = [number, number, number];

export interface Recording {
  /** Columns and rows of the pictures. */
  size: string;
  /** Seconds, as the file itself says. */
  length: number | null;
  /** Whether it has an index by which players jump. */
  indexed: boolean;
  /** The colour in the middle of the picture. */
  pictures: At<Colour>[];
  /** How loud it is: root mean square, 1 is full scale. */
  sound: At<number>[];
}

function launch(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("gst-launch-1.0", ["-v", ...line.split(" ")], { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stdout.slice(-2000)}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

/** The length that the head says: Matroska's element Duration, in milliseconds. */
function lengthOf(file: Buffer): number | null {
  const at = file.subarray(0, HEAD_BYTES).indexOf(Buffer.from([0x44, 0x89, 0x88]));
  const ms = at < 0 ? 0 : file.readDoubleBE(at + 3);
  return ms > 0 ? ms / 1000 : null;
}

/** Decodes all of a file, and looks at it as often as `LOOKS` says, whenever its own frames come. */
export async function play(path: string, withSound: boolean): Promise<Recording> {
  const folder = mkdtempSync(join(tmpdir(), "vdi-played-"));
  try {
    const [pixels, samples] = [join(folder, "pixels"), join(folder, "samples")];
    const queue = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=0";
    const picture = `d.video_0 ! ${queue} ! decodebin ! videoconvert name=decoded ! videoscale ! videorate ! video/x-raw,format=RGB,width=${SIZE.width},height=${SIZE.height},framerate=${LOOKS}/1 ! filesink location=${pixels}`;
    const sound = `d.audio_0 ! ${queue} ! opusdec plc=false ! audiorate ! audioconvert ! audio/x-raw,format=S16LE,channels=1,rate=48000 ! filesink location=${samples}`;
    const said = await launch(`filesrc location=${path} ! matroskademux name=d ${picture}${withSound ? ` ${sound}` : ""}`);
    const [, width = "", height = ""] = /decoded.*?sink: caps = .*?width=\(int\)(\d+), height=\(int\)(\d+)/.exec(said) ?? [];
    const file = readFileSync(path);
    return {
      size: `${width}x${height}`,
      length: lengthOf(file),
      indexed: file.includes(Buffer.from([0x1c, 0x53, 0xbb, 0x6b])),
      pictures: looks(readFileSync(pixels), SIZE.width * SIZE.height * 3, middle),
      sound: withSound ? looks(readFileSync(samples), 2 * SAMPLES_PER_LOOK, loudness) : [],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function looks<T>(file: Buffer, bytes: number, what: (part: Buffer) => T): At<T>[] {
  return Array.from({ length: Math.floor(file.length / bytes) }, (_, number) => ({ at: number / LOOKS, what: what(file.subarray(number * bytes, (number + 1) * bytes)) }));
}

function middle(picture: Buffer): Colour {
  const [red = 0, green = 0, blue = 0] = picture.subarray((SIZE.width * (SIZE.height / 2) + SIZE.width / 2) * 3);
  return [red, green, blue];
}

function loudness(samples: Buffer): number {
  let squares = 0;
  for (let at = 0; at < samples.length; at += 2) squares += (samples.readInt16LE(at) / 32_768) ** 2;
  return Math.sqrt(squares / SAMPLES_PER_LOOK);
}
