// Behaviour: everything that the page shows besides the desktop, on a phone, a screen and a very large one, dark and light:
// without a finding of axe-core, worked by keys alone, small to load, and installable. A screenshot of each is kept.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const desktop = ["xclock", "-update", "1"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Compressed, everything that an English browser loads before the desktop is there. */
const FIRST_LOAD_BYTES = 150_000;

const SIZES = { phone: { width: 390, height: 844 }, screen: { width: 1280, height: 720 }, "4k": { width: 3840, height: 2160 } };

interface Finding {
  id: string;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** What axe-core complains of in what is on the screen now. */
async function complaints(viewer: Viewer): Promise<string[]> {
  await viewer.page.evaluate(AXE);
  const found = await viewer.page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (of: Document, options: object) => Promise<{ violations: Finding[] }> } };
    // What moves while it appears is looked at when it stands.
    await Promise.all(document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished));
    return (await axe.run(document, { resultTypes: ["violations"] })).violations;
  });
  return found.flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html}: ${failureSummary ?? ""}`));
}

async function look(viewer: Viewer, name: string): Promise<void> {
  const found: string[] = [];
  for (const colorScheme of ["dark", "light"] as const) {
    await viewer.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await viewer.screenshot(`${name}-${colorScheme}`);
    found.push(...(await complaints(viewer)).map((one) => `${colorScheme}: ${one}`));
  }
  assert.deepEqual(found, []);
}

describe("what the page shows besides the desktop", { timeout: 300_000 }, () => {
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

  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`is accessible on a ${size}: desktop, each part of the panel, doctor`, async () => {
      const viewer = await chromium.open(launcher, { viewport });
      await viewer.becomes("controller", 15_000);
      await look(viewer, `panel-closed-${size}`);
      await viewer.page.keyboard.press("Control+Shift+M");
      for (const tab of ["tabSession", "tabPeople", "tabStatistics", "tabSettings", "tabShare"]) {
        await viewer.page.click(`#${tab}`);
        if (tab === "tabStatistics") {
          await until("the graphs to have two seconds", 15_000, () =>
            viewer.page.evaluate(() => document.querySelector("#partStatistics [data-series=bitrateOverTime] .line")?.getAttribute("d")?.includes("L")),
          );
        }
        await look(viewer, `panel-${tab}-${size}`);
        const cut = await viewer.page.evaluate(() => {
          const { left, right, top, bottom } = document.querySelector("#panel")?.getBoundingClientRect() ?? new DOMRect(-1);
          return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
        });
        assert.equal(cut, false, "the panel is on the screen");
      }
      await viewer.page.click("#tabSession");
      await viewer.page.click("#openDoctor");
      await until("the doctor to have looked", 45_000, () =>
        viewer.page.evaluate(() => (document.querySelector<HTMLElement>("#doctor")?.dataset["state"] ?? "looking") !== "looking"),
      );
      await look(viewer, `panel-doctor-${size}`);
      await viewer.close();
    });
  }

  test("fits on a phone in every language: nothing is cut, and the last button can be reached", async () => {
    const viewer = await chromium.open(launcher, { viewport: { width: 375, height: 667 }, touch: true });
    const { page } = viewer;
    await viewer.becomes("controller", 15_000);
    await page.click("#handle");
    await until("the figures of latency", 15_000, () => page.isVisible('[data-part="table"]'));
    for (const language of ["en", "de", "es", "fr", "ja", "zh"]) {
      await page.click("#tabSettings");
      await page.selectOption("#language", language);
      await until(language, 10_000, () => page.evaluate((wanted) => document.documentElement.lang.startsWith(wanted), language));
      for (const tab of ["tabSession", "tabPeople", "tabSettings", "tabShare"]) {
        await page.click(`#${tab}`);
        const wrong = await page.evaluate(() => {
          const cut = [...document.querySelectorAll<HTMLElement>("#panel *:not(header, select)")].filter((one) => one.offsetParent && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1);
          const rows = new Set([...document.querySelectorAll<HTMLElement>("#panel [role=tab]")].map(({ offsetTop }) => offsetTop));
          return [...cut.map(({ innerText }) => innerText), ...(rows.size === 1 ? [] : ["tabs in two rows"])];
        });
        assert.deepEqual(wrong, [], `${language}, ${tab}`);
      }
      await page.click("#tabSession");
      const last = await page.evaluate(() => {
        const part = document.querySelector("#partSession");
        part?.scrollTo(0, part.scrollHeight);
        return [...document.querySelectorAll("#partSession button, #partSession summary")].at(-1)?.getBoundingClientRect().bottom ?? Infinity;
      });
      assert.ok(last <= 667 - 12, `${language}: the last one ends at ${last}`);
      await viewer.screenshot(`panel-phone-${language}`);
    }
    await viewer.close();
  });

  test("is accessible where there is no desktop: the curtain", async () => {
    const viewer = await chromium.prepare(launcher);
    // A page whose server lets nobody in.
    await viewer.page.routeWebSocket(/\/ws$/, (socket) => {
      socket.onMessage(() => {
        socket.send(JSON.stringify({ type: "error", code: "tooManyConsumers", message: "16 is the limit" }));
      });
    });
    await viewer.page.goto(launcher.url);
    await until("the curtain to say it", 15_000, async () => (await viewer.words()).includes("The desktop is full"));
    await look(viewer, "curtain");
    await viewer.close();
  });

  test("is worked by keys alone: the panel, the full screen, and back to the desktop", async () => {
    const viewer = await chromium.open(launcher);
    const { page } = viewer;
    await viewer.becomes("controller", 15_000);
    const focused = (): Promise<string | undefined> => page.evaluate(() => document.activeElement?.id);
    assert.equal(await focused(), "keys");
    await page.keyboard.press("Control+Shift+M");
    await page.keyboard.press("Tab");
    for (const [key, tab] of [["ArrowRight", "tabPeople"], ["ArrowRight", "tabSettings"], ["ArrowRight", "tabStatistics"], ["Home", "tabSession"], ["End", "tabShare"]] as const) {
      await page.keyboard.press(key);
      assert.equal(await focused(), tab);
    }
    await page.keyboard.press("Escape");
    assert.equal(await focused(), "keys", "keys go to the desktop again");
    const full = (): Promise<boolean> => page.evaluate(() => document.fullscreenElement !== null);
    await page.keyboard.press("Control+Shift+F");
    await until("full screen", 10_000, full);
    await page.keyboard.press("Control+Shift+F");
    await until("no full screen", 10_000, async () => !(await full()));
    await viewer.close();
  });

  test("is small: what is loaded before the desktop is there", async () => {
    const viewer = await chromium.open(launcher);
    const names = await viewer.page.evaluate(() => [location.href, ...performance.getEntriesByType("resource").map(({ name }) => name)]);
    const sizes = await Promise.all(
      [...new Set(names)].map(async (name) => {
        const answer = await launcher.get(new URL(name).pathname);
        return [name, gzipSync(Buffer.from(await answer.arrayBuffer())).length] as const;
      }),
    );
    const sum = sizes.reduce((bytes, [, size]) => bytes + size, 0);
    assert.ok(sum > 20_000 && sum < FIRST_LOAD_BYTES, `${sum} bytes: ${JSON.stringify(sizes)}`);
    assert.equal(names.filter((name) => name.includes("statistics")).length, 0, "graphs are loaded by those who look at them");
    await viewer.close();
  });

  test("can be installed as an application", async () => {
    const viewer = await chromium.open(launcher);
    const client = await viewer.page.context().newCDPSession(viewer.page);
    const { errors, data } = await client.send("Page.getAppManifest");
    assert.deepEqual(errors, []);
    const { icons } = JSON.parse(data ?? "{}") as { icons: { src: string; type: string; sizes: string }[] };
    for (const { src, type, sizes } of icons) {
      const answer = await launcher.get(`/${src.replace("./", "")}`);
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, type]);
      if (type !== "image/png") continue;
      const png = Buffer.from(await answer.arrayBuffer());
      assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes);
    }
    const { installabilityErrors } = await client.send("Page.getInstallabilityErrors");
    // The profiles of tests are private windows, in which nothing is installed.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
    await viewer.close();
  });
});
