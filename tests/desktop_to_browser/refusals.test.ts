// Behaviour: what is wrong is refused with words that help, and does the session no harm.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { fdCount, threadCount } from "./support/child.js";
import { Launcher } from "./support/launcher.js";
import { HELLO, Signalling } from "./support/signalling.js";
import { until, within } from "./support/wait.js";

const desktop = ["xclock", "-update", "1"];

describe("signalling", () => {
  let launcher: Launcher;
  let headers: Record<string, string>;

  before(async () => {
    launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop });
    headers = { authorization: launcher.authorization };
  });

  after(async () => {
    await launcher.stop();
  });

  /** The session is as it was: a new consumer gets its offer. */
  async function assertUnharmed(): Promise<void> {
    const consumer = await Signalling.open(launcher.url, headers);
    consumer.send(HELLO);
    const offer = await consumer.next("offer");
    assert.match(String(offer["sdp"]), /a=rtpmap:\d+ H264\/90000/);
    consumer.close();
    await launcher.statusWhere("nobody is left", ({ consumers }) => consumers.length === 0, 20_000);
  }

  const wrong: [string, string | object, string][] = [
    ["no JSON", "{", "malformedMessage"],
    ["an unknown type", { type: "dance" }, "malformedMessage"],
    ["a missing field", { type: "hello" }, "malformedMessage"],
    ["a version from the future", { type: "hello", version: 999 }, "unsupportedVersion"],
    ["an answer before the hello", { type: "answer", sdp: "v=0\r\n" }, "unexpectedMessage"],
  ];
  for (const [what, message, code] of wrong) {
    test(`${what} is answered with ${code}`, async () => {
      const consumer = await Signalling.open(launcher.url, headers);
      consumer.send(message);
      const error = await consumer.next("error");
      assert.equal(error["code"], code);
      assert.ok(String(error["message"]).length > 10);
      consumer.close();
      await assertUnharmed();
    });
  }

  const afterOffer: [string, object, string][] = [
    ["an answer that is no SDP", { type: "answer", sdp: "nonsense" }, "badSdp"],
    ["an answer without media", { type: "answer", sdp: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" }, "badSdp"],
    ["a second hello", HELLO, "unexpectedMessage"],
    ["a candidate that is none", { type: "ice", candidate: "candidate:nonsense", sdpMLineIndex: 0 }, "badCandidate"],
  ];
  for (const [what, message, code] of afterOffer) {
    test(`${what} is answered with ${code}`, async () => {
      const consumer = await Signalling.open(launcher.url, headers);
      consumer.send(HELLO);
      await consumer.next("offer");
      consumer.send(message);
      assert.equal((await consumer.next("error"))["code"], code);
      consumer.close();
      await assertUnharmed();
    });
  }

  test("an oversized message ends its sender and nobody else", async () => {
    const consumer = await Signalling.open(launcher.url, headers);
    consumer.send({ type: "answer", sdp: "x".repeat(1_000_000) });
    await until("an error or the end", 10_000, () => consumer.closed || consumer.messages.some(({ type }) => type === "error"));
    consumer.close();
    await assertUnharmed();
  });

  test("a sender of rubbish without end is cut off", async () => {
    const consumer = await Signalling.open(launcher.url, headers);
    for (let count = 0; count < 100; count++) consumer.send("{");
    await consumer.untilClosed();
    await assertUnharmed();
  });

  test("binary rubbish is refused", async () => {
    const consumer = await Signalling.open(launcher.url, headers);
    consumer.sendBinary(Buffer.from([0, 255, 1, 254]));
    await until("an error or the end", 10_000, () => consumer.closed || consumer.messages.some(({ type }) => type === "error"));
    consumer.close();
    await assertUnharmed();
  });

  test("a consumer that never answers is told so and removed", { timeout: 60_000 }, async () => {
    const consumer = await Signalling.open(launcher.url, headers);
    consumer.send(HELLO);
    await consumer.next("offer");
    await launcher.statusWhere("it is there", ({ consumers }) => consumers.length === 1 && consumers[0]?.connected === false);
    assert.equal((await consumer.next("error", 30_000))["code"], "timeout");
    await consumer.untilClosed();
    await assertUnharmed();
  });

  test("a page of another site cannot open the WebSocket", async () => {
    await assert.rejects(Signalling.open(launcher.url, { ...headers, origin: "https://evil.example" }), /403/);
    const own = await Signalling.open(launcher.url, { ...headers, origin: launcher.url.replace(/\/$/, "") });
    own.close();
  });

  test("no password, no WebSocket", async () => {
    await assert.rejects(Signalling.open(launcher.url), /401/);
  });

  test("50 consumers that come and go leave no thread and no file descriptor behind", { timeout: 120_000 }, async () => {
    await assertUnharmed();
    const before = { threads: threadCount(launcher.pid), fds: fdCount(launcher.pid) };
    for (let round = 0; round < 50; round++) {
      const consumer = await Signalling.open(launcher.url, headers);
      consumer.send(HELLO);
      await consumer.next("offer");
      consumer.close();
    }
    await launcher.statusWhere("nobody is left", ({ consumers }) => consumers.length === 0, 30_000);
    await until("threads and file descriptors to be back", 20_000, () => {
      const now = { threads: threadCount(launcher.pid), fds: fdCount(launcher.pid) };
      assert.ok(now.threads <= before.threads + 4 && now.fds <= before.fds + 4, `before ${JSON.stringify(before)}, now ${JSON.stringify(now)}`);
      return true;
    });
  });
});

describe("a launcher that cannot do its work says why, in words, with an exit code of its own", () => {
  async function fails(flags: string[], env: Record<string, string | undefined>, command: string[]): Promise<{ code: number | null; text: string }> {
    const child = Launcher.spawn({ flags, env, desktop: command });
    const { code } = await within("the launcher to give up", 40_000, child.ended).finally(() => { child.signal("SIGKILL"); });
    return { code, text: child.stdout + child.stderr };
  }

  test("unknown encoder", async () => {
    const { code, text } = await fails([], { SELKIES_ENCODER: "x266enc" }, desktop);
    assert.equal(code, 2);
    assert.match(text, /CONFIG_INVALID/);
    assert.match(text, /x266enc/);
    assert.match(text, /x264enc/, "what is accepted is not named");
  });

  test("unreachable display", async () => {
    const { code, text } = await fails([], { DISPLAY: ":4711" }, []);
    assert.equal(code, 12);
    assert.match(text, /DISPLAY_UNAVAILABLE/);
    assert.match(text, /:4711/);
  });

  test("port taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    try {
      const { code, text } = await fails(["--addr", "127.0.0.1"], { SELKIES_PORT: String(port) }, desktop);
      assert.equal(code, 14);
      assert.match(text, /PORT_UNAVAILABLE/);
      assert.ok(text.includes(String(port)));
    } finally {
      taken.close();
    }
  });

  test("a desktop that does not exist", async () => {
    const { code, text } = await fails([], {}, ["/nonexistent/desktop"]);
    assert.equal(code, 13);
    assert.match(text, /DESKTOP_FAILED/);
    assert.match(text, /nonexistent/);
  });

  test("hardware required on a machine without any", { skip: hasGpu() && "this machine has a GPU" }, async () => {
    const { code, text } = await fails(["--encoder-policy", "require-hardware"], {}, desktop);
    assert.equal(code, 10);
    assert.match(text, /GPU_INIT_ERROR/);
  });
});

function hasGpu(): boolean {
  return existsSync("/dev/nvidia0") || existsSync("/dev/dri/renderD128");
}
