// Behaviour: what a program plays on two, six or eight channels is heard on as many in a browser that decodes them, each where it
// belongs, and in stereo by everybody else who watches the same desktop.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Firefox } from "./support/firefox.js";
import { Launcher, root } from "./support/launcher.js";
import { Pulse } from "./support/pulse.js";
import { delay, until } from "./support/wait.js";

/** Channels as PulseAudio names them, with the tone of each. None is another's harmonic. */
const FRONT = { "front-left": 310, "front-right": 470, "front-center": 1130, lfe: 90 };
const REAR = { "rear-left": 730, "rear-right": 890 };
const SIDE = { "side-left": 1370, "side-right": 1610 };
/** In the order in which Chromium has them. */
const LAYOUTS: Record<number, Record<string, number>> = { 6: { ...FRONT, ...REAR }, 8: { ...FRONT, ...SIDE, ...REAR } };

let chromium: Chromium;
const stops: (() => Promise<unknown>)[] = [];

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

/** How loud each tone is on each channel of the sound that the page receives, over half a second; 1 is full scale. */
function spectrum(viewer: Viewer, tones: number[]): Promise<number[][]> {
  return viewer.page.evaluate(async (frequencies) => {
    const page = globalThis as unknown as {
      vdi: { peer: RTCPeerConnection | null };
      MediaStreamTrackProcessor: new (init: { track: MediaStreamTrack }) => { readable: ReadableStream<AudioData> };
    };
    const track = page.vdi.peer?.getTransceivers().find((one) => one.receiver.track.kind === "audio" && one.currentDirection === "recvonly")?.receiver.track;
    if (!track) throw new Error("no sound");
    const copy = track.clone();
    const reader = new page.MediaStreamTrackProcessor({ track: copy }).readable.getReader();
    const channels: number[][] = [];
    while ((channels[0]?.length ?? 0) < 24_000) {
      const { value: sound } = await reader.read();
      if (!sound) throw new Error("the sound has ended");
      for (let channel = 0; channel < sound.numberOfChannels; channel++) {
        const samples = new Float32Array(sound.numberOfFrames);
        sound.copyTo(samples, { planeIndex: channel, format: "f32-planar" });
        (channels[channel] ??= []).push(...samples);
      }
      sound.close();
    }
    await reader.cancel();
    copy.stop();
    return channels.map((samples) =>
      frequencies.map((hz) => {
        let [real, imaginary] = [0, 0];
        samples.forEach((sample, at) => {
          real += sample * Math.cos((2 * Math.PI * hz * at) / 48_000);
          imaginary += sample * Math.sin((2 * Math.PI * hz * at) / 48_000);
        });
        return (2 * Math.hypot(real, imaginary)) / samples.length;
      }),
    );
  }, tones);
}

/** The page's sound comes, with this codec and so many channels as the browser's statistics have it. */
async function receives(viewer: Viewer, codec: string, channels: number): Promise<void> {
  await until(`${codec} to come`, 10_000, async () => {
    const now = await codecOf(viewer);
    if (now === null) return null;
    assert.deepEqual(now, { mimeType: `audio/${codec}`, channels });
    return true;
  });
}

function codecOf(viewer: Viewer): Promise<{ mimeType: string; channels: number } | null> {
  return viewer.page.evaluate(async () => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    const reports = new Map<string, Record<string, unknown>>((await peer?.getStats()) as Iterable<[string, Record<string, unknown>]> | undefined ?? []);
    const inbound = [...reports.values()].find((one) => one["type"] === "inbound-rtp" && one["kind"] === "audio");
    const used = reports.get(String(inbound?.["codecId"]));
    return used ? { mimeType: String(used["mimeType"]).toLowerCase(), channels: Number(used["channels"]) } : null;
  });
}

/** A page of a browser that does not decode it, by what it says of itself. */
async function other(launcher: Launcher): Promise<Viewer> {
  const viewer = await chromium.prepare(launcher);
  await viewer.page.addInitScript(() => {
    Object.defineProperty(navigator, "userAgent", { value: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" });
  });
  await viewer.page.goto(launcher.url);
  await viewer.connected();
  return viewer;
}

/** What a WHEP player is answered whose offer is this browser's. */
function whepAnswer(viewer: Viewer, launcher: Launcher): Promise<string> {
  return viewer.page.evaluate(async (endpoint) => {
    const peer = new RTCPeerConnection();
    peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addTransceiver("video", { direction: "recvonly" });
    await peer.setLocalDescription();
    const response = await fetch(endpoint, { method: "POST", headers: { "content-type": "application/sdp" }, body: peer.localDescription?.sdp ?? "" });
    peer.close();
    return response.text();
  }, new URL("whep", launcher.url).href);
}

/** A launcher with so many channels, whose programs have a sink of so many, and a page that hears it. */
async function start(channels: number, ...flags: string[]): Promise<{ pulse: Pulse; launcher: Launcher; viewer: Viewer }> {
  const form = execFileSync("bash", ["-c", `. ${root}/scripts/pulse.sh; sink_form`], { env: { ...process.env, SELKIES_AUDIO_CHANNELS: String(channels) }, encoding: "utf8" });
  const pulse = await Pulse.start(form);
  stops.push(() => pulse.stop());
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--audio-channels", String(channels), ...flags], desktop: ["sleep", "1000"], env: { PULSE_SERVER: pulse.server } });
  stops.push(() => launcher.stop());
  const viewer = await chromium.open(launcher);
  stops.push(() => viewer.close());
  await launcher.statusWhere("sound is captured", (status) => status.audio.running);
  return { pulse, launcher, viewer };
}

async function hearsEachByItself(viewer: Viewer, tones: number[]): Promise<void> {
  await until("each channel to have its tone and no other", 20_000, async () => {
    const heard = await spectrum(viewer, tones);
    const loudest = heard.map((levels) => tones.filter((_, at) => (levels[at] ?? 0) > 0.05));
    assert.deepEqual(loudest, tones.map((tone) => [tone]));
    return true;
  });
  assert.ok((await viewer.heard()) > 0.001, "and it is played");
}

/** Two channels have all of them, each side its own, and both the centre. */
async function hearsADownmix(viewer: Viewer, layout: Record<string, number>): Promise<void> {
  const level = (side: number[], channel: string): number => side[Object.keys(layout).indexOf(channel)] ?? NaN;
  await until("a downmix", 20_000, async () => {
    const [left = [], right = []] = await spectrum(viewer, Object.values(layout));
    for (const [near, far, side] of [[left, right, "left"], [right, left, "right"]] as const) {
      for (const name of [`front-${side}`, `rear-${side}`]) {
        assert.ok(level(near, name) > 0.01 && level(far, name) < 0.005, `${name}: ${level(near, name)} on its side, ${level(far, name)} on the other`);
      }
      assert.ok(level(near, "front-center") > 0.01, `the centre on the ${side}`);
    }
    return true;
  });
}

test("stereo is heard in stereo", async () => {
  const { pulse, viewer } = await start(2);
  await receives(viewer, "opus", 2);
  const chord = pulse.playChord({ "front-left": 310, "front-right": 470 });
  await hearsEachByItself(viewer, [310, 470]);
  await chord.stop("SIGKILL");
});

for (const channels of [6, 8]) {
  test(`each of ${channels} channels is heard by itself, and those who take two hear all of them in these`, async () => {
    const layout = LAYOUTS[channels] ?? {};
    const { pulse, launcher, viewer } = await start(channels);
    await receives(viewer, "multiopus", channels);
    const stereo = await other(launcher);
    stops.push(() => stereo.close());
    await receives(stereo, "opus", 2);
    const chord = pulse.playChord(layout);
    await hearsEachByItself(viewer, Object.values(layout));
    await hearsADownmix(stereo, layout);

    const answer = await whepAnswer(stereo, launcher);
    assert.match(answer, /opus\/48000\/2/i);
    assert.doesNotMatch(answer, /multiopus/i);

    // The page begins the sound anew after it stood still, by the same offer.
    await chromium.stopped(delay(4000));
    await hearsEachByItself(viewer, Object.values(layout));
    await chord.stop("SIGKILL");
  });
}

test("Firefox hears it in stereo", async () => {
  // It has no H.264 of its own.
  const { pulse, launcher } = await start(6, "--codec", "vp8");
  const firefox = await Firefox.start();
  stops.push(() => firefox.stop());
  const page = await firefox.open(launcher);
  const chord = pulse.playChord(LAYOUTS[6] ?? {});
  await until("Firefox to hear it", 20_000, () =>
    page.evaluate(async () => {
      const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
      const reports = [...((await peer?.getStats())?.values() ?? [])] as Record<string, unknown>[];
      const inbound = reports.find((one) => one["type"] === "inbound-rtp" && one["kind"] === "audio");
      const used = reports.find((one) => one["id"] === inbound?.["codecId"]);
      return /opus/i.test(String(used?.["mimeType"])) && used?.["channels"] === 2 && Number(inbound?.["totalAudioEnergy"]) > 0;
    }),
  );
  await chord.stop("SIGKILL");
});
