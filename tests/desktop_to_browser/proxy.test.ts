// Behaviour: behind a reverse proxy that takes a prefix off the path, as Jupyter, Coder and Traefik do, the page finds its files and
// its WebSocket beside itself, and the WebSocket outlives the proxy's limit on idle ones.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { Proxy } from "./support/proxy.js";
import { delay, until } from "./support/wait.js";

/** A little more than the server's pings are apart; proxies out there allow a minute. */
const IDLE_MS = 25_000;

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

test("page, WebSocket and picture work under a path of a proxy, for longer than it lets a WebSocket idle", { timeout: 120_000 }, async () => {
  const proxy = await Proxy.start(launcher.url, {
    prefix: "/user/jo/desk/",
    idleMs: IDLE_MS,
    headers: ({ headers }) => ({ "x-forwarded-host": headers.host ?? "", "x-forwarded-proto": "http" }),
  });
  try {
    const viewer = await chromium.open({ url: proxy.url, user: launcher.user, password: launcher.password });
    const opened = performance.now();
    assert.equal(new URL(viewer.page.url()).pathname, "/user/jo/desk/");
    await until("the desktop to be shown", 10_000, async () => (await viewer.shown()).colours > 1);
    assert.deepEqual(proxy.astray.filter((path) => path !== "/favicon.ico"), [], "nothing is asked for beside the prefix");
    const status = await fetch(new URL("status", proxy.url), { headers: { authorization: launcher.authorization } });
    assert.equal(status.status, 200);

    await delay(Math.max(0, opened + IDLE_MS + 3_000 - performance.now()));
    assert.deepEqual([proxy.opened, proxy.cut], [1, 0], "the first WebSocket is still there");
    assert.equal(await viewer.state(), "streaming");
    await viewer.close();
  } finally {
    await proxy.stop();
  }
});
