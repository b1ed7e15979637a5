// Behaviour: every example runs as it stands, with the plugin that was built, and a consumer gets an offer from it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { WebSocketServer, type WebSocket } from "ws";
import { Chromium } from "./support/browser.js";
import { Child, listeningOn } from "./support/child.js";
import { built, root, targetFolder } from "./support/launcher.js";
import { HELLO, offerFrom, type Message } from "./support/signalling.js";
import { Hopeless, until } from "./support/wait.js";

const plugin = {
  GST_PLUGIN_PATH: dirname(built("libgstvdi.so")),
  // A registry of our own: no other run of GStreamer is disturbed, and no stale entry is believed.
  GST_REGISTRY: resolve(targetFolder, "examples-registry.bin"),
};

function assertH264(sdp: string): void {
  assert.match(sdp, /^m=video /m);
  assert.match(sdp, /a=rtpmap:\d+ H264\/90000/);
  assert.match(sdp, /playout-delay/);
  assert.match(sdp, /^m=application /m);
}

/** The one address on which a process listens. */
async function address(child: Child): Promise<string> {
  const [found] = await until(`${child.name} to listen`, 20_000, () => {
    if (child.ending) throw new Hopeless(`${child.name} has ended: ${child.stdout}\n${child.stderr}`);
    const list = listeningOn(child.pid);
    return list.length > 0 && list;
  });
  return `http://${found ?? ""}`;
}

/** What a browser shows of a page whose server asks for no password. */
async function assertBrowserSees(url: string): Promise<void> {
  const chromium = await Chromium.start();
  try {
    const viewer = await chromium.open({ url, user: "", password: "" });
    assert.ok((await viewer.shown()).colours > 1);
    await viewer.close();
  } finally {
    await chromium.stop();
  }
}

describe("examples/gst-launch.sh", () => {
  const script = resolve(root, "examples/gst-launch.sh");

  for (const line of ["pattern", "software"]) {
    test(line, async () => {
      const child = Child.start(script, [line], { env: { ...plugin, LISTEN: "127.0.0.1:0" } });
      try {
        assertH264(await offerFrom(await address(child)));
      } finally {
        await child.stop("SIGINT");
      }
    });
  }

  test("sound, in a browser", async () => {
    const child = Child.start(script, ["sound"], { env: { ...plugin, LISTEN: "127.0.0.1:0" } });
    try {
      const url = await address(child);
      const sdp = await offerFrom(url);
      assertH264(sdp);
      assert.match(sdp, /a=rtpmap:\d+ opus\/48000/i);
      await assertBrowserSees(url);
    } finally {
      await child.stop("SIGINT");
    }
  });

  test("desktop", async () => {
    const x = Child.start("Xvfb", ["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]);
    const [, number = ""] = await x.says(/^(\d+)$/m, 10_000);
    const child = Child.start(script, ["desktop"], { env: { ...plugin, LISTEN: "127.0.0.1:0", DISPLAY: `:${number}` } });
    try {
      assertH264(await offerFrom(await address(child)));
      await child.says(/last-message = .*\d/, 10_000);
    } finally {
      await child.stop("SIGINT");
      await x.stop();
    }
  });

  test("broker", async () => {
    const broker = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(broker, "listening");
    const { port } = broker.address() as { port: number };
    const heard: Message[] = [];
    let sink: WebSocket | undefined;
    broker.on("connection", (socket) => {
      sink = socket;
      socket.on("message", (data: Buffer) => heard.push(JSON.parse(data.toString("utf8")) as Message));
    });
    const child = Child.start(script, ["broker"], { env: { ...plugin, BROKER: `ws://127.0.0.1:${port}/` } });
    try {
      await until("the sink to register", 20_000, () => heard.find(({ type }) => type === "register"));
      assert.deepEqual(listeningOn(child.pid), []);
      sink?.send(JSON.stringify({ type: "registered" }));
      sink?.send(JSON.stringify({ type: "consumerAdded", consumer: "alice" }));
      sink?.send(JSON.stringify({ type: "consumer", consumer: "alice", message: HELLO }));
      const offer = await until("the offer for alice", 10_000, () =>
        heard.map((envelope) => envelope["message"] as Message | undefined).find((message) => message?.type === "offer"),
      );
      assertH264(String(offer["sdp"]));
    } finally {
      for (const client of broker.clients) client.terminate();
      broker.close();
      await child.stop("SIGINT");
    }
  });

  test("without an argument it says what there is", async () => {
    const child = Child.start(script, []);
    assert.equal((await child.ended).code, 2);
    assert.match(child.stderr, /pattern\|desktop\|sound/);
  });
});

describe("examples/python/pattern.py", () => {
  test("serves a browser, and hears its keyboard", async () => {
    const child = Child.start("/usr/bin/python3", [resolve(root, "examples/python/pattern.py"), "127.0.0.1:0"], { env: plugin });
    const chromium = await Chromium.start();
    try {
      const [, url = ""] = await child.says(/listening on (http:\S+)/, 20_000);
      await child.says(/^encoder \w+enc$/m, 10_000);
      const viewer = await chromium.open({ url, user: "", password: "" });
      const id = await viewer.consumer();
      await child.says(new RegExp(`^connected ${id}$`, "m"), 10_000);
      await viewer.page.keyboard.press("q");
      await child.says(new RegExp(`^${id} input .*"keysym":113`, "m"), 10_000);
      await until("the application's answer on the page", 10_000, async () => (await viewer.words()).includes("You pressed keysym 0x71"));
      await viewer.close();
      await child.says(new RegExp(`^removed ${id}: `, "m"), 20_000);
    } finally {
      await chromium.stop();
      await child.stop("SIGINT");
    }
  });
});

describe("examples/c/own_signalling.c", () => {
  const folder = resolve(targetFolder, "examples-c");

  before(() => {
    mkdirSync(folder, { recursive: true });
    execFileSync("make", ["-s", "-C", resolve(root, "examples/c"), `OUT=${folder}`], { timeout: 60_000 });
  });

  test("carries the signalling over its own standard input and output", async () => {
    const child = Child.start(resolve(folder, "own_signalling"), [], { env: plugin });
    child.stdin.write(`${JSON.stringify(HELLO)}\n`);
    await child.says(/^\{.*"type":"welcome".*\}$/m, 20_000);
    const [line] = await child.says(/^\{.*"type":"offer".*\}$/m, 10_000);
    assertH264(String((JSON.parse(line) as Message)["sdp"]));
    child.stdin.end();
    assert.deepEqual(await child.ended, { code: 0, signal: null });
    assert.match(child.stderr, /consumer stdin has left/);
  });
});

describe("examples/rust/own_server.rs", () => {
  let child: Child;

  before(() => {
    child = Child.start(built("examples/own_server"), ["127.0.0.1:0"], { env: { GST_REGISTRY: plugin.GST_REGISTRY } });
  });

  after(async () => {
    await child.stop("SIGINT");
  });

  test("serves page and signalling beside the application's own routes", async () => {
    const [, url = ""] = await child.says(/listening on (http:\S+)/, 20_000);
    assert.equal(await (await fetch(new URL("/greeting", url))).text(), "hello from the application");
    assertH264(await offerFrom(url));
    await assertBrowserSees(url);
    await child.says(/^consumer \S+ is here$/m, 5_000);
  });
});
