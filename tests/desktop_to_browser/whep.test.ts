// Behaviour: a standard WHEP player on a page of another site watches with the viewers' token, only watches, and leaves its place
// when it says so.

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { Chromium } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

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

interface Played {
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

const TOKEN = "watch-only";

let launcher: Launcher;
let chromium: Chromium;
let site: Server;
let page: Page;
let close: () => Promise<void>;

before(async () => {
  launcher = await Launcher.start({
    flags: ["--display-size", "640x480", "--max-consumers", "1"],
    desktop: ["xclock", "-update", "1"],
    env: { SELKIES_VIEWER_TOKEN: TOKEN },
  });
  chromium = await Chromium.start();
  site = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(PLAYER));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const viewer = await chromium.prepare({ url: "", user: "", password: "" });
  page = viewer.page;
  close = () => viewer.close();
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
});

after(async () => {
  await close();
  await chromium.stop();
  site.close();
  await launcher.stop();
});

const play = (token: string, sound = false): Promise<Played> =>
  page.evaluate(([endpoint, token, sound]) => (globalThis as unknown as Player).play(endpoint, token, { sound }), [
    new URL("/whep", launcher.url).href,
    token,
    sound,
  ] as const);

const decoded = (): Promise<number> => page.evaluate(() => (globalThis as unknown as Player).decoded());

const leave = (): Promise<number> => page.evaluate(() => (globalThis as unknown as Player).leave());

test("a wrong token is refused with words that the player may read", { timeout: 30_000 }, async () => {
  const refused = await play("guess");
  assert.equal(refused.status, 401);
  assert.notEqual(refused.text, "");
});

for (const sound of [false, true]) {
  test(`a player of another site ${sound ? "that would take sound too " : ""}watches, controls nothing, and frees its place`, { timeout: 60_000 }, async () => {
    const played = await play(TOKEN, sound);
    assert.equal(played.status, 201, played.text);
    assert.equal(played.patched, 204);
    assert.match(played.text, /a=candidate:/);
    await until("frames to be shown", 20_000, async () => (await decoded()) >= 10);
    const { consumers } = await launcher.statusWhere("it is connected", ({ consumers }) => consumers[0]?.connected === true);
    assert.deepEqual(consumers.map(({ role }) => role), ["viewer"]);
    assert.match(consumers[0]?.id ?? "", /^whep-/);
    assert.equal((await launcher.status()).phase, "Streaming");

    const second = await play(TOKEN);
    assert.equal(second.status, 503, "there is one place");
    assert.equal(await page.evaluate((url) => fetch(url, { method: "DELETE", headers: { authorization: "Bearer guess" } }).then(({ status }) => status), played.session ?? ""), 401);
    assert.equal(await page.evaluate(([url, token]) => fetch(`${url}0`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status), [played.session ?? "", TOKEN] as const), 404);
    assert.equal(await leave(), 200);
    await launcher.statusWhere("nobody is left", ({ consumers }) => consumers.length === 0, 20_000);
  });
}
