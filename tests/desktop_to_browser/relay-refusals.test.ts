// Behaviour: the built-in relay is a way to this launcher's own media and to nothing else, and only for pages that are there.
//
// What it refuses, a relay without such rules (coturn, told to allow everything) does for the same page in the same
// network: so the tests see a refusal, and not a path that was never there.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import type { Child } from "./support/child.js";
import { Coturn, signed } from "./support/coturn.js";
import { Launcher } from "./support/launcher.js";
import { Network, noNetworks, type Host } from "./support/netns.js";
import { gather, serversOf } from "./support/path.js";
import { until } from "./support/wait.js";

const SECRET = "north wind & sun";
const METADATA = "169.254.169.254";
const LISTEN_PORT = 5555;
/** How long a browser may go on trying to reach an address; its checks begin within a tenth of that. */
const TRYING_MS = 3000;
/** The same where it is to succeed, which it does at once on a machine that has nothing else to do. */
const PATIENCE_MS = 15_000;
/** What a TURN server says of credentials that are worth nothing. */
const UNAUTHORIZED = 401;

describe("the built-in relay", { skip: noNetworks() }, () => {
  let network: Network;
  let desk: Host;
  let coturn: Coturn;
  let chromium: Chromium;
  let launcher: Launcher;
  let viewer: Viewer;
  let listeners: [string, Child][];

  before(async () => {
    network = new Network(["page", "desk", "relay"]);
    desk = network.host("desk");
    // Both hosts that have a relay have services that nobody may reach.
    const relay = network.host("relay");
    for (const host of [desk, relay]) host.run("ip", "address", "add", `${METADATA}/32`, "dev", "lo");
    const listen = async (host: Host, address: string): Promise<Child> => {
      const child = host.start(process.execPath, ["--import", "tsx", join(import.meta.dirname, "support/listener.ts"), address, String(LISTEN_PORT)]);
      await child.says(/^ready$/m, 20_000);
      return child;
    };
    const router = desk.links[0]?.gateway ?? "";
    listeners = [
      ["a service on the launcher's loopback", await listen(desk, "127.0.0.1")],
      ["a service on the launcher's address", await listen(desk, desk.address)],
      ["a metadata service", await listen(desk, METADATA)],
      ["another host", await listen(network.router, router)],
      ["a metadata service of the relay's host", await listen(relay, METADATA)],
    ];
    coturn = await Coturn.start({ users: { secret: SECRET }, inside: relay });
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xclock", "-update", "1"], inside: desk });
    chromium = await Chromium.start({ inside: network.host("page") });
    viewer = await chromium.open(launcher);
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
    await coturn.stop();
    for (const [, child] of listeners) await child.stop();
    network.remove();
  });

  /** The built-in server over TCP with the credentials of this page. */
  async function builtIn(of: Viewer): Promise<RTCIceServer> {
    const found = (await serversOf(of)).find(({ urls }) => [urls].flat().some((url) => url.endsWith("?transport=tcp")));
    assert.ok(found, "the page was told of no built-in server");
    return { ...found, urls: [found.urls].flat().filter((url) => url.startsWith("turn:") && url.endsWith("?transport=tcp")) };
  }

  /** Two peers in one page, each behind this relay alone: whether they reach one another. */
  function meet(server: RTCIceServer, limitMs = TRYING_MS): Promise<boolean> {
    return viewer.page.evaluate(
      async ([iceServer, triesMs]) => {
        const peers = [0, 1].map(() => new RTCPeerConnection({ iceServers: [iceServer], iceTransportPolicy: "relay" }));
        const [one, other] = peers as [RTCPeerConnection, RTCPeerConnection];
        one.addEventListener("icecandidate", ({ candidate }) => void other.addIceCandidate(candidate ?? undefined));
        other.addEventListener("icecandidate", ({ candidate }) => void one.addIceCandidate(candidate ?? undefined));
        const channel = one.createDataChannel("meet");
        const open = new Promise<boolean>((resolve) => { channel.addEventListener("open", () => { resolve(true); }); });
        const offer = await one.createOffer();
        await one.setLocalDescription(offer);
        await other.setRemoteDescription(offer);
        const answer = await other.createAnswer();
        await other.setLocalDescription(answer);
        await one.setRemoteDescription(answer);
        const met = await Promise.race([open, new Promise<boolean>((resolve) => setTimeout(() => { resolve(false); }, triesMs))]);
        for (const peer of peers) peer.close();
        return met;
      },
      [server, limitMs] as const,
    );
  }

  /** A peer behind this relay alone sends its checks to these addresses, as an SDP of somebody's own making tells it. */
  function aim(server: RTCIceServer, addresses: string[]): Promise<number> {
    return viewer.page.evaluate(
      async ([iceServer, targets, port, tryingMs]) => {
        const peer = new RTCPeerConnection({ iceServers: [iceServer], iceTransportPolicy: "relay" });
        let relays = 0;
        peer.addEventListener("icecandidate", ({ candidate }) => { relays += candidate?.candidate ? 1 : 0; });
        peer.createDataChannel("aim");
        const offer = await peer.createOffer();
        await peer.setLocalDescription(offer);
        const other = new RTCPeerConnection();
        await other.setRemoteDescription(offer);
        await peer.setRemoteDescription(await other.createAnswer());
        for (const [index, address] of targets.entries()) {
          await peer.addIceCandidate({ candidate: `candidate:${index} 1 udp ${2_000_000_000 - index} ${address} ${port} typ host`, sdpMLineIndex: 0 });
        }
        await new Promise((resolve) => setTimeout(resolve, tryingMs));
        peer.close();
        other.close();
        return relays;
      },
      [server, addresses, LISTEN_PORT, TRYING_MS] as const,
    );
  }

  test("does not relay between pages, which coturn does", { timeout: 60_000 }, async () => {
    assert.equal(await meet(coturn.iceServer("tcp"), PATIENCE_MS), true, "two pages do not even meet through coturn");
    assert.equal(await meet(await builtIn(viewer)), false);
  });

  test("reaches no service on loopback, no link-local or metadata address and no other host", { timeout: 60_000 }, async () => {
    const addresses = ["127.0.0.1", desk.address, METADATA, desk.links[0]?.gateway ?? ""];
    assert.equal(await aim(await builtIn(viewer), addresses), 1, "there was no relay to try it with");
    for (const [what, child] of listeners) assert.equal(child.stdout.includes("heard"), false, `${what} was reached: ${child.stdout}`);
    // The same page, the same addresses, and on another host a relay that does not care.
    const reach = async (): Promise<boolean> => {
      await aim(coturn.iceServer("tcp"), addresses);
      const reached = listeners.filter(([, child]) => child.stdout.includes("heard")).map(([what]) => what);
      assert.deepEqual(reached, ["a service on the launcher's address", "another host", "a metadata service of the relay's host"]);
      return true;
    };
    await until("coturn to reach what it is told to", PATIENCE_MS, reach);
  });

  test("lets a page gather with its own credentials and refuses forged ones", { timeout: 60_000 }, async () => {
    const server = await builtIn(viewer);
    assert.equal((await gather(viewer.page, server)).relays.length, 1);
    const [expiry = "", consumer = ""] = (server.username ?? "").split(":");
    const forged: [string, Partial<RTCIceServer>][] = [
      ["another password", { credential: "bm90IHRoZSBwYXNzd29yZCBhdCBhbGw=" }],
      ["a later expiry", { username: `${Number(expiry) + 3600}:${consumer}` }],
      ["another consumer", { username: `${expiry}:c999` }],
      ["a secret of their own", signed(SECRET, Number(expiry), consumer)],
    ];
    for (const [what, change] of forged) {
      const { relays, errors } = await gather(viewer.page, { ...server, ...change });
      assert.deepEqual(relays, [], what);
      assert.deepEqual([...new Set(errors.map(({ code }) => code))], [UNAUTHORIZED], what);
    }
  });

  test("refuses the credentials of a session that is over", { timeout: 60_000 }, async () => {
    const guest = await chromium.open(launcher);
    const server = await builtIn(guest);
    assert.equal((await gather(viewer.page, server)).relays.length, 1, "they were never good");
    await guest.close();
    await launcher.statusWhere("one page is left", ({ consumers }) => consumers.length === 1, 20_000);
    const { relays, errors } = await gather(viewer.page, server);
    assert.deepEqual(relays, []);
    assert.ok(errors.some(({ code }) => code === UNAUTHORIZED), JSON.stringify(errors));
  });

  test("coturn refuses expired credentials to the same browser", { timeout: 60_000 }, async () => {
    assert.equal((await gather(viewer.page, coturn.iceServer("tcp"))).relays.length, 1);
    const { relays, errors } = await gather(viewer.page, coturn.iceServer("tcp", -10));
    assert.deepEqual(relays, []);
    assert.ok(errors.some(({ code }) => code === UNAUTHORIZED), JSON.stringify(errors));
  });

  test("and the session that streams is none the worse for it", { timeout: 60_000 }, async () => {
    await until("more frames", 20_000, async () => (await viewer.inbound("video")).framesDecoded > 10);
    assert.equal(await viewer.state(), "streaming");
  });
});
