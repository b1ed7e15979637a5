import { beforeEach, describe, expect, it, vi } from "vitest";
import { Signalling, signallingUrl, type SignallingEvent } from "./signalling";
import { FakeSocket } from "../testing";

describe("the address", () => {
  it("lies beside the page, with the page's security", () => {
    expect(signallingUrl("http://127.0.0.1:8080/")).toBe("ws://127.0.0.1:8080/ws");
    expect(signallingUrl("https://vdi.example.com/users/alice/")).toBe("wss://vdi.example.com/users/alice/ws");
  });
  it("takes neither file name, nor query, nor fragment from the page", () => {
    expect(signallingUrl("https://vdi.example.com/alice/index.html?x=1#top")).toBe("wss://vdi.example.com/alice/ws");
  });
});

describe("a session's signalling", () => {
  let socket: FakeSocket;
  let events: SignallingEvent[];
  let signalling: Signalling;
  const candidate = (n: number) => ({ type: "ice", candidate: `candidate:${n}`, sdpMLineIndex: 0 });

  beforeEach(() => {
    events = [];
    signalling = new Signalling(
      "ws://host/ws",
      {},
      (url, protocol) => (socket = new FakeSocket(url, protocol)) as unknown as WebSocket,
      (event) => events.push(event),
    );
  });

  it("names its sub-protocol, and says hello once the socket is open", () => {
    expect([socket.url, socket.protocol, socket.sent]).toEqual(["ws://host/ws", "vdi.1", []]);
    socket.open();
    expect(socket.sent).toEqual([{ type: "hello", version: 1 }]);
  });

  it("hands candidates that come before the offer on after it, in their order", () => {
    socket.open();
    socket.say(candidate(1));
    socket.say(candidate(2));
    expect(events).toEqual([]);
    socket.say({ type: "offer", sdp: "v=0\r\n" });
    socket.say(candidate(3));
    expect(events.map((event) => (event.type === "message" && event.message.type === "ice" ? event.message.candidate : "offer"))).toEqual([
      "offer",
      "candidate:1",
      "candidate:2",
      "candidate:3",
    ]);
  });

  it("keeps no more than a hundred early candidates", () => {
    socket.open();
    for (let n = 0; n < 150; n++) socket.say(candidate(n));
    socket.say({ type: "offer", sdp: "v=0\r\n" });
    expect(events).toHaveLength(101);
  });

  it("lives on after a message that it does not know", () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    socket.open();
    socket.say("not JSON");
    socket.say({ type: "dance" });
    socket.say({ type: "bye", reason: "enough" });
    expect(events).toEqual([{ type: "message", message: { type: "bye", reason: "enough" } }]);
    expect(warned).toHaveBeenCalledTimes(2);
    warned.mockRestore();
  });

  it("tells a server that was never there from one that went away", () => {
    socket.drop();
    expect(events).toEqual([{ type: "closed", opened: false }]);
  });

  it("says good-bye when the page leaves, and reports nothing after that", () => {
    socket.open();
    signalling.end();
    expect(socket.sent.at(-1)).toEqual({ type: "bye" });
    expect(socket.closedWith).toBe(1000);
    socket.say({ type: "offer", sdp: "v=0\r\n" });
    expect(events).toEqual([]);
  });
});
