// Behaviour: a session survives what networks and people do to it: a WebSocket that is cut, a path that goes dead, another
// address, a laptop that sleeps, a second tab, and a browser that dies.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Chromium, type Server, type Viewer } from "./support/browser.js";
import { Cable } from "./support/cable.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { Network, noNetworks, type Host } from "./support/netns.js";
import { goesOn, wayOf } from "./support/path.js";
import { assertSamePeer, keepPeer } from "./support/peer.js";
import { delay, until } from "./support/wait.js";

/** Media comes back without a reload. It is to take less than 3 s, which the test tells; how busy a machine may be is not shown here. */
const BACK_MS = 12_000;
const SMALL = ["--display-size", "640x480"];

interface Page {
  vdi: { signalled: boolean; consumer: string | null; role: string | null; held: readonly number[] };
  shownAtMs: number[];
}

/** In the page: keeps when each frame of any of its videos was shown. */
function watchFrames(): void {
  const marks = globalThis as unknown as Page;
  marks.shownAtMs = [];
  const watched = new WeakSet<HTMLVideoElement>();
  const look = (): void => {
    for (const video of document.querySelectorAll("video")) {
      if (watched.has(video)) continue;
      watched.add(video);
      const next = (): void => {
        video.requestVideoFrameCallback(() => {
          marks.shownAtMs.push(performance.now());
          next();
        });
      };
      next();
    }
    setTimeout(look, 20);
  };
  look();
}

/** The longest time without a frame since `watchFrames`, in ms, up to the newest frame. */
function longestGap(viewer: Viewer): Promise<number> {
  return viewer.page.evaluate(() => {
    const { shownAtMs } = globalThis as unknown as Page;
    return shownAtMs.slice(1).reduce((most, at, index) => Math.max(most, at - (shownAtMs[index] ?? at)), 0);
  });
}

const signalled = (viewer: Viewer): Promise<boolean> => viewer.page.evaluate(() => (globalThis as unknown as Page).vdi.signalled);

/** Does what cuts the path, and waits for the picture to move again in the same page and session. */
async function assertComesBack(viewer: Viewer, launcher: Launcher, cut: () => void): Promise<number> {
  const consumer = await viewer.consumer();
  await viewer.page.evaluate(keepPeer);
  await viewer.page.evaluate(watchFrames);
  await goesOn(viewer);
  cut();
  await until("a second peer connection in the place of the first", 20_000, () =>
    viewer.page.evaluate(() => {
      const page = globalThis as unknown as { keptPeer?: unknown; vdi: { peer: unknown } };
      // A page that was reloaded would have kept nothing.
      return page.keptPeer !== undefined && page.vdi.peer !== page.keptPeer;
    }),
  );
  await goesOn(viewer);
  assert.equal(await viewer.consumer(), consumer, "the session is the same");
  await viewer.becomes("controller");
  await viewer.connected();
  const { consumers } = await launcher.statusWhere("one connected page", ({ consumers }) => consumers.length === 1 && consumers[0]?.connected === true);
  assert.equal(consumers[0]?.id, consumer);
  return longestGap(viewer);
}

/**
 * How many keys are down on a desktop in a namespace. Its X server is asked in there: outside, the socket of that name may
 * be another's.
 */
function keysDown(host: Host, env: Record<string, string>): number {
  const script = `
import ctypes
x = ctypes.CDLL("libX11.so.6")
x.XOpenDisplay.restype = ctypes.c_void_p
display = ctypes.c_void_p(x.XOpenDisplay(None))
keys = ctypes.create_string_buffer(32)
x.XQueryKeymap(display, keys)
print(sum(bin(byte).count("1") for byte in keys.raw))`;
  const variables = ["DISPLAY", "XAUTHORITY"].map((name) => `${name}=${env[name] ?? ""}`);
  return Number(host.run("env", ...variables, "/usr/bin/python3", "-c", script));
}

/** Open pages, so that a test that fails leaves none to the next. */
const opened: Viewer[] = [];

async function open(browser: Chromium, server: Server): Promise<Viewer> {
  const viewer = await browser.open(server);
  opened.push(viewer);
  return viewer;
}

afterEach(async () => {
  for (const viewer of opened.splice(0)) await viewer.close().catch(() => undefined);
});

describe("on one machine", () => {
  let launcher: Launcher;
  let chromium: Chromium;

  before(async () => {
    launcher = await Launcher.start({ flags: SMALL, desktop: scrolling("30x12+200+150") });
    chromium = await Chromium.start();
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
  });

  test("picture and input go on while the WebSocket is cut for 30 s, and it comes back by itself", { timeout: 120_000 }, async () => {
    const cable = await Cable.to(launcher.url);
    const display = await launcher.openDisplay();
    const viewer = await open(chromium, { url: cable.url, user: launcher.user, password: launcher.password });
    const consumer = await viewer.consumer();
    await viewer.page.evaluate(keepPeer);
    cable.cut();
    const cutAtMs = performance.now();
    await until("the page to notice", 5_000, async () => !(await signalled(viewer)));
    let told = false;
    while (performance.now() - cutAtMs < 30_000) {
      told ||= (await viewer.words()).includes("the page keeps trying");
      await goesOn(viewer, 5);
      assert.equal(await viewer.state(), "streaming");
      await viewer.page.keyboard.down("Shift");
      await until("the key to be down on the desktop", 5_000, async () => (await display.keysDown()).length > 0);
      await viewer.page.keyboard.up("Shift");
      await until("the key to be up on the desktop", 5_000, async () => (await display.keysDown()).length === 0);
      await delay(1_000);
    }
    assert.ok(cable.refused > 2, "the page goes on trying");
    assert.ok(told, "the user is told once, quietly");
    cable.mend();
    await until("the WebSocket to be back", 15_000, () => signalled(viewer));
    await goesOn(viewer);
    await assertSamePeer(viewer);
    const { consumers } = await launcher.status();
    assert.deepEqual(consumers.map(({ id }) => id), [consumer]);
    // What the server says by the new one reaches the page, and its end is a good-bye.
    await viewer.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0);
    display.close();
    await cable.remove();
  });

  test("a browser that slept for longer than the server waits has its picture and control again", { timeout: 120_000 }, async (t) => {
    const viewer = await open(chromium, launcher);
    const watcher = await Chromium.start();
    const other = await open(watcher, launcher);
    await viewer.becomes("controller");
    const consumer = await viewer.consumer();
    await chromium.stopped(
      (async () => {
        await launcher.statusWhere("the sleeper is gone", ({ consumers }) => consumers.length === 1, 20_000);
        await other.becomes("controller");
        await delay(5_000);
      })(),
    );
    const wokeAtMs = performance.now();
    await until("another session", 10_000, async () => (await viewer.consumer()) !== "" && (await viewer.consumer()) !== consumer);
    await viewer.connected();
    t.diagnostic(`the picture was back ${Math.round(performance.now() - wokeAtMs)} ms after waking`);
    await viewer.becomes("controller");
    await other.becomes("viewer");
    await goesOn(other);
    await other.close();
    await watcher.stop();
    await viewer.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  });

  test("a second tab takes over with a word to the first, which goes on watching and may have it back", { timeout: 60_000 }, async () => {
    const first = await open(chromium, launcher);
    await first.becomes("controller");
    const second = await first.another(launcher);
    await second.becomes("controller");
    await first.becomes("viewer");
    await until("the word", 5_000, async () => (await first.words()).includes("in another tab or window"));
    await goesOn(first);
    await first.screenshot("taken-over");
    await first.page.getByRole("button", { name: "Take control" }).click();
    await first.becomes("controller");
    await until("the word that it is back", 5_000, async () => (await first.words()).includes("You control this desktop now"));
    await second.becomes("viewer");
    await until("the word to the second", 5_000, async () => (await second.words()).includes("in another tab or window"));
    await goesOn(second);

    const stranger = await open(chromium, launcher);
    await stranger.becomes("viewer");
    // Another browser profile takes nothing.
    await first.becomes("controller");
    await stranger.close();
    await first.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  });

  test("a browser that is killed frees its place and its keys within seconds", { timeout: 60_000 }, async () => {
    const display = await launcher.openDisplay();
    const doomed = await Chromium.start();
    const viewer = await open(doomed, launcher);
    await viewer.becomes("controller");
    await viewer.page.keyboard.down("Shift");
    await until("the key to be down on the desktop", 5_000, async () => (await display.keysDown()).length > 0);
    doomed.kill();
    const heir = await open(chromium, launcher);
    await launcher.statusWhere("the dead one is gone", ({ consumers }) => consumers.length === 1, 12_000);
    await heir.becomes("controller");
    assert.deepEqual(await display.keysDown(), []);
    display.close();
    await heir.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  });
});

describe("in a network that changes", { skip: noNetworks() }, () => {
  let network: Network;
  let page: Host;
  let launcher: Launcher;
  let chromium: Chromium;

  before(async () => {
    network = new Network(["page", "desk"]);
    page = network.host("page");
    launcher = await Launcher.start({ flags: SMALL, desktop: scrolling("30x12+200+150"), inside: network.host("desk") });
    chromium = await Chromium.start({ inside: page });
  });

  after(async () => {
    await chromium.stop();
    await launcher.stop();
    network.remove();
  });

  test("media comes back by itself when the path of the media goes dead without a word", { timeout: 90_000 }, async (t) => {
    const viewer = await open(chromium, launcher);
    const { remotePort } = await wayOf(viewer);
    const gap = await assertComesBack(viewer, launcher, () => {
      const rules = ["type filter hook forward priority 0;", `udp sport ${remotePort} drop`, `udp dport ${remotePort} drop`];
      network.router.nft(`table inet vdi { chain forward {\n${rules.join("\n")}\n}\n}`);
    });
    t.diagnostic(`no frame for ${Math.round(gap)} ms`);
    assert.ok(gap < BACK_MS, `no frame for ${Math.round(gap)} ms`);
    network.allowAll();
    await viewer.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  });

  test("media comes back by itself when cable follows Wi-Fi, with another address, and the keys are as they are", { timeout: 90_000 }, async (t) => {
    const env = await launcher.desktopEnvironment();
    const down = (): number => keysDown(network.host("desk"), env);
    const viewer = await open(chromium, launcher);
    const [wifi] = page.links;
    const cable = network.link(page);
    await viewer.becomes("controller");
    await viewer.page.keyboard.down("Shift");
    await until("the key to be down on the desktop", 5_000, () => down() > 0);
    const gap = await assertComesBack(viewer, launcher, () => {
      wifi?.down();
      cable.up();
    });
    t.diagnostic(`no frame for ${Math.round(gap)} ms`);
    assert.ok(gap < BACK_MS, `no frame for ${Math.round(gap)} ms`);
    assert.equal(down(), 1, "what is held stays held");
    await viewer.page.keyboard.up("Shift");
    await until("the key to be up on the desktop", 5_000, () => down() === 0);
    await viewer.close();
    await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
  });
});
