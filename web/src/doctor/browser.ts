// Shell: what the browser can say of the connection: it follows the peer connections that the page makes, and tests each
// STUN and TURN server with a peer connection of its own, whose only job is to gather an address.
import type { Clock } from "../clock";
import { pathOf, type Facts, type Path, type ServerTest } from "./facts";

/** Time for a server to give an address. */
const TEST_MS = 10_000;
/** Most servers that are tested; all are tested at once. */
const MAX_TESTS = 12;
/** Time between two looks at a connection that is coming up: when it has failed it is closed, and tells nothing more. */
const LOOK_MS = 1000;

/**
 * A connection that is not up by then has its servers tested: credentials may be good for as long as its session lives, and
 * the user asks why only when that is over.
 */
const EARLY_MS = 4000;

const NO_PATH: Path = pathOf([]);

export interface BrowserWorld {
  readonly clock: Clock;
  createPeer(config: RTCConfiguration): RTCPeerConnection;
}

export class BrowserDoctor {
  #world: BrowserWorld;
  #peer: RTCPeerConnection | null = null;
  #config: RTCConfiguration = {};
  #path: Path = NO_PATH;
  #tests: readonly ServerTest[] = [];
  /** The connection whose servers were tested last, and the end of those tests. */
  #tested: RTCPeerConnection | null = null;
  #testing: Promise<void> = Promise.resolve();
  #stop: (() => void) | null = null;

  constructor(world: BrowserWorld) {
    this.#world = world;
  }

  /** The page has made a connection; what becomes of it is remembered. */
  follow(peer: RTCPeerConnection, config: RTCConfiguration): void {
    this.#stop?.();
    this.#peer = peer;
    this.#config = config;
    this.#path = NO_PATH;
    peer.addEventListener("connectionstatechange", () => {
      void this.#look(peer);
    });
    const stop = this.#world.clock.every(LOOK_MS, () => {
      if (peer.connectionState === "closed" || peer.connectionState === "connected") stop();
      else void this.#look(peer);
    });
    const early = this.#world.clock.after(EARLY_MS, () => {
      if (peer.connectionState !== "closed" && peer.connectionState !== "connected") void this.#testAll();
    });
    this.#stop = () => {
      stop();
      early();
    };
  }

  async #look(peer: RTCPeerConnection): Promise<void> {
    if (peer.connectionState === "closed") return;
    try {
      const path = pathOf(await peer.getStats() as Iterable<readonly [string, unknown]>);
      // A connection that is being closed loses what it knew.
      const better = path.pairs.length >= this.#path.pairs.length || path.selected !== null;
      if (peer === this.#peer && better) this.#path = path;
    } catch {
      // Closed in between.
    }
  }

  /** What is known without testing anything. */
  facts(connected: boolean, serverAnswers: boolean): Facts {
    return {
      connected,
      serverAnswers,
      tried: this.#peer !== null,
      relayOnly: this.#config.iceTransportPolicy === "relay",
      path: this.#path,
      tests: this.#tests,
    };
  }

  /** Tests every server, and looks at the present connection. */
  async examine(): Promise<void> {
    const peer = this.#peer;
    if (peer) await this.#look(peer);
    const isOver = peer !== null && peer.connectionState === "closed";
    // What was found while the session lived still holds; its credentials may not.
    if (isOver && this.#tested === peer) await this.#testing;
    else await this.#testAll();
  }

  #testAll(): Promise<void> {
    const peer = this.#peer;
    // Servers may have been renewed since.
    const present = peer === null || peer.connectionState === "closed" ? [] : (peer.getConfiguration().iceServers ?? []);
    const servers = present.length > 0 ? present : (this.#config.iceServers ?? []);
    const single = servers.flatMap((server) => [server.urls].flat().map((urls) => ({ ...server, urls })));
    this.#tested = peer;
    this.#testing = Promise.all(single.slice(0, MAX_TESTS).map((server) => this.#test(server))).then((tests) => {
      this.#tests = tests;
    });
    return this.#testing;
  }

  #test(server: RTCIceServer & { urls: string }): Promise<ServerTest> {
    const { clock } = this.#world;
    const relays = !server.urls.startsWith("stun");
    const beganMs = clock.nowMs();
    const told = (part: Partial<ServerTest>): ServerTest => ({
      url: server.urls,
      relays,
      gave: null,
      code: null,
      words: "",
      tookMs: clock.nowMs() - beganMs,
      finished: true,
      ...part,
    });
    let peer: RTCPeerConnection;
    try {
      peer = this.#world.createPeer({ iceServers: [server], iceTransportPolicy: relays ? "relay" : "all" });
    } catch (error) {
      return Promise.resolve(told({ code: 400, words: error instanceof Error ? error.message : String(error) }));
    }
    return new Promise((resolve) => {
      let failed: Pick<ServerTest, "code" | "words"> = { code: null, words: "" };
      const finish = (part: Partial<ServerTest>): void => {
        late();
        peer.close();
        resolve(told(part));
      };
      const late = clock.after(TEST_MS, () => {
        finish({ ...failed, finished: false });
      });
      peer.addEventListener("icecandidateerror", (event) => {
        // The server's own refusal says more than that one of several interfaces did not reach it.
        if (failed.code === null || failed.code === 701) failed = { code: event.errorCode, words: event.errorText };
      });
      peer.addEventListener("icecandidate", ({ candidate }) => {
        if (candidate?.type === "relay" || candidate?.type === "srflx") finish({ gave: candidate.type });
      });
      peer.addEventListener("icegatheringstatechange", () => {
        if (peer.iceGatheringState === "complete") finish(failed);
      });
      peer.createDataChannel("doctor");
      void peer
        .createOffer()
        .then((offer) => peer.setLocalDescription(offer))
        .catch((error: unknown) => {
          finish({ code: 400, words: error instanceof Error ? error.message : String(error) });
        });
    });
  }
}
