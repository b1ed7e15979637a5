// Setup: a connection whose browser, network and server are the test's, for the tests only.
import { Connection, type ConnectionEvent } from "./connection/connection";
import { FakeChannel, FakePeer, FakeSocket, ManualClock, settle } from "./testing";

export const OFFER = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n";
export const WELCOME = { type: "welcome", version: 1, consumer: "c1", iceServers: [{ urls: ["stun:s"] }], iceTransportPolicy: "relay" };

export interface Channels {
  control: FakeChannel;
  input: FakeChannel;
  pointer: FakeChannel;
}

export class Page {
  readonly clock = new ManualClock();
  readonly sockets: FakeSocket[] = [];
  readonly peers: FakePeer[] = [];
  readonly events: ConnectionEvent[] = [];
  readonly connection: Connection;
  hidden = false;

  /** Begins to connect. */
  constructor(client: string | null = null) {
    const world = {
      clock: this.clock,
      random: () => 0,
      isHidden: () => this.hidden,
      openSocket: (url: string, protocol: string) => {
        const opened = new FakeSocket(url, protocol);
        this.sockets.push(opened);
        return opened as unknown as WebSocket;
      },
      createPeer: (config: RTCConfiguration) => {
        const created = new FakePeer(config);
        this.peers.push(created);
        return created as unknown as RTCPeerConnection;
      },
    };
    this.connection = new Connection("ws://host/ws", client, world, (event) => this.events.push(event));
    this.connection.start();
  }

  /** Of the present session, as is the peer. */
  get socket(): FakeSocket {
    return this.sockets.at(-1) ?? nothing();
  }

  get peer(): FakePeer {
    return this.peers.at(-1) ?? nothing();
  }

  /** Brings the present session to a connected media path. */
  async connect(): Promise<Channels> {
    this.socket.open();
    this.socket.say(WELCOME);
    this.socket.say({ type: "offer", sdp: OFFER });
    await settle();
    this.peer.become("connected");
    const [control, input, pointer] = (["control", "input", "pointer"] as const).map((label) => {
      const channel = new FakeChannel(label);
      this.peer.announce(channel);
      channel.open();
      return channel;
    }) as [FakeChannel, FakeChannel, FakeChannel];
    return { control, input, pointer };
  }

  async stream(): Promise<Channels> {
    const channels = await this.connect();
    this.connection.pictureShown();
    return channels;
  }

  /** The server answers a ping. Its clock is 100 s ahead of the page's. */
  pong(control: FakeChannel, id: number): void {
    const nowUs = (this.clock.nowMs() + 100_000) * 1000;
    control.say({ type: "pong", id, receivedUs: nowUs, sentUs: nowUs });
  }

  /** The stream goes on for a while, with a server that answers pings. */
  async goOn(control: FakeChannel, seconds: number, perSecond: { bytes: number; again?: number; frames: number }): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      const before = (this.peer.report[0]?.[1] ?? { timestamp: 0, bytesReceived: 0, framesDecoded: 0 }) as Record<string, number>;
      this.peer.report = [
        [
          "V",
          {
            type: "inbound-rtp",
            kind: "video",
            timestamp: (before.timestamp ?? 0) + 1000,
            bytesReceived: (before.bytesReceived ?? 0) + perSecond.bytes,
            retransmittedBytesReceived: (before.retransmittedBytesReceived ?? 0) + (perSecond.again ?? 0),
            framesDecoded: (before.framesDecoded ?? 0) + perSecond.frames,
          },
        ],
      ];
      await this.clock.pass(1000);
      for (const ping of control.sent.splice(0) as { type: string; id: number }[]) {
        if (ping.type === "ping") this.pong(control, ping.id);
        else if (ping.type !== "stats") control.sent.push(ping);
      }
    }
  }
}

function nothing(): never {
  throw new Error("nothing was opened yet");
}
