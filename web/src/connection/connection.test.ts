// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection, ConnectionEvent } from "./connection";
import { OFFER, Page, WELCOME } from "../fixture";
import { refusedVideo } from "./sdp";
import { settle, type FakePeer, type FakeSocket, type ManualClock } from "../testing";

let page: Page;
let clock: ManualClock;
let sockets: FakeSocket[];
let peers: FakePeer[];
let events: ConnectionEvent[];
let connection: Connection;

beforeEach(() => {
  page = new Page();
  ({ clock, sockets, peers, events, connection } = page);
});

const socket = (): FakeSocket => page.socket;
const peer = (): FakePeer => page.peer;
const stream = (): ReturnType<Page["connect"]> => page.stream();
const goOn: Page["goOn"] = (...how) => page.goOn(...how);

describe("the way to a stream", () => {
  it("goes through its stages and streams with the first picture, not before", async () => {
    expect(connection.state).toEqual({ name: "connecting", stage: "server" });
    socket().open();
    socket().say(WELCOME);
    expect(connection.state).toEqual({ name: "connecting", stage: "offer" });
    expect(connection.consumer).toBe("c1");
    expect(peer().config).toEqual({ iceServers: [{ urls: ["stun:s"] }], iceTransportPolicy: "relay", bundlePolicy: "max-bundle" });
    socket().say({ type: "offer", sdp: OFFER });
    expect(connection.state).toEqual({ name: "connecting", stage: "media" });
    await settle();
    expect(socket().sent.at(-1)).toEqual({ type: "answer", sdp: peer().answerSdp });
    peer().become("connected");
    expect(connection.state).toEqual({ name: "connecting", stage: "frame" });
    connection.pictureShown();
    expect(connection.state).toEqual({ name: "streaming" });
  });

  it("hands renewed servers to the peer that is there, and changes nothing else of it", () => {
    socket().open();
    socket().say(WELCOME);
    const renewed = [{ urls: ["turn:t?transport=tcp"], username: "2:c1", credential: "new" }];
    socket().say({ type: "iceServers", iceServers: renewed, iceTransportPolicy: "all" });
    expect(peer().config).toEqual({ iceServers: renewed, iceTransportPolicy: "all", bundlePolicy: "max-bundle" });
    expect(peers).toHaveLength(1);
  });

  it("takes candidates both ways, also those that came before the offer", async () => {
    socket().open();
    socket().say(WELCOME);
    socket().say({ type: "ice", candidate: "candidate:1", sdpMLineIndex: 0 });
    socket().say({ type: "offer", sdp: OFFER });
    socket().say({ type: "ice", candidate: "candidate:2", sdpMLineIndex: 0, sdpMid: "video0" });
    await settle();
    expect(peer().candidates).toEqual([
      { candidate: "candidate:1", sdpMLineIndex: 0, sdpMid: null },
      { candidate: "candidate:2", sdpMLineIndex: 0, sdpMid: "video0" },
    ]);
    const candidate = { toJSON: () => ({ candidate: "candidate:9", sdpMid: "video0", sdpMLineIndex: 0, usernameFragment: "u" }) };
    peer().dispatchEvent(Object.assign(new Event("icecandidate"), { candidate }));
    peer().dispatchEvent(Object.assign(new Event("icecandidate"), { candidate: null }));
    expect(socket().sent.slice(-2)).toEqual([
      { type: "ice", candidate: "candidate:9", sdpMLineIndex: 0, sdpMid: "video0" },
      { type: "ice", candidate: "", sdpMLineIndex: 0 },
    ]);
  });

  it("fails when the answer has to refuse the video, and names the codec", async () => {
    socket().open();
    socket().say(WELCOME);
    peer().answerSdp = "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 0\r\n";
    socket().say({ type: "offer", sdp: OFFER });
    await settle();
    expect(connection.state).toEqual({ name: "failed", cause: { kind: "noCodec", codec: "H264" }, retrying: false });
    expect(socket().sent).toContainEqual({ type: "failure", reason: "badAnswer", message: "The browser does not decode H264." });
    expect(peer().closed).toBe(true);
  });

  it("gives a server that says nothing eight seconds", async () => {
    socket().open();
    await clock.pass(7999);
    expect(connection.state.name).toBe("connecting");
    await clock.pass(1);
    expect(connection.state).toMatchObject({ name: "reconnecting", cause: { kind: "timeout" } });
  });
});

describe("what the server refuses", () => {
  const refuse = async (code: string): Promise<void> => {
    socket().open();
    socket().say({ type: "error", code, message: "because" });
    await settle();
  };

  it("a full server is told to the user, who may try again", async () => {
    await refuse("tooManyConsumers");
    expect(connection.state).toEqual({
      name: "failed",
      cause: { kind: "refused", code: "tooManyConsumers", message: "because" },
      retrying: false,
    });
    await clock.pass(60_000);
    expect(sockets).toHaveLength(1);
    connection.start();
    await stream();
    expect(connection.state.name).toBe("streaming");
  });

  it("a desktop that sends nothing yet is waited for", async () => {
    await refuse("noMedia");
    expect(connection.state).toMatchObject({ name: "reconnecting", cause: { code: "noMedia" } });
    await clock.pass(0);
    expect(sockets).toHaveLength(2);
  });

  it("a candidate that was refused ends nothing", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await stream();
    socket().say({ type: "error", code: "badCandidate", message: "no" });
    expect(connection.state.name).toBe("streaming");
    warned.mockRestore();
  });

  it("another version is told to the user", () => {
    socket().open();
    socket().say({ ...WELCOME, version: 2 });
    expect(connection.state).toEqual({ name: "failed", cause: { kind: "version", server: 2 }, retrying: false });
  });

  it("a good-bye ends the session for good", async () => {
    await stream();
    socket().say({ type: "bye", reason: "time is up", cause: "timeout" });
    expect(connection.state).toEqual({ name: "ended", message: "time is up", end: "timeout" });
    await clock.pass(60_000);
    expect(sockets).toHaveLength(1);
  });
});

describe("a loss", () => {
  it("of the path is answered at once, and the next session streams", async () => {
    await stream();
    await clock.pass(6000);
    peer().become("failed");
    expect(connection.state).toMatchObject({ name: "reconnecting", cause: { kind: "lost" } });
    expect(peers[0]?.closed).toBe(true);
    await clock.pass(0);
    expect(sockets).toHaveLength(2);
    await stream();
    expect(connection.state).toEqual({ name: "streaming" });
  });

  it("that heals within a second is none", async () => {
    await stream();
    peer().become("disconnected");
    await clock.pass(900);
    peer().become("connected");
    await clock.pass(5000);
    expect(connection.state.name).toBe("streaming");
    peer().become("disconnected");
    await clock.pass(1000);
    expect(connection.state.name).toBe("reconnecting");
  });

  it("of a data channel is a loss of the session", async () => {
    const { input } = await stream();
    input.close();
    expect(connection.state.name).toBe("reconnecting");
  });

  it("of the WebSocket alone leaves a stream whose server still answers", async () => {
    const { control } = await stream();
    socket().drop();
    const ping = control.sent.at(-1) as { id: number };
    control.say({ type: "pong", id: ping.id });
    await clock.pass(3000);
    expect(connection.state.name).toBe("streaming");
  });

  it("of the WebSocket and of every answer begins anew after a second", async () => {
    await stream();
    socket().drop();
    await clock.pass(999);
    expect(connection.state.name).toBe("streaming");
    await clock.pass(1);
    expect(connection.state.name).toBe("reconnecting");
  });

  it("of the server is retried ever more slowly, and quickly again after a good stream", async () => {
    socket().drop();
    const tries: number[] = [];
    let seen = sockets.length;
    for (let ms = 0; ms <= 8000; ms += 50) {
      if (sockets.length > seen) {
        tries.push(ms);
        seen = sockets.length;
        socket().drop();
      }
      await clock.pass(50);
    }
    // At once, then after 0.25, 0.5, 1, 2 and 4 s; seen in steps of 50 ms.
    expect(tries).toEqual([50, 300, 800, 1800, 3800, 7800]);
    await clock.pass(5000);
    await stream();
    await clock.pass(5000);
    peer().become("failed");
    expect(connection.state).toMatchObject({ name: "reconnecting", retryAtMs: clock.nowMs() });
  });

  it("is not waited out when the page becomes visible", async () => {
    for (let i = 0; i < 6; i++) {
      socket().drop();
      await clock.pass(5000);
    }
    socket().drop();
    const before = sockets.length;
    connection.wake();
    expect(sockets).toHaveLength(before + 1);
  });

  it("frees everything: no timer is left", async () => {
    await stream();
    connection.stop();
    expect(clock.armed).toBe(0);
    expect(socket().sent.at(-1)).toEqual({ type: "bye" });
  });
});

describe("the watchdog", () => {
  it("asks for a key frame when bytes come and frames do not", async () => {
    const { control } = await stream();
    await goOn(control, 3, { bytes: 1000, frames: 30 });
    expect(control.sent).toEqual([]);
    await goOn(control, 3, { bytes: 1000, frames: 0 });
    expect(control.sent).toEqual([{ type: "requestKeyFrame" }]);
    expect(connection.state.name).toBe("streaming");
  });

  it("does not take what only asks for room on the path for a picture that does not come", async () => {
    const { control } = await stream();
    await goOn(control, 6, { bytes: 1000, again: 1000, frames: 0 });
    expect(control.sent).toEqual([]);
  });

  it("reports the figures of each second", async () => {
    const { control } = await stream();
    await goOn(control, 3, { bytes: 1000, frames: 30 });
    expect(connection.stats).toMatchObject({ framesPerSecond: 30, bitrateBps: 8000, framesDecoded: 90 });
  });

  it("begins anew when a visible page waits five seconds for an answer", async () => {
    const { control } = await stream();
    await goOn(control, 2, { bytes: 1000, frames: 30 });
    for (let i = 0; i < 6; i++) {
      peer().report = [["V", { type: "inbound-rtp", kind: "video", timestamp: 10_000 + i * 1000, bytesReceived: 1, framesDecoded: 1 }]];
      await clock.pass(1000);
    }
    expect(connection.state.name).toBe("reconnecting");
  });
});

describe("what the server says of the session", () => {
  const session = (more: object): object => ({ type: "session", phase: "Streaming", role: "controller", consumers: 1, ...more });

  it("a viewer sends no input, and may ask for control", async () => {
    const { control, input, pointer } = await stream();
    control.say(session({ role: "viewer" }));
    expect(connection.sendInput({ type: "key", keysym: 97, down: true })).toBe(false);
    expect(connection.sendMotion({ type: "motion", seq: 1, x: 2, y: 3 })).toBe(false);
    expect([...input.sent, ...pointer.sent]).toEqual([]);
    connection.sendControl({ type: "takeControl" });
    expect(control.sent).toContainEqual({ type: "takeControl" });
    control.say(session({ role: "controller" }));
    expect(connection.sendInput({ type: "key", keysym: 97, down: true })).toBe(true);
    expect(input.sent).toEqual([{ type: "key", keysym: 97, down: true }]);
  });

  it("a failure is shown with its reason, outlives the connection, and goes with the next picture", async () => {
    const { control } = await stream();
    control.say(session({ phase: "Failed", reason: "DISPLAY_UNAVAILABLE", message: "gone" }));
    const failed = { name: "failed", cause: { kind: "session", reason: "DISPLAY_UNAVAILABLE", message: "gone" }, retrying: true };
    expect(connection.state).toEqual(failed);
    socket().drop();
    peer().become("failed");
    expect(connection.state).toEqual(failed);
    await clock.pass(0);
    await stream();
    expect(connection.state).toEqual({ name: "streaming" });
  });

  it("a good-bye of a session that failed leaves the reason on the page and tries again", async () => {
    const { control } = await stream();
    control.say(session({ phase: "Failed", reason: "ENCODER_UNAVAILABLE", message: "three encoders failed" }));
    socket().say({ type: "bye", reason: "three encoders failed" });
    const cause = { kind: "session", reason: "ENCODER_UNAVAILABLE", message: "three encoders failed" };
    expect(connection.state).toEqual({ name: "failed", cause, retrying: true });
    await clock.pass(60_000);
    expect(sockets.length).toBeGreaterThan(1);
  });

  it("a second good-bye, to a page that tried again while the session went down, leaves the reason there too", async () => {
    const { control } = await stream();
    control.say(session({ phase: "Failed", reason: "ENCODER_UNAVAILABLE", message: "three encoders failed" }));
    socket().say({ type: "bye", reason: "three encoders failed" });
    await clock.pass(60_000);
    socket().say({ type: "bye", reason: "the stream has ended" });
    expect(connection.state).toMatchObject({ name: "failed", cause: { reason: "ENCODER_UNAVAILABLE" }, retrying: true });
  });

  it("a session that recovers streams again without a new connection", async () => {
    const { control } = await stream();
    control.say(session({ phase: "Failed", reason: "DESKTOP_FAILED" }));
    control.say(session({ phase: "Streaming" }));
    expect(connection.state).toEqual({ name: "streaming" });
    expect(sockets).toHaveLength(1);
  });

  it("size and quality are known while a session lasts, and time counts on", async () => {
    const { control } = await stream();
    control.say({ type: "display", width: 1920, height: 1080 });
    control.say({ type: "quality", reason: "cpu", seconds: 4, encoder: "x264enc" });
    expect(connection.display).toEqual({ width: 1920, height: 1080 });
    expect(connection.quality).toMatchObject({ reason: "cpu", encoder: "x264enc", hardware: false });
    await clock.pass(2500);
    expect(connection.limitedSeconds).toBe(6.5);
    control.say({ type: "latency", codec: "H264", estimated: false, frames: 3, uncertaintyUs: 9, glassToGlass: { p50Us: 1, p95Us: 2 }, stages: [] });
    control.say({ type: "cursor", width: 8, height: 8, hotspotX: 1, hotspotY: 2, png: "x" });
    await clock.pass(1500);
    expect(connection.latency).toMatchObject({ frames: 3, glassToGlass: { p95Us: 2 } });
    expect(connection.latencySeconds).toBe(1.5);
    expect(connection.cursor).toMatchObject({ width: 8, hotspotY: 2 });
    connection.start();
    expect([connection.display, connection.quality, connection.limitedSeconds]).toEqual([null, null, 0]);
    expect([connection.latency, connection.latencySeconds, connection.cursor]).toEqual([null, 0, null]);
  });

  it("a notice is passed on, and nonsense is not", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { control } = await stream();
    control.say({ type: "notice", level: "info", text: "hello" });
    control.say({ type: "notice", level: "loud", text: "hello" });
    expect(events.filter((event) => event.type === "notice")).toEqual([{ type: "notice", level: "info", text: "hello" }]);
    warned.mockRestore();
  });
});

it("a video refused beside an accepted sound is found, whatever the order", () => {
  const offer = "m=audio 9 X 97\r\na=rtpmap:97 OPUS/48000/2\r\nm=video 9 X 96\r\na=rtpmap:96 H264/90000\r\n";
  expect(refusedVideo(offer, "m=audio 9 X 97\r\nm=video 0 X 96\r\n")).toBe("H264");
  expect(refusedVideo(offer, "m=audio 0 X 97\r\nm=video 9 X 96\r\n")).toBeNull();
});
