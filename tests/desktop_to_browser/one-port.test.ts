// Behaviour: a page that reaches one TCP port of the launcher and nothing else gets its media through it, without any
// configuration; so does one behind a forwarded port, and what else knocks at that port does it no harm.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Server } from "./support/browser.js";
import { certificateFor, type Certificate } from "./support/certificate.js";
import { forwarder } from "./support/door.js";
import { Launcher } from "./support/launcher.js";
import { Network, noNetworks, tcp, udp, type Host } from "./support/netns.js";
import { assertWay, gatherAllFirst, goesOn, relayOnly } from "./support/path.js";
import { until } from "./support/wait.js";

const PORT = 8080;
const UDP_PORT = 3478;
const NOISE = 200;

describe("one TCP port", { skip: noNetworks() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "vdi-one-port-"));
  let network: Network;
  let page: Host;
  let desk: Host;
  let certificate: Certificate;
  let chromium: Chromium;
  let launcher: Launcher;
  /** The same launcher at another address. */
  const at = (url: string): Server => ({ url, user: launcher.user, password: launcher.password });

  before(async () => {
    network = new Network(["page", "desk"]);
    [page, desk] = [network.host("page"), network.host("desk")];
    certificate = certificateFor(desk.address, folder);
    const tls = ["--https-cert", certificate.certFile, "--https-key", certificate.keyFile];
    const flags = ["--port", String(PORT), "--builtin-turn-port", String(UDP_PORT), "--display-size", "640x480", ...tls];
    launcher = await Launcher.start({ flags, desktop: ["xclock", "-update", "1"], inside: desk });
    chromium = await Chromium.start({ inside: page, flags: [certificate.trustFlag] });
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
    network.remove();
    rmSync(folder, { recursive: true });
  });

  test("carries page, signalling and media when everything else is dropped", { timeout: 60_000 }, async () => {
    network.allowOnly(tcp(PORT, desk));
    const viewer = await chromium.open(launcher);
    await assertWay(viewer, { type: "relay", relayProtocol: "tcp", url: `turn:${desk.address}:${PORT}?transport=tcp` });
    await viewer.close();
  });

  test("carries them through TLS as well", { timeout: 60_000 }, async () => {
    network.allowOnly(tcp(PORT, desk));
    const secure = at(`https://${desk.address}:${PORT}/`);
    const viewer = await chromium.prepare(secure);
    await relayOnly(viewer, /^turns:/);
    await viewer.page.goto(secure.url);
    await viewer.connected();
    await assertWay(viewer, { type: "relay", relayProtocol: "tls", url: `turns:${desk.address}:${PORT}?transport=tcp` });
    await viewer.close();
  });

  test("is enough behind a forwarded port of another number, as with ssh -L", { timeout: 60_000 }, async () => {
    network.allowOnly(tcp(PORT, desk));
    const forwarding = await forwarder(page, "127.0.0.1:9000", `${desk.address}:${PORT}`);
    const viewer = await chromium.open(at("http://localhost:9000/"));
    await assertWay(viewer, { type: "relay", relayProtocol: "tcp", url: "turn:localhost:9000?transport=tcp" });
    await viewer.close();
    await forwarding.stop();
  });

  test("UDP to the relay is preferred where it gets through", { timeout: 60_000 }, async () => {
    network.allowOnly([...tcp(PORT, desk), ...udp(UDP_PORT, desk)]);
    const viewer = await chromium.prepare(launcher);
    await gatherAllFirst(viewer);
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    // The browser begins with what works first, and goes over to what is better.
    const url = `turn:${desk.address}:${UDP_PORT}?transport=udp`;
    await until("media by UDP", 15_000, () => assertWay(viewer, { type: "relay", relayProtocol: "udp", url }));
    await viewer.close();
  });

  test("no relay is used where nothing is in the way", { timeout: 60_000 }, async () => {
    network.allowAll();
    const viewer = await chromium.open(launcher);
    await assertWay(viewer, { relayProtocol: "", protocol: "udp", remoteAddress: desk.address });
    await viewer.close();
  });

  test(`${NOISE} half-open and garbage connections do a page that streams no harm, and let another in`, { timeout: 90_000 }, async () => {
    network.allowOnly(tcp(PORT, desk));
    const viewer = await chromium.open(launcher);
    const consumer = await viewer.consumer();
    const noise = page.start(process.execPath, ["--import", "tsx", join(import.meta.dirname, "support/noise.ts"), desk.address, String(PORT), String(NOISE)]);
    await noise.says(new RegExp(`^opened ${NOISE}$`, "m"), 30_000);
    await goesOn(viewer, 20, 60_000);
    const second = await chromium.open(launcher);
    await assertWay(second, { type: "relay", relayProtocol: "tcp" });
    await assertWay(viewer, { type: "relay", relayProtocol: "tcp" });
    assert.equal(await viewer.consumer(), consumer, "the first page had to begin anew");
    await noise.stop("SIGTERM");
    await second.close();
    await viewer.close();
  });
});
