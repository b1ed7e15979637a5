// Behaviour: guests: those with the password for watching, and those who come with an invitation. The server decides what they
// may: they say on their channels what the page would not, and the X server tells what has come of it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { Program } from "./support/selections.js";
import { delay, until } from "./support/wait.js";
import { Display } from "./support/x11.js";

const LOOK = "only-look";
const VIEW_PASSWORD = { SELKIES_BASIC_AUTH_VIEW_PASSWORD: LOOK };
const DESKTOP = ["xclock", "-update", "1"];

type Heard = Record<string, unknown> & { type: string };

/** Says something on a channel past the page, and waits for the first answer of one of these types. */
async function ask(viewer: Viewer, message: object, ...types: string[]): Promise<Heard> {
  const heard = await viewer.speak([message], "control");
  return until(`an answer: ${types.join(" or ")}`, 10_000, async () => ((await heard()) as Heard[]).find(({ type }) => types.includes(type)));
}

/** The link to the page with a new invitation. */
async function invitation(owner: Viewer, url: string, role: "controller" | "viewer", seconds: number): Promise<string> {
  const answer = await ask(owner, { type: "invite", role, seconds }, "invited", "notInvited");
  assert.equal(answer.type, "invited", JSON.stringify(answer));
  return `${url}?invite=${String(answer["token"])}`;
}

/** Opens a link in a profile of its own, without any password. */
async function follow(chromium: Chromium, url: string, link: string): Promise<Viewer> {
  const guest = await chromium.prepare({ url, user: "", password: "" });
  await guest.page.goto(link, { timeout: 15_000 });
  await guest.connected();
  return guest;
}

/** The status that the browser's profile gets for this path; the page itself would wait for its user to name a password. */
const fetched = async (viewer: Viewer, path: string): Promise<number> => (await viewer.page.request.get(new URL(path, viewer.page.url()).href)).status();

const ended = (viewer: Viewer, words: string, limitMs = 20_000): Promise<boolean> =>
  until(`the words "${words}"`, limitMs, async () => {
    const now = `${await viewer.state()}: ${await viewer.words()}`;
    if (!now.startsWith("ended") || !now.includes(words)) throw new Error(now);
    return true;
  });

/** Tries everything that only who is in control may, past the page. Nothing comes of it. */
async function movesNothing(guest: Viewer, owner: Viewer, display: Display): Promise<void> {
  const before = await display.pointer();
  const elsewhere = { x: (before.x + 100) % display.width, y: (before.y + 100) % display.height };
  await guest.speak([{ type: "motion", seq: 1_000_000, ...elsewhere }], "pointer");
  await guest.speak(
    [
      { type: "button", button: 0, down: true, ...elsewhere },
      { type: "key", keysym: 97, down: true },
      { type: "text", text: "b" },
    ],
    "input",
  );
  const clipboard = await guest.speak(
    [{ type: "ready" }, { type: "fetch", selection: "clipboard" }, { type: "offer", id: 1, selection: "clipboard", items: [{ mime: "text/plain", bytes: 1 }] }, { type: "piece", id: 1, data: "eA==" }],
    "clipboard",
  );
  await ask(guest, { type: "takeControl" }, "controlRefused");
  assert.deepEqual(await ask(guest, { type: "invite", role: "viewer", seconds: 5 }, "invited", "notInvited"), { type: "notInvited", reason: "notAllowed" });
  const settings = await ask(guest, { type: "settings", framerate: 5 }, "settings");
  assert.notEqual((settings["now"] as { framerate: number }).framerate, 5);
  await guest.speak([{ type: "giveControl", consumer: await guest.consumer() }, { type: "viewport", width: 640, height: 480, scale: 1 }], "control");
  // Time for whatever would come of it.
  await delay(1_000);
  assert.deepEqual(await display.pointer(), before);
  assert.deepEqual(await display.keysDown(), []);
  assert.deepEqual(((await clipboard()) as Heard[]).filter(({ type }) => type === "offer" || type === "piece"), []);
  await owner.becomes("controller");
  await guest.becomes("viewer");
  for (const path of ["/status", "/metrics", "/doctor", `/files/${"0".repeat(32)}/`]) assert.equal(await fetched(guest, path), 403, path);
  assert.equal(await fetched(guest, "/turn"), 200);
}

describe("guests of a desktop with a password", { timeout: 240_000 }, () => {
  let folder: string;
  let chromium: Chromium;
  let launcher: Launcher;
  let display: Display;
  let program: Program;
  let owner: Viewer;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "vdi-files-"));
    // More than what browser and server have room for on the way.
    writeFileSync(join(folder, "large.bin"), "");
    truncateSync(join(folder, "large.bin"), 2 ** 30);
    launcher = await Launcher.start({ flags: ["--display-size", "800x600", "--files-folder", folder], desktop: DESKTOP, env: VIEW_PASSWORD });
    display = await launcher.openDisplay();
    program = await Program.start(await launcher.desktopEnvironment());
    await program.copy({ UTF8_STRING: Buffer.from("of the desktop") });
    chromium = await Chromium.start();
    owner = await chromium.open(launcher);
    await owner.becomes("controller");
    await owner.page.keyboard.press("Control+Shift+M");
    await owner.page.click("#tabPeople");
  });

  after(async () => {
    program.end();
    display.close();
    await chromium.stop();
    await launcher.stop();
    rmSync(folder, { recursive: true });
  });

  test("the password for watching lets any user watch, and do no more", async () => {
    const viewer = await chromium.open({ url: launcher.url, user: "anybody", password: LOOK });
    await viewer.becomes("viewer");
    assert.match(await viewer.consumer(), /@view$/);
    await until("the button for control to be gone", 5_000, () => viewer.page.isHidden("#takeControl"));
    await until("the owner to see it", 5_000, async () => (await owner.words()).includes("may only watch"));
    assert.equal(await owner.page.locator('#partPeople [data-part="people"] button').count(), 0, "control cannot be given to it");
    await movesNothing(viewer, owner, display);
    assert.equal(String(await program.paste("UTF8_STRING")), "of the desktop");
    const authorization = `Basic ${Buffer.from(`me:${LOOK}`).toString("base64")}`;
    assert.equal((await launcher.get("/status", { authorization })).status, 403);
    await viewer.close();
  });

  test("an invitation to watch lets in without a password, until it is revoked", async () => {
    await owner.page.click('#partPeople [data-part="invite"]');
    const field = owner.page.locator('#partPeople [data-part="link"]');
    await field.waitFor();
    const link = await field.inputValue();
    assert.match(link, /\?invite=[\w-]{43}$/);
    assert.match(await owner.words(), /To watch 15 min left/);
    await owner.screenshot("invitation");

    const guest = await follow(chromium, launcher.url, link);
    assert.equal(guest.page.url(), launcher.url, "the token stays nowhere");
    assert.equal(await guest.page.evaluate(() => history.length), 2, "not even behind the page: there is the empty tab alone");
    assert.equal(await guest.page.evaluate(() => document.cookie), "", "no script reads it");
    assert.match(await guest.consumer(), /@viewer1$/);
    await movesNothing(guest, owner, display);
    await guest.page.reload();
    await guest.connected();

    await owner.page.click('#partPeople [data-part="invitations"] button');
    await ended(guest, "Your invitation was revoked");
    await guest.screenshot("invitation-revoked");
    assert.equal(await fetched(guest, "/"), 401);
    const late = await launcher.get(`/${new URL(link).search}`, {});
    assert.equal(late.status, 403);
    assert.match(await late.text(), /The invitation was revoked/);
    await until("the list to be empty", 5_000, async () => (await owner.page.locator('#partPeople [data-part="invitations"] li').count()) === 0);
    await guest.close();
  });

  test("an invitation to control lets take it, invite nobody, and ends on time", async () => {
    const guest = await follow(chromium, launcher.url, await invitation(owner, launcher.url, "controller", 45));
    await guest.becomes("viewer");
    const heard = await guest.speak([], "control");
    await guest.page.click("#takeControl");
    await guest.becomes("controller");
    const token = await until("the token for files", 5_000, async () => ((await heard()) as Heard[]).findLast(({ type }) => type === "files")?.["token"]);
    await guest.page.evaluate(async (path) => {
      const response = await fetch(path);
      const rest = response.body?.getReader();
      if (!response.ok || !rest) throw new Error(`no download: ${response.status}`);
      await rest.read();
      Object.assign(globalThis, { rest });
    }, `/files/${String(token)}/large.bin`);
    await owner.becomes("viewer");
    await guest.speak([{ type: "motion", seq: 1, x: 321, y: 234 }], "pointer");
    await until("the pointer to move", 5_000, async () => {
      const { x, y } = await display.pointer();
      return x === 321 && y === 234;
    });
    const refused = await ask(guest, { type: "invite", role: "controller", seconds: 600 }, "invited", "notInvited");
    assert.equal(refused.type, "notInvited");
    assert.equal(await fetched(guest, "/status"), 403);
    await ended(guest, "Your invitation has expired", 75_000);
    await owner.becomes("controller");
    const download = guest.page.evaluate(async () => {
      const { rest } = globalThis as unknown as { rest: ReadableStreamDefaultReader };
      while (!(await rest.read()).done);
    });
    await assert.rejects(download, /network error/, "nor does a download go on");
    assert.equal(await fetched(guest, "/"), 401);
    await guest.close();
  });

  test("invitations are bounded in number and time", async () => {
    for (const seconds of [0, 86_401]) assert.equal((await ask(owner, { type: "invite", role: "viewer", seconds }, "invited", "notInvited"))["reason"], "badDuration");
    const heard = await owner.speak(Array.from({ length: 17 }, () => ({ type: "invite", role: "viewer", seconds: 5 })), "control");
    const answers = await until("seventeen answers", 10_000, async () => {
      const all = ((await heard()) as Heard[]).filter(({ type }) => type === "invited" || type === "notInvited");
      return all.length === 17 && all;
    });
    assert.deepEqual(answers.filter(({ type }) => type === "notInvited"), [{ type: "notInvited", reason: "tooMany" }]);
  });

  test("wrong invitations are refused, and have to wait like wrong passwords", async () => {
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 11; attempt++) statuses.push((await launcher.get("/?invite=guess", {})).status);
    assert.deepEqual(statuses, [...Array<number>(10).fill(403), 429]);
  });
});

test("where no password is asked for, an invitation still says what its guest may", { timeout: 90_000 }, async () => {
  const child = Launcher.spawn({ flags: ["--display-size", "800x600", "--enable-basic-auth", "false"], desktop: DESKTOP });
  const [, url = ""] = await child.says(/^URL:\s+(\S+)$/m, 30_000);
  await until("/readyz to say yes", 30_000, async () => (await fetch(new URL("/readyz", url))).ok);
  const chromium = await Chromium.start();
  try {
    const owner = await chromium.open({ url, user: "", password: "" });
    await owner.becomes("controller");
    const guest = await follow(chromium, url, await invitation(owner, url, "viewer", 600));
    assert.match(await guest.consumer(), /@viewer1$/);
    await ask(guest, { type: "takeControl" }, "controlRefused");
    await owner.speak([{ type: "revoke", id: 1 }], "control");
    await ended(guest, "Your invitation was revoked");
    assert.equal(await fetched(guest, "/"), 403, "nor does it come back as somebody who needs no password");
  } finally {
    await chromium.stop();
    await child.stop();
  }
});

test("an operator who wants no invitations has none", { timeout: 60_000 }, async () => {
  const launcher = await Launcher.start({ flags: ["--display-size", "800x600", "--invitations", "false"], desktop: DESKTOP });
  const chromium = await Chromium.start();
  try {
    const owner = await chromium.open(launcher);
    await owner.becomes("controller");
    assert.equal((await ask(owner, { type: "invite", role: "viewer", seconds: 5 }, "invited", "notInvited"))["reason"], "notAllowed");
    assert.equal(await owner.page.isHidden('#partPeople [data-part="inviting"]'), true);
    assert.equal((await launcher.get("/?invite=guess", {})).status, 401);
  } finally {
    await chromium.stop();
    await launcher.stop();
  }
});

test("the Selkies client with the password for watching moves nothing", { timeout: 60_000 }, async () => {
  const launcher = await Launcher.start({
    flags: ["--display-size", "800x600", "--web-root", resolve(import.meta.dirname, "selkies_client")],
    desktop: DESKTOP,
    env: VIEW_PASSWORD,
  });
  const display = await launcher.openDisplay();
  const chromium = await Chromium.start();
  try {
    const viewer = await chromium.prepare(launcher, { password: LOOK });
    await viewer.page.goto(launcher.url);
    await until("both peer connections", 20_000, () => viewer.page.evaluate(() => window.client.states.video === "connected" && window.client.channel?.readyState === "open"));
    const before = await display.pointer();
    await viewer.page.evaluate(([x, y]) => {
      for (const line of [`m,${x},${y},0,0`, `m,${x},${y},1,0`, "kd,97"]) window.client.send(line);
    }, [(before.x + 100) % 800, (before.y + 100) % 600] as const);
    await delay(1_000);
    assert.deepEqual(await display.pointer(), before);
    assert.deepEqual(await display.keysDown(), []);
    const { consumers } = await launcher.status();
    assert.deepEqual(consumers.filter(({ role }) => role === "controller"), []);
    assert.ok(consumers.length > 0 && consumers.every(({ id }) => id.endsWith("@view")), JSON.stringify(consumers));
  } finally {
    display.close();
    await chromium.stop();
    await launcher.stop();
  }
});
