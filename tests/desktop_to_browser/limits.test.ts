// Behaviour: the limits of a session's life, as an operator tells them in a file: the page warns, counts down, and says
// why the session has ended.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

interface Limits {
  expiresAt?: string;
  idleTimeoutSeconds?: number;
  disconnectedTimeoutSeconds?: number;
  extendedSeconds?: number;
}

let chromium: Chromium;
let folder: string;
let launcher: Launcher;

/** Replaces the file as the kubelet does: at once. */
async function tell(limits: Limits): Promise<void> {
  await writeFile(join(folder, "new"), JSON.stringify(limits));
  await rename(join(folder, "new"), join(folder, "limits"));
}

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

/** What the page warns of; empty if of nothing. */
const warning = (viewer: Viewer): Promise<string> =>
  viewer.page.evaluate(() => {
    const pill = document.querySelector<HTMLElement>("#coming");
    return pill === null || pill.hidden ? "" : pill.textContent.replace(/\s+/g, " ").trim();
  });

const warns = (viewer: Viewer, words: RegExp, limitMs = 10_000): Promise<string> =>
  until(`the page to warn ${words}`, limitMs, async () => {
    const said = await warning(viewer);
    return words.test(said) ? said : undefined;
  });

const secondsLeft = (said: string): number => {
  const [, minutes = "", seconds = ""] = /(\d+):(\d\d)/.exec(said) ?? [];
  return Number(minutes) * 60 + Number(seconds);
};

before(async () => {
  chromium = await Chromium.start();
  folder = await mkdtemp(join(tmpdir(), "vdi-limits-"));
  await tell({});
  await writeFile(join(folder, "termination"), "");
  launcher = await Launcher.start({
    flags: [
      ...["--display-size", "640x480", "--session-limits", join(folder, "limits"), "--termination-log", join(folder, "termination")],
      ...["--session-extensions", "2", "--session-extension", "600"],
    ],
    desktop: ["xclock", "-update", "1"],
  });
});

after(async () => {
  if (!launcher.child.ending) await launcher.stop();
  await chromium.stop();
  await rm(folder, { recursive: true });
});

test("the longest time is announced with a countdown, and taken back when it moves", async () => {
  const viewer = await chromium.open(launcher);
  assert.equal(await warning(viewer), "");
  await tell({ expiresAt: inSeconds(200) });
  const first = secondsLeft(await warns(viewer, /Save your work/));
  assert.ok(first > 100 && first <= 200, `${first}`);
  await until("the countdown to go on", 10_000, async () => secondsLeft(await warning(viewer)) < first);
  await viewer.screenshot("limit");
  await tell({ expiresAt: inSeconds(7200) });
  await warns(viewer, /^$/);
  await viewer.close();
});

test("whoever is in control extends the longest time by a click, as often as the operator allows", async () => {
  const viewer = await chromium.open(launcher);
  await viewer.becomes("controller");
  const watcher = await chromium.open(launcher);
  await watcher.becomes("viewer");
  const button = '#coming [data-part="extend"]';
  const expiresAt = inSeconds(120);
  await tell({ expiresAt });
  await warns(viewer, /Extend by 10 minutes/);
  const said = await warns(watcher, /Save your work/);
  assert.doesNotMatch(said.replace(/ It ends in.*/, ""), /Extend/);
  assert.equal(await watcher.page.isHidden(button), true);
  await viewer.screenshot("limit-extend");

  // Who only watches extends nothing, whatever it says.
  await watcher.speak([{ type: "extend" }], "control");
  await viewer.page.click(button);
  // Two clicks are not two extensions: the end is far away then.
  await viewer.speak([{ type: "extend" }], "control");
  await warns(viewer, /^$/);
  await warns(watcher, /^$/);
  const { limits } = await launcher.status();
  assert.equal(Date.parse(limits.expiresAt ?? "") - Date.parse(expiresAt), 600_000);
  assert.deepEqual([limits.extendedSeconds, limits.extensionSeconds, limits.extensionsLeft], [600, 600, 1]);

  // Whoever ends the session moves its end, and says how much of that is the extension.
  await tell({ expiresAt: inSeconds(100), extendedSeconds: 600 });
  await warns(viewer, /Extend by 10 minutes/);
  await viewer.page.click(button);
  await warns(viewer, /^$/);
  await tell({ expiresAt: inSeconds(100), extendedSeconds: 1200 });
  await warns(viewer, /Save your work/);
  assert.equal(await viewer.page.isHidden(button), true, "there are none left");
  assert.equal((await launcher.status()).limits.extensionsLeft, 0);
  await tell({});
  await warns(viewer, /^$/);
  await watcher.close();
  await viewer.close();
});

test("a desktop that nobody uses is announced to end, and one key keeps it", async () => {
  const viewer = await chromium.open(launcher);
  await viewer.becomes("controller");
  await viewer.page.keyboard.press("a");
  // Half of a short limit is left when the page warns.
  await tell({ idleTimeoutSeconds: 40 });
  const said = await warns(viewer, /Any key or motion keeps it/, 40_000);
  assert.ok(secondsLeft(said) <= 20, said);
  await viewer.page.keyboard.press("b");
  await warns(viewer, /^$/);
  await tell({});
  await viewer.close();
});

test("who comes back late is told how long a desktop waits", async () => {
  await launcher.statusWhere("nobody is connected", ({ secondsWithoutPage }) => secondsWithoutPage !== null, 20_000);
  await tell({ disconnectedTimeoutSeconds: 4 });
  await launcher.statusWhere("nobody was for a while", ({ secondsWithoutPage }) => (secondsWithoutPage ?? 0) > 5, 20_000);
  const viewer = await chromium.open(launcher);
  await until("the notice", 10_000, async () => ((await viewer.page.textContent("#notices")) ?? "").includes("No page was connected to this desktop"));
  assert.equal((await launcher.status()).secondsWithoutPage, null);
  await tell({});
  await viewer.close();
});

test("a session that is ended when its time is over says why, on the page and to Kubernetes", async () => {
  const viewer = await chromium.open(launcher);
  // What was extended before is in that.
  await tell({ expiresAt: inSeconds(1), extendedSeconds: 1200 });
  await warns(viewer, /ends now/);
  await launcher.stop();
  await until("the page to notice", 10_000, async () => (await viewer.state()) === "ended");
  assert.match(await viewer.words(), /The session has ended.*reached its longest time/s);
  assert.match(await readFile(join(folder, "termination"), "utf8"), /^STOPPED: the session has reached its longest time\n$/);
  await viewer.close();
});
