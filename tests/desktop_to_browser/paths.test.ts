// Behaviour: the picture arrives through networks that let hardly anything through, with coturn as the relay; and it is the
// relay that carries it, which the browser's own statistics say.

import { after, before, describe, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { Coturn, type Transport, type Users } from "./support/coturn.js";
import { Launcher } from "./support/launcher.js";
import { between, Network, noNetworks, tcp, udp, type Host } from "./support/netns.js";
import { assertWay } from "./support/path.js";

const desktop = ["xclock", "-update", "1"];
const PORT = 8080;

const USERS: [string, Users][] = [
  ["a static user", { user: "vdi", password: "p:a/s+s=word" }],
  ["a shared secret", { secret: "north wind & sun" }],
];

for (const [words, users] of USERS) {
  describe(`coturn with ${words}`, { skip: noNetworks() }, () => {
    let network: Network;
    let desk: Host;
    let relay: Host;
    let coturn: Coturn;
    let chromium: Chromium;

    before(async () => {
      network = new Network(["page", "desk", "relay"]);
      [desk, relay] = [network.host("desk"), network.host("relay")];
      coturn = await Coturn.start({ users, inside: relay });
      chromium = await Chromium.start({ inside: network.host("page"), flags: [coturn.certificate.trustFlag] });
    });

    after(async () => {
      await chromium.stop();
      await coturn.stop();
      network.remove();
    });

    for (const transport of ["udp", "tcp", "tls"] as Transport[]) {
      test(`over ${transport.toUpperCase()}, when the page reaches nothing else but its own server`, { timeout: 90_000 }, async () => {
        const [at, way] = [transport === "tls" ? coturn.tlsPort : coturn.port, transport === "udp" ? udp : tcp];
        network.allowOnly([...tcp(PORT, desk), ...way(at, relay), ...between(desk, relay)]);
        const flags = [...coturn.flags(transport), "--builtin-turn", "false", "--port", String(PORT), "--display-size", "640x480"];
        const launcher = await Launcher.start({ flags, desktop, inside: desk });
        const viewer = await chromium.open(launcher);
        await assertWay(viewer, { type: "relay", relayProtocol: transport, url: coturn.url(transport) });
        await viewer.close();
        await launcher.stop();
      });
    }

    test("alone, where the operator says so, though nothing is in the way", { timeout: 90_000 }, async () => {
      network.allowAll();
      const flags = [...coturn.flags("udp"), "--ice-transport-policy", "relay", "--display-size", "640x480"];
      const launcher = await Launcher.start({ flags, desktop, inside: desk });
      const viewer = await chromium.open(launcher);
      await assertWay(viewer, { type: "relay", relayProtocol: "udp", url: coturn.url("udp") });
      await viewer.close();
      await launcher.stop();
    });
  });
}
