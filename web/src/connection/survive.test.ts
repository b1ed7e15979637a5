// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import type { Connection } from "./connection";
import { OFFER, Page, WELCOME, type Channels } from "../fixture";
import { CUT_NOTICE_MS, DISCONNECTED_MS, QUIET_MS, SUCCESSOR_WELCOME_TIMEOUT_MS } from "./patience";
import { REOPEN_TIMEOUT_MS } from "./line";
import { FakeChannel, settle, type FakePeer, type FakeSocket, type ManualClock } from "../testing";

const TOKEN = "4f1d0a9c8b7e6d5f3a2b1c0d9e8f7a6b";
const CLIENT = "0b1e3c5d7f90a2b4c6d8e0f1a3b5c7d9";
const KNOWN = { ...WELCOME, consumer: "c3", token: TOKEN };
const KEEP = { consumer: "c3", token: TOKEN, media: "keep" };
const REPLACE = { ...KEEP, media: "replace" };

let page: Page;
let clock: ManualClock;
let sockets: FakeSocket[];
let peers: FakePeer[];
let connection: Connection;
let channels: Channels;

const hello = (socket: FakeSocket | undefined): unknown => socket?.sent[0];
const tell = (type: string): object[] => page.events.filter((event) => event.type === type);

/** Brings the newest socket's session to a connected media path. */
async function connect(welcome: object): Promise<Channels> {
  page.socket.open();
  page.socket.say(welcome);
  page.socket.say({ type: "offer", sdp: OFFER });
  await settle();
  page.peer.become("connected");
  const [control, input, pointer] = (["control", "input", "pointer"] as const).map((label) => {
    const channel = new FakeChannel(label);
    page.peer.announce(channel);
    channel.open();
    return channel;
  }) as [FakeChannel, FakeChannel, FakeChannel];
  return { control, input, pointer };
}

/** The server refuses what the newest socket asks for. */
function forget(): void {
  page.socket.open();
  page.socket.say({ type: "error", code: "unknownConsumer", message: "gone" });
}

beforeEach(async () => {
  page = new Page(CLIENT);
  ({ clock, sockets, peers, connection } = page);
  channels = await connect(KNOWN);
  connection.pictureShown();
});

/** The server answers each ping for a while. */
async function answered(ms: number, control = channels.control, stepMs = 250): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await clock.pass(stepMs);
    for (const sent of control.sent.splice(0) as { type: string; id: number }[]) if (sent.type === "ping") page.pong(control, sent.id);
  }
}

it("hello names the browser", () => {
  expect(hello(sockets[0])).toEqual({ type: "hello", version: 1, client: CLIENT });
});

it("another codec than the offer's takes another connection, and one of them", () => {
  const media = (codec: string): object => ({ type: "media", codec, chromaFormat: "4:2:0", encoder: "x", width: 640, height: 480, framerate: 30, audio: true });
  channels.control.say(media("H264"));
  expect(sockets.length).toBe(1);
  channels.control.say(media("VP9"));
  page.socket.open();
  expect(hello(sockets[1])).toEqual({ type: "hello", version: 1, session: REPLACE });
  // Its offer is on the way, and is of the newer codec.
  channels.control.say(media("VP9"));
  expect([sockets.length, connection.state]).toEqual([2, { name: "streaming" }]);
});

it("a connection for another codec that fails is tried again, since the present one shows nothing more", async () => {
  channels.control.say({ type: "media", codec: "VP9", chromaFormat: "4:2:0", encoder: "x", width: 640, height: 480, framerate: 30, audio: true });
  page.socket.open();
  page.socket.say({ type: "error", code: "noMedia", message: "not yet" });
  await answered(3000);
  expect(sockets.length).toBe(3);
});

describe("a WebSocket that is cut while media goes on", () => {
  it("is opened again with the session's secret, and nothing else changes", async () => {
    sockets[0]?.drop();
    await clock.pass(0);
    page.socket.open();
    expect(hello(sockets[1])).toEqual({ type: "hello", version: 1, session: KEEP });
    page.socket.say({ ...KNOWN, resumed: true });
    await answered(5000);
    expect(connection.state).toEqual({ name: "streaming" });
    expect([connection.signalled, connection.consumer, peers.length, sockets.length]).toEqual([true, "c3", 1, 2]);
    expect(tell("begun")).toHaveLength(1);
  });

  it("is tried again with growing pauses for as long as it takes, and the user is told once, after a while", async () => {
    sockets[0]?.drop();
    for (let i = 0; i < 120; i++) {
      await answered(250);
      if (page.socket.readyState === 0) page.socket.drop();
    }
    expect(connection.state).toEqual({ name: "streaming" });
    expect(sockets.length).toBeGreaterThan(6);
    expect(sockets.length).toBeLessThan(16);
    expect(tell("cut")).toHaveLength(1);
    expect(connection.sendInput({ type: "key", keysym: 97, down: true })).toBe(true);
    await answered(6000);
    page.socket.open();
    page.socket.say({ ...KNOWN, resumed: true });
    expect(connection.signalled).toBe(true);
    await answered(CUT_NOTICE_MS);
    expect(tell("cut")).toHaveLength(1);
  });

  it("that opens and is not welcomed is given up and tried again", async () => {
    sockets[0]?.drop();
    await clock.pass(0);
    page.socket.open();
    await answered(REOPEN_TIMEOUT_MS + 500);
    expect(sockets.length).toBe(3);
    expect(sockets[1]?.readyState).toBe(3);
    expect(connection.state.name).toBe("streaming");
  });

  it("says no good-bye on the one that was replaced, since the server would take it for the page's", async () => {
    sockets[0]?.drop();
    await clock.pass(0);
    page.socket.open();
    page.socket.say({ ...KNOWN, resumed: true });
    connection.stop();
    expect(sockets[0]?.sent).not.toContainEqual({ type: "bye" });
    expect(sockets[1]?.sent.at(-1)).toEqual({ type: "bye" });
  });

  it("whose server has forgotten the session leaves media that is there alone", async () => {
    sockets[0]?.drop();
    await clock.pass(0);
    forget();
    await answered(10_000);
    expect(connection.state.name).toBe("streaming");
    expect(sockets).toHaveLength(2);
  });

  it("and whose server is gone with the media begins anew", async () => {
    sockets[0]?.drop();
    await clock.pass(0);
    forget();
    await clock.pass(1000);
    expect(hello(page.socket)).toBeUndefined();
    page.socket.open();
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1, client: CLIENT });
  });
});

describe("a path that is lost", () => {
  it("is replaced by a second connection under the same name, and the old one stays until the new picture is there", async () => {
    await answered(2000);
    peers[0]?.become("disconnected");
    await clock.pass(DISCONNECTED_MS);
    page.socket.open();
    expect(hello(sockets[1])).toEqual({ type: "hello", version: 1, session: REPLACE });
    expect(peers[0]?.closed).toBe(false);
    const next = await connect({ ...KNOWN, resumed: true });
    expect(peers[0]?.closed).toBe(false);
    expect(connection.peer).toBe(peers[0]);
    connection.pictureShown();
    expect(peers[0]?.closed).toBe(true);
    expect(connection.peer).toBe(peers[1]);
    expect(connection.state).toEqual({ name: "streaming" });
    expect(connection.consumer).toBe("c3");
    expect([tell("begun").length, tell("succeeded").length, tell("ending").length]).toEqual([1, 1, 0]);
    connection.sendInput({ type: "key", keysym: 97, down: true });
    expect(next.input.sent).toEqual([{ type: "key", keysym: 97, down: true }]);
  });

  it("is seen within two seconds by the answers that do not come", async () => {
    await answered(3000);
    const sinceMs = clock.nowMs();
    while (sockets.length === 1 && clock.nowMs() - sinceMs < 10_000) await clock.pass(50);
    expect(clock.nowMs() - sinceMs).toBeLessThanOrEqual(2500);
    expect(connection.state.name).toBe("streaming");
  });

  it("is seen sooner where frames that moved have stopped", async () => {
    await answered(3000);
    for (let i = 0; i < 40; i++) {
      connection.frameSeen({ presentedFrames: i, mediaTime: i, presentationTime: clock.nowMs(), expectedDisplayTime: clock.nowMs(), width: 1, height: 1 } as never);
      await answered(50, channels.control, 50);
    }
    const sinceMs = clock.nowMs();
    while (sockets.length === 1 && clock.nowMs() - sinceMs < 10_000) await clock.pass(50);
    expect(clock.nowMs() - sinceMs).toBeLessThanOrEqual(1750);
  });

  it("goes unmentioned for a moment, and is told if nothing has come of it by then", async () => {
    peers[0]?.become("failed");
    expect(connection.state.name).toBe("streaming");
    await clock.pass(QUIET_MS);
    expect(connection.state).toMatchObject({ name: "reconnecting", cause: { kind: "lost" }, retryAtMs: null });
    await connect({ ...KNOWN, resumed: true });
    connection.pictureShown();
    expect(connection.state.name).toBe("streaming");
  });

  it("goes unmentioned for longer while its successor is connected and has no picture yet", async () => {
    peers[0]?.become("failed");
    const next = await connect({ ...KNOWN, resumed: true });
    await answered(QUIET_MS + 250, next.control);
    expect(connection.state.name).toBe("streaming");
    page.peer.become("failed");
    await clock.pass(2 * QUIET_MS);
    expect(connection.state.name).toBe("reconnecting");
  });

  it("that heals leaves no trace if the successor fails", async () => {
    await answered(2000);
    peers[0]?.become("disconnected");
    await clock.pass(DISCONNECTED_MS);
    peers[0]?.become("connected");
    page.socket.drop();
    await answered(3000);
    expect(connection.state).toEqual({ name: "streaming" });
    expect(peers[0]?.closed).toBe(false);
    expect(connection.peer).toBe(peers[0]);
    expect(tell("abandoned")).toHaveLength(1);
  });

  it("that heals between two tries has whoever holds something told of it", async () => {
    peers[0]?.become("disconnected");
    await clock.pass(DISCONNECTED_MS);
    page.socket.drop();
    await settle();
    expect(connection.state.name).toBe("reconnecting");
    expect(tell("healed")).toHaveLength(0);
    peers[0]?.become("connected");
    expect(connection.state).toEqual({ name: "streaming" });
    expect(tell("healed")).toHaveLength(1);
  });

  it("is tried for again and again while the server is out of reach, with the session it had", async () => {
    peers[0]?.become("failed");
    for (let i = 0; i < 10; i++) {
      page.socket.drop();
      await clock.pass(2500);
    }
    expect(connection.state.name).toBe("reconnecting");
    while (page.socket.readyState !== 0) await clock.pass(250);
    await connect({ ...KNOWN, resumed: true });
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1, session: REPLACE });
    connection.pictureShown();
    expect(connection.state.name).toBe("streaming");
    expect(tell("begun")).toHaveLength(1);
  });

  it("whose server says nothing is tried for anew after three seconds", async () => {
    peers[0]?.become("failed");
    page.socket.open();
    await clock.pass(SUCCESSOR_WELCOME_TIMEOUT_MS);
    await clock.pass(0);
    expect(sockets).toHaveLength(3);
  });

  it("begins anew at once, as the same browser, when the server has forgotten the session", async () => {
    peers[0]?.become("failed");
    forget();
    await clock.pass(0);
    page.socket.open();
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1, client: CLIENT });
    expect(peers[0]?.closed).toBe(true);
    await connect({ ...KNOWN, consumer: "c4" });
    connection.pictureShown();
    expect([connection.state.name, connection.consumer]).toEqual(["streaming", "c4"]);
  });

  it("of a page that only watched comes back as one that watches, and takes nothing from the user's other tab", async () => {
    channels.control.say({ type: "session", phase: "Streaming", role: "viewer", consumers: 2 });
    peers[0]?.become("failed");
    forget();
    await clock.pass(0);
    page.socket.open();
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1, client: CLIENT, watches: true });
  });

  it("of a server that offers no way to go on is begun anew", async () => {
    page = new Page();
    ({ clock, sockets, peers, connection } = page);
    await page.stream();
    page.peer.become("failed");
    expect(connection.state.name).toBe("reconnecting");
    await clock.pass(0);
    page.socket.open();
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1 });
  });
});

describe("a successor", () => {
  const sound = (peer: FakePeer): void => {
    peer.dispatchEvent(Object.assign(new Event("track"), { track: { kind: "audio" }, receiver: {} }));
  };

  it("brings its sound with its picture, not before", async () => {
    peers[0]?.become("failed");
    await connect({ ...KNOWN, resumed: true });
    sound(page.peer);
    expect(tell("track")).toHaveLength(0);
    connection.pictureShown();
    expect(tell("track")).toHaveLength(1);
  });

  it("that set out in the network before is left for a newer one when the network changes", async () => {
    peers[0]?.become("failed");
    await clock.pass(600);
    connection.networkChanged();
    expect(sockets).toHaveLength(3);
    expect(sockets[1]?.readyState).toBe(3);
    await connect({ ...KNOWN, resumed: true });
    connection.pictureShown();
    expect(connection.state.name).toBe("streaming");
  });

  it("carries what the page says as soon as its channels are open, since the server hears nothing else then", async () => {
    peers[0]?.become("failed");
    connection.sendControl({ type: "takeControl" });
    const next = await connect({ ...KNOWN, resumed: true });
    channels.control.sent.length = 0;
    connection.sendControl({ type: "keepControl" });
    connection.sendInput({ type: "key", keysym: 97, down: true });
    expect([channels.control.sent, channels.input.sent]).toEqual([[], []]);
    expect(next.control.sent).toContainEqual({ type: "keepControl" });
    expect(next.input.sent).toEqual([{ type: "key", keysym: 97, down: true }]);
  });

  it("does not bring back the WebSocket of the connection that it replaces", async () => {
    await answered(1000);
    peers[0]?.become("failed");
    await connect({ ...KNOWN, resumed: true });
    sockets[0]?.drop();
    await clock.pass(1000);
    expect(sockets).toHaveLength(2);
  });

  it("ends with the page, and so does what it was to replace", async () => {
    peers[0]?.become("failed");
    await connect({ ...KNOWN, resumed: true });
    connection.stop();
    expect(peers.map((peer) => peer.closed)).toEqual([true, true]);
    expect(sockets.map((socket) => socket.sent.at(-1))).toEqual([{ type: "bye" }, { type: "bye" }]);
    expect(clock.armed).toBe(0);
  });

  it("lets the server's good-bye end everything", async () => {
    peers[0]?.become("failed");
    await connect({ ...KNOWN, resumed: true });
    sockets[0]?.say({ type: "bye", reason: "time is up" });
    expect(connection.state).toEqual({ name: "ended", message: "time is up", end: null });
    expect(peers.map((peer) => peer.closed)).toEqual([true, true]);
    await clock.pass(60_000);
    expect(sockets).toHaveLength(2);
  });
});

describe("a page that slept for a minute", () => {
  it("begins anew at once when the server has forgotten it, and keeps its name", async () => {
    await answered(2000);
    await clock.stall(60_000);
    // The WebSocket is asked for as well as the media path; the server knows neither.
    forget();
    await clock.pass(2000);
    page.socket.open();
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1, client: CLIENT });
  });

  it("goes on where the server still knows it, over a new WebSocket", async () => {
    await answered(2000);
    await clock.stall(9000);
    page.socket.open();
    expect(hello(page.socket)).toEqual({ type: "hello", version: 1, session: KEEP });
    page.socket.say({ ...KNOWN, resumed: true });
    await answered(3000);
    expect(connection.state.name).toBe("streaming");
    expect(peers).toHaveLength(1);
  });
});

it("another page that has control now is told of", () => {
  channels.control.say({ type: "controlTaken", sameUser: true });
  expect(tell("controlTaken")).toEqual([{ type: "controlTaken", sameUser: true }]);
});
