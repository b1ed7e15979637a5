// Behaviour: the settings in the panel: the controller's reach the encoder, between the operator's bounds; every page shows
// what holds; who only watches sets nothing, whatever it sends; what is the page's own is kept in the browser: among it how hands work, and whether the clipboard is shared. And the panel's buttons
// that take a screenshot and lock the pointer.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { Program } from "./support/selections.js";
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

  test("of the keyboard reach the desktop at once, and after a reload; those of fingers are for fingers", async () => {
    const viewer = await chromium.open(launcher);
    await viewer.becomes("controller", 15_000);
    const display = await launcher.openDisplay();
    const commandIs = async (what: string, keysym: number): Promise<void> => {
      await viewer.page.focus("#keys");
      await viewer.page.keyboard.down("Meta");
      await until(`Command to be ${what}`, 10_000, async () => (await display.keysDown()).includes(keysym));
      await viewer.page.keyboard.up("Meta");
      await until("no key to be down", 10_000, async () => (await display.keysDown()).length === 0);
    };
    const [CONTROL, SUPER] = [0xffe3, 0xffeb];
    await commandIs("Super", SUPER);
    await openSettings(viewer);
    assert.equal(await viewer.page.isVisible(part("touchMode")), false);
    await viewer.page.selectOption(part("macKeys"), "on");
    await commandIs("Control", CONTROL);
    await viewer.page.reload();
    await viewer.connected();
    await viewer.becomes("controller", 15_000);
    await commandIs("Control", CONTROL);
    await openSettings(viewer);
    await viewer.page.click(part("toDefaults"));
    await commandIs("Super", SUPER);
    display.close();
    await viewer.close();

    const phone = await chromium.open(launcher, { touch: true, viewport: { width: 390, height: 844 } });
    await openSettings(phone);
    const mode = (): Promise<string> => phone.page.inputValue(part("touchMode"));
    await phone.page.selectOption(part("touchMode"), "trackpad");
    await phone.page.reload();
    await phone.connected();
    await openSettings(phone);
    assert.equal(await mode(), "trackpad");
    await phone.screenshot("settings-touch");
    await phone.page.click(part("toDefaults"));
    assert.equal(await mode(), "touchscreen");
    await phone.close();
  });

  test("of the clipboard: off, this page neither reads nor writes it, also after a reload; on again, it does both", async () => {
    const viewer = await chromium.open(launcher);
    await viewer.allowClipboard(launcher);
    await viewer.becomes("controller", 15_000);
    const program = await Program.start(await launcher.desktopEnvironment());
    const copy = (text: string): Promise<void> => program.copy({ UTF8_STRING: Buffer.from(text) });
    const copied = (): Promise<string> => viewer.page.evaluate(() => navigator.clipboard.readText());
    await viewer.sharesClipboard();
    await copy("before");
    await until("the browser to have it", 10_000, async () => (await copied()) === "before");
    await openSettings(viewer);
    await viewer.page.uncheck(part("clipboard"));
    await viewer.page.click("#tabShare");
    await until("the word that it is off", 5_000, async () => (await viewer.words()).includes("switched off in the settings"));
    await viewer.page.reload();
    await viewer.connected();
    await viewer.becomes("controller", 15_000);

    await viewer.page.evaluate(() => navigator.clipboard.writeText("mine"));
    await copy("theirs");
    await viewer.page.focus("#keys");
    await viewer.page.keyboard.press("Control+V");
    await until("the key to have come through", 10_000, () => viewer.page.evaluate(() => (globalThis as unknown as { vdi: { held: number[] } }).vdi.held.length === 0));
    assert.deepEqual([await copied(), (await program.paste("UTF8_STRING"))?.toString()], ["mine", "theirs"]);

    await openSettings(viewer);
    await viewer.page.check(part("clipboard"));
    // Whoever shares the clipboard again shares what is in it, which wins over what is copied in that very instant.
    await until("the desktop to have what the browser has", 10_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "mine");
    await copy("after");
    await until("the browser to have it", 10_000, async () => (await copied()) === "after");
    program.end();
    await viewer.close();
  });
});

describe("the panel's buttons", { timeout: 120_000 }, () => {
  let chromium: Chromium;
  let launcher: Launcher;
  const button = (name: string): string => `#partSession [data-part="${name}"]`;

  before(async () => {
    chromium = await Chromium.start();
    launcher = await Launcher.start({ flags: ["--display-size", "800x600"], desktop });
  });

  after(async () => {
    await launcher.stop();
    await chromium.stop();
  });

  test("take a screenshot by keys alone: a PNG of the desktop's size with its pixels, and nothing of the page", async () => {
    // The picture is much smaller than the desktop here, and the panel, which is white, covers most of it.
    const viewer = await chromium.open(launcher, { viewport: { width: 480, height: 560 } });
    const { page } = viewer;
    await page.emulateMedia({ colorScheme: "light" });
    await page.keyboard.press("Control+Shift+M");
    await page.focus(button("screenshot"));
    const downloading = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    const download = await downloading;
    assert.match(download.suggestedFilename(), /^desktop-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.png$/);
    const png = await readFile(await download.path());
    assert.equal(png.subarray(1, 4).toString(), "PNG");
    const display = await launcher.openDisplay();
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [display.width, display.height]);

    const brightness = await page.evaluate(async (base64) => {
      const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context?.drawImage(bitmap, 0, 0);
      const data = context?.getImageData(0, 0, bitmap.width, bitmap.height).data ?? [];
      return Array.from({ length: bitmap.width * bitmap.height }, (_, pixel) => data[pixel * 4 + 1] ?? 0);
    }, png.toString("base64"));
    const truth = await display.picture();
    const different = brightness.filter((value, pixel) => Math.abs(value - (truth.bgrx[pixel * 4 + 1] ?? 0)) > 64).length;
    // The clock's hand moves meanwhile; everything else is as the X server has it, whatever the codec loses.
    assert.ok(different < truth.width * truth.height * 0.01, `${different} pixels are others than on the desktop`);
    assert.ok(brightness.some((value) => value > 200), "the clock is in it");
    display.close();
    await viewer.close();
  });

  test("say so where there is no picture yet", async () => {
    const viewer = await chromium.prepare(launcher);
    await viewer.page.routeWebSocket(/\/ws$/, (socket) => {
      socket.onMessage(() => {
        socket.send(JSON.stringify({ type: "error", code: "noMedia", message: "soon" }));
      });
    });
    await viewer.page.goto(launcher.url);
    await until("the page to wait for the desktop", 15_000, async () => (await viewer.state()) === "reconnecting");
    await viewer.page.keyboard.press("Control+Shift+M");
    await viewer.page.focus(button("screenshot"));
    await viewer.page.keyboard.press("Enter");
    await until("the word", 5_000, async () => (await viewer.words()).includes("There is no picture of the desktop yet."));
    await viewer.close();
  });

  test("lock the pointer to the desktop, out of the panel's way, for whoever is in control", async () => {
    const viewer = await chromium.open(launcher);
    await viewer.becomes("controller", 15_000);
    await viewer.page.keyboard.press("Control+Shift+M");
    await until("the button to be there", 10_000, () => viewer.page.isEnabled(button("lock")));
    await viewer.page.click(button("lock"));
    await until("the lock", 10_000, () => viewer.page.evaluate(() => document.pointerLockElement?.id === "stage"));
    assert.equal(await viewer.page.isVisible("#panel"), false);
    const watching = await chromium.open(launcher);
    await watching.becomes("viewer");
    await watching.page.keyboard.press("Control+Shift+M");
    await until("the button to be off", 10_000, async () => !(await watching.page.isEnabled(button("lock"))));
    await watching.close();
    await viewer.close();
  });
});
