// Shell: the input part of `make bench`: from a key that goes down in the page to the first picture in the page that was
// drawn after the display's client had the key, beside the plain latency to the glass of the very same pictures.
//
// Results: target/bench/input.json.

import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "playwright-core";
import type { Chromium } from "../../desktop_to_browser/support/browser.js";
import { dice } from "../../desktop_to_browser/support/dice.js";
import { targetFolder } from "../../desktop_to_browser/support/launcher.js";
import { delay } from "../../desktop_to_browser/support/wait.js";
import { columns, percentile, type Report } from "../figures.js";
import { align } from "../latency/clock.js";
import { Desktop, type Content } from "../latency/display.js";
import { read, taken } from "../latency/reader.js";
import { start } from "../latency/senders.js";
import { reactions, type Press, type Reaction } from "./reactions.js";

/** A person types into a terminal that rests otherwise; and into a desktop that moves all the time. */
const CASES: { size: string; content: Content; moves: boolean }[] = [
  { size: "1920x1080", content: "typing", moves: false },
  { size: "1920x1080", content: "text", moves: true },
];
/** Between two keys: no rhythm that a display's or an encoder's could fall in with. */
const PAUSE_MS = [250, 600] as const;
const KEYS_PER_S = 2;
const WARM_UP_MS = 4000;
const SETTLE_MS = 1000;
/** Keys that may stay without a picture: the page may have replaced a frame before it could be read. */
const MOST_MISSED = 0.1;
/** What the way to the desktop and the program's answer may add to the picture's way back. */
const GOAL_AT_REST = 1.5;

export const inputSeconds = (seconds: number): number => CASES.length * (3 * seconds + 12);

/** In the page: keeps when keys go down. */
function keep(): void {
  const page = globalThis as unknown as { keysDown: number[] };
  page.keysDown = [];
  window.addEventListener("keydown", ({ timeStamp }) => page.keysDown.push(timeStamp), { capture: true });
}

const keysDown = (page: Page): Promise<number[]> => page.evaluate(() => (globalThis as unknown as { keysDown: number[] }).keysDown);

export async function input({ step, note }: Report, chromium: Chromium, seconds: number): Promise<string> {
  const rows = [["a key in the page, in ms", "keys", "to the picture p50", "p95", "to its drawing p50", "p95", "drawing to glass p50", "p95"]];
  const kept: object[] = [];
  for (const { size, content, moves } of CASES) {
    const name = `${size}@60 ${content}${moves ? "" : " at rest"}`;
    step(`${name}: keys for ${3 * seconds} s`);
    const { found, pressed, uncertaintyMs } = await type(chromium, size, content, moves, 3 * seconds * KEYS_PER_S);
    if (found.length < pressed * (1 - MOST_MISSED)) throw new Error(`${name}: of ${pressed} keys only ${found.length} were seen to do something`);
    const of = (part: keyof Reaction, share: number): number => percentile(found.map((one) => one[part]), share);
    note(`input to photon p50, ${name}`, of("inputToPhoton", 0.5), "ms", null);
    note(`input to photon p95, ${name}`, of("inputToPhoton", 0.95), "ms", null);
    note(`latency to the glass p50 of the same pictures, ${name}`, of("glassToGlass", 0.5), "ms", null);
    note(`latency to the glass p95 of the same pictures, ${name}`, of("glassToGlass", 0.95), "ms", null);
    note(`input to photon against latency to the glass p50, ${name}`, of("inputToPhoton", 0.5) / of("glassToGlass", 0.5), "ratio", moves ? null : GOAL_AT_REST);
    const cells = (["inputToPhoton", "inputToDrawing", "glassToGlass"] as const).flatMap((part) => [of(part, 0.5), of(part, 0.95)]);
    rows.push([name, `${found.length} of ${pressed}`, ...cells.map((cell) => cell.toFixed(1))]);
    kept.push({ name, pressed, uncertaintyMs, reactions: found });
  }
  const folder = resolve(targetFolder, "bench");
  mkdirSync(folder, { recursive: true });
  writeFileSync(resolve(folder, "input.json"), `${JSON.stringify(kept, null, 1)}\n`);
  return columns(rows);
}

async function type(chromium: Chromium, size: string, content: Content, moves: boolean, keys: number): Promise<{ found: Reaction[]; pressed: number; uncertaintyMs: number }> {
  const desktop = await Desktop.start(size, content);
  const sender = await start("ours", chromium, desktop.env);
  try {
    const { offsetMs, uncertaintyMs } = await align(sender.page);
    await read(sender.page, desktop.marker, desktop.size);
    await sender.page.evaluate(keep);
    if (moves) await desktop.tell("go");
    await delay(WARM_UP_MS);
    const random = dice(1);
    const [least, most] = PAUSE_MS;
    for (let key = 0; key < keys; key++) {
      await sender.page.keyboard.press("k");
      await desktop.answersToKeys(key + 1);
      await delay(least + random() * (most - least));
    }
    if (moves) await desktop.tell("hold");
    await delay(SETTLE_MS);
    const [times, pictures] = [await keysDown(sender.page), await desktop.answersToKeys(keys)];
    const presses = pictures.map((picture, key): Press => ({ pressedMs: times[key] ?? NaN, picture }));
    return { found: reactions(presses, (await taken(sender.page)).seen, offsetMs), pressed: keys, uncertaintyMs };
  } finally {
    await sender.stop();
    await desktop.stop();
  }
}
