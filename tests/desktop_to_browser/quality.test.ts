// Behaviour: what limits the picture's quality is seen on the page, and acts on nothing but the picture; every codec that
// a browser decodes arrives in it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { goesOn } from "./support/path.js";
import { until } from "./support/wait.js";
import type { Display } from "./support/x11.js";

/** Text that scrolls without end: a picture that needs bits. */
const crowded = ["xterm", "-geometry", "200x60+0+0", "-e", "sh", "-c", 'i=0; while :; do i=$((i+1)); echo "$i: the quick brown fox jumps over the lazy dog, again and again"; sleep 0.05; done'];

interface Page {
  quality: { reason: string; encoder: string; width: number; height: number; maxFramerate: number } | null;
  display: { width: number; height: number } | null;
  media: { codec: string } | null;
}

const page = (viewer: Viewer): Promise<Page> =>
  viewer.page.evaluate(() => {
    const { quality, display, media } = (globalThis as unknown as { vdi: Page }).vdi;
    return { quality, display, media };
  });

const part = (viewer: Viewer, name: string): Promise<string | null> => viewer.page.textContent(`#panel [data-part="${name}"]`);

let chromium: Chromium;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

describe("with fewer bits than the picture needs", () => {
  let launcher: Launcher;
  let viewer: Viewer;
  let display: Display;

  before(async () => {
    // What moves gives up resolution first.
    const flags = ["--min-bitrate", "100", "--max-bitrate", "300", "--content-hint", "motion"];
    launcher = await Launcher.start({ flags: ["--display-size", "1280x720", ...flags], desktop: crowded });
    display = await launcher.openDisplay();
    viewer = await chromium.open(launcher);
  });

  after(async () => {
    display.close();
    await launcher.stop();
  });

  test("the picture gets smaller, and page and status say why", async () => {
    const { encoder } = await launcher.statusWhere(
      "limited by bandwidth, and smaller",
      ({ encoder }) => encoder?.qualityLimitationReason === "bandwidth" && encoder.frameWidth > 0 && encoder.frameWidth < 1280,
      30_000,
    );
    assert.ok(encoder);
    assert.deepEqual([encoder.sourceWidth, encoder.sourceHeight], [1280, 720]);
    assert.ok(encoder.targetBitrateBps <= 300_000, `the operator's bound is passed: ${encoder.targetBitrateBps}`);
    await until("the page to know, and to show the smaller picture", 10_000, async () => {
      const { quality, display } = await page(viewer);
      const { frameWidth, frameHeight } = await viewer.inbound("video");
      assert.equal(quality?.reason, "bandwidth");
      assert.deepEqual([quality.width, quality.height], [frameWidth, frameHeight]);
      assert.ok(frameWidth < 1280);
      assert.deepEqual(display, { width: 1280, height: 720 });
      return true;
    });
    await until("the panel to say so", 5_000, async () => {
      assert.equal(await part(viewer, "qualityLabel"), "Limited by");
      assert.match((await part(viewer, "quality")) ?? "", /^bandwidth, for /);
      assert.match((await part(viewer, "encoder")) ?? "", /^H\.264 · /);
      assert.match((await part(viewer, "picture")) ?? "", / of 1280 × 720$/);
      return true;
    });
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.screenshot("limited");
    await viewer.page.keyboard.press("Control+Shift+M");
    assert.match(await (await launcher.get("/metrics")).text(), /^vdi_quality_limitation\{reason="bandwidth"\} 1$/m);
    // A limit that lasts.
    await until("the log to say so", 5_000, () => /quality is limited by bandwidth: \d+x\d+/.test(launcher.child.stderr));
  });

  test("the pointer arrives at the pixel of the desktop that was clicked", async () => {
    for (const [x, y] of [[640, 360], [17, 23], [1260, 31], [1255, 703]] as const) {
      const place = await viewer.page.evaluate(
        ([x, y]) => {
          const video = document.querySelector("video");
          const box = video?.getBoundingClientRect();
          if (!box) throw new Error("no video");
          // The page has the shape of the desktop, so that there are no bars.
          return { x: box.left + ((x + 0.5) * box.width) / 1280, y: box.top + ((y + 0.5) * box.height) / 720 };
        },
        [x, y] as const,
      );
      await viewer.page.mouse.move(place.x, place.y);
      await viewer.page.mouse.down();
      await until(`the button to be down at ${x},${y}`, 5_000, async () => {
        const pointer = await display.pointer();
        assert.deepEqual(pointer.buttons, [1]);
        // An even size is not exactly of the desktop's shape.
        assert.ok(Math.abs(pointer.x - x) <= 2 && Math.abs(pointer.y - y) <= 2, JSON.stringify(pointer));
        return true;
      });
      await viewer.page.mouse.up();
      await until("the button to be up again", 5_000, async () => (await display.pointer()).buttons.length === 0);
    }
  });
});

describe("every codec", () => {
  for (const [codec, name] of [["vp8", "VP8"], ["vp9", "VP9"], ["av1", "AV1"]] as const) {
    test(`${name} is decoded, shown and named`, async () => {
      const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--codec", codec], desktop: scrolling("60x20+40+40") });
      const viewer = await chromium.open(launcher);
      const { encoder } = await launcher.status();
      assert.equal(encoder?.codec, name);
      await until("the picture", 10_000, async () => {
        const shown = await viewer.shown();
        assert.deepEqual([shown.width, shown.height], [640, 480]);
        assert.ok(shown.colours > 1, "the picture is one colour");
        return true;
      });
      assert.equal((await page(viewer)).media?.codec, name);
      await goesOn(viewer, 30);
      await viewer.close();
      await launcher.stop();
    });
  }
});

test("that no GPU encodes is said once in a tab, however often it is reloaded", async (t) => {
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xclock"] });
  const viewer = await chromium.open(launcher);
  const said = (): Promise<boolean> => viewer.page.evaluate(() => document.getElementById("notices")?.innerText.includes("No GPU encoder works") ?? false);
  if ((await launcher.status()).encoder?.hardware) t.skip("this machine has a GPU");
  else {
    await until("the notice", 5_000, said);
    await viewer.page.reload();
    await viewer.connected();
    // Told before the quality, so that it would be there by now.
    await until("the page to be told of the encoder", 5_000, async () => (await page(viewer)).quality !== null);
    assert.equal(await said(), false);
    const other = await chromium.open(launcher);
    await until("the notice in another tab", 5_000, () => other.page.evaluate(() => document.getElementById("notices")?.innerText.includes("No GPU encoder works") ?? false));
    await other.close();
  }
  await viewer.close();
  await launcher.stop();
});
