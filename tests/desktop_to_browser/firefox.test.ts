// Behaviour: Debian's Firefox shows the desktop with every codec that it has, and in it one types, copies and pastes as elsewhere. What
// it cannot do it says. Its clipboard is the real one, which the test sees through a field of text in another tab.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ElementHandle, Page } from "puppeteer-core";
import { Chromium } from "./support/browser.js";
import { Firefox, screenshot, shown } from "./support/firefox.js";
import { Launcher } from "./support/launcher.js";
import { goesOn } from "./support/path.js";
import { Pulse } from "./support/pulse.js";
import { Program } from "./support/selections.js";
import { until } from "./support/wait.js";
import type { Display } from "./support/x11.js";
import { CONTROL, Xev } from "./support/xev.js";

const FLAGS = ["--display-size", "640x480"];
const CODEC = '#partSettings [data-part="codec"]';
const [COLUMNS, ROWS] = [32, 24];
/** How far a cell may be from the truth, as a distance of colours. */
const BLUR = 48;

const text = (content: string): Record<string, Buffer> => ({ "text/plain;charset=utf-8": Buffer.from(content), UTF8_STRING: Buffer.from(content) });
/** One pixel. */
const PICTURE = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

let firefox: Firefox;

before(async () => {
  // Without TLS on an address that is not this machine's own in name, as 0.0.0.0 is, a page is not secure.
  firefox = await Firefox.start({
    "network.socket.ip_addr_any.disabled": false,
    // Its microphone hums, and it asks nobody for it.
    "media.navigator.streams.fake": true,
    "media.navigator.permission.disabled": true,
  });
});

after(async () => {
  await firefox.stop();
});

const words = (page: Page): Promise<string> => page.evaluate(() => document.body.innerText);

async function says(page: Page, what: RegExp): Promise<void> {
  await until(`the page to say ${String(what)}`, 15_000, async () => {
    const now = await words(page);
    if (!what.test(now)) throw new Error(now);
    return true;
  });
}

async function controls(page: Page): Promise<void> {
  await until("the page to be in control", 15_000, () => page.evaluate(() => (globalThis as unknown as { vdi: { role: string | null } }).vdi.role === "controller"));
  await until("the page to share the clipboard", 15_000, () => page.evaluate(() => !document.getElementById("share")?.hidden));
}

async function chord(page: Page, key: "c" | "v"): Promise<void> {
  await page.keyboard.down("Control");
  await page.keyboard.press(key);
  await page.keyboard.up("Control");
}

/** Waits until the page shows what the X server shows. */
async function alike(page: Page, display: Display): Promise<void> {
  await until("the page to show what the X server shows", 20_000, async () => {
    const picture = await shown(page, COLUMNS, ROWS);
    assert.ok(picture.colours > 1, "the picture is one colour");
    const truth = await display.picture();
    assert.deepEqual([picture.width, picture.height], [truth.width, truth.height]);
    const far = picture.cells.filter((cell, index) => {
      const x = Math.floor((((index % COLUMNS) + 0.5) * truth.width) / COLUMNS);
      const y = Math.floor(((Math.floor(index / COLUMNS) + 0.5) * truth.height) / ROWS);
      const at = (y * truth.width + x) * 4;
      return Math.hypot(...[2, 1, 0].map((colour, part) => (cell[part] ?? 0) - (truth.bgrx[at + colour] ?? 0))) > BLUR;
    });
    // Codecs blur the edges of text.
    assert.ok(far.length <= picture.cells.length * 0.03, `${far.length} cells are wrong`);
    return true;
  });
}

describe("the picture", () => {
  for (const codec of ["vp8", "vp9", "av1"]) {
    test(`is the desktop's, as ${codec.toUpperCase()}`, async () => {
      const desktop = ["xterm", "-bg", "#305070", "-fg", "#ffe080", "-geometry", "60x20+60+60", "-e", "sh", "-c", "seq 1 19; sleep 3600"];
      const launcher = await Launcher.start({ flags: [...FLAGS, "--codec", codec], desktop });
      const display = await launcher.openDisplay();
      const page = await firefox.open(launcher);
      await alike(page, display);
      assert.equal((await launcher.status()).encoder?.codec, codec.toUpperCase());
      await screenshot(page, `firefox-${codec}`);
      await page.close();
      display.close();
      await launcher.stop();
    });
  }

  test("is one that Firefox decodes where Chromium would get 4:4:4", async () => {
    const launcher = await Launcher.start({ flags: [...FLAGS, "--codec", "vp9", "--chroma-format", "4:4:4"], desktop: ["xterm", "-bg", "#305070", "-fg", "#ffe080", "-geometry", "60x20+60+60", "-e", "sleep", "3600"] });
    assert.equal((await launcher.status()).encoder?.chromaFormat, "4:4:4", "before anybody watches");
    const display = await launcher.openDisplay();
    const page = await firefox.open(launcher);
    await alike(page, display);
    assert.equal((await launcher.status()).encoder?.chromaFormat, "4:2:0");
    await page.close();
    display.close();
    await launcher.stop();
  });

  test("that Firefox cannot decode is not waited for: the page says which it is", async () => {
    const launcher = await Launcher.start({ flags: [...FLAGS, "--codec", "h264"], desktop: ["sleep", "3600"] });
    const page = await firefox.visit(launcher);
    // A Firefox with a decoder of the system's own plays it.
    const decodes = await page.evaluate(() => RTCRtpReceiver.getCapabilities("video")?.codecs.some(({ mimeType }) => mimeType === "video/H264") ?? false);
    if (decodes) await until("the picture", 20_000, () => page.evaluate(() => document.documentElement.dataset["state"] === "streaming"));
    else {
      await says(page, /sent as H\.264, which this browser does not decode/);
      await launcher.statusWhere("the failure", ({ connection }) => connection.failures["badAnswer"] === 1);
      await launcher.logged(/WARN .*The browser does not decode H264.*; another browser, or another codec/);
    }
    await screenshot(page, "firefox-h264");
    await page.close();
    await launcher.stop();
  });
});

describe("a desktop whose codec is left to it", () => {
  const decodesH264 = (page: Page): Promise<boolean> =>
    page.evaluate(() => RTCRtpReceiver.getCapabilities("video")?.codecs.some(({ mimeType }) => mimeType === "video/H264") ?? false);
  const status = (launcher: Launcher, codec: string): Promise<unknown> =>
    launcher.statusWhere(codec, ({ encoder, consumers }) => encoder?.codec === codec && consumers.length > 0 && consumers.every(({ connected }) => connected), 30_000);

  test("is sent to a Firefox without H.264 in another, whoever else is there, and as before once that has gone", { timeout: 120_000 }, async (t) => {
    const launcher = await Launcher.start({ flags: FLAGS, desktop: ["xclock", "-update", "1"] });
    const chromium = await Chromium.start();
    const colleague = await chromium.open(launcher);
    await colleague.becomes("controller", 15_000);
    await status(launcher, "H264");

    const page = await firefox.open(launcher);
    if (await decodesH264(page)) t.diagnostic("this Firefox decodes H.264: nothing is to change");
    const own = (await decodesH264(page)) ? "H264" : "VP8";
    await status(launcher, own);
    if (own === "VP8") await launcher.logged(/a page has come whose browser does not decode what is sent.* sent="h264"/);
    // The colleague has not lost the picture.
    await goesOn(colleague, 3);
    // Once, and not to and fro.
    const changes = (): number => launcher.words.split("\n").filter((line) => line.includes("the stream changes to another codec")).length;
    assert.equal(changes(), own === "VP8" ? 1 : 0, launcher.words);
    await colleague.close();
    await page.reload();
    await controls(page);
    await status(launcher, own);
    assert.equal(changes(), own === "VP8" ? 1 : 0, launcher.words);
    await page.close();

    const again = await chromium.open(launcher);
    await again.becomes("controller", 15_000);
    await status(launcher, "H264");
    await chromium.stop();
    await launcher.stop();
  });
});

describe("hands", () => {
  const xev = new Xev("640x480");
  let launcher: Launcher;
  let program: Program;
  let display: Display;
  let page: Page;
  /** Another page of the same Firefox, with a field of text. */
  let elsewhere: Page;

  before(async () => {
    launcher = await Launcher.start({ flags: [...FLAGS, "--codec", "vp8"], desktop: xev.desktop, env: xev.env });
    program = await Program.start(await launcher.desktopEnvironment());
    display = await launcher.openDisplay();
    elsewhere = await firefox.blank();
    page = await firefox.open(launcher);
    await controls(page);
    await page.mouse.move(300, 200);
  });

  after(async () => {
    await page.close();
    await elsewhere.close();
    program.end();
    display.close();
    await launcher.stop();
    xev.end();
  });

  /** The text in Firefox's clipboard. */
  async function copied(): Promise<string> {
    await elsewhere.bringToFront();
    await elsewhere.evaluate(() => {
      document.body.innerHTML = "<textarea></textarea>";
      document.querySelector("textarea")?.focus();
    });
    await chord(elsewhere, "v");
    const found = await until("the paste", 10_000, () => elsewhere.evaluate(() => document.querySelector("textarea")?.value));
    return found;
  }

  async function copyElsewhere(content: string): Promise<void> {
    await elsewhere.bringToFront();
    await elsewhere.evaluate((given) => {
      document.body.innerHTML = "<textarea></textarea>";
      const area = document.querySelector("textarea");
      if (!area) return;
      area.value = given;
      area.select();
      area.addEventListener("copy", () => (area.dataset["copied"] = ""));
    }, content);
    await chord(elsewhere, "c");
    await until("the copy", 10_000, () => elsewhere.evaluate(() => document.querySelector("textarea")?.dataset["copied"] !== undefined));
  }

  const released = (): Promise<true> =>
    until("no key to be down", 10_000, async () => {
      const down = await display.keysDown();
      if (down.length > 0) throw new Error(down.map((keysym) => keysym.toString(16)).join());
      return true;
    });

  test("what is typed is what the desktop reads, umlauts and the euro sign too", async () => {
    xev.forget();
    await page.keyboard.type("aBc ä Ü ß € !");
    await xev.writes("aBc ä Ü ß € !");
    await released();
  });

  test("a shortcut is the desktop's and not Firefox's", async () => {
    xev.forget();
    for (const key of ["c", "f"] as const) {
      await page.keyboard.down("Control");
      await page.keyboard.press(key);
      await page.keyboard.up("Control");
    }
    await until("both", 10_000, () => xev.pressed().length === 2);
    assert.deepEqual(xev.pressed().map(({ keysym, state }) => [String.fromCharCode(keysym), state & CONTROL]), [["c", CONTROL], ["f", CONTROL]]);
    await released();
  });

  test("text that was copied elsewhere is pasted by Ctrl+V, and is on the desktop before the key", async () => {
    await copyElsewhere("from outside: ß→日本");
    await page.bringToFront();
    xev.forget();
    await chord(page, "v");
    await until("the key", 10_000, () => xev.keysyms().includes(0x76));
    assert.equal((await program.paste("UTF8_STRING"))?.toString(), "from outside: ß→日本");
    await released();
  });

  test("text that is copied on the desktop is in Firefox's clipboard after the next touch of the page", async () => {
    await program.copy(text("Grüße, 世界 🌍\nzweite Zeile"));
    await until("the page to have asked for it", 10_000, () => program.asked.includes("text/plain;charset=utf-8"));
    await until("Firefox to have it", 20_000, async () => {
      await page.bringToFront();
      await page.mouse.click(300, 200);
      const now = await copied();
      if (now !== "Grüße, 世界 🌍\nzweite Zeile") throw new Error(JSON.stringify(now));
      return true;
    });
    await page.bringToFront();
  });

  test("the panel says that only the keys paste what was copied elsewhere", async () => {
    await page.click("#handle");
    await page.click("#tabShare");
    await says(page, /Ctrl V pastes what you copied elsewhere\. Menus of programs on the desktop paste/);
    assert.doesNotMatch(await words(page), /Let it read/);
    await screenshot(page, "firefox-clipboard");
  });
});

describe("without TLS", () => {
  let launcher: Launcher;
  let program: Program;

  before(async () => {
    launcher = await Launcher.start({ flags: [...FLAGS, "--codec", "vp8"], desktop: ["xclock", "-update", "1"] });
    program = await Program.start(await launcher.desktopEnvironment());
  });

  after(async () => {
    program.end();
    await launcher.stop();
  });

  test("text goes both ways, and of a picture the page says what it needs", async () => {
    const page = await firefox.open({ url: launcher.url.replace("127.0.0.1", "0.0.0.0"), user: launcher.user, password: launcher.password });
    assert.equal(await page.evaluate(() => isSecureContext), false);
    await controls(page);
    await program.copy(text("copied without TLS"));
    const elsewhere = await firefox.blank();
    await elsewhere.evaluate(() => (document.body.innerHTML = "<textarea></textarea>"));
    await until("Firefox to have it", 20_000, async () => {
      await page.bringToFront();
      await page.mouse.click(300, 200);
      await elsewhere.bringToFront();
      await elsewhere.evaluate(() => {
        document.querySelector("textarea")?.focus();
        document.querySelector("textarea")?.select();
      });
      await chord(elsewhere, "v");
      return elsewhere.evaluate(() => document.querySelector("textarea")?.value === "copied without TLS");
    });
    await elsewhere.evaluate(() => {
      const area = document.querySelector("textarea");
      if (area) area.value = "pasted without TLS";
      area?.select();
    });
    await chord(elsewhere, "c");
    await page.bringToFront();
    await until("the desktop to have it", 20_000, async () => {
      await chord(page, "v");
      return (await program.paste("UTF8_STRING"))?.toString() === "pasted without TLS";
    });
    await program.copy({ "image/png": PICTURE });
    await says(page, /Pictures need an address that begins with https/);
    await elsewhere.close();
    await page.click("#handle");
    await says(page, /Microphone needs https/);
    await page.close();
  });
});

describe("the whole page", () => {
  test("resizes the desktop, plays its sound, changes its codec, takes and gives files, and knows its people", { timeout: 120_000 }, async () => {
    const pulse = await Pulse.start();
    const [folder, outside] = ["desktop", "outside"].map((name) => mkdtempSync(join(tmpdir(), `vdi-firefox-${name}-`))) as [string, string];
    writeFileSync(join(folder, "thirteen.txt"), "thirteen byte");
    writeFileSync(join(outside, "up.txt"), "up it goes");
    const launcher = await Launcher.start({
      flags: [...FLAGS, "--enable-resize", "true", "--files-folder", folder],
      desktop: ["xclock", "-update", "1"],
      env: { PULSE_SERVER: pulse.server },
    });
    const page = await firefox.open(launcher);
    await controls(page);
    await page.click("#handle");

    await page.setViewport({ width: 1000, height: 600 });
    await launcher.statusWhere("the desktop to be as large as the window", ({ screen }) => screen.monitors[0]?.width === 1000 && screen.monitors[0].height === 600);

    const energy = (): Promise<number> =>
      page.evaluate(async () => {
        const { peer } = (globalThis as unknown as { vdi: { peer: RTCPeerConnection | null } }).vdi;
        const reports = [...((await peer?.getStats()) ?? new Map<string, RTCInboundRtpStreamStats>()).values()] as RTCInboundRtpStreamStats[];
        return reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio")?.totalAudioEnergy ?? 0;
      });
    const silent = await energy();
    const tone = pulse.playTone();
    await until("the tone", 15_000, async () => (await energy()) > silent + 0.01);
    await tone.stop("SIGKILL");

    await page.click("#tabSettings");
    await page.select(CODEC, "VP9");
    await launcher.statusWhere("the other codec", ({ encoder }) => encoder?.codec === "VP9", 30_000);
    await page.click("#tabSession");
    await says(page, /VP9 · vp9enc/);

    await page.click("#tabShare");
    await page.click('#files [data-part="folder"] summary');
    await says(page, /thirteen\.txt\s+13\sB/);
    const chooser = (await page.$('#files [data-part="chooser"]')) as ElementHandle<HTMLInputElement> | null;
    await chooser?.uploadFile(join(outside, "up.txt"));
    await until("the file on the desktop", 15_000, () => existsSync(join(folder, "up.txt")));
    await screenshot(page, "firefox-files");

    await page.click("#tabPeople");
    await says(page, /Person 1 \(you\)\s+in control/);
    await page.click('#partPeople [data-part="invite"]');
    await until("the link", 10_000, () => page.evaluate(() => document.querySelector<HTMLInputElement>('#partPeople [data-part="link"]')?.value.includes("?invite=") === true));

    await page.close();
    await launcher.stop();
    await pulse.stop();
    for (const one of [folder, outside]) rmSync(one, { recursive: true });
  });
});

describe("its microphone", () => {
  test("is heard on the desktop while it is on", async () => {
    const pulse = await Pulse.start();
    const launcher = await Launcher.start({ flags: [...FLAGS, "--codec", "vp8"], desktop: ["xclock", "-update", "1"], env: { PULSE_SERVER: pulse.server } });
    await launcher.statusWhere("the desktop has a microphone", (status) => status.microphone.running);
    const page = await firefox.open(launcher);
    await controls(page);
    const loudness = (): Promise<number> => pulse.recorded("vdi-microphone");
    await page.click("#handle");
    await until("silence", 20_000, async () => (await loudness()) < 1e-4);
    await page.click("#microphone");
    await says(page, /Your microphone is on/);
    await until("a program to hear it", 20_000, async () => (await loudness()) > 0.01);
    await page.click("#speaking");
    await until("silence", 10_000, async () => (await loudness()) < 1e-4);
    await page.close();
    await launcher.stop();
    await pulse.stop();
  });
});
