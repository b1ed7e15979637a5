// Shell: a standard WHEP player on a page of another site.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import type { Chromium } from "./browser.js";
import type { Launcher } from "./launcher.js";

/** What any WHEP player does (draft-ietf-wish-whep), and no more. */
const PLAYER = `<!doctype html><title>player</title><video autoplay muted playsinline></video><script type="module">
  const fragment = (peer, candidates) => {
    const [, head] = /(a=ice-ufrag:.*\\r\\na=ice-pwd:.*\\r\\n)/.exec(peer.localDescription.sdp);
    return head + "m=video 9 RTP/AVP 0\\r\\na=mid:0\\r\\n" + candidates.map((one) => "a=" + one + "\\r\\n").join("");
  };
  globalThis.play = async (endpoint, token, { sound = false } = {}) => {
    const peer = new RTCPeerConnection();
    globalThis.peer = peer;
    const candidates = [];
    const gathered = new Promise((resolve) => {
      peer.onicecandidate = ({ candidate }) => (candidate?.candidate ? candidates.push(candidate.candidate) : resolve());
    });
    if (sound) peer.addTransceiver("audio", { direction: "recvonly" });
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track }) => {
      if (track.kind === "video") document.querySelector("video").srcObject = new MediaStream([track]);
    };
    await peer.setLocalDescription();
    const authorization = "Bearer " + token;
    const headers = { "content-type": "application/sdp", authorization };
    const response = await fetch(endpoint, { method: "POST", headers, body: peer.localDescription.sdp });
    const text = await response.text();
    if (response.status !== 201) return { status: response.status, text };
    const session = new URL(response.headers.get("location"), endpoint).href;
    globalThis.leave = async () => {
      const { status } = await fetch(session, { method: "DELETE", headers: { authorization } });
      peer.close();
      return status;
    };
    await peer.setRemoteDescription({ type: "answer", sdp: text });
    await gathered;
    const patched = await fetch(session, {
      method: "PATCH",
      headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": response.headers.get("etag"), authorization },
      body: fragment(peer, candidates),
    });
    return { status: 201, text, patched: patched.status, session, link: response.headers.get("link") };
  };
  globalThis.decoded = async () => {
    for (const one of (await peer.getStats()).values()) if (one.type === "inbound-rtp" && one.kind === "video") return one.framesDecoded;
    return 0;
  };
</script>`;

export interface Played {
  status: number;
  text: string;
  patched?: number;
  session?: string;
  link?: string | null;
}

interface Player {
  play: (endpoint: string, token: string, options?: { sound?: boolean }) => Promise<Played>;
  leave: () => Promise<number>;
  decoded: () => Promise<number>;
}

/** A page of another site with a player in it. */
export class WhepPlayer {
  private constructor(
    readonly page: Page,
    readonly close: () => Promise<void>,
  ) {}

  static async open(chromium: Chromium): Promise<WhepPlayer> {
    const site = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(PLAYER));
    await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
    const viewer = await chromium.prepare({ url: "", user: "", password: "" });
    await viewer.page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    return new WhepPlayer(viewer.page, async () => {
      await viewer.close();
      site.close();
    });
  }

  play(launcher: Launcher, token: string, sound = false): Promise<Played> {
    const endpoint = new URL("/whep", launcher.url).href;
    return this.page.evaluate(([endpoint, token, sound]) => (globalThis as unknown as Player).play(endpoint, token, { sound }), [endpoint, token, sound] as const);
  }

  decoded(): Promise<number> {
    return this.page.evaluate(() => (globalThis as unknown as Player).decoded());
  }

  leave(): Promise<number> {
    return this.page.evaluate(() => (globalThis as unknown as Player).leave());
  }
}
