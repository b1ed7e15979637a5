// Behaviour: several people at one desktop: who they are, and how control changes hands where it has to be asked for. The server
// decides; a page that does as if it had control moves nothing.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const desktop = ["xclock", "-update", "1"];

/** The rows of the list, as "name: what". */
function people(viewer: Viewer): Promise<string[]> {
  return viewer.page.evaluate(() =>
    [...document.querySelectorAll("#partPeople li")].map((row) => `${row.querySelector("span")?.textContent ?? ""}: ${row.querySelector("small")?.textContent ?? ""}`),
  );
}

async function lists(viewer: Viewer, expected: string[]): Promise<void> {
  await until(`the list ${expected.join(", ")}`, 10_000, async () => {
    const now = await people(viewer);
    if (now.sort().join() !== expected.sort().join()) throw new Error(now.join());
    return true;
  });
}

async function come(chromium: Chromium, launcher: Launcher, name: string, role: "controller" | "viewer"): Promise<Viewer> {
  const viewer = await chromium.open(launcher);
  await viewer.becomes(role, 15_000);
  await viewer.page.keyboard.press("Control+Shift+M");
  await viewer.page.click("#tabPeople");
  await viewer.page.fill('#partPeople [data-part="ownName"]', name);
  await viewer.page.press('#partPeople [data-part="ownName"]', "Enter");
  return viewer;
}

const notice = (viewer: Viewer, text: string): Promise<boolean> => until(`the words "${text}"`, 10_000, async () => (await viewer.words()).includes(text));

describe("people at one desktop", { timeout: 180_000 }, () => {
  let chromium: Chromium;
  let launcher: Launcher;
  let anna: Viewer;
  let bert: Viewer;

  before(async () => {
    chromium = await Chromium.start();
    launcher = await Launcher.start({ flags: ["--display-size", "800x600", "--control-policy", "ask"], desktop });
    anna = await come(chromium, launcher, "Anna", "controller");
    bert = await come(chromium, launcher, "Bert", "viewer");
  });

  after(async () => {
    await launcher.stop();
    await chromium.stop();
  });

  test("know who is here, and who has control", async () => {
    await lists(anna, ["Anna (you): in control", "Bert: watching"]);
    await lists(bert, ["Anna: in control", "Bert (you): watching"]);
    await anna.screenshot("people-controller");
    await bert.screenshot("people-viewer");
  });

  test("ask for control, and are refused", async () => {
    assert.equal(await bert.page.textContent("#takeControl"), "Ask for control");
    await bert.page.click("#takeControl");
    await anna.page.waitForSelector("#asked:not([hidden])");
    assert.match(await anna.words(), /Bert asks for control\./);
    await until("the button to wait", 10_000, () => bert.page.isDisabled("#takeControl"));
    await anna.screenshot("people-asked");
    await anna.page.click('#asked [data-part="keep"]');
    await notice(bert, "You do not get control now.");
    await until("nobody to be asked any more", 10_000, () => anna.page.isHidden("#asked"));
    await anna.becomes("controller");
  });

  test("ask for control, and get it; it is taken by nobody who was not given it", async () => {
    await bert.page.click("#takeControl");
    await anna.page.click('#asked [data-part="give"]');
    await bert.becomes("controller");
    await notice(bert, "You control this desktop now.");
    await anna.becomes("viewer");
    await notice(anna, "Bert controls this desktop now.");
    await lists(anna, ["Anna (you): watching", "Bert: in control"]);
    const { consumers } = await launcher.status();
    assert.deepEqual(consumers.map(({ role }) => role).sort(), ["controller", "viewer"]);
    // The one in control gives it unasked as well.
    await bert.page.click("#partPeople li button");
    await anna.becomes("controller");
    await launcher.logged(/"Anna" .*has control: given by/);
    const log = launcher.words.split("\n").flatMap((line) => /: (.*control.*)$/.exec(line.replaceAll(/page \w+/g, "page"))?.[1] ?? []);
    assert.deepEqual(log, [
      "page has control: nobody had it",
      '"Bert" (page) asks for control',
      '"Anna" (page) keeps control, for which "Bert" (page) asked',
      '"Bert" (page) asks for control',
      '"Bert" (page) has control: asked for, and given by "Anna" (page)',
      '"Anna" (page) has control: given by "Bert" (page)',
    ]);
  });

  test("forget who has left, and who asked", async () => {
    const carl = await come(chromium, launcher, "Carl", "viewer");
    await lists(anna, ["Anna (you): in control", "Bert: watching", "Carl: watching"]);
    await carl.page.click("#takeControl");
    await anna.page.waitForSelector("#asked:not([hidden])");
    await carl.close();
    await until("the question to go", 15_000, () => anna.page.isHidden("#asked"));
    await lists(anna, ["Anna (you): in control", "Bert: watching"]);
  });

  test("keep their names beyond a reload", async () => {
    await bert.page.reload();
    await bert.connected();
    await lists(anna, ["Anna (you): in control", "Bert: watching"]);
  });
});
