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
    flags: ["--display-size", "640x480", "--session-limits", join(folder, "limits"), "--termination-log", join(folder, "termination")],
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
  await tell({ expiresAt: inSeconds(1) });
  await warns(viewer, /ends now/);
  await launcher.stop();
  await until("the page to notice", 10_000, async () => (await viewer.state()) === "ended");
  assert.match(await viewer.words(), /The session has ended.*reached its longest time/s);
  assert.match(await readFile(join(folder, "termination"), "utf8"), /^STOPPED: the session has reached its longest time\n$/);
  await viewer.close();
});
