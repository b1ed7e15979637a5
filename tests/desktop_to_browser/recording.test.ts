// Behaviour: the session is recorded to a file on the server, everybody who is here is told, and the file is what was seen and
// heard: GStreamer plays it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { goesOn } from "./support/path.js";
import { Pulse } from "./support/pulse.js";
import { play, type Colour } from "./support/recording.js";
import { delay, until } from "./support/wait.js";

const MARK = "This session is being recorded.";
/** For the way of a picture to the encoder, and of the word that it is wanted. */
const SLACK_MS = 500;
const FLASHES = 4;
const RED = "#c02020";
const GREEN = "#20c020";
const BLUE = "#2040c0";
/** Something is to be seen, and most of the time nothing changes. */
const QUIET = ["xclock", "-geometry", "60x60+0+0"];

const files = (folder: string): string[] => readdirSync(folder).sort();

function is(picture: { what: Colour } | undefined, colour: string): boolean {
  const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return picture?.what.every((value, at) => Math.abs(value - (wanted[at] ?? 0)) < 24) === true;
}

async function marked(viewer: Viewer, marked: boolean): Promise<void> {
  await until(marked ? "the mark" : "the mark to be gone", 10_000, async () => (await viewer.page.isVisible("#recorded")) === marked);
  if (marked) assert.equal(await viewer.page.textContent('#recorded [role="status"]'), MARK);
}

/** Something has happened between these two, in ms. */
interface Span {
  from: number;
  to: number;
}

/** Whether a length in seconds can be that from the one to the other. */
function fits(length: number, from: Span, to: Span): boolean {
  return length * 1000 > to.from - from.to - SLACK_MS && length * 1000 < to.to - from.from + SLACK_MS;
}

/** Waits until it runs, or runs no more. */
const recorded = (launcher: Launcher, what: string, running: boolean): Promise<unknown> =>
  launcher.statusWhere(what, ({ recording }) => recording?.running === running, 15_000);

describe("a desktop that is recorded on request", { timeout: 180_000 }, () => {
  let folder: string;
  let pulse: Pulse;
  let launcher: Launcher;
  let chromium: Chromium;
  let owner: Viewer;
  let other: Viewer;
  let env: Record<string, string>;
  /** When it was wanted, and when pages knew that it is so: it began between these. */
  let began: Span;

  const paint = (colour: string): void => {
    execFileSync("xsetroot", ["-solid", colour], { env, timeout: 10_000 });
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "vdi-recordings-"));
    pulse = await Pulse.start();
    launcher = await Launcher.start({
      flags: ["--display-size", "1280x720", "--enable-resize", "true", "--recording-dir", folder],
      desktop: QUIET,
      env: { PULSE_SERVER: pulse.server, SELKIES_ENABLE_RESIZE: undefined },
    });
    env = await launcher.desktopEnvironment();
    chromium = await Chromium.start();
    owner = await chromium.open(launcher, { viewport: { width: 800, height: 600 } });
    await owner.becomes("controller");
    other = await chromium.open(launcher);
    await other.becomes("viewer");
    await launcher.statusWhere("sound is captured", (status) => status.audio.running);
    await owner.page.keyboard.press("Control+Shift+M");
    await until("a picture of the window's size", 15_000, async () => (await owner.shown(1, 1)).width === 800);
    paint(GREEN);
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
    await pulse.stop();
    rmSync(folder, { recursive: true });
  });

  test("a page that only watches starts nothing, whatever it sends", async () => {
    assert.equal(await other.page.isDisabled("#record"), true);
    await other.speak([{ type: "record", on: true }], "control");
    await other.speak([{ type: "record", on: "yes" }], "control");
    await delay(1500);
    assert.deepEqual([(await launcher.status()).recording?.running, files(folder)], [false, []]);
    await marked(owner, false);
  });

  test("the button of the page in control starts it, and everybody is told, whoever comes later too", async () => {
    const from = performance.now();
    await owner.page.click("#record");
    await marked(owner, true);
    began = { from, to: performance.now() };
    await marked(other, true);
    const late = await chromium.open(launcher, { locale: "de-DE" });
    await until("the mark in German", 10_000, async () => (await late.words()).includes("Diese Sitzung wird aufgezeichnet."));
    await late.close();
    assert.equal(await owner.page.evaluate(() => {
      const mark = document.querySelector("#recorded")?.getBoundingClientRect() ?? new DOMRect();
      const notices = [...document.querySelectorAll("#notices > *")].map((notice) => notice.getBoundingClientRect());
      return notices.some(({ left, right, top, bottom }) => left < mark.right && right > mark.left && top < mark.bottom && bottom > mark.top);
    }), false, "no notice covers the mark");
    await owner.screenshot("recording");
    const { recording } = await launcher.status();
    assert.ok(Math.abs(Date.parse(recording?.startedAt ?? "") - Date.now()) < 60_000, JSON.stringify(recording));
    assert.match(await (await launcher.get("/metrics")).text(), /^vdi_recording_running 1$/m);
    await other.speak([{ type: "record", on: false }], "control");
    await delay(1000);
    await marked(owner, true);
  });

  test("what was seen and heard is in the file, at the same time, and nothing was encoded a second time", async () => {
    const before = await launcher.status();
    // A player that has nothing to play yet begins as soon as it has.
    const player = pulse.player();
    await delay(2000);
    for (let flash = 0; flash < FLASHES; flash++) {
      paint(RED);
      player.tone();
      await delay(1000);
      paint(GREEN);
      await delay(1500);
    }
    await player.end();
    const { encoder } = await launcher.status();
    assert.deepEqual([encoder?.name, encoder?.switches], [before.encoder?.name, before.encoder?.switches]);

    const resized: Span = { from: performance.now(), to: 0 };
    await owner.page.setViewportSize({ width: 640, height: 480 });
    await until("a picture of the new size", 15_000, async () => (await owner.shown(1, 1)).width === 640);
    await until("the second file", 10_000, () => files(folder).length === 2);
    resized.to = performance.now();
    paint(BLUE);
    // At rest there are few pictures, and the last one lasts.
    await delay(5000);
    const stopped: Span = { from: performance.now(), to: 0 };
    await owner.page.click("#record");
    await marked(owner, false);
    stopped.to = performance.now();
    await marked(other, false);
    await recorded(launcher, "it runs no more", false);
    const [first = "", second = "", ...more] = files(folder);
    assert.deepEqual(more, []);
    assert.match(second, /^desktop-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.mkv$/);
    assert.equal(first, second.replace(".mkv", "-2.mkv"));
    assert.deepEqual(files(folder).map((name) => statSync(join(folder, name)).mode & 0o777), [0o600, 0o600]);

    const one = await play(join(folder, second), true);
    const two = await play(join(folder, first), true);
    assert.deepEqual([one.size, two.size], ["800x600", "640x480"]);
    assert.ok(one.indexed && two.indexed);
    assert.ok(is(one.pictures[0], GREEN), JSON.stringify(one.pictures[0]));
    assert.ok(is(two.pictures.at(-1), BLUE), JSON.stringify(two.pictures.at(-1)));
    const lengths = [one.length ?? 0, two.length ?? 0] as const;
    const truth = JSON.stringify({ lengths, began, resized, stopped });
    assert.ok(fits(lengths[0], began, resized) && fits(lengths[1], resized, stopped), truth);
    assert.ok(fits(lengths[0] + lengths[1], began, stopped), truth);

    const flashes = one.pictures.filter((picture, number) => is(picture, RED) && !is(one.pictures[number - 1], RED)).map(({ at }) => at);
    const tones = one.sound.filter(({ what }, number) => what > 0.05 && (one.sound[number - 1]?.what ?? 0) < 0.05).map(({ at }) => at);
    assert.equal(flashes.length, FLASHES);
    // A busy machine delays one or the other; a time line that is wrong is wrong each time.
    const apart = flashes.map((flash) => Math.min(...tones.map((tone) => Math.abs(tone - flash))));
    assert.ok(Math.min(...apart) < 0.1, `flashes at ${flashes.join()} s, tones at ${tones.join()} s`);
    const soundEnds = one.sound.at(-1)?.at ?? 0;
    assert.ok(Math.abs(soundEnds - (one.length ?? 0)) < 0.5, `sound until ${soundEnds} s of ${one.length} s`);
  });

  test("the end of the session makes the file whole", async () => {
    await owner.page.click("#record");
    await marked(owner, true);
    await until("a third file", 10_000, () => files(folder).length === 3);
    await delay(2000);
    await chromium.stop();
    await launcher.stop();
    assert.deepEqual(files(folder).filter((name) => !name.endsWith(".mkv")), []);
    const last = files(folder).at(-1) ?? "";
    const { length, indexed, pictures } = await play(join(folder, last), true);
    assert.ok(indexed && (length ?? 0) > 1.9 && is(pictures[0], BLUE), `${length} s, ${JSON.stringify(pictures[0])}`);
    // What follows needs them no more; ending them twice is no error.
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: QUIET });
    chromium = await Chromium.start();
    const viewer = await chromium.open(launcher);
    await viewer.becomes("controller");
    await viewer.page.keyboard.press("Control+Shift+M");
    assert.equal(await viewer.page.isVisible("#record"), false, "nothing is recorded where no folder is named");
    await viewer.speak([{ type: "record", on: true }], "control");
    await delay(500);
    await marked(viewer, false);
    assert.equal((await launcher.status()).recording, null);
  });
});

test("a session may always be recorded, though nobody watches; and the file of a launcher that is killed plays", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "vdi-recordings-"));
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--recording", "always", "--recording-dir", folder], desktop: scrolling("60x20+40+40") });
  try {
    const { phase } = await launcher.statusWhere("it is recorded", ({ recording }) => (recording?.bytesWritten ?? 0) > 10_000, 15_000);
    assert.equal(phase, "Ready");
    await delay(4000);
    const [name = ""] = files(folder);
    assert.match(name, /\.mkv\.part$/);
    await launcher.child.stop("SIGKILL");
    const { size, pictures } = await play(join(folder, name), false);
    assert.equal(size, "640x480");
    assert.ok((pictures.at(-1)?.at ?? 0) > 2, `pictures until ${pictures.at(-1)?.at} s`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const codec of ["vp8", "vp9", "av1"]) {
  test(`what is encoded as ${codec} is in one file as well`, { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "vdi-recordings-"));
    const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--codec", codec, "--recording", "always", "--recording-dir", folder], desktop: QUIET });
    try {
      await launcher.statusWhere("a file", ({ recording }) => recording?.file !== null, 15_000);
      execFileSync("xsetroot", ["-solid", RED], { env: await launcher.desktopEnvironment(), timeout: 10_000 });
      await delay(4000);
      await launcher.stop();
      const [name = "", ...more] = files(folder);
      assert.deepEqual(more, []);
      const { length, pictures } = await play(join(folder, name), false);
      assert.ok((length ?? 0) > 3.9 && is(pictures.at(-1), RED), `${length} s, ${JSON.stringify(pictures.at(-1))}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("a disk that is full ends the recording with a word to everybody, and the session goes on", { timeout: 90_000 }, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "vdi-recordings-"));
  try {
    // Half a GiB has to stay free.
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=524m", "vdi", folder], { stdio: "ignore" });
  } catch {
    rmSync(folder, { recursive: true });
    if (process.env["CI"] === "true") throw new Error("a file system cannot be mounted");
    context.skip("a file system cannot be mounted here");
    return;
  }
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--recording-dir", folder], desktop: scrolling("60x20+40+40") });
  const chromium = await Chromium.start();
  try {
    const owner = await chromium.open(launcher);
    await owner.becomes("controller");
    await owner.page.keyboard.press("Control+Shift+M");
    await owner.page.click("#record");
    await marked(owner, true);
    await until("a file", 10_000, () => files(folder).length === 1);
    writeFileSync(join(folder, "other"), Buffer.alloc(16 * 1024 * 1024));
    await until("the notice", 15_000, async () => (await owner.words()).includes("The recording has ended: the server’s disk is full."));
    await marked(owner, false);
    const { recording, phase } = await launcher.status();
    assert.deepEqual([recording?.failure, recording?.failures, phase], ["diskFull", 1, "Streaming"]);
    // At once: who tries again is answered, however soon that is.
    await owner.page.click("#record");
    await launcher.statusWhere("it does not begin either", (status) => status.recording?.failures === 2);
    await owner.screenshot("recording-disk-full");
    await launcher.logged(/WARN.*the recording has ended/);
    assert.ok(files(folder).some((name) => name.endsWith(".mkv")), "what there was is whole");
    await goesOn(owner);
  } finally {
    await chromium.stop();
    await launcher.stop();
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  }
});

test("a folder that cannot be written to is told at the start", async () => {
  const child = Launcher.spawn({ flags: ["--recording-dir", "/proc/nonexistent"], desktop: QUIET });
  const { code } = await child.ended;
  assert.notEqual(code, 0);
  assert.match(child.stderr, /--recording-dir "\/proc\/nonexistent": accepted is the absolute path of a folder that can be written to/);
});
