// Behaviour: several viewers share one encoder, and nothing that one of them does or suffers reaches another.
//
// VDI_VIEWERS_SECONDS sets how long they are watched: a minute in `make test`, longer in `make soak`.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { fdCount, residentBytes, threadCount } from "./support/child.js";
import { scrolling } from "./support/desktops.js";
import { Launcher } from "./support/launcher.js";
import { delay, until } from "./support/wait.js";

const SECONDS = Number(process.env["VDI_VIEWERS_SECONDS"] ?? 60);

let launcher: Launcher;
/** A browser of its own for each viewer, so that each has processes that are its own. */
let browsers: [Chromium, Chromium, Chromium];
let env: Record<string, string>;

before(async () => {
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: scrolling("30x12+400+200") });
  env = await launcher.desktopEnvironment();
  browsers = [await Chromium.start(), await Chromium.start(), await Chromium.start()];
});

after(async () => {
  for (const browser of browsers) await browser.stop();
  await launcher.stop();
});

/** What a page has seen in a second, and for how long it stood still in it: nobody can show it anything then. */
interface Second {
  frames: number;
  stalledMs: number;
}

/** What happens in each of so many seconds; one without a frame is a gap. */
async function watch(viewer: Viewer, seconds: number): Promise<Second[]> {
  const seen: Second[] = [];
  await viewer.page.evaluate(() => {
    const kept = globalThis as unknown as { stalledMs?: number };
    const has = kept.stalledMs !== undefined;
    kept.stalledMs = 0;
    if (has) return;
    let before = performance.now();
    setInterval(() => {
      const now = performance.now();
      kept.stalledMs = Math.max(kept.stalledMs ?? 0, now - before);
      before = now;
    }, 20);
  });
  let { framesDecoded: last } = await viewer.inbound("video");
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    await delay(1000);
    const { framesDecoded: now } = await viewer.inbound("video");
    const stalledMs = await viewer.page.evaluate(() => {
      const kept = globalThis as unknown as { stalledMs: number };
      const { stalledMs } = kept;
      kept.stalledMs = 0;
      return stalledMs;
    });
    // A page that has gone over to another connection counts from nothing again.
    seen.push({ frames: now < last ? now : now - last, stalledMs });
    last = now;
  }
  return seen;
}

function assertNoGap(who: string, seen: Second[]): void {
  assert.ok(seen.length > 0);
  const gaps = seen.flatMap(({ frames, stalledMs }, second) => (frames > 0 || stalledMs > 500 ? [] : [second]));
  assert.deepEqual(gaps, [], `${who} saw no frame in these seconds: ${JSON.stringify(seen)}`);
}

async function assertAllSee(viewers: Viewer[], colour: string): Promise<void> {
  execFileSync("xsetroot", ["-solid", colour], { env, timeout: 5_000 });
  const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  await Promise.all(
    viewers.map((viewer, index) =>
      until(`viewer ${index} to see ${colour}`, 10_000, async () => {
        const corner = (await viewer.shown(8, 8)).cells[0] ?? [0, 0, 0];
        const far = corner.reduce((sum, value, at) => sum + Math.abs(value - (wanted[at] ?? 0)), 0);
        assert.ok(far <= 24, `it sees ${corner.join()}`);
        return true;
      }),
    ),
  );
}

test(`three viewers see the same for ${SECONDS} s while one stalls, one hangs and one dies`, { timeout: (SECONDS + 120) * 1000 }, async (t) => {
  const viewport = { width: 640, height: 480 };
  const steady = await browsers[0].open(launcher, { viewport });
  const troubled = await browsers[1].open(launcher, { viewport });
  const doomed = await browsers[2].open(launcher, { viewport });
  await launcher.statusWhere("three connected consumers", ({ consumers }) => consumers.length === 3 && consumers.every((one) => one.connected));
  await assertAllSee([steady, troubled, doomed], "#803010");
  const phase = Math.max(5, Math.floor(SECONDS / 4));

  t.diagnostic(`all three undisturbed for ${phase} s`);
  const undisturbed = await Promise.all([steady, troubled, doomed].map((viewer) => watch(viewer, phase)));
  undisturbed.forEach((counts, index) => { assertNoGap(`viewer ${index}, undisturbed,`, counts); });

  const memory = residentBytes(launcher.pid);

  t.diagnostic(`one stalls (its process is stopped) for ${phase} s`);
  for (const pid of browsers[1].renderers) process.kill(pid, "SIGSTOP");
  try {
    const beside = await Promise.all([steady, doomed].map((viewer) => watch(viewer, phase)));
    beside.forEach((counts, index) => { assertNoGap(`viewer ${index}, beside a stalled one,`, counts); });
  } finally {
    for (const pid of browsers[1].renderers) process.kill(pid, "SIGCONT");
  }

  t.diagnostic(`one hangs (its script never returns) for ${phase} s`);
  const hung = troubled.page.evaluate((ms) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }, phase * 1000);
  const besideHung = await Promise.all([steady, doomed].map((viewer) => watch(viewer, phase)));
  besideHung.forEach((counts, index) => { assertNoGap(`viewer ${index}, beside a hung one,`, counts); });
  await hung;

  t.diagnostic(`one dies (its process is killed), the others are watched for ${phase} s`);
  for (const pid of browsers[2].renderers) process.kill(pid, "SIGKILL");
  assertNoGap("the steady viewer, beside a dead one,", await watch(steady, phase));

  // The one that stalled and hung is back, by itself.
  await troubled.connected();
  assertNoGap("the viewer that was stopped and hung, afterwards,", await watch(troubled, 3));
  await assertAllSee([steady, troubled], "#108030");
  await launcher.statusWhere("the dead one is gone", ({ consumers }) => consumers.length === 2, 30_000);
  // What is kept for a peer that does not read is bounded; a minute of the stream at its target would be 57 MiB.
  const grownMiB = (residentBytes(launcher.pid) - memory) / 2 ** 20;
  t.diagnostic(`the launcher's memory has grown by ${grownMiB.toFixed(1)} MiB`);
  assert.ok(grownMiB < 50, `the launcher's memory has grown by ${grownMiB.toFixed(1)} MiB`);
  await steady.screenshot("viewers");
  await Promise.all([steady.close(), troubled.close()]);
  await launcher.statusWhere("nobody watches", ({ consumers, phase }) => consumers.length === 0 && phase === "Ready", 30_000);
});

test("after 50 connects and disconnects threads and file descriptors are back where they were", { timeout: 300_000 }, async () => {
  const viewer = await browsers[0].open(launcher);
  await leave(viewer);
  const before = { threads: threadCount(launcher.pid), fds: fdCount(launcher.pid) };
  for (let round = 0; round < 50; round++) {
    await viewer.page.goto(launcher.url);
    await viewer.connected();
    await leave(viewer);
  }
  // Pools may keep a few threads warm; fifty leaked ones would not hide behind that.
  await until("threads and file descriptors to be back", 20_000, () => {
    const now = { threads: threadCount(launcher.pid), fds: fdCount(launcher.pid) };
    assert.ok(now.threads <= before.threads + 4 && now.fds <= before.fds + 4, `before ${JSON.stringify(before)}, now ${JSON.stringify(now)}`);
    return true;
  });
  await viewer.close();
});

async function leave(viewer: Viewer): Promise<void> {
  await viewer.page.goto("about:blank");
  await launcher.statusWhere("nobody watches", ({ consumers }) => consumers.length === 0, 20_000);
}
