// Behaviour: a page that floods harms only itself. Whatever it says past what a page would, what the others do arrives, and it has
// to go.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const COUNT = 40_000;

/** Says so much on a channel, as fast as the browser sends, until that is closed. Returns how often it has. */
function flood(viewer: Viewer, label: string, message: object): Promise<number> {
  return viewer.page.evaluate(
    async ([name, text, count]) => {
      const { channels } = globalThis as unknown as { channels: Record<string, RTCDataChannel | undefined> };
      const channel = channels[name];
      if (!channel) throw new Error(`no channel ${name}`);
      const open = (): boolean => channel.readyState === "open";
      let said = 0;
      while (said < count && open()) {
        for (let at = 0; at < 1000; at++, said++) channel.send(text);
        // What is left in a channel that was closed stays there.
        while (channel.bufferedAmount > 1_000_000 && open()) await new Promise((resolve) => setTimeout(resolve));
      }
      return said;
    },
    [label, JSON.stringify(message), COUNT] as const,
  );
}

describe("a page that floods", { timeout: 180_000 }, () => {
  let folder: string;
  let chromium: Chromium;
  let launcher: Launcher;
  let anna: Viewer;
  let bert: Viewer;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "vdi-flood-"));
    chromium = await Chromium.start();
    launcher = await Launcher.start({
      flags: ["--display-size", "800x600", "--control-policy", "ask"],
      desktop: ["xterm", "-geometry", "80x24+0+0"],
      env: { SELKIES_ENABLE_RESIZE: "true" },
    });
    anna = await chromium.open(launcher, { viewport: { width: 800, height: 600 } });
    await anna.becomes("controller", 15_000);
    bert = await chromium.open(launcher);
    await bert.becomes("viewer");
  });

  after(async () => {
    await launcher.stop();
    await chromium.stop();
    rmSync(folder, { recursive: true });
  });

  const floods: [string, string, object][] = [
    ["what everybody is told of", "control", { type: "name", name: "x".repeat(40) }],
    ["the clipboard", "clipboard", { type: "offer", id: 1, selection: "clipboard", items: [{ mime: "text/plain", bytes: 1 }] }],
    ["what cannot be read", "control", { type: "nonsense" }],
  ];
  for (const [index, [what, channel, message]] of floods.entries()) {
    test(`with ${what} has to go, and nothing of the others is lost`, async () => {
      const mallory = await chromium.open(launcher);
      await mallory.becomes("viewer");
      const carl = await chromium.open(launcher);
      await carl.becomes("viewer");
      const file = join(folder, String(index));
      const width = 700 + 16 * index;

      const said = flood(mallory, channel, message);
      said.catch(() => undefined);
      await bert.page.click("#takeControl");
      await carl.close();
      await anna.page.setViewportSize({ width, height: 500 });
      // Keys go where the pointer is.
      await anna.page.mouse.move(200, 100);
      await anna.page.focus("#keys");
      await anna.page.keyboard.type(`echo all of it > ${file}`);
      await anna.page.keyboard.press("Enter");

      await anna.page.waitForSelector("#asked:not([hidden])");
      await anna.page.click('#asked [data-part="keep"]');
      await until("bert to be told", 10_000, async () => (await bert.words()).includes("You do not get control now."));
      await until("what was typed to be there", 10_000, () => existsSync(file) && readFileSync(file, "utf8") === "all of it\n");
      await launcher.statusWhere("the desktop has followed", ({ screen }) => screen.monitors[0]?.width === width);
      await until("the flood to be ended", 20_000, async () => (await mallory.state()) === "ended");
      assert.match(await mallory.words(), /The session has ended .*sent more than the server takes/);
      await launcher.logged(index === 2 ? /a page has gone .*too many malformed messages/ : /a page has gone .*too many messages/);
      assert.ok((await said) >= 1000);
      await mallory.close();
      await launcher.statusWhere("who has left is gone", ({ consumers }) => consumers.length === 2);
      await anna.becomes("controller");
      assert.doesNotMatch(launcher.words, /an event is lost/);
    });
  }

  test("is counted, and warned of once", async () => {
    const text = await (await launcher.get("/metrics")).text();
    const [, dropped = "0"] = /^vdi_dropped_messages_total (\d+)$/m.exec(text) ?? [];
    assert.ok(Number(dropped) >= 2000, dropped);
    const warned = launcher.words.split("\n").filter((line) => line.includes("a page says more than is heard"));
    const pages = warned.map((line) => /page[^"]*"([^"]+)"/.exec(line)?.[1]);
    assert.ok(pages.length >= 2 && !pages.includes(undefined), warned.join("\n"));
    assert.equal(new Set(pages).size, pages.length, "each page once");
  });
});
