// Behaviour: what the desktop plays is heard in the browser, and what the page in control says is heard on the desktop, where PipeWire is
// the sound server, as on newer distributions.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { PipeWire } from "./support/pulse.js";
import { until } from "./support/wait.js";

/** A beep of Chromium's device is about 0.3 of full scale for a fifth of a second, twice in one. */
const LOUD = 0.01;
const SILENT = 1e-4;

let pipewire: PipeWire;
let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;

before(async () => {
  pipewire = await PipeWire.start();
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["sleep", "1000"], env: { PULSE_SERVER: pipewire.server } });
  chromium = await Chromium.start({ flags: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
  viewer = await chromium.open(launcher);
  await launcher.statusWhere("sound is captured", (status) => status.audio.running);
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
  await pipewire.stop();
});

/** What a program that records from this source hears, sooner or later. */
async function hears(source: string, what: (level: number) => boolean): Promise<void> {
  await until(`${source} to be as it should`, 20_000, async () => {
    const level = await pipewire.recorded(source);
    if (!what(level)) throw new Error(`${level}`);
    return true;
  });
}

test("a tone that is played on the desktop arrives, and silence is silent", async () => {
  assert.match(pipewire.control("info"), /on PipeWire/);
  await viewer.page.mouse.click(100, 100);
  await until("silence", 10_000, async () => (await viewer.heard()) < 1e-4);
  const tone = pipewire.playTone();
  await until("the tone", 10_000, async () => (await viewer.heard()) > 0.01);
  await tone.stop("SIGKILL");
  await until("silence again", 10_000, async () => (await viewer.heard()) < 1e-4);
});

test("the sound follows the default sink", async () => {
  pipewire.control("load-module", "module-null-sink", "sink_name=headset");
  for (const sink of ["headset", "desktop"]) {
    const tone = pipewire.playTone(440, sink);
    pipewire.control("set-default-sink", sink);
    await until(`the tone of ${sink}`, 15_000, async () => (await viewer.heard()) > 0.01);
    await tone.stop("SIGKILL");
    await until("silence", 10_000, async () => (await viewer.heard()) < 1e-4);
  }
});

test("what is said into the microphone is heard on the desktop, and what the desktop plays is heard beside it", async () => {
  await viewer.becomes("controller");
  await launcher.statusWhere("the desktop has a microphone", (status) => status.microphone.running);
  await hears("desktop.monitor", (level) => level < SILENT);
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#microphone");
  await hears("vdi-microphone", (level) => level > LOUD);
  await hears("desktop.monitor", (level) => level < SILENT);
  const tone = pipewire.playTone();
  await until("the tone", 15_000, async () => (await viewer.heard()) > 0.01);
  await tone.stop("SIGKILL");
  await until("silence", 10_000, async () => (await viewer.heard()) < 1e-4);
  await viewer.page.click("#microphone");
  await hears("vdi-microphone", (level) => level < SILENT);
});

test("a program that records all the while, from before the microphone is on, hears it, and the launcher takes it with it", async () => {
  assert.equal(pipewire.control("get-default-source").trim(), "vdi-microphone");
  const recording = pipewire.recorded("vdi-microphone", 10_000);
  await viewer.page.click("#microphone");
  assert.ok((await recording) > LOUD);
  await chromium.stop();
  await launcher.stop();
  assert.ok(!pipewire.control("list", "short", "sources").includes("vdi-microphone"));
});
