// Behaviour: who is in control sees the pointer in the shape that the desktop gives it, drawn by the browser and not by the
// picture, so that it is where the hand is.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

interface Shape {
  width: number;
  height: number;
  hotspotX: number;
  hotspotY: number;
  png: string;
}

/** What the browser draws over the picture. */
interface Drawn {
  css: string;
  /** In CSS pixels. */
  width: number;
  height: number;
  /** How many of its pixels can be seen. */
  visible: number;
}

let launcher: Launcher;
let chromium: Chromium;
let viewer: Viewer;

before(async () => {
  // The terminal covers the left half.
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xterm", "-geometry", "40x40+0+0"] });
  chromium = await Chromium.start();
  viewer = await chromium.open(launcher, { viewport: { width: 640, height: 480 } });
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
});

const shape = (): Promise<Shape | null> => viewer.page.evaluate(() => (globalThis as unknown as { vdi: { cursor: Shape | null } }).vdi.cursor);

/** In the page: reads the pointer from its style and decodes its picture. */
async function readDrawn(): Promise<Drawn | null> {
  const stage = document.getElementById("stage");
  const css = stage ? getComputedStyle(stage).cursor : "";
  const [, url, density] = /url\("(data:image\/png[^"]*)"\)(?: ([\d.]+)x| ([\d.]+)dppx)?/.exec(css) ?? [];
  if (url === undefined) return null;
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let visible = 0;
  for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 0) visible++;
  const scale = Number(density ?? 1);
  return { css, width: image.naturalWidth / scale, height: image.naturalHeight / scale, visible };
}

/** The pointer as soon as the browser draws the one that the server told. */
const drawn = (): Promise<Drawn> =>
  until("the browser to draw the pointer", 10_000, async () => {
    const found = await viewer.page.evaluate(readDrawn);
    if (!found) throw new Error(await viewer.page.evaluate(() => getComputedStyle(document.getElementById("stage") ?? document.body).cursor));
    return found;
  });

const pointAt = async (x: number, y: number): Promise<void> => {
  const place = await viewer.placeOf(x, y);
  await viewer.page.mouse.move(place.x, place.y);
};

test("the pointer has the desktop's shape, and another one over another window", async () => {
  await pointAt(600, 440);
  const overRoot = await until("the root window's pointer", 10_000, shape);
  assert.ok(overRoot.width > 0 && overRoot.height > 0);
  const { css, width, height, visible } = await drawn();
  assert.deepEqual([width, height], [overRoot.width, overRoot.height]);
  assert.ok(visible > 0, "nothing of it can be seen");
  assert.ok(css.includes(`) ${overRoot.hotspotX} ${overRoot.hotspotY}, `), css);

  await pointAt(100, 100);
  await until("the terminal's pointer", 10_000, async () => {
    const now = await shape();
    return now !== null && now.png !== overRoot.png;
  });
  await pointAt(600, 440);
  await until("the root window's pointer again", 10_000, async () => (await shape())?.png === overRoot.png);
});

test("it is as large as it would be in the picture", async () => {
  await pointAt(600, 440);
  const told = await until("the pointer", 10_000, shape);
  await viewer.page.setViewportSize({ width: 1280, height: 960 });
  await until("a pointer of twice the size", 10_000, async () => {
    const { width, height } = await drawn();
    assert.deepEqual([width, height], [2 * told.width, 2 * told.height]);
    return true;
  });
  await viewer.page.setViewportSize({ width: 640, height: 480 });
  await until("a pointer of its own size", 10_000, async () => {
    const { width, height } = await drawn();
    assert.deepEqual([width, height], [told.width, told.height]);
    return true;
  });
});

test("who only watches has the browser's own pointer", async () => {
  const second = await chromium.open(launcher);
  await second.becomes("viewer");
  const css = await second.page.evaluate(() => getComputedStyle(document.getElementById("stage") ?? document.body).cursor);
  assert.equal(css, "default");
  await second.close();
});
