// Behaviour: with --chroma-format=4:4:4 each pixel of the page has the colour that it has on the desktop, as long as every page that
// watches can decode that; for one that cannot, all get 4:2:0, without a break, until it is gone.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

/** Columns of one pixel: every other is set. */
const COLUMNS = "#define columns_width 8\n#define columns_height 1\nstatic char columns_bits[] = {\n0x55 };\n";

let chromium: Chromium;
let folder: string;
const viewers: Viewer[] = [];
let launcher: Launcher | undefined;

before(async () => {
  chromium = await Chromium.start();
  folder = mkdtempSync(join(tmpdir(), "vdi-chroma-"));
  writeFileSync(join(folder, "columns.xbm"), COLUMNS);
});

after(async () => {
  await chromium.stop();
  rmSync(folder, { recursive: true });
});

afterEach(async () => {
  for (const viewer of viewers.splice(0)) await viewer.close();
  await launcher?.stop();
});

async function start(flags: string[]): Promise<Launcher> {
  launcher = await Launcher.start({ flags: ["--display-size", "640x480", ...flags], desktop: ["sleep", "3600"] });
  const { DISPLAY, XAUTHORITY } = await launcher.desktopEnvironment();
  execFileSync("xsetroot", ["-bitmap", join(folder, "columns.xbm"), "-fg", "#ff0000", "-bg", "#0000ff"], { env: { ...process.env, DISPLAY, XAUTHORITY }, timeout: 10_000 });
  return launcher;
}

/** How much more red than blue a red column is than the blue one beside it: 510 on the desktop, and nothing where they share a colour. */
function contrast({ page }: Viewer): Promise<number> {
  return page.evaluate(() => {
    const video = document.querySelector("video");
    const canvas = new OffscreenCanvas(64, 16).getContext("2d", { willReadFrequently: true });
    if (!video || !canvas) throw new Error("there is no picture");
    canvas.drawImage(video, 256, 240, 64, 16, 0, 0, 64, 16);
    const { data } = canvas.getImageData(0, 0, 64, 16);
    let sum = 0;
    for (let at = 0; at < data.length; at += 8) sum += Math.abs((data[at] ?? 0) - (data[at + 2] ?? 0) - (data[at + 4] ?? 0) + (data[at + 6] ?? 0));
    return sum / (data.length / 8);
  });
}

async function isFull(viewer: Viewer, full: boolean): Promise<void> {
  await until(`the picture to be ${full ? "4:4:4" : "4:2:0"}`, 20_000, async () => {
    const now = await contrast(viewer);
    // A codec blurs lines of one pixel somewhat.
    assert.ok(full ? now > 400 : now < 60, `the columns differ by ${now.toFixed(0)} of 510`);
    return true;
  });
}

/** The line of the panel that says what encodes. */
async function says(viewer: Viewer, what: RegExp): Promise<void> {
  await until(`the page to say ${String(what)}`, 10_000, async () => {
    const words = await viewer.page.evaluate(() => document.querySelector("#panel")?.textContent ?? "");
    if (!what.test(words)) throw new Error(words);
    return true;
  });
}

const offered = ({ page }: Viewer): Promise<string> =>
  page.evaluate(() => (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi.peer?.remoteDescription?.sdp ?? "");

async function open(launcher: Launcher): Promise<Viewer> {
  const viewer = await chromium.open(launcher);
  viewers.push(viewer);
  return viewer;
}

/** A page of a browser that decodes 4:2:0 only, by its own account. */
async function plain(launcher: Launcher): Promise<Viewer> {
  const viewer = await chromium.prepare(launcher);
  viewers.push(viewer);
  await viewer.page.addInitScript(() => {
    const all = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
    RTCRtpReceiver.getCapabilities = (kind) => {
      const told = all(kind);
      return told && { ...told, codecs: told.codecs.filter(({ sdpFmtpLine = "" }) => !/profile-level-id=f4|profile-id=1/.test(sdpFmtpLine)) };
    };
  });
  await viewer.page.goto(launcher.url);
  await viewer.connected();
  return viewer;
}

describe("lines of one pixel in red and blue", () => {
  for (const [codec, name, profile] of [["h264", "H.264", "profile-level-id=f4001f"], ["vp9", "VP9", "profile-id=1"]] as const) {
    test(`keep their colours as ${name} in 4:4:4, and share them while a page watches that cannot decode that`, async () => {
      const launcher = await start(["--codec", codec, "--chroma-format", "4:4:4"]);
      const viewer = await open(launcher);
      await isFull(viewer, true);
      assert.match(await offered(viewer), new RegExp(profile));
      await says(viewer, new RegExp(`${name.replace(".", "\\.")} 4:4:4`));
      await viewer.screenshot(`chroma-${codec}`);
      const decoded = (await viewer.inbound("video")).framesDecoded;

      const other = await plain(launcher);
      await isFull(other, false);
      await isFull(viewer, false);
      assert.doesNotMatch(await offered(other), new RegExp(profile));
      assert.equal((await launcher.status()).encoder?.chromaFormat, "4:2:0");
      await other.close();
      await isFull(viewer, true);
      assert.ok((await viewer.inbound("video")).framesDecoded > decoded, "it is the same connection all the time");
      assert.equal((await launcher.status()).encoder?.switches, 0, "no encoder has failed");
    });
  }

  test("share their colours where nobody asked for more", async () => {
    const launcher = await start([]);
    const viewer = await open(launcher);
    await isFull(viewer, false);
    assert.match(await offered(viewer), /profile-level-id=42e01f/);
  });
});
