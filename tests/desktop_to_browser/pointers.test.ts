// Behaviour: everybody at one desktop sees where those who watch point, with their names: at the very pixel, however the picture is
// drawn, as long as somebody points, and from nobody who does not want it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { delay, until } from "./support/wait.js";

interface Drawn {
  name: string;
  x: number;
  y: number;
  seen: boolean;
}

/** The pointers of others on a page: where their tips are on it. */
function drawn(viewer: Viewer): Promise<Drawn[]> {
  return viewer.page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("#pointers .pointer")].map((one) => {
      const { left, top } = one.getBoundingClientRect();
      return { name: one.textContent, x: left, y: top, seen: one.checkVisibility({ opacityProperty: true }) };
    }),
  );
}

/** Waits until this one pointer is seen at a pixel of the desktop. */
async function seesAt(viewer: Viewer, name: string, x: number, y: number): Promise<void> {
  await until(`${name} to be seen at ${x}, ${y}`, 5_000, async () => {
    const now = await drawn(viewer);
    const place = await viewer.placeOf(x, y);
    const [one] = now.filter((pointer) => pointer.seen);
    if (!one || now.length > 1 || one.name !== name || Math.hypot(one.x - place.x, one.y - place.y) > 1) throw new Error(`${JSON.stringify(now)}, and not ${JSON.stringify(place)}`);
    return true;
  });
}

async function seesNobody(viewer: Viewer): Promise<void> {
  // It fades after four seconds, and for nearly one.
  await until("no pointer to be seen", 15_000, async () => {
    const now = (await drawn(viewer)).filter(({ seen }) => seen);
    if (now.length > 0) throw new Error(JSON.stringify(now));
    return true;
  });
}

async function pointAt(viewer: Viewer, x: number, y: number): Promise<void> {
  const place = await viewer.placeOf(x, y);
  await viewer.page.mouse.move(place.x, place.y);
}

async function named(viewer: Viewer, name: string): Promise<void> {
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#tabPeople");
  await viewer.page.fill('#partPeople [data-part="ownName"]', name);
  await viewer.page.press('#partPeople [data-part="ownName"]', "Enter");
  await viewer.page.keyboard.press("Control+Shift+M");
}

/** Counts from now on what the page says on the channel `pointer`. */
async function countsPointing(viewer: Viewer): Promise<() => Promise<number>> {
  await viewer.page.evaluate(() => {
    const { pointer } = (globalThis as unknown as { channels: Record<string, RTCDataChannel | undefined> }).channels;
    if (!pointer) throw new Error("no channel");
    const send = pointer.send.bind(pointer);
    Object.assign(globalThis, { pointed: 0 });
    pointer.send = (data: unknown) => {
      (globalThis as unknown as { pointed: number }).pointed += 1;
      send(data as string);
    };
  });
  return () => viewer.page.evaluate(() => (globalThis as unknown as { pointed: number }).pointed);
}

describe("the pointers of those who watch", { timeout: 180_000 }, () => {
  let chromium: Chromium;
  let launcher: Launcher;
  let anna: Viewer;
  let bert: Viewer;
  let carl: Viewer;

  before(async () => {
    chromium = await Chromium.start();
    launcher = await Launcher.start({ flags: ["--display-size", "800x600"], desktop: ["xterm", "-geometry", "80x30+100+60"] });
    anna = await chromium.open(launcher, { viewport: { width: 1000, height: 640 } });
    await anna.becomes("controller", 15_000);
    bert = await chromium.open(launcher, { viewport: { width: 640, height: 700 } });
    await bert.becomes("viewer");
    await named(bert, "Bert");
    carl = await chromium.open(launcher, { viewport: { width: 800, height: 600 } });
    await carl.becomes("viewer");
  });

  after(async () => {
    await launcher.stop();
    await chromium.stop();
  });

  test("are seen by all others, at the pixel, with the name", async () => {
    await pointAt(bert, 300, 200);
    await seesAt(anna, "Bert", 300, 200);
    await seesAt(carl, "Bert", 300, 200);
    assert.deepEqual(await drawn(bert), [], "nobody sees his own");
    await anna.screenshot("pointers");
    for (const [x, y] of [[2, 3], [797, 598], [640, 127]] as const) {
      await pointAt(bert, x, y);
      await seesAt(anna, "Bert", x, y);
    }
  });

  test("are at the pixel where a pixel of the desktop is a pixel of the screen, and in a window of another size", async () => {
    await anna.page.keyboard.press("Control+Shift+M");
    await anna.page.click("#tabSettings");
    await anna.page.check("#exact");
    await anna.page.keyboard.press("Control+Shift+M");
    await pointAt(bert, 411, 222);
    await seesAt(anna, "Bert", 411, 222);
    await anna.page.setViewportSize({ width: 700, height: 500 });
    // The picture moves under a pointer that stands still.
    await seesAt(anna, "Bert", 411, 222);
    await anna.screenshot("pointers-exact");
    await anna.page.keyboard.press("Control+Shift+M");
    await anna.page.uncheck("#exact");
    await anna.page.keyboard.press("Control+Shift+M");
  });

  test("fade when they stand still, and are there again with the next motion", async () => {
    await pointAt(bert, 100, 100);
    await seesAt(anna, "Bert", 100, 100);
    await seesNobody(anna);
    await pointAt(bert, 110, 100);
    await seesAt(anna, "Bert", 110, 100);
  });

  test("go when they leave the picture", async () => {
    // Above the picture is a bar.
    await bert.page.mouse.move(320, 5);
    await until("the pointer to be gone", 5_000, async () => (await drawn(anna)).length === 0);
  });

  test("of who controls is the desktop's own, whatever its page says", async () => {
    const { x, y } = { x: 10, y: 10 };
    await anna.speak([{ type: "shown", seq: 1_000, x, y }], "pointer");
    await pointAt(bert, 50, 60);
    await seesAt(carl, "Bert", 50, 60);
    assert.deepEqual(await drawn(bert), []);
    await bert.page.click("#takeControl");
    await bert.becomes("controller");
    await until("the pointer to be gone", 5_000, async () => (await drawn(carl)).length === 0);
    await pointAt(anna, 400, 300);
    await until("the other pointer", 5_000, async () => (await drawn(bert)).some(({ name, seen }) => seen && name.startsWith("Person")));
    await anna.page.click("#takeControl");
    await anna.becomes("controller");
  });

  test("are not told by who does not want it, and the wish is remembered", async () => {
    await pointAt(bert, 70, 80);
    await seesAt(anna, "Bert", 70, 80);
    await bert.page.keyboard.press("Control+Shift+M");
    await bert.page.click("#tabSettings");
    await bert.page.uncheck('#partSettings [data-part="pointer"]');
    await bert.screenshot("pointers-off");
    await bert.page.keyboard.press("Control+Shift+M");
    await until("the pointer to be gone", 5_000, async () => (await drawn(anna)).length === 0);
    await bert.page.reload();
    await bert.connected();
    await bert.becomes("viewer");
    const said = await countsPointing(bert);
    for (let x = 100; x < 200; x += 10) await pointAt(bert, x, 100);
    await delay(500);
    assert.equal(await said(), 0);
    assert.deepEqual(await drawn(anna), []);
  });

  test("go with who leaves", async () => {
    await pointAt(carl, 333, 222);
    await until("the pointer", 5_000, async () => (await drawn(anna)).length === 1);
    await carl.close();
    await until("the pointer to be gone", 20_000, async () => (await drawn(anna)).length === 0);
  });
});
