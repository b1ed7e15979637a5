// Behaviour: what the page in control says into its microphone is what programs on the desktop record, and nobody else is heard.
// The browser's microphone is Chromium's fake device, which beeps.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { Pulse } from "./support/pulse.js";
import { MICROPHONE, given, keepGiven, sendAnyway, sent, shows } from "./support/senses.js";
import { delay, until } from "./support/wait.js";

const SOURCE = "vdi-microphone";
/** A beep of Chromium's device is about 0.3 of full scale for a fifth of a second, twice in one. */
const LOUD = 0.01;
const SILENT = 1e-4;

let pulse: Pulse;
let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;

before(async () => {
  pulse = await Pulse.start();
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling("60x20+40+40"), env: { PULSE_SERVER: pulse.server } });
  chromium = await Chromium.start({ flags: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
  viewer = await come();
  await launcher.statusWhere("the desktop has a microphone", (status) => status.microphone.running);
  await viewer.becomes("controller");
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
  await pulse.stop();
});

/** Opens the page, and keeps what its browser gives it of devices. */
async function come(): Promise<Viewer> {
  const page = await chromium.prepare(launcher);
  await keepGiven(page);
  await page.page.goto(launcher.url);
  await page.connected();
  await page.page.keyboard.press("Control+Shift+M");
  await page.page.waitForSelector("#microphone:not([hidden])");
  return page;
}

async function isHeard(): Promise<void> {
  await until("a program to hear the microphone", 20_000, async () => {
    const loudness = await pulse.recorded(SOURCE);
    if (loudness < LOUD) throw new Error(`${loudness}`);
    return true;
  });
}

async function isSilent(): Promise<void> {
  await until("the microphone to be silent", 10_000, async () => {
    const loudness = await pulse.recorded(SOURCE);
    if (loudness > SILENT) throw new Error(`${loudness}`);
    return true;
  });
  assert.ok((await pulse.recorded(SOURCE, 2500)) <= SILENT);
}

/** The log says so last of whoever's microphone it is. */
async function logs(state: "on" | "off"): Promise<void> {
  await until(`the log to say that it is ${state}`, 10_000, () => [...launcher.words.matchAll(/the microphone of page \w+ is (on|off)/g)].at(-1)?.[1] === state);
}

/** For how long the microphone has been on, by its own samples, and the packets that were sent of it, of one moment. */
function spoken(page: Viewer): Promise<{ seconds: number; packets: number }> {
  return page.page.evaluate(async () => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    const said = { seconds: 0, packets: 0 };
    for (const report of ((await peer?.getStats()) ?? new Map()).values()) {
      const entry = report as { type: string; kind?: string; totalSamplesDuration?: number; packetsSent?: number };
      if (entry.kind !== "audio") continue;
      if (entry.type === "media-source") said.seconds = entry.totalSamplesDuration ?? 0;
      if (entry.type === "outbound-rtp") said.packets = entry.packetsSent ?? 0;
    }
    return said;
  });
}

test("the desktop has a microphone, which is silent and for which nobody was asked before somebody switches it on", async () => {
  await shows(viewer, MICROPHONE, "Microphone off", false);
  assert.deepEqual(await given(viewer), []);
  await isSilent();
  assert.equal(await sent(viewer, MICROPHONE), 0);
  assert.equal(pulse.control("get-default-sink").trim(), "desktop");
  assert.deepEqual(pulse.control("list", "short", "sinks").trim().split("\n").length, 1, "it is a source, and no sink that something could play to");
});

test("what is said is heard on the desktop, and not in what the desktop plays", async () => {
  await viewer.page.click("#microphone");
  await shows(viewer, MICROPHONE, "Microphone on", true);
  await viewer.screenshot("microphone-on");
  await isHeard();
  await logs("on");
  const { totalAudioEnergy } = await viewer.inbound("audio");
  assert.ok((await pulse.recorded("desktop.monitor", 2500)) <= SILENT);
  assert.ok((await viewer.inbound("audio")).totalAudioEnergy - totalAudioEnergy < SILENT);
});

test("the browser sends as little at a time as it is asked to: 10 ms", async () => {
  const from = await spoken(viewer);
  const to = await until("200 packets", 15_000, async () => {
    const now = await spoken(viewer);
    return now.packets > from.packets + 200 && now;
  });
  const [packets, seconds] = [to.packets - from.packets, to.seconds - from.seconds];
  assert.ok(Math.abs((1000 * seconds) / packets - 10) < 1, `${packets} packets for ${seconds} s`);
});

test("it goes on after the browser stood still, when the page begins the desktop's sound anew", async () => {
  await chromium.stopped(delay(4000));
  await isHeard();
  await shows(viewer, MICROPHONE, "Microphone on", true);
});

test("a sound server that is killed and comes back has the microphone again, and the user has nothing to do", async () => {
  await pulse.kill();
  await launcher.statusWhere("there is no microphone", (status) => !status.microphone.running && status.microphone.message !== null, 15_000);
  await until("the page to say so", 10_000, async () => (await viewer.words()).includes("The desktop has no microphone"));
  await pulse.again();
  await launcher.statusWhere("there is a microphone again", (status) => status.microphone.running, 30_000);
  await isHeard();
});

test("the mark switches it off: the device is let go, and programs record silence", async () => {
  await viewer.page.click("#speaking");
  await shows(viewer, MICROPHONE, "Microphone off", false);
  assert.deepEqual(await given(viewer), ["ended"]);
  await isSilent();
  await logs("off");
});

test("a viewer is not heard, whatever its page sends, until it takes control; and who loses control is switched off", async () => {
  await viewer.page.click("#microphone");
  await isHeard();
  const other = await come();
  await other.becomes("viewer");
  assert.equal(await other.page.isDisabled("#microphone"), true);
  await viewer.page.click("#microphone");
  await shows(viewer, MICROPHONE, "Microphone off", false);
  await sendAnyway(other, MICROPHONE);
  await until("100 packets of a viewer", 15_000, async () => (await sent(other, MICROPHONE)) > 100);
  await isSilent();

  await viewer.page.click("#microphone");
  await shows(viewer, MICROPHONE, "Microphone on", true);
  await other.page.click("#takeControl");
  await other.becomes("controller");
  await shows(viewer, MICROPHONE, "Microphone off", false);
  assert.deepEqual(new Set(await given(viewer)), new Set(["ended"]));
  // The same packets, which were silent before.
  await isHeard();

  const before = await sent(other, MICROPHONE);
  await viewer.page.click("#takeControl");
  await viewer.becomes("controller");
  await until("100 packets of who was in control", 15_000, async () => (await sent(other, MICROPHONE)) > before + 100);
  await isSilent();
  await other.close();
});

test("the launcher takes the microphone with it", async () => {
  await chromium.stop();
  await launcher.stop();
  assert.ok(!pulse.control("list", "short", "sources").includes(SOURCE));
});

test("an operator may do without: then there is no button, no source, and nothing is listened to", async () => {
  launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--enable-microphone", "false"], desktop: scrolling("60x20+40+40"), env: { PULSE_SERVER: pulse.server } });
  chromium = await Chromium.start();
  viewer = await chromium.open(launcher);
  await viewer.becomes("controller");
  await launcher.statusWhere("sound is captured", (status) => status.audio.running);
  await viewer.page.keyboard.press("Control+Shift+M");
  assert.equal(await viewer.page.isVisible("#microphone"), false);
  await assert.rejects(sendAnyway(viewer, MICROPHONE), /wants none/);
  assert.ok(!pulse.control("list", "short", "sources").includes(SOURCE));
  assert.equal((await launcher.status()).microphone.message, "it is switched off");
});

test("where no sound server is, there is no button either, and the log says where it was looked for and what to do", async () => {
  await chromium.stop();
  await launcher.stop();
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling("60x20+40+40") });
  const { microphone } = await launcher.statusWhere("it is known", (status) => status.microphone.message !== null);
  assert.match(microphone.message ?? "", /no PulseAudio, or PipeWire with pipewire-pulse, can be reached at unix:\/nonexistent: .*; start one as this user .*--pulse-server/);
  chromium = await Chromium.start();
  // One that starts with the desktop would be there by then.
  await delay(16_000);
  viewer = await chromium.open(launcher);
  await viewer.becomes("controller");
  await viewer.page.keyboard.press("Control+Shift+M");
  assert.equal(await viewer.page.isVisible("#microphone"), false);
  await assert.rejects(sendAnyway(viewer, MICROPHONE), /wants none/);
  await launcher.statusWhere("the sound's absence is known too", (status) => status.audio.message?.includes("unix:/nonexistent") === true);
});
