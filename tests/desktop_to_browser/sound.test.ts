// Behaviour: what the desktop plays is heard in the browser, and sound that fails takes nothing with it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { goesOn } from "./support/path.js";
import { Pulse } from "./support/pulse.js";
import { delay, until } from "./support/wait.js";

let pulse: Pulse;
let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;

before(async () => {
  pulse = await Pulse.start();
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling("60x20+40+40"), env: { PULSE_SERVER: pulse.server } });
  chromium = await Chromium.start();
  viewer = await chromium.open(launcher);
  await launcher.statusWhere("sound is captured", (status) => status.audio.running);
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
});

test("a tone that is played on the desktop arrives, and silence is silent", async () => {
  await viewer.page.mouse.click(100, 100);
  await until("silence", 10_000, async () => (await viewer.heard()) < 1e-4);
  const tone = pulse.playTone();
  // A sine at 12000 of 32768 has a mean square of 0.067: half a second of it is 0.033.
  await until("the tone", 10_000, async () => (await viewer.heard()) > 0.01);
  await tone.stop("SIGKILL");
  await until("silence again", 10_000, async () => (await viewer.heard()) < 1e-4);
});

test("it comes 5 ms at a time, and the browser is asked to keep it no longer than the network needs", async () => {
  const wanted = await viewer.page.evaluate(async () => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    const receiver = peer?.getReceivers().find((one) => one.track.kind === "audio");
    const reports = [...((await receiver?.getStats())?.values() ?? [])] as Record<string, unknown>[];
    const inbound = reports.find((one) => one["type"] === "inbound-rtp");
    const streams = [...(peer?.remoteDescription?.sdp ?? "").matchAll(/^a=msid:(\S+)/gm)].map(([, stream]) => stream);
    return { target: receiver?.jitterBufferTarget, samples: Number(inbound?.["totalSamplesReceived"]), packets: Number(inbound?.["packetsReceived"]), streams };
  });
  assert.equal(wanted.target, 0);
  // A browser lines video up with sound within one stream only.
  assert.equal(new Set(wanted.streams).size, wanted.streams.length);
  const ms = wanted.samples / wanted.packets / 48;
  assert.ok(ms > 4 && ms < 6.5, `${ms} ms in a packet`);
});

test("what the browser pauses goes on by itself", async () => {
  const elements = () => viewer.page.evaluate(() => [...document.querySelectorAll<HTMLMediaElement>("audio, #stage video")].map(({ paused }) => paused));
  await viewer.page.evaluate(() => {
    for (const element of document.querySelectorAll<HTMLMediaElement>("audio, #stage video")) element.pause();
  });
  assert.deepEqual(await elements(), [true, true]);
  await until("both to go on", 10_000, async () => !(await elements()).includes(true));
  const tone = pulse.playTone();
  await until("the tone", 10_000, async () => (await viewer.heard()) > 0.01);
  await tone.stop("SIGKILL");
});

/**
 * For how long what is played waits in the jitter buffer, in ms, as the mean of one second on one path: a page that woke on a busy machine
 * may have gone over to a second peer connection.
 */
function waited(): Promise<number> {
  return until("a second of sound", 15_000, async () => {
    const from = await viewer.inbound("audio");
    await delay(1000);
    const to = await viewer.inbound("audio");
    const played = to.jitterBufferEmittedCount - from.jitterBufferEmittedCount;
    if (played <= 0) throw new Error(`${played} samples were played`);
    return (1000 * (to.jitterBufferDelay - from.jitterBufferDelay)) / played;
  });
}

test("sound is not late after the browser stood still for four seconds", async () => {
  const tone = pulse.playTone();
  await until("the tone", 10_000, async () => (await viewer.heard()) > 0.01);
  const usualMs = await waited();
  const consumer = await viewer.consumer();
  await chromium.stopped(delay(4000));
  await delay(1000);
  const lateMs = await waited();
  // Without a receiver of its own for what comes after the gap it is half a second at first, and a fifth for minutes.
  assert.ok(lateMs <= usualMs + 100, `it waits for ${lateMs} ms, and waited for ${usualMs} ms before`);
  await until("the tone again", 10_000, async () => (await viewer.heard()) > 0.01);
  assert.equal(await viewer.consumer(), consumer);
  await tone.stop("SIGKILL");
});

test("the sound follows the default sink, whatever the default source is", async () => {
  pulse.control("load-module", "module-null-sink", "sink_name=headset");
  // As on a machine with a microphone: then PulseAudio by itself leaves a recording where it is.
  pulse.control("load-module", "module-null-source", "source_name=microphone");
  pulse.control("set-default-source", "microphone");
  pulse.control("set-default-sink", "desktop");
  await until("silence", 10_000, async () => (await viewer.heard()) < 1e-4);
  for (const sink of ["headset", "desktop", "headset"]) {
    const tone = pulse.playTone(440, sink);
    pulse.control("set-default-sink", sink);
    await until(`the tone of ${sink}`, 15_000, async () => (await viewer.heard()) > 0.01);
    await tone.stop("SIGKILL");
    await until("silence", 10_000, async () => (await viewer.heard()) < 1e-4);
  }
  const other = pulse.playTone(440, "desktop");
  await until("what is played elsewhere to be silent", 10_000, async () => (await viewer.heard()) < 1e-4);
  await other.stop("SIGKILL");
});

test("a microphone is never captured, not even when there is nothing else to record", async () => {
  pulse.control("unload-module", "module-null-sink");
  // What PulseAudio has then is the microphone, and moves every recording there.
  await launcher.statusWhere("no sound is captured", (status) => !status.audio.running && status.audio.message !== null, 15_000);
  assert.equal(pulse.control("list", "short", "source-outputs"), "");
  pulse.control("load-module", "module-null-sink", "sink_name=desktop");
  await launcher.statusWhere("sound is captured again", (status) => status.audio.running, 30_000);
  const tone = pulse.playTone();
  await until("the tone", 15_000, async () => (await viewer.heard()) > 0.01);
  await tone.stop("SIGKILL");
});

test("a sound server that is killed and comes back is heard again, and the video has not stopped meanwhile", async () => {
  const consumer = await viewer.consumer();
  for (let times = 0; times < 2; times++) {
    await pulse.kill();
    await launcher.statusWhere("no sound is captured", (status) => !status.audio.running && status.audio.message !== null, 15_000);
    await goesOn(viewer, 30);
    await pulse.again();
    const tone = pulse.playTone();
    await until("the tone", 30_000, async () => (await viewer.heard()) > 0.01);
    assert.equal((await launcher.status()).audio.running, true);
    await tone.stop("SIGKILL");
  }
  assert.equal(await viewer.consumer(), consumer, "it is the same connection");
  assert.equal(await viewer.state(), "streaming");
});

test("the video goes on when the sound server dies, and /status says so", async () => {
  await pulse.stop();
  await launcher.statusWhere("no sound is captured", (status) => !status.audio.running && status.audio.message !== null, 15_000);
  await goesOn(viewer, 30);
  assert.equal(await viewer.state(), "streaming");
});
