// Behaviour: pages get the STUN and TURN servers that are configured, new credentials before the old ones end, and the direct
// paths that are to be offered, no others.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Coturn } from "./support/coturn.js";
import { Launcher } from "./support/launcher.js";
import { Network, noNetworks } from "./support/netns.js";
import { assertWay, goesOn } from "./support/path.js";
import { assertSamePeer, keepPeer } from "./support/peer.js";
import { until } from "./support/wait.js";

const desktop = ["xclock", "-update", "1"];
/** Nothing of the machine's own, and no relay of the launcher's. */
const FLAGS = ["--display-size", "640x480", "--builtin-turn", "false", "--rtc-config-json", "/nonexistent/rtc.json"];

/** The user names and passwords that the page's peer connection has now. */
function logins(viewer: Viewer): Promise<{ username: string; credential: string }[]> {
  return viewer.page.evaluate(() => {
    const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
    const servers = peer?.getConfiguration().iceServers ?? [];
    return servers.map(({ username = "", credential = "" }) => ({ username, credential })).filter(({ username }) => username !== "");
  });
}

/** The lines of the server's candidates, as they come to a page that is about to be opened. */
function candidatesOf(viewer: Viewer): string[] {
  const lines: string[] = [];
  viewer.page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const message = JSON.parse(String(payload)) as { type: string; candidate?: string };
      if (message.type === "ice" && message.candidate) lines.push(message.candidate);
    });
  });
  return lines;
}

const addressOf = (line: string): string => line.split(" ")[4] ?? "";
const portOf = (line: string): number => Number(line.split(" ")[5]);

describe("on this machine", () => {
  let chromium: Chromium;

  before(async () => {
    chromium = await Chromium.start();
  });

  after(async () => {
    await chromium.stop();
  });

  test("coturn with a shared secret carries pages that may use relays only, and they get new credentials while they run", async () => {
    const coturn = await Coturn.start({ users: { secret: "north star" }, port: 34_780, tlsPort: 53_490 });
    const flags = [...FLAGS, ...coturn.flags("udp"), "--ice-transport-policy", "relay", "--turn-credential-lifetime", "12"];
    const launcher = await Launcher.start({ flags, desktop });
    const viewer = await chromium.open(launcher);
    await assertWay(viewer, { type: "relay", relayProtocol: "udp", url: coturn.url("udp") });
    await viewer.page.evaluate(keepPeer);

    const first = await logins(viewer);
    assert.equal(first.length, 1);
    const renewed = await until("other credentials", 30_000, async () => {
      const now = await logins(viewer);
      return now[0]?.username !== first[0]?.username && now;
    });
    assert.equal(renewed.length, 1);
    const expiry = (login: { username: string } | undefined): number => Number(login?.username.split(":")[0]);
    assert.ok(expiry(renewed[0]) > expiry(first[0]), JSON.stringify([first, renewed]));
    await goesOn(viewer);
    await assertSamePeer(viewer);

    // Past the end of the first ones, which coturn would refuse.
    await until("the end of the first credentials", 30_000, () => Date.now() / 1000 > expiry(first[0]) + 1);
    const second = await chromium.open(launcher);
    await assertWay(second, { type: "relay", relayProtocol: "udp", url: coturn.url("udp") });
    await goesOn(viewer);

    const told = launcher.child.stderr + (await (await launcher.get("/status")).text());
    for (const secret of ["north star", ...[...first, ...renewed].map(({ credential }) => credential)]) {
      assert.equal(told.includes(secret), false, `${secret} is told`);
    }
    await second.close();
    await viewer.close();
    await launcher.stop();
    await coturn.stop();
  });

  test("candidates stay within the interfaces and the ports that are given, with IPv6 alone too", async () => {
    const flags = [...FLAGS, "--ice-interfaces", "::1", "--udp-port-range", "51000-51019"];
    const launcher = await Launcher.start({ flags, desktop });
    const viewer = await chromium.prepare(launcher);
    const lines = candidatesOf(viewer);
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    const way = await assertWay(viewer, { remoteAddress: "[::1]" });
    assert.ok(way.remotePort >= 51_000 && way.remotePort <= 51_019, JSON.stringify(way));
    assert.ok(lines.length > 0);
    for (const line of lines) {
      assert.equal(addressOf(line), "::1", line);
      // Port 9 stands for a connection that the server itself opens (RFC 6544, 4.5).
      const fits = portOf(line) >= 51_000 && portOf(line) <= 51_019;
      assert.ok(fits || line.includes("tcptype active"), line);
    }
    await viewer.close();
    await launcher.stop();
  });
});

describe("behind 1-to-1 NAT", { skip: noNetworks() }, () => {
  test("a page that reaches the public address only comes in by the announced candidate", { timeout: 90_000 }, async () => {
    const PUBLIC = "198.51.100.7";
    const network = new Network(["page", "desk"]);
    const desk = network.host("desk");
    // All ports of the public address are the desk's; else the page has the TCP port alone.
    network.router.nft(`table ip nat { chain in { type nat hook prerouting priority dstnat; ip daddr ${PUBLIC} dnat to ${desk.address}; } }
      table ip vdi { chain forward { type filter hook forward priority 0; policy drop;
        ct status dnat accept
        tcp dport 8080 accept
        tcp sport 8080 accept
      } }`);
    const chromium = await Chromium.start({ inside: network.host("page") });
    const flags = [...FLAGS, "--port", "8080", "--announced-address", PUBLIC, "--udp-port-range", "50000-50019"];
    const launcher = await Launcher.start({ flags, desktop, inside: desk });
    const viewer = await chromium.prepare(launcher);
    const lines = candidatesOf(viewer);
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    const way = await assertWay(viewer, { remoteAddress: PUBLIC });
    assert.ok(way.remotePort >= 50_000 && way.remotePort <= 50_019, JSON.stringify(way));
    const announced = lines.filter((line) => addressOf(line) === PUBLIC);
    assert.ok(announced.length > 0 && announced.every((line) => line.includes(` typ srflx raddr ${desk.address} rport ${portOf(line)}`)), lines.join("\n"));
    await viewer.close();
    await launcher.stop();
    await chromium.stop();
    network.remove();
  });
});
