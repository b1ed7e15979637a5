// Behaviour: what the desktop plays is heard in the browser where PipeWire is the sound server, as on newer distributions; of the
// microphone, which is not for it, the page tells why.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { PipeWire } from "./support/pulse.js";
import { until } from "./support/wait.js";

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

test("who switches the microphone on is told that there is none on the desktop", async () => {
  await viewer.becomes("controller");
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#microphone");
  await until("the page to say why", 15_000, async () => (await viewer.words()).includes("the sound server is PipeWire, and the microphone needs PulseAudio"));
  assert.equal((await launcher.status()).microphone.running, false);
  assert.ok(!pipewire.control("list", "short", "sources").includes("vdi-microphone"));
});
