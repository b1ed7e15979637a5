// Behaviour: what the page in control says into its microphone is what programs on the desktop record, and nobody else is heard.
// The browser's microphone is Chromium's fake device, which beeps.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { Pulse } from "./support/pulse.js";
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
  await page.page.addInitScript(() => {
    const { mediaDevices } = navigator;
    const ask = mediaDevices.getUserMedia.bind(mediaDevices);
    const given: MediaStreamTrack[] = [];
    Object.assign(globalThis, { given });
    mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      given.push(...stream.getTracks());
      return stream;
    };
  });
  await page.page.goto(launcher.url);
  await page.connected();
  await page.page.keyboard.press("Control+Shift+M");
  await page.page.waitForSelector("#microphone:not([hidden])");
  return page;
}

/** How the tracks stand that the browser has given the page so far. */
function given(page: Viewer): Promise<string[]> {
  return page.page.evaluate(() => (globalThis as unknown as { given: MediaStreamTrack[] }).given.map((track) => track.readyState));
}

async function shows(page: Viewer, label: string, mark: boolean): Promise<void> {
  await until(`the button to say "${label}"`, 10_000, async () => {
    const now = await page.page.textContent("#microphone span");
    if (now !== label || (await page.page.isVisible("#speaking")) !== mark) throw new Error(`${now}`);
    return true;
  });
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

/** Sends the microphone past the page's own button, as a page that is not ours could. */
function sendAnyway(page: Viewer): Promise<void> {
  return page.page.evaluate(async () => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    const sender = peer?.getTransceivers().find((one) => one.currentDirection === "sendonly")?.sender;
    if (!sender) throw new Error("the server does not listen");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    await sender.replaceTrack(stream.getAudioTracks()[0] ?? null);
  });
}

/** Packets of sound that the page has sent on its present connection. */
function sent(page: Viewer): Promise<number> {
  return page.page.evaluate(async () => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    for (const report of ((await peer?.getStats()) ?? new Map()).values()) {
      const entry = report as { type: string; kind?: string; packetsSent?: number };
      if (entry.type === "outbound-rtp" && entry.kind === "audio") return entry.packetsSent ?? 0;
    }
    return 0;
  });
}

/** For how long the microphone has been on, by its own samples. */
function spokenSeconds(page: Viewer): Promise<number> {
  return page.page.evaluate(async () => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    for (const report of ((await peer?.getStats()) ?? new Map()).values()) {
      const entry = report as { type: string; kind?: string; totalSamplesDuration?: number };
      if (entry.type === "media-source" && entry.kind === "audio") return entry.totalSamplesDuration ?? 0;
    }
    return 0;
  });
}

test("the desktop has a microphone, which is silent and for which nobody was asked before somebody switches it on", async () => {
  await shows(viewer, "Microphone off", false);
  assert.deepEqual(await given(viewer), []);
  await isSilent();
  assert.equal(await sent(viewer), 0);
  assert.equal(pulse.control("get-default-sink").trim(), "desktop");
  assert.deepEqual(pulse.control("list", "short", "sinks").trim().split("\n").length, 1, "it is a source, and no sink that something could play to");
});

test("what is said is heard on the desktop, and not in what the desktop plays", async () => {
  await viewer.page.click("#microphone");
  await shows(viewer, "Microphone on", true);
  await viewer.screenshot("microphone-on");
  await isHeard();
  const { totalAudioEnergy } = await viewer.inbound("audio");
  assert.ok((await pulse.recorded("desktop.monitor", 2500)) <= SILENT);
  assert.ok((await viewer.inbound("audio")).totalAudioEnergy - totalAudioEnergy < SILENT);
});

test("the browser sends as little at a time as it is asked to: 10 ms", async () => {
  const from = await sent(viewer);
  const began = await spokenSeconds(viewer);
  await until("200 packets", 15_000, async () => (await sent(viewer)) > from + 200);
  const [packets, seconds] = [(await sent(viewer)) - from, (await spokenSeconds(viewer)) - began];
  assert.ok(Math.abs((1000 * seconds) / packets - 10) < 1, `${packets} packets for ${seconds} s`);
});

test("it goes on after the browser stood still, when the page begins the desktop's sound anew", async () => {
  await chromium.stopped(delay(5000));
  await isHeard();
  await shows(viewer, "Microphone on", true);
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
  await shows(viewer, "Microphone off", false);
  assert.deepEqual(await given(viewer), ["ended"]);
  await isSilent();
});

test("a viewer is not heard, whatever its page sends, until it takes control; and who loses control is switched off", async () => {
  await viewer.page.click("#microphone");
  await isHeard();
  const other = await come();
  await other.becomes("viewer");
  assert.equal(await other.page.isDisabled("#microphone"), true);
  await viewer.page.click("#microphone");
  await shows(viewer, "Microphone off", false);
  await sendAnyway(other);
  await until("100 packets of a viewer", 15_000, async () => (await sent(other)) > 100);
  await isSilent();

  await viewer.page.click("#microphone");
  await shows(viewer, "Microphone on", true);
  await other.page.click("#takeControl");
  await other.becomes("controller");
  await shows(viewer, "Microphone off", false);
  assert.deepEqual(new Set(await given(viewer)), new Set(["ended"]));
  // The same packets, which were silent before.
  await isHeard();

  const before = await sent(other);
  await viewer.page.click("#takeControl");
  await viewer.becomes("controller");
  await until("100 packets of who was in control", 15_000, async () => (await sent(other)) > before + 100);
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
  await assert.rejects(sendAnyway(viewer), /does not listen/);
  assert.ok(!pulse.control("list", "short", "sources").includes(SOURCE));
  assert.equal((await launcher.status()).microphone.message, "it is switched off");
});
