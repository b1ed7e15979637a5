// Behaviour: what the camera of the page in control shows is what programs on the desktop see, and nobody else is seen. The launcher
// runs in a virtual machine whose kernel has v4l2loopback, beside a program that looks at the camera all the time. The browsers are this
// machine's, and their cameras are files of two colours.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Server, type Viewer } from "./support/browser.js";
import { scrolling } from "./support/desktops.js";
import type { Guest, Talk } from "./support/guest.js";
import { GuestSession, lacks } from "./support/guest-session.js";
import { Launcher, built, type Status } from "./support/launcher.js";
import { CAMERA, given, keepGiven, sendAnyway, sent, shows } from "./support/senses.js";
import { until } from "./support/wait.js";

/** As the guest's kernel has them: one that takes pictures of one program only, and one that takes everybody's. */
const WEBCAM = "/dev/video41";
const OTHER = "/dev/video42";

/** Y, Cb and Cr, as BT.601 has them. */
type Colour = readonly [number, number, number];
const RED: Colour = [81, 90, 240];
const BLUE: Colour = [41, 240, 110];
const GREEN: Colour = [145, 54, 34];
const YELLOW: Colour = [210, 16, 146];
const BLACK: Colour = [16, 128, 128];
/** Of the picture that the camera is off. */
const GROUND: Colour = [32, 128, 128];
/** What encoding and another size make of a colour at most. */
const NEAR = 12;

/** Beside a picture of 4:3, in its left and in its right half, and beside it again. */
const PLACES = [
  [80, 360],
  [400, 360],
  [880, 360],
  [1200, 360],
] as const;
const OFF = [GROUND, GROUND, GROUND, GROUND];
const ANNA = [BLACK, RED, BLUE, BLACK];
const BERT = [BLACK, GREEN, YELLOW, BLACK];

/** What has to end, the last of it first. */
const ends: (() => unknown)[] = [];
let guest: Guest;
let server: Server;
let conference: Talk;
let annas: Chromium;
let berts: Chromium;
let anna: Viewer;

/** Starts another session in the guest, and returns its log once that says whether it has a webcam. */
async function another(log: string, flags = ""): Promise<string> {
  const script = `
SELKIES_PORT=0 DISPLAY=:77 ${built("vdi-launcher")} --builtin-turn-port 0 ${flags} >${log} 2>&1 </dev/null &
echo $! >${log}.pid
looks=0
until grep -q 'the desktop has [a-z]* webcam' ${log} || [ $((looks += 1)) -gt 100 ]; do sleep 0.5; done
cat ${log}`;
  return (await conference.ask<{ words: string }>("run", { command: ["sh", "-c", script] }, 90_000)).words;
}

/** A film of 4:3 whose left half has one colour and whose right half another, as Chromium takes for a camera. */
function film(file: string, left: Colour, right: Colour): string {
  const [width, height] = [640, 480];
  const plane = (index: 0 | 1 | 2, share: number): Buffer => Buffer.from(Array.from({ length: (width * height) / (share * share) }, (_, at) => (at % (width / share) < width / share / 2 ? left : right)[index]));
  const frame = Buffer.concat([Buffer.from("FRAME\n"), plane(0, 1), plane(1, 2), plane(2, 2)]);
  writeFileSync(file, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F4:1 Ip A1:1 C420jpeg\n`), frame, frame]));
  return file;
}

const camera = (file: string): readonly string[] => ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${file}`];

/** Opens the page with its panel, and keeps what its browser gives it of devices. */
async function come(browser: Chromium, where: Server = server): Promise<Viewer> {
  const page = await browser.prepare(where);
  await keepGiven(page);
  await page.page.goto(where.url);
  await page.connected(60_000);
  await page.page.keyboard.press("Control+Shift+M");
  return page;
}

/** Waits until the program sees these colours. */
async function isSeen(what: string, wanted: readonly Colour[], device = WEBCAM): Promise<void> {
  await until(`the program to see ${what}`, 30_000, async () => {
    const seen = await conference.ask<Colour[]>("look", { device, places: PLACES });
    const near = wanted.every((colour, at) => colour.every((part, of) => Math.abs(part - (seen[at]?.[of] ?? NaN)) <= NEAR));
    if (!near) throw new Error(JSON.stringify(seen));
    return true;
  });
}

async function status(): Promise<Status> {
  const authorization = `Basic ${Buffer.from(`${server.user}:${server.password}`).toString("base64")}`;
  return (await (await fetch(new URL("status", server.url), { headers: { authorization } })).json()) as Status;
}

before(async () => {
  if (lacks !== false) return;
  const folder = mkdtempSync(join(tmpdir(), "vdi-webcam-"));
  ends.push(() => { rmSync(folder, { recursive: true }); });
  annas = await Chromium.start({ flags: camera(film(join(folder, "anna.y4m"), RED, BLUE)) });
  ends.push(() => annas.stop());
  berts = await Chromium.start({ flags: camera(film(join(folder, "bert.y4m"), GREEN, YELLOW)) });
  ends.push(() => berts.stop());
  const session = await GuestSession.start("SELKIES_GAMEPADS=off", "conference.py");
  ends.push(() => session.stop());
  ({ guest, server, program: conference } = session);
  await conference.ask("open", { device: WEBCAM });
  anna = await come(annas);
  await anna.becomes("controller", 30_000);
});

after(async () => {
  for (const end of ends.reverse()) await end();
});

test("programs find a camera before anybody has one on, and see that it is off; nobody was asked for one", { skip: lacks }, async () => {
  assert.deepEqual(await conference.ask("devices"), [WEBCAM, OTHER]);
  assert.deepEqual((await status()).webcam, { running: true, message: null });
  await anna.page.waitForSelector("#camera:not([hidden])");
  await shows(anna, CAMERA, "Camera off", false);
  assert.deepEqual(await given(anna), []);
  assert.equal(await sent(anna, CAMERA), 0);
  await isSeen("that it is off", OFF);
});

test("what the camera of the page in control shows is what a program sees, in its shape, while the desktop goes on", { skip: lacks }, async () => {
  await anna.page.click("#camera");
  await shows(anna, CAMERA, "Camera on", true);
  await isSeen("the camera", ANNA);
  await anna.screenshot("camera-on");
  const { framesDecoded } = await anna.inbound("video");
  await anna.page.mouse.move(200, 200);
  await until("the desktop's picture to go on", 20_000, async () => (await anna.inbound("video")).framesDecoded > framesDecoded);
  await isSeen("the camera", ANNA);
});

test("the mark switches it off: the device is let go, and programs see that", { skip: lacks }, async () => {
  await anna.page.click("#showing");
  await shows(anna, CAMERA, "Camera off", false);
  assert.deepEqual(await given(anna), ["ended"]);
  await isSeen("that it is off", OFF);
});

test("a viewer is not seen, whatever its page sends, until it takes control; and who loses control is switched off", { skip: lacks }, async () => {
  const bert = await come(berts);
  await bert.becomes("viewer", 30_000);
  assert.equal(await bert.page.isDisabled("#camera"), true);
  await sendAnyway(bert, CAMERA);
  await until("12 frames of a viewer", 30_000, async () => (await sent(bert, CAMERA)) > 12);
  await isSeen("that it is off", OFF);

  await anna.page.click("#camera");
  await isSeen("the camera of who is in control", ANNA);
  await bert.page.click("#takeControl");
  await bert.becomes("controller", 30_000);
  await shows(anna, CAMERA, "Camera off", false);
  assert.deepEqual(new Set(await given(anna)), new Set(["ended"]));
  // The same stream, of which nothing was seen before.
  await isSeen("the camera of who has taken control", BERT);

  const frames = await sent(bert, CAMERA);
  await anna.page.click("#takeControl");
  await anna.becomes("controller", 30_000);
  await until("12 frames of who was in control", 30_000, async () => (await sent(bert, CAMERA)) > frames + 12);
  await isSeen("that it is off", OFF);
  await bert.close();
});

test("a page that leaves with its camera on leaves the picture that it is off, and comes back without", { skip: lacks }, async () => {
  await anna.page.click("#camera");
  await isSeen("the camera", ANNA);
  await anna.close();
  await isSeen("that it is off", OFF);
  anna = await come(annas);
  await anna.becomes("controller", 30_000);
  await shows(anna, CAMERA, "Camera off", false);
});

test("who does not allow it is told so, and nothing is sent", { skip: lacks }, async () => {
  await anna.close();
  const shy = await Chromium.start({ flags: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream=deny"] });
  ends.push(() => shy.stop());
  anna = await come(shy);
  await anna.becomes("controller", 30_000);
  await anna.page.waitForSelector("#camera:not([hidden])");
  await anna.page.click("#camera");
  await until("the page to say why", 10_000, async () => (await anna.words()).includes("The browser does not let this page use the camera."));
  await shows(anna, CAMERA, "Camera off", false);
  assert.equal(await sent(anna, CAMERA), 0);
});

test("a second session of the machine takes the next device, and a third says that there is none left", { skip: lacks }, async () => {
  try {
    assert.match(await another("/run/second"), /the desktop has a webcam, \/dev\/video42/);
    assert.match(await another("/run/third"), /the desktop has no webcam: another (program|session) writes to \/dev\/video41/);
  } finally {
    await conference.ask("run", { command: ["sh", "-c", "kill $(cat /run/second.pid /run/third.pid)"] });
  }
});

test("the end lets the device go, so that another session has it", { skip: lacks }, async () => {
  await conference.ask("run", { command: ["sh", "-c", "kill $(cat /run/launcher)"] });
  await guest.says(/^launcher: ended with 0/m, 30_000);
  assert.match(await another("/run/again", `--webcam ${WEBCAM}`), /the desktop has a webcam, \/dev\/video41/);
  // The program has looked all the while: what it sees now is the other session's.
  await isSeen("the camera of the other session, which is off", OFF);
});

test("where there is no device the log and /status say so, and there is no button", async () => {
  const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--webcam", "/dev/video1234"], desktop: scrolling("60x20+40+40") });
  const chromium = await Chromium.start();
  try {
    const { webcam } = await launcher.statusWhere("there is no webcam", ({ webcam: { message } }) => message !== null);
    assert.deepEqual(webcam, { running: false, message: "there is no /dev/video1234" });
    await launcher.logged(/WARN.*the desktop has no webcam: there is no \/dev\/video1234/);
    const viewer = await come(chromium, launcher);
    await viewer.becomes("controller");
    assert.equal(await viewer.page.isVisible("#camera"), false);
    await assert.rejects(sendAnyway(viewer, CAMERA), /wants none/);
  } finally {
    await chromium.stop();
    await launcher.stop();
  }
});
