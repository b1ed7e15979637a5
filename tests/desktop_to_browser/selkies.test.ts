// Behaviour: the dialect of the Selkies-GStreamer 1.6 web client, by a small client written from its contract, in a real
// Chromium. The X server tells what has arrived.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Joystick } from "./support/joystick.js";
import { Launcher } from "./support/launcher.js";
import { Program } from "./support/selections.js";
import { until } from "./support/wait.js";
import type { Display } from "./support/x11.js";

const FILES = resolve(import.meta.dirname, "selkies_client");

interface Told {
  type: string;
  data: Record<string, unknown>;
}

interface Client {
  told: Told[];
  errors: string[];
  states: { video: string; audio: string };
  closed: number;
  channel: RTCDataChannel | null;
  peers: Record<string, RTCPeerConnection>;
  configuration: { iceServers: { urls: unknown }[]; iceTransportPolicy: string; lifetimeDuration: string; blockStatus: string };
  send(line: string): void;
  videoSocket: WebSocket;
}

declare global {
  interface Window {
    client: Client;
  }
}

let joysticks: string;
let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;
let display: Display;

before(async () => {
  joysticks = mkdtempSync(join(tmpdir(), "vdi-gamepads-"));
  launcher = await Launcher.start({
    flags: ["--js-socket-path", joysticks, "--display-size", "1280x720", "--enable-resize", "true", "--web-root", FILES],
    desktop: ["xterm", "-geometry", "240x60+0+0", "-e", "/bin/sh"],
  });
  display = await launcher.openDisplay();
  chromium = await Chromium.start();
  viewer = await open();
});

after(async () => {
  display.close();
  await chromium.stop();
  await launcher.stop();
  rmSync(joysticks, { recursive: true });
});

async function open(query = ""): Promise<Viewer> {
  const opened = await chromium.prepare(launcher);
  await opened.page.goto(new URL(`/${query}`, launcher.url).href);
  await until("both peer connections", 20_000, () =>
    opened.page.evaluate(() => window.client.states.video === "connected" && window.client.states.audio === "connected" && window.client.channel?.readyState === "open"),
  );
  return opened;
}

function send(...lines: string[]): Promise<void> {
  return viewer.page.evaluate((all) => { for (const line of all) window.client.send(line); }, lines);
}

/** What the data channel has brought of one type. */
function told(type: string): Promise<Record<string, unknown>[]> {
  return viewer.page.evaluate((wanted) => window.client.told.filter((one) => one.type === wanted).map((one) => one.data), type);
}

test("the client's files are served from the web root, with what they may load", async () => {
  const page = await launcher.get("/");
  assert.match(await page.text(), /A client in the Selkies dialect/);
  assert.match(page.headers.get("content-security-policy") ?? "", /unsafe-eval/);
  assert.equal((await launcher.get("/client.js?ts=99")).status, 200);
  assert.equal((await launcher.get("/../../package.json")).status, 404);
  assert.equal((await launcher.get("/", {})).status, 401);
  assert.equal(await (await launcher.get("/health", {})).text(), "OK");
});

test("/turn has the form that the client hands to its peer connections, with the built-in server", async () => {
  const configuration = await viewer.page.evaluate(() => window.client.configuration);
  assert.equal(configuration.blockStatus, "NOT_BLOCKED");
  assert.match(configuration.lifetimeDuration, /^\d+s$/);
  assert.ok(configuration.iceServers.length > 0);
  for (const server of configuration.iceServers) assert.ok(Array.isArray(server.urls), JSON.stringify(server));
});

test("the picture plays, and the sound has a peer connection of its own", async () => {
  await until("the picture", 15_000, () =>
    viewer.page.evaluate(() => {
      const video = document.querySelector("video");
      return video !== null && video.videoWidth === 1280 && video.videoHeight === 720 && video.getVideoPlaybackQuality().totalVideoFrames > 0;
    }),
  );
  const kinds = await viewer.page.evaluate(() =>
    Object.entries(window.client.peers).map(([name, peer]) => [name, peer.getReceivers().map((receiver) => receiver.track.kind)]),
  );
  assert.deepEqual(kinds, [["video", ["video"]], ["audio", ["audio"]]]);
  await viewer.screenshot("selkies");
});

test("settings, encoder and cursor are told when the channel opens, and the machine each second", async () => {
  const actions = await until("the settings", 10_000, async () => {
    const all = (await told("system")).map((data) => String(data["action"]));
    return all.some((action) => action.startsWith("encoder,")) && all;
  });
  for (const wanted of [/^framerate,30$/, /^video_bitrate,8000$/, /^audio_bitrate,\d+$/, /^resize,(True|False)$/, /^encoder,\w+$/]) {
    assert.ok(actions.some((action) => wanted.test(action)), `${wanted} in ${actions.join(" ")}`);
  }
  const [cursor] = await until("the cursor", 10_000, async () => {
    const all = await told("cursor");
    return all.length > 0 && all;
  });
  assert.ok(cursor && typeof cursor["handle"] === "number" && typeof cursor["curdata"] === "string");
  const [stats] = await until("the machine's figures", 10_000, async () => {
    const all = await told("system_stats");
    return all.length > 0 && all;
  });
  assert.ok(Number(stats?.["mem_total"]) > Number(stats?.["mem_used"]));
  const [latency] = await until("the latency", 10_000, async () => {
    const all = await told("latency_measurement");
    return all.length > 0 && all;
  });
  assert.ok(Number(latency?.["latency_ms"]) >= 0);
});

test("bit rate and frame rate are the controller's to set, between the operator's bounds, and told back", async () => {
  await send("vb,3000", "_arg_fps,500");
  await launcher.statusWhere("the bit rate", ({ encoder }) => encoder?.targetBitrateBps === 3_000_000);
  await until("what holds", 10_000, async () => {
    const actions = (await told("system")).map((data) => String(data["action"]));
    return actions.includes("video_bitrate,3000") && actions.every((action) => !action.startsWith("framerate,") || action === "framerate,30");
  });
  await send("vb,8000");
});

test("keys, pointer, buttons and wheel arrive", async () => {
  await send("m,640,360,0,0");
  await until("the pointer", 5_000, async () => {
    const { x, y } = await display.pointer();
    return x === 640 && y === 360;
  });
  await send("m,200,100,4,0");
  await until("the right button", 5_000, async () => (await display.pointer()).buttons.includes(3));
  await send("m,200,100,0,0");
  await until("no button", 5_000, async () => (await display.pointer()).buttons.length === 0);
  await send("m2,30,-10,0,0", "m2,30,-10,0,0");
  await until("the pointer to have moved on", 5_000, async () => {
    const { x, y } = await display.pointer();
    return x === 260 && y === 80;
  });
  await send("m2,0,0,1,0");
  await until("the left button", 5_000, async () => (await display.pointer()).buttons.includes(1));
  await send("m2,0,0,0,0");
  await until("no button", 5_000, async () => (await display.pointer()).buttons.length === 0);
  await send("kd,97");
  await until("the key", 5_000, async () => (await display.keysDown()).length === 1);
  await send("ku,97");
  await until("no key", 5_000, async () => (await display.keysDown()).length === 0);
  await send("kd,65505", "kd,65507", "kr");
  await until("all keys up", 5_000, async () => (await display.keysDown()).length === 0);
});

test("a gamepad arrives, one button and one axis at a time", async () => {
  const joystick = await Joystick.open(joysticks, 0);
  await send("js,c,0,UGFk,4,17", "js,b,0,0,1", "js,a,0,0,-1", "js,b,0,7,1", "js,b,0,12,1");
  await joystick.stands("all of it", { axes: [-32767, 0, -32767, 0, 0, 32767, 0, -32767], buttons: [0] });
  await send("js,d,0");
  await joystick.stands("rest", { axes: [0, 0, -32767, 0, 0, -32767, 0, 0], buttons: [] });
  joystick.close();
});

test("text goes both ways through the clipboard, and is read when asked for", async () => {
  const program = await Program.start(await launcher.desktopEnvironment());
  const text = "Grüße, 世界 🌍\n".repeat(2_000);
  await program.copy({ UTF8_STRING: Buffer.from(text), "text/html": Buffer.from("<b>Grüße</b>") });
  const decoded = (data: Record<string, unknown> | undefined): string => Buffer.from(String(data?.["content"]), "base64").toString();
  await until("the client to have it", 15_000, async () => decoded((await told("clipboard")).at(-1)) === text);
  const before = (await told("clipboard")).length;
  await send("cr");
  await until("it once more", 15_000, async () => (await told("clipboard")).length > before);
  await send(`cw,${Buffer.from("from outside: ß→日本").toString("base64")}`);
  await until("the desktop to have it", 15_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "from outside: ß→日本");
  program.end();
});

test("the desktop follows the client's window", async () => {
  const size = (): Promise<unknown> => viewer.page.evaluate(() => [document.querySelector("video")?.videoWidth, document.querySelector("video")?.videoHeight]);
  await send("s,1", "r,1000x600");
  await until("the smaller picture", 20_000, async () => JSON.stringify(await size()) === "[1000,600]");
  await send("r,1280x720");
  await until("the larger picture", 20_000, async () => JSON.stringify(await size()) === "[1280,720]");
});

test("a line that cannot be read moves nothing, and those after it are heard", async () => {
  await send("m,10,20,0,0");
  await until("the pointer at 10", 5_000, async () => {
    const { x } = await display.pointer();
    if (x !== 10) throw new Error(`it is at ${x}`);
    return true;
  });
  await send("m,oops,5,0,0", "m", "dance");
  await send("kd,98");
  await until("the key", 5_000, async () => (await display.keysDown()).length === 1);
  assert.equal((await display.pointer()).x, 10);
  await send("ku,98");
});

test("another client takes over, and the one before is told so and goes on watching", async () => {
  const second = await open();
  await until("words for the first", 10_000, async () => (await told("pipeline")).some((data) => String(data["status"]).includes("control")));
  await second.page.evaluate(() => { window.client.send("m,333,222,0,0"); });
  await until("the second's pointer", 5_000, async () => (await display.pointer()).x === 333);
  await send("m,1,1,0,0");
  const status = await launcher.status();
  assert.deepEqual(status.consumers.filter((one) => one.role === "controller").map((one) => one.id.startsWith("selkies-")), [true]);
  await second.close();
  await launcher.statusWhere("the second to be gone", ({ consumers }) => consumers.length === 2);
});

test("a client that closes a socket is gone, with the connection of that socket", async () => {
  const before = (await launcher.status()).consumers.length;
  const third = await open();
  await launcher.statusWhere("two more connections", ({ consumers }) => consumers.length === before + 2);
  await third.page.evaluate(() => { window.client.videoSocket.close(); });
  await launcher.statusWhere("one of them gone", ({ consumers }) => consumers.length === before + 1);
  await third.close();
  await launcher.statusWhere("both gone", ({ consumers }) => consumers.length === before);
});

test("the client connects through the built-in relay alone", async () => {
  const relayed = await open("?policy=relay");
  // The page is connected before the server has chosen the pair.
  const kinds = await until("the chosen pair", 10_000, () => relayed.page.evaluate(async () => {
    const report = await window.client.peers["video"]?.getStats();
    const all = [...(report?.values() ?? [])] as { type: string; id: string; state?: string; nominated?: boolean; localCandidateId?: string; candidateType?: string }[];
    const pair = all.find((one) => one.type === "candidate-pair" && one.state === "succeeded" && one.nominated);
    return pair && all.filter((one) => one.id === pair.localCandidateId).map((one) => one.candidateType);
  }));
  assert.deepEqual(kinds, ["relay"]);
  await relayed.close();
});

test("what is no client of this dialect is refused with words", async () => {
  const words = await viewer.page.evaluate(async () => {
    const socket = new WebSocket(`ws://${location.host}/app/signalling/`);
    await new Promise((opened) => { socket.onopen = opened; });
    const said = new Promise<string>((heard) => { socket.onmessage = ({ data }) => { heard(String(data)); }; });
    socket.send("SESSION 7");
    return said;
  });
  assert.match(words, /^ERROR .*HELLO 1 or HELLO 3/);
});

test("a client on whose desktop nothing sounds and nothing moves stays connected", async () => {
  // Longer than a consumer may be silent.
  await until("the session to be older", 30_000, async () => ((await (await launcher.get("/status")).json()) as { uptimeSeconds: number }).uptimeSeconds > 25);
  const { states, closed } = await viewer.page.evaluate(() => ({ states: window.client.states, closed: window.client.closed }));
  assert.deepEqual({ states, closed }, { states: { video: "connected", audio: "connected" }, closed: 0 });
  assert.deepEqual((await launcher.status()).connection.failures, {});
});
