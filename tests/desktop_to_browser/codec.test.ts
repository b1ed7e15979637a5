// Behaviour: the controller changes the codec while the session runs: every page goes on with the new one, as who it was and on
// the same desktop, over a connection of its own; whoever cannot go on is let go.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";
import { WhepPlayer } from "./support/whep.js";

const TOKEN = "watch-only";
const ROW = '#partSettings [data-part="codecRow"]';
const CODEC = '#partSettings [data-part="codec"]';

let chromium: Chromium;
let launcher: Launcher;
const viewers: Viewer[] = [];

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

afterEach(async () => {
  for (const viewer of viewers.splice(0)) await viewer.close();
});

async function open(role: "controller" | "viewer"): Promise<Viewer> {
  const viewer = await chromium.open(launcher);
  viewers.push(viewer);
  await viewer.becomes(role, 15_000);
  return viewer;
}

async function openSettings(viewer: Viewer): Promise<void> {
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#tabSettings");
  await viewer.page.waitForSelector('#partSettings [data-part="ofSession"]:not([hidden])');
}

/** Every state that the page shows from now on. */
async function watchStates({ page }: Viewer): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const seen: string[] = [];
    (globalThis as unknown as { seen: string[] }).seen = seen;
    new MutationObserver(() => seen.push(document.documentElement.dataset["state"] ?? "")).observe(document.documentElement, { attributeFilter: ["data-state"] });
  });
  return () => page.evaluate(() => [...new Set((globalThis as unknown as { seen: string[] }).seen)]);
}

/** The codec of the packets that come in, as the browser says it. */
function codecOf({ page }: Viewer): Promise<string> {
  return page.evaluate(async () => {
    const peer = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi.peer;
    const all = [...((await peer?.getStats())?.values() ?? [])] as { type: string; kind?: string; id: string; codecId?: string; mimeType?: string; framesDecoded?: number }[];
    const video = all.find((one) => one.type === "inbound-rtp" && one.kind === "video" && (one.framesDecoded ?? 0) > 0);
    return all.find((one) => one.id === video?.codecId)?.mimeType ?? "";
  });
}

/** Paints the desktop, and waits until the page shows that. */
async function shows(viewer: Viewer, colour: string, env: Record<string, string>): Promise<void> {
  execFileSync("xsetroot", ["-solid", colour], { env, timeout: 10_000 });
  const rgb = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  await until(`a picture in ${colour}`, 20_000, async () => {
    const { cells } = await viewer.shown(4, 3);
    const far = cells.find((cell) => cell.some((value, at) => Math.abs(value - (rgb[at] ?? 0)) > 12));
    if (far) throw new Error(`a place is ${far.join()}`);
    return true;
  });
}

describe("the codec", { timeout: 240_000 }, () => {
  before(async () => {
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["sleep", "3600"], env: { SELKIES_VIEWER_TOKEN: TOKEN } });
  });

  after(async () => {
    await launcher.stop();
  });

  test("changes for everybody at the controller's wish, and nobody has to begin anew", async () => {
    const env = await launcher.desktopEnvironment();
    const [controller, viewer] = [await open("controller"), await open("viewer")];
    const consumers = [await controller.consumer(), await viewer.consumer()];
    await openSettings(controller);
    await openSettings(viewer);
    assert.deepEqual(await controller.page.$$eval(`${CODEC} option`, (options) => options.map((option) => option.textContent)), ["H.264", "VP8", "VP9", "AV1"]);
    assert.equal(await viewer.page.isDisabled(CODEC), true);
    const states = [await watchStates(controller), await watchStates(viewer)];
    await shows(viewer, "#204080", env);
    for (const [codec, colour] of [["VP9", "#206040"], ["AV1", "#802030"], ["VP8", "#404090"], ["H264", "#907020"]] as const) {
      await controller.page.selectOption(CODEC, codec);
      for (const page of [controller, viewer]) {
        await until(`frames in ${codec}`, 30_000, async () => {
          const now = await codecOf(page);
          if (now !== `video/${codec}`) throw new Error(now);
          return true;
        });
        await shows(page, colour, env);
      }
      const { encoder } = await launcher.statusWhere("the encoder", ({ encoder }) => encoder?.codec === codec);
      assert.equal(encoder?.frameWidth, 640);
      if (codec === "AV1") await controller.screenshot("settings-codec");
    }
    assert.deepEqual([await controller.consumer(), await viewer.consumer()], consumers);
    // A machine that is slow may take longer than a page keeps quiet about it.
    for (const seen of states) assert.deepEqual((await seen()).filter((state) => !["streaming", "reconnecting"].includes(state)), []);
    await controller.becomes("controller");
    await viewer.becomes("viewer");
    const { connection, phase } = await launcher.status();
    assert.deepEqual([connection.failures, phase], [{}, "Streaming"]);
  });

  test("is told in the log as what it is, with why no GPU encodes once", async () => {
    const lines = (part: RegExp): number => launcher.words.split("\n").filter((line) => part.test(line)).length;
    const { encoder } = await launcher.status();
    assert.equal(lines(/WARN .*No hardware encoder works/), encoder?.hardware === true ? 0 : 1, launcher.words);
    assert.deepEqual([lines(/the encoder is chosen .*cause="start"/), lines(/the encoder is chosen .*cause="codec"/)], [1, 4]);
    assert.deepEqual([lines(/a page is connected/), lines(/a page goes on by another connection/)], [2, 8]);
  });

  test("goes back with the defaults, and a page that is loaded anew has what holds", async () => {
    const viewer = await open("controller");
    await openSettings(viewer);
    await viewer.page.selectOption(CODEC, "VP8");
    await until("VP8", 30_000, async () => (await codecOf(viewer)) === "video/VP8");
    await viewer.page.reload();
    await viewer.connected();
    await until("VP8 again", 10_000, async () => (await codecOf(viewer)) === "video/VP8");
    await openSettings(viewer);
    assert.equal(await viewer.page.inputValue(CODEC), "VP8");
    await viewer.page.click('#partSettings [data-part="toDefaults"]');
    await until("H.264", 30_000, async () => (await codecOf(viewer)) === "video/H264");
  });

  test("lets a player go that has made its offer for another, and it may come back at once", async () => {
    const controller = await open("controller");
    await openSettings(controller);
    const player = await WhepPlayer.open(chromium);
    assert.equal((await player.play(launcher, TOKEN)).status, 201);
    await until("frames to be shown", 20_000, async () => (await player.decoded()) > 0);
    await controller.page.selectOption(CODEC, "VP9");
    await until("VP9", 30_000, async () => (await codecOf(controller)) === "video/VP9");
    await launcher.statusWhere("the player to be gone", ({ consumers }) => consumers.length === 1, 10_000);
    const again = await player.play(launcher, TOKEN);
    assert.match(again.text, /a=rtpmap:\d+ VP9\/90000/);
    await until("frames to be shown again", 20_000, async () => (await player.decoded()) > 0);
    await player.close();
    await controller.page.selectOption(CODEC, "H264");
    await until("H.264", 30_000, async () => (await codecOf(controller)) === "video/H264");
  });

  test("is not a viewer's to change, nor one that there is none of", async () => {
    const [controller, viewer] = [await open("controller"), await chromium.prepare(launcher)];
    viewers.push(viewer);
    await viewer.page.addInitScript(() => {
      const Native = RTCPeerConnection;
      globalThis.RTCPeerConnection = class extends Native {
        constructor(config?: RTCConfiguration) {
          super(config);
          this.addEventListener("datachannel", ({ channel }) => {
            if (channel.label === "control") (globalThis as unknown as { sneak: (text: string) => void }).sneak = (text) => { channel.send(text); };
          });
        }
      };
    });
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await viewer.becomes("viewer", 15_000);
    const sneak = (codec: string): Promise<void> => viewer.page.evaluate((text) => { (globalThis as unknown as { sneak: (text: string) => void }).sneak(text); }, JSON.stringify({ type: "settings", codec }));
    await sneak("AV1");
    await sneak("MPEG2");
    await openSettings(controller);
    // What the controller wants after it comes after it.
    await controller.page.selectOption(CODEC, "VP8");
    await until("VP8", 30_000, async () => (await codecOf(viewer)) === "video/VP8");
    await controller.page.selectOption(CODEC, "H264");
    await until("H.264", 30_000, async () => (await codecOf(viewer)) === "video/H264");
  });
});

test("a codec that the operator has chosen is nobody's to change", { timeout: 60_000 }, async () => {
  launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--codec", "vp8"], desktop: ["sleep", "3600"] });
  const viewer = await open("controller");
  await openSettings(viewer);
  assert.equal(await viewer.page.isVisible(ROW), false);
  await viewer.close();
  viewers.length = 0;
  await launcher.stop();
});
