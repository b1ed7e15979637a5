// Behaviour: the settings in the panel: the controller's reach the encoder, between the operator's bounds; every page shows
// what holds; who only watches sets nothing, whatever it sends; what is the page's own is kept in the browser.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

/** What moves all the time, so that there are frames to count. */
const desktop = ["xclock", "-update", "1"];

interface Shown {
  bitrate: string;
  framerate: string;
  contentHint: string;
  disabled: boolean;
}

const part = (name: string): string => `#partSettings [data-part="${name}"]`;

async function openSettings(viewer: Viewer): Promise<void> {
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#tabSettings");
  await viewer.page.waitForSelector(`${part("ofSession")}:not([hidden])`);
}

function shown(viewer: Viewer): Promise<Shown> {
  return viewer.page.evaluate(() => {
    const part = (name: string): Element => {
      const found = document.querySelector(`#partSettings [data-part="${name}"]`);
      if (!found) throw new Error(name);
      return found;
    };
    return {
      bitrate: part("bitrateText").textContent,
      framerate: (part("framerate") as HTMLSelectElement).value,
      contentHint: (part("contentHint") as HTMLSelectElement).value,
      disabled: (part("ofSession") as HTMLFieldSetElement).disabled,
    };
  });
}

async function shows(viewer: Viewer, expected: Partial<Shown>): Promise<void> {
  await until(`the settings ${JSON.stringify(expected)}`, 10_000, async () => {
    const now = await shown(viewer);
    for (const [name, value] of Object.entries(expected)) if (now[name as keyof Shown] !== value) throw new Error(JSON.stringify(now));
    return true;
  });
}

/** Puts the slider somewhere, as a hand does. */
async function slide(viewer: Viewer, place: number): Promise<void> {
  await viewer.page.locator(part("bitrate")).fill(String(place));
}

/** Sends what no page of ours would, as somebody with the browser's console can. */
async function send(viewer: Viewer, message: object): Promise<void> {
  await viewer.page.evaluate((text) => {
    (globalThis as unknown as { sneak: (text: string) => void }).sneak(text);
  }, JSON.stringify(message));
}

/** Keeps the page's channel `control` for `send`. */
const KEEP_CHANNEL = `{
  const listen = RTCPeerConnection.prototype.addEventListener;
  RTCPeerConnection.prototype.addEventListener = function (type, listener, ...rest) {
    if (type === "datachannel") listen.call(this, type, ({ channel }) => {
      if (channel.label === "control") globalThis.sneak = (text) => channel.send(text);
    });
    return listen.call(this, type, listener, ...rest);
  };
}`;

describe("the settings", { timeout: 180_000 }, () => {
  let chromium: Chromium;
  let launcher: Launcher;

  before(async () => {
    chromium = await Chromium.start();
    const flags = ["--display-size", "800x600", "--framerate", "30", "--video-bitrate", "4000", "--min-bitrate", "1000", "--max-bitrate", "9000"];
    launcher = await Launcher.start({ flags: [...flags, "--congestion-control", "none", "--max-cpu", "0", "--max-latency", "0"], desktop });
  });

  after(async () => {
    await launcher.stop();
    await chromium.stop();
  });

  const encoderHas = (what: string, bitrateBps: number, maxFramerate: number | null): Promise<unknown> =>
    launcher.statusWhere(what, ({ encoder }) => encoder?.targetBitrateBps === bitrateBps && encoder.maxFramerate === maxFramerate);

  test("of the controller reach the encoder, and every page shows them", async () => {
    const controller = await chromium.open(launcher);
    await controller.becomes("controller");
    const viewer = await chromium.open(launcher);
    await viewer.becomes("viewer");
    await openSettings(controller);
    await openSettings(viewer);
    const begun = { bitrate: "4.0 Mbit/s", framerate: "30", contentHint: "auto" };
    await shows(controller, { ...begun, disabled: false });
    await shows(viewer, { ...begun, disabled: true });

    await controller.page.selectOption(part("framerate"), "15");
    await controller.page.selectOption(part("contentHint"), "text");
    await slide(controller, 0);
    for (const page of [controller, viewer]) await shows(page, { bitrate: "1.0 Mbit/s", framerate: "15", contentHint: "text" });
    await encoderHas("the encoder at its lowest", 1_000_000, 15);
    await slide(controller, 100);
    for (const page of [controller, viewer]) await shows(page, { bitrate: "9.0 Mbit/s" });
    await encoderHas("the encoder at its highest", 9_000_000, 15);
    await controller.screenshot("settings-controller");

    await controller.page.click(part("toDefaults"));
    for (const page of [controller, viewer]) await shows(page, begun);
    await encoderHas("the encoder as at the start", 4_000_000, null);
    await viewer.close();
    await controller.close();
  });

  test("beyond the operator's bounds are not to be had, and those of a viewer are none", async () => {
    const controller = await chromium.prepare(launcher);
    const viewer = await chromium.prepare(launcher);
    for (const [page, role] of [[controller, "controller"], [viewer, "viewer"]] as const) {
      await page.page.addInitScript(KEEP_CHANNEL);
      await page.page.goto(launcher.url);
      await page.connected();
      await page.becomes(role, 15_000);
      await openSettings(page);
    }
    await send(controller, { type: "settings", bitrateBps: 900_000_000, framerate: 240 });
    await shows(controller, { bitrate: "9.0 Mbit/s", framerate: "30" });
    await send(controller, { type: "settings", bitrateBps: 1, framerate: 0 });
    await shows(controller, { bitrate: "1.0 Mbit/s", framerate: "1" });
    await encoderHas("the encoder at the bounds", 1_000_000, 1);
    await send(viewer, { type: "settings", bitrateBps: 9_000_000, framerate: 30, contentHint: "motion" });
    // What the controller sets after it comes after it.
    await send(controller, { type: "settings", framerate: 20 });
    for (const page of [controller, viewer]) await shows(page, { bitrate: "1.0 Mbit/s", framerate: "20", contentHint: "auto" });
    await viewer.close();
    await controller.close();
  });

  test("of the page alone last beyond a reload, and go with the defaults", async () => {
    const viewer = await chromium.open(launcher);
    await openSettings(viewer);
    const background = (): Promise<string> => viewer.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await viewer.page.emulateMedia({ colorScheme: "dark" });
    const dark = await background();
    await viewer.page.selectOption(part("theme"), "light");
    await until("the light page", 5_000, async () => (await background()) !== dark);
    await viewer.page.locator(part("volume")).fill("40");
    await viewer.screenshot("settings-light");
    await viewer.page.reload();
    await viewer.connected();
    assert.notEqual(await background(), dark);
    const volume = (): Promise<number | undefined> => viewer.page.evaluate(() => document.querySelector<HTMLAudioElement>("#sound")?.volume);
    assert.equal(await volume(), 0.4);
    await openSettings(viewer);
    await viewer.page.selectOption("#language", "de");
    await until("German", 10_000, async () => (await viewer.words()).includes("Auf Standard zurücksetzen"));
    await viewer.screenshot("settings-german");
    await viewer.page.click(part("toDefaults"));
    await until("English", 10_000, async () => (await viewer.words()).includes("Back to defaults"));
    assert.deepEqual([await background(), await volume()], [dark, 1]);
    await viewer.close();
  });

  test("are worked by the keyboard alone", async () => {
    const viewer = await chromium.open(launcher);
    await viewer.becomes("controller", 15_000);
    const { page } = viewer;
    await page.keyboard.press("Control+Shift+M");
    // From the button that closes to the tabs, and along them.
    await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const focused = (): Promise<string | undefined> => page.evaluate(() => [document.activeElement?.id, (document.activeElement as HTMLElement | null)?.dataset["part"]].find(Boolean));
    assert.equal(await focused(), "tabSettings");
    await page.waitForSelector(`${part("ofSession")}:not([hidden])`);
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "bitrate");
    const before = await shown(viewer);
    await page.keyboard.press("End");
    await shows(viewer, { bitrate: "9.0 Mbit/s" });
    assert.notEqual(before.bitrate, "9.0 Mbit/s");
    await page.keyboard.press("Escape");
    await until("the panel to close", 5_000, async () => !(await page.isVisible("#panel")));
    await viewer.close();
  });
});
