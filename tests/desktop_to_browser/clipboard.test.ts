// Behaviour: what is copied on one side can be pasted on the other, byte for byte where browsers let it. A program on the X display
// of the tests' own copies and pastes there; Chromium's real clipboard does on the other side.

import assert from "node:assert/strict";
import { crc32, deflateSync } from "node:zlib";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { Program } from "./support/selections.js";
import { until } from "./support/wait.js";

let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;
let program: Program;

const text = (content: string): Record<string, Buffer> => ({ "text/plain;charset=utf-8": Buffer.from(content), UTF8_STRING: Buffer.from(content) });

before(async () => {
  launcher = await Launcher.start({ desktop: ["sleep", "3600"], flags: ["--display-size", "640x480"] });
  program = await Program.start(await launcher.desktopEnvironment());
  chromium = await Chromium.start();
  viewer = await chromium.open(launcher);
  await viewer.allowClipboard(launcher);
  await viewer.becomes("controller");
  await viewer.sharesClipboard();
});

after(async () => {
  program.end();
  await chromium.stop();
  await launcher.stop();
});

/** The text in the browser's clipboard. */
const copied = (): Promise<string> => viewer.page.evaluate(() => navigator.clipboard.readText());

/** Puts something into the browser's clipboard, as another page would. */
async function copyElsewhere(forms: Record<string, string>): Promise<void> {
  await viewer.page.evaluate(async (given) => {
    const bytes = (data: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const blobs: Record<string, Blob> = {};
    for (const [mime, data] of Object.entries(given)) blobs[mime] = new Blob([mime === "image/png" ? bytes(data) : data], { type: mime });
    await navigator.clipboard.write([new ClipboardItem(blobs)]);
  }, forms);
}

const paste = (): Promise<void> => viewer.page.keyboard.press("Control+V");

/** A picture of noise, which no compression makes smaller. */
function noise(width: number, height: number): Buffer {
  const lines = Buffer.alloc((width * 3 + 1) * height);
  let seed = 1;
  for (let at = 0; at < lines.length; at++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    lines[at] = at % (width * 3 + 1) === 0 ? 0 : seed >>> 24;
  }
  const chunk = (name: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(lines, { level: 1 })), chunk("IEND", Buffer.alloc(0))]);
}

/** In the page: the pixels of a picture, and the size of its file. */
async function pixels(given: string | null): Promise<{ bytes: number; digest: string } | null> {
  const of = async (): Promise<Blob | null> => {
    if (given !== null) return new Blob([Uint8Array.from(atob(given), (character) => character.charCodeAt(0))], { type: "image/png" });
    const items = await navigator.clipboard.read();
    const item = items.find(({ types }) => types.includes("image/png"));
    return item ? item.getType("image/png") : null;
  };
  const blob = await of();
  if (!blob) return null;
  const bitmap = await createImageBitmap(blob);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context?.drawImage(bitmap, 0, 0);
  const data = context?.getImageData(0, 0, bitmap.width, bitmap.height).data ?? new Uint8ClampedArray();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return { bytes: blob.size, digest: `${bitmap.width}x${bitmap.height} ${digest.join()}` };
}

const base64 = (png: Buffer): string => png.toString("base64");

test("text that is copied on the desktop is in the browser's clipboard", async () => {
  await program.copy(text("Grüße, 世界 🌍\nzweite Zeile"));
  await until("the browser to have it", 10_000, async () => (await copied()) === "Grüße, 世界 🌍\nzweite Zeile");
});

test("text that was copied elsewhere is pasted by Ctrl+V, and is on the desktop before the key", async () => {
  await copyElsewhere({ "text/plain": "from outside: ß→日本" });
  await paste();
  await until("the desktop to have it", 10_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "from outside: ß→日本");
  assert.deepEqual(await program.paste("text/plain;charset=utf-8"), Buffer.from("from outside: ß→日本"));
  assert.deepEqual((await program.paste("STRING"))?.toString("latin1"), "from outside: ß???");
});

test("a program may ask for all forms, for the time and for several at once", async () => {
  await copyElsewhere({ "text/plain": "plain", "text/html": "<b>bold</b>" });
  await paste();
  await until("the desktop to have it", 10_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "plain");
  const targets = await program.targets();
  for (const target of ["TARGETS", "TIMESTAMP", "MULTIPLE", "UTF8_STRING", "text/html"]) assert.ok(targets.includes(target), `${target} in ${targets.join()}`);
  assert.ok(!targets.includes("image/png"));
  const [html, picture, plain] = await program.pasteMany(["text/html", "image/png", "UTF8_STRING"]);
  assert.match(html?.toString() ?? "", /<b.*>bold<\/b>/);
  assert.equal(picture, null);
  assert.equal(plain?.toString(), "plain");
});

test("HTML that is copied on the desktop arrives with its marks, beside its text", async () => {
  await program.copy({ ...text("bold and big"), "text/html": Buffer.from("<p><b>bold</b> and <big>big</big></p>") });
  await until("the browser to have the text", 10_000, async () => (await copied()) === "bold and big");
  const html = await viewer.page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    return item?.types.includes("text/html") ? (await item.getType("text/html")).text() : "";
  });
  assert.match(html, /<b.*>bold<\/b>/);
});

test("text of several megabytes goes both ways, in pieces on the display, byte for byte", async () => {
  const long = Array.from({ length: 60_000 }, (_, line) => `${line} Zeile für Zeile, → 長い\n`).join("");
  assert.ok(Buffer.byteLength(long) > 2_000_000);
  await program.copy(text(long));
  await until("the browser to have it", 60_000, async () => (await copied()).length === long.length);
  assert.equal(await copied(), long);

  const other = long.replaceAll("Zeile", "line");
  await copyElsewhere({ "text/plain": other });
  await paste();
  await until("the desktop to have it", 60_000, async () => (await program.paste("UTF8_STRING"))?.equals(Buffer.from(other)));
});

test("a picture of five megabytes goes both ways with every pixel", async () => {
  const png = noise(1400, 1200);
  assert.ok(png.length > 5_000_000, `${png.length}`);
  const expected = await viewer.page.evaluate(pixels, base64(png));
  await program.copy({ "image/png": png });
  await until("the browser to have it", 60_000, async () => (await viewer.page.evaluate(pixels, null))?.digest === expected?.digest);

  const other = noise(1300, 1300);
  const wanted = await viewer.page.evaluate(pixels, base64(other));
  await copyElsewhere({ "image/png": base64(other) });
  await paste();
  const pasted = await until("the desktop to have it", 60_000, async () => {
    const now = await program.paste("image/png");
    return now && (await viewer.page.evaluate(pixels, base64(now)))?.digest === wanted?.digest ? now : null;
  });
  assert.ok(pasted.length > 5_000_000);
});

test("pasting again on the desktop what was copied there leaves it to the program that has it, with all its forms", async () => {
  await program.copy({ ...text("cells"), "application/x-cells": Buffer.from("A1:B2") });
  await until("the browser to have it", 10_000, async () => (await copied()) === "cells");
  await paste();
  await until("the key to have come through", 10_000, async () => (await viewer.page.evaluate(() => (globalThis as unknown as { vdi: { held: number[] } }).vdi.held.length)) === 0);
  assert.equal((await program.paste("application/x-cells"))?.toString(), "A1:B2");
});

test("what is marked comes on request only", async () => {
  await copyElsewhere({ "text/plain": "copied" });
  await program.copy(text("marked"), "PRIMARY");
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#tabShare");
  await viewer.screenshot("clipboard-panel");
  assert.equal(await copied(), "copied");
  await viewer.page.getByRole("button", { name: "Copy what is marked" }).click();
  await until("the browser to have it", 10_000, async () => (await copied()) === "marked");
  // It is in the browser's clipboard now, and so it is what the desktop pastes as well.
  await until("the desktop to have it", 10_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "marked");
  await viewer.page.keyboard.press("Control+Shift+M");
});

test("the middle button pastes what was copied elsewhere, once its user wants that, and what is marked after it", async () => {
  const marked = (): Promise<string | undefined> => program.paste("UTF8_STRING", "PRIMARY").then((bytes) => bytes?.toString());
  const middle = (): Promise<void> => viewer.page.mouse.click(300, 300, { button: "middle" });
  await program.copy(text("marked first"), "PRIMARY");
  await copyElsewhere({ "text/plain": "for the middle" });
  await middle();
  await until("the button to have come through", 10_000, async () => (await viewer.page.evaluate(() => (globalThis as unknown as { vdi: { held: number[] } }).vdi.held.length)) === 0);
  assert.equal(await marked(), "marked first", "nobody wants it yet");
  const wish = viewer.page.getByLabel("The middle button pastes what you copied elsewhere");
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#tabShare");
  await wish.check();
  await viewer.page.keyboard.press("Control+Shift+M");
  await middle();
  await until("the desktop to have it", 10_000, async () => (await marked()) === "for the middle");
  await program.copy(text("marked after"), "PRIMARY");
  await middle();
  await until("the button to have come through", 10_000, async () => (await viewer.page.evaluate(() => (globalThis as unknown as { vdi: { held: number[] } }).vdi.held.length)) === 0);
  assert.equal(await marked(), "marked after");
});

test("what was copied stays when its program ends, and goes when the program takes it back", async () => {
  const short = await Program.start(await launcher.desktopEnvironment());
  await short.copy(text("last words"));
  await until("the browser to have it", 10_000, async () => (await copied()) === "last words");
  short.end();
  await until("it to be there still", 10_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "last words");
  await program.copy(text("secret"));
  await until("the browser to have it", 10_000, async () => (await copied()) === "secret");
  await program.clear();
  await until("it to be gone", 10_000, async () => (await program.paste("UTF8_STRING")) === null);
});

test("a program that stops in the middle of giving does not stop the next", async () => {
  const stuck = await Program.start(await launcher.desktopEnvironment());
  stuck.silent = true;
  await stuck.copy(text("never given"));
  await program.copy(text("given"));
  await until("the browser to have it", 15_000, async () => (await copied()) === "given");
  stuck.end();
});

test("what was copied while the page had no focus is in the browser's clipboard when it has", async () => {
  const other = await viewer.blank();
  await other.bringToFront();
  await program.copy(text("meanwhile"));
  await until("the page to have asked for it", 10_000, () => program.asked.includes("UTF8_STRING"));
  await other.close();
  await viewer.page.bringToFront();
  await until("the browser to have it", 10_000, async () => (await copied()) === "meanwhile");
});

test("a viewer neither gets what is copied nor can copy, whatever it sends", async () => {
  const guest = await chromium.open(launcher);
  await guest.becomes("viewer");
  await until("the guest's panel to show no clipboard", 10_000, () => guest.page.evaluate(() => document.getElementById("share")?.hidden));
  const answers = await guest.speak([
    { type: "ready" },
    { type: "fetch", selection: "clipboard" },
    { type: "offer", id: 1, selection: "clipboard", items: [{ mime: "text/plain", bytes: 4 }] },
    { type: "piece", id: 1, data: "ZXZpbA==" },
  ]);
  await program.copy(text("for the controller only"));
  await until("the controller to have it", 10_000, async () => (await copied()) === "for the controller only");
  const heard = await until("the guest's answers", 10_000, async () => {
    const all = await answers();
    return all.length >= 2 && all;
  });
  assert.deepEqual(heard, [
    { type: "missed", selection: "clipboard", reason: "notAllowed" },
    { type: "refused", id: 1, reason: "notAllowed" },
  ]);
  assert.equal((await program.paste("UTF8_STRING"))?.toString(), "for the controller only");
  await guest.close();
});
