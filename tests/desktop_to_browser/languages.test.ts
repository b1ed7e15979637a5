// Behaviour: the page speaks the browser's language, or the one that was chosen in it, and loads no other's words.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const desktop = ["xclock", "-update", "1"];

describe("the page's language", { timeout: 120_000 }, () => {
  let chromium: Chromium;
  let launcher: Launcher;

  before(async () => {
    chromium = await Chromium.start();
    launcher = await Launcher.start({ flags: ["--display-size", "800x600"], desktop });
  });

  after(async () => {
    await launcher.stop();
    await chromium.stop();
  });

  /** The languages whose words were loaded besides English, which is part of the page. */
  const loaded = (viewer: Viewer): Promise<string[]> =>
    viewer.page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => /assets\/(de|es|fr|ja|zh)-/.exec(name)?.[1])
        .filter((name) => name !== undefined),
    );

  const spoken = (viewer: Viewer, lang: string, word: string): Promise<true> =>
    until(`the panel to speak ${lang}`, 15_000, async () => {
      const shown = await viewer.page.evaluate(() => `${document.documentElement.lang}: ${document.querySelector("#panel")?.textContent ?? ""}`);
      if (!shown.startsWith(`${lang}: `) || !shown.includes(word)) throw new Error(shown);
      return true;
    });

  test("is English where the browser's is none of the six, with nothing else loaded", async () => {
    const viewer = await chromium.open(launcher, { locale: "pt-BR" });
    await viewer.page.keyboard.press("Control+Shift+M");
    await spoken(viewer, "en", "Full screen");
    assert.deepEqual(await loaded(viewer), []);
    await viewer.close();
  });

  for (const [locale, lang, word, figures] of [
    ["de-AT", "de", "Vollbild", /\d,\d\sMbit|\d kbit/],
    ["fr-CA", "fr", "Plein écran", /bit\/s/],
    ["es-419", "es", "Pantalla completa", /bit\/s/],
    ["zh-CN", "zh-Hans", "全屏", /帧\/秒/],
    ["ja-JP", "ja", "全画面表示", /fps/],
  ] as const) {
    test(`is ${lang} in a browser of ${locale}, in its numbers too`, async () => {
      const viewer = await chromium.open(launcher, { locale });
      await viewer.page.keyboard.press("Control+Shift+M");
      await spoken(viewer, lang, word);
      assert.deepEqual(await loaded(viewer), [lang.slice(0, 2)]);
      await until("figures in the panel", 10_000, async () => figures.test(await viewer.words()));
      await viewer.screenshot(`language-${lang}`);
      await viewer.close();
    });
  }

  test("is the one that is chosen in the panel from then on, without a new connection, and after a reload", async () => {
    const viewer = await chromium.open(launcher, { locale: "de-DE" });
    const consumer = await viewer.consumer();
    await viewer.page.keyboard.press("Control+Shift+M");
    await spoken(viewer, "de", "Browser: Deutsch");
    await viewer.page.click("#tabSettings");
    await viewer.page.selectOption("#language", "ja");
    await spoken(viewer, "ja", "全画面表示");
    assert.equal(await viewer.consumer(), consumer);
    await viewer.page.reload();
    await viewer.connected();
    await spoken(viewer, "ja", "全画面表示");
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.page.click("#tabSettings");
    await viewer.page.selectOption("#language", "");
    await spoken(viewer, "de", "Vollbild");
    await viewer.close();
  });
});
