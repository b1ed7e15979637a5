// Behaviour: an encoder that fails under a page that is being watched is replaced, and the page goes on. The GPU is the
// simulated driver's; GStreamer's NVENC elements, the launcher and the browser are the real ones.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import { SimulatedDriver } from "./support/driver.js";
import { Launcher } from "./support/launcher.js";
import { assertSamePeer, keepPeer } from "./support/peer.js";
import { until, within } from "./support/wait.js";

/** Text that scrolls, so that there are frames to encode. */
const desktop = scrolling("100x30+0+0");

/** Neither a busy machine nor its latency may limit anything here, and only a real stall may look like one. */
const flags = ["--display-size", "640x480", "--max-cpu", "0", "--max-latency", "0", "--stall-timeout", "1000"];

const FIRST = "nvautogpuh264enc";

let chromium: Chromium;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

// What happens, in the driver's words; who takes over, and the cause that everybody is told.
const failures: [string, string, string, RegExp][] = [
  ["an encoder that is killed by an error", "encode=20", "x264enc", /^encode-error$/],
  ["an encoder that stops answering", "hang-encode=forever", "x264enc", /^time-out$/],
  ["a device that is lost", "lost", "x264enc", /^(no-device|encode-error)$/],
];

for (const [what, words, next, cause] of failures) {
  describe(what, () => {
    let driver: SimulatedDriver;
    let launcher: Launcher;
    let viewer: Viewer;

    before(async () => {
      driver = new SimulatedDriver();
      launcher = await Launcher.start({ flags, desktop, env: driver.env });
      viewer = await chromium.open(launcher);
    });

    after(async () => {
      await viewer.close();
      // It ends by itself and leaves nothing behind, also with a thread that a driver holds for ever.
      await launcher.stop();
      driver.remove();
    });

    test("is replaced while the same peer goes on, and everybody is told", async () => {
      const before = (await launcher.status()).encoder;
      assert.deepEqual([before?.name, before?.hardware, before?.switches], [FIRST, true, 0]);
      await viewer.page.evaluate(keepPeer);
      const consumer = await viewer.consumer();
      const { keyFramesDecoded } = await viewer.inbound("video");

      driver.fault(words);
      const { encoder, phase } = await launcher.statusWhere("another encoder", ({ encoder }) => encoder?.switches === 1, 30_000);
      assert.equal(phase, "Streaming");
      assert.equal(encoder?.name, next);
      assert.deepEqual([encoder.lastSwitch?.from, encoder.lastSwitch?.to], [FIRST, next]);
      assert.match(encoder.lastSwitch?.cause ?? "", cause);
      assert.match(encoder.lastSwitch?.message ?? "", new RegExp(`${FIRST}.*${next}`));

      const { framesDecoded } = await viewer.inbound("video");
      await until("the picture to go on, from a key frame", 20_000, async () => {
        const now = await viewer.inbound("video");
        assert.ok(now.keyFramesDecoded > keyFramesDecoded, "no key frame came");
        assert.ok(now.framesDecoded >= framesDecoded + 30, `${now.framesDecoded - framesDecoded} more frames`);
        return true;
      });
      assert.equal(await viewer.state(), "streaming");
      assert.equal(await viewer.consumer(), consumer);
      await assertSamePeer(viewer);

      await until("the page to name the switch", 10_000, async () => {
        assert.match(await viewer.words(), new RegExp(`${FIRST}.*${next}`));
        return true;
      });
      const metrics = await (await launcher.get("/metrics")).text();
      assert.match(metrics, new RegExp(`^vdi_encoder_switches_total\\{cause="${encoder.lastSwitch?.cause}"\\} 1$`, "m"));
      await viewer.screenshot(`failover-${words.replace(/[^a-z].*/, "")}`);
    });
  });
}

test("three failures in a row end the session with its reason, and nothing hangs", async () => {
  // Proofs take fewer frames, so each encoder is proven and none of the GPU's lives to its sixtieth.
  const driver = new SimulatedDriver("encode=20@60");
  const launcher = await Launcher.start({ flags, desktop, env: driver.env });
  const viewer = await chromium.prepare(launcher);
  await viewer.page.goto(launcher.url, { timeout: 15_000 });

  const { code } = await within("the launcher to end by itself", 60_000, launcher.child.ended);
  assert.equal(code, 11, `it should say ENCODER_UNAVAILABLE:\n${launcher.child.stderr}`);
  assert.match(launcher.child.stderr, /ENCODER_UNAVAILABLE/);
  await until("the page to say why", 10_000, async () => {
    assert.equal(await viewer.state(), "failed", await viewer.words());
    assert.match(await viewer.words(), /ENCODER_UNAVAILABLE/);
    return true;
  });
  await viewer.close();
  driver.remove();
});
