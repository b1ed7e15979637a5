// Behaviour: the same port serves the desktop through TLS without any configuration, with HTTP/2 for the page and a WebSocket
// beside it, and as well without TLS.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

let launcher: Launcher;
let chromium: Chromium;

before(async () => {
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xclock", "-update", "1"] });
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
});

test("page by HTTP/2, WebSocket and picture come through TLS on the one port", { timeout: 60_000 }, async () => {
  const url = launcher.url.replace("http://", "https://");
  const { user, password } = launcher;
  const viewer = await chromium.open({ url, user, password }, { ignoreHTTPSErrors: true });
  await until("the desktop to be shown", 10_000, async () => (await viewer.shown()).colours > 1);
  const seen = await viewer.page.evaluate(() => ({
    secure: isSecureContext,
    protocols: (["navigation", "resource"] as const)
      .flatMap((type) => performance.getEntriesByType(type) as PerformanceResourceTiming[])
      .filter(({ name }) => name.startsWith("https:"))
      .map(({ nextHopProtocol }) => nextHopProtocol),
  }));
  assert.equal(seen.secure, true);
  assert.ok(seen.protocols.length > 1, seen.protocols.join());
  assert.deepEqual([...new Set(seen.protocols)], ["h2"]);

  // The fingerprint that was printed is the one that the browser has met.
  const [, printed] = await launcher.child.says(/^Certificate \(SHA-256\): ([0-9A-F:]{95})$/m, 1_000);
  assert.equal((await launcher.status()).tls?.fingerprint, printed);

  const plain = await chromium.open(launcher);
  await launcher.statusWhere("both are connected", ({ consumers }) => consumers.filter(({ connected }) => connected).length === 2);
  await plain.close();
  await viewer.close();
});
