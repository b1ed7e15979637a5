// Behaviour: a session from its start to its end, as `/status`, the page and the process tell it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { listeningOn } from "./support/child.js";
import { Launcher } from "./support/launcher.js";
import { delay, until } from "./support/wait.js";

let chromium: Chromium;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

const desktop = ["xclock", "-update", "1"];

describe("a running session", () => {
  let launcher: Launcher;

  before(async () => {
    launcher = await Launcher.start({ flags: ["--display-size", "800x600"], desktop });
  });

  after(async () => {
    if (!launcher.child.ending) await launcher.stop();
  });

  test("listens on the one port that it names", () => {
    assert.deepEqual(listeningOn(launcher.pid).map((address) => address.split(":")[1]), [new URL(launcher.url).port]);
  });

  test("its password is generated, long, and in no argument or log line", async () => {
    assert.match(launcher.password, /^\S{12,}$/);
    assert.equal(launcher.child.stderr.includes(launcher.password), false);
    assert.equal((await launcher.get("/status")).status, 200);
  });

  test("/status tells each step: ready, streaming, input, ready again", async () => {
    const ready = await launcher.status();
    assert.equal(ready.phase, "Ready");
    assert.equal(ready.reason, null);
    assert.deepEqual(ready.consumers, []);
    assert.equal(ready.lastInputSecondsAgo, null);
    assert.match(ready.display ?? "", /^:\d+/);

    const viewer = await chromium.open(launcher);
    const streaming = await launcher.statusWhere("one connected consumer", ({ consumers }) => consumers.length === 1 && consumers[0]?.connected === true);
    assert.equal(streaming.phase, "Streaming");
    const told = streaming.consumers.map(({ id, role, connected }) => ({ id, role, connected }));
    assert.deepEqual(told, [{ id: await viewer.consumer(), role: "controller", connected: true }]);
    assert.match(streaming.encoder?.name ?? "", /enc$/);
    assert.ok((streaming.encoder?.targetBitrateBps ?? 0) > 0);
    assert.equal(streaming.lastInputSecondsAgo, null);

    await viewer.page.keyboard.press("a");
    const acted = await launcher.statusWhere("there was input", ({ lastInputSecondsAgo }) => lastInputSecondsAgo !== null);
    assert.ok((acted.lastInputSecondsAgo ?? Infinity) < 10);

    const second = await chromium.open(launcher);
    const both = await launcher.statusWhere("two consumers", ({ consumers }) => consumers.length === 2);
    assert.deepEqual(both.consumers.map(({ role }) => role).sort(), ["controller", "viewer"]);
    await second.close();

    await viewer.close();
    await launcher.statusWhere("ready, and nobody watches", ({ phase, consumers }) => phase === "Ready" && consumers.length === 0, 20_000);
  });

  test("a reload is connected again within two seconds", async () => {
    const viewer = await chromium.open(launcher);
    // The seat of the browser before it is kept for a moment, since that might be reloading too.
    await viewer.becomes("controller");
    const took: number[] = [];
    for (let reload = 0; reload < 5; reload++) {
      const consumer = await viewer.consumer();
      await viewer.page.reload();
      took.push(await viewer.firstFrameMs());
      assert.notEqual(await viewer.consumer(), consumer);
      await viewer.becomes("controller");
    }
    // One that waits for a timer does so each time; a machine with other work to do, now and then.
    assert.ok(Math.min(...took) < 2000, `the first frame came after ${took.join(", ")} ms`);
    await viewer.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  });

  test("Prometheus reads the metrics", async () => {
    const text = await (await launcher.get("/metrics")).text();
    assert.match(text, /^# TYPE \w+ \w+$/m);
    assert.match(text, /consumers\S* 0$/m);
  });

  test("probes need no password, everything else does", async () => {
    for (const path of ["/healthz", "/readyz"]) assert.equal((await launcher.get(path, {})).status, 200, path);
    for (const path of ["/", "/status", "/metrics", "/ws"]) {
      const response = await launcher.get(path, {});
      assert.equal(response.status, 401, path);
      assert.match(response.headers.get("www-authenticate") ?? "", /^Basic /);
    }
  });

  test("the page says why the session ends, in its language, and the process ends cleanly", async () => {
    const viewer = await chromium.open(launcher, { locale: "de-DE" });
    await launcher.stop();
    await until("the page to notice", 10_000, async () => (await viewer.state()) === "ended");
    // In its language, and nothing of the server's own.
    assert.match(await viewer.words(), /Die Sitzung ist beendet\s+Sie wurde auf dem Server beendet\./);
    assert.doesNotMatch(await viewer.words(), /session was stopped/);
    await viewer.screenshot("ended");
    await viewer.close();
  });
});

test("a wrong password is refused, in the browser and in bulk", async () => {
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop });
  const stranger = await chromium.prepare(launcher, { password: "not it" });
  const response = await stranger.page.goto(launcher.url).catch(() => null);
  assert.ok(response === null || response.status() === 401, `the page came with ${response?.status() ?? 0}`);
  await stranger.close();

  const statuses: number[] = [];
  for (let attempt = 0; attempt < 30; attempt++) {
    const guess = Buffer.from(`${launcher.user}:guess${attempt}`).toString("base64");
    statuses.push((await launcher.get("/", { authorization: `Basic ${guess}` })).status);
  }
  assert.deepEqual([...new Set(statuses)].sort(), [401, 429], `attempts are not limited: ${statuses.join(" ")}`);
  await launcher.stop();
});

test("SIGINT ends a session like SIGTERM does, also while pages are being connected", async () => {
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop });
  const viewer = await chromium.prepare(launcher);
  const loading = viewer.page.goto(launcher.url).catch(() => null);
  await delay(200);
  await launcher.stop("SIGINT");
  await loading;
  await viewer.close();
});
