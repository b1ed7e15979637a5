// Behaviour: how much is copied, and in which direction, is the operator's decision, and the page says so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { Program } from "./support/selections.js";
import { until, within } from "./support/wait.js";

let chromium: Chromium;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

const text = (content: string): Record<string, Buffer> => ({ UTF8_STRING: Buffer.from(content) });

async function session(flags: string[], run: (viewer: Viewer, program: Program) => Promise<void>): Promise<void> {
  const launcher = await Launcher.start({ desktop: ["sleep", "3600"], flags: ["--display-size", "640x480", ...flags] });
  const program = await Program.start(await launcher.desktopEnvironment());
  try {
    const viewer = await chromium.open(launcher);
    await viewer.allowClipboard(launcher);
    await viewer.becomes("controller");
    await run(viewer, program);
    await viewer.close();
  } finally {
    program.end();
    await launcher.stop();
  }
}

const copied = (viewer: Viewer): Promise<string> => viewer.page.evaluate(() => navigator.clipboard.readText());
const copyElsewhere = (viewer: Viewer, words: string): Promise<void> => viewer.page.evaluate((given) => navigator.clipboard.writeText(given), words);
const LISTEN = [{ type: "ready" }, { type: "fetch", selection: "clipboard" }];
const OFFER = [
  { type: "offer", id: 900, selection: "clipboard", items: [{ mime: "text/plain", bytes: 4 }] },
  { type: "piece", id: 900, data: "ZXZpbA==" },
];

test("in: what is copied on the desktop stays there", async () => {
  await session(["--enable-clipboard", "in"], async (viewer, program) => {
    await viewer.sharesClipboard();
    await copyElsewhere(viewer, "inwards");
    await viewer.page.keyboard.press("Control+V");
    await until("the desktop to have it", 10_000, async () => (await program.paste("UTF8_STRING"))?.toString() === "inwards");
    await program.copy(text("stays"));
    const heard = await viewer.speak(LISTEN);
    // What has become of the page's own offer may be told only now.
    const answers = async (): Promise<unknown[]> => (await heard()).filter((one) => !["received", "taken"].includes((one as { type: string }).type));
    await until("the server to have answered", 10_000, async () => (await answers()).length > 0);
    assert.deepEqual(await answers(), [{ type: "missed", selection: "clipboard", reason: "notAllowed" }]);
    assert.deepEqual(program.asked, [], "nobody has even looked");
    assert.equal(await copied(viewer), "inwards");
  });
});

test("out: what is copied outside stays there", async () => {
  await session(["--enable-clipboard", "out"], async (viewer, program) => {
    await viewer.sharesClipboard();
    await program.copy(text("outwards"));
    await until("the browser to have it", 10_000, async () => (await copied(viewer)) === "outwards");
    await copyElsewhere(viewer, "stays");
    await viewer.page.keyboard.press("Control+V");
    const answers = await viewer.speak(OFFER);
    await until("the server to have answered", 10_000, async () => (await answers()).length > 0);
    assert.deepEqual(await answers(), [{ type: "refused", id: 900, reason: "notAllowed" }]);
    assert.equal((await program.paste("UTF8_STRING"))?.toString(), "outwards");
  });
});

test("false: nothing is shared, nobody listens, and the page does not offer it", async () => {
  await session(["--enable-clipboard=false"], async (viewer, program) => {
    await program.copy(text("stays"));
    const answers = await viewer.speak([...LISTEN, ...OFFER]);
    await viewer.page.keyboard.press("Control+V");
    // The way there and back of something else: whatever would have been answered is answered by now.
    await until("a report of the page to have come", 10_000, () => viewer.page.evaluate(() => (globalThis as unknown as { vdi: { stats: unknown } }).vdi.stats !== null));
    assert.deepEqual(await answers(), []);
    assert.deepEqual(program.asked, []);
    assert.equal(await viewer.page.evaluate(() => document.getElementById("share")?.hidden), true);
  });
});

test("what is too large is not copied, in either direction, and the page says how much may be", async () => {
  await session(["--clipboard-max-bytes", "1000000"], async (viewer, program) => {
    await viewer.sharesClipboard();
    await program.copy(text("x".repeat(1_000_001)));
    await until("the page to say so", 10_000, async () => /too large: at most 1.0\sMB/.test(await viewer.words()));
    await viewer.screenshot("clipboard-too-large");
    await program.copy(text("y".repeat(1_000_000)));
    await until("the browser to have what just fits", 20_000, async () => (await copied(viewer)) === "y".repeat(1_000_000));
    await viewer.page.locator(".notice", { hasText: "too large" }).getByRole("button").click();
    await copyElsewhere(viewer, "z".repeat(1_000_001));
    await viewer.page.keyboard.press("Control+V");
    await until("the page to say so", 10_000, async () => (await viewer.words()).includes("too large"));
    const answers = await viewer.speak([{ type: "offer", id: 900, selection: "clipboard", items: [{ mime: "text/plain", bytes: 1_000_001 }] }]);
    await until("the server to have answered", 10_000, async () => (await answers()).length > 0);
    assert.deepEqual(await answers(), [{ type: "refused", id: 900, reason: "tooLarge" }]);
  });
});

test("what is no message closes no other page, and nonsense closes its own", async () => {
  await session([], async (viewer) => {
    await viewer.sharesClipboard();
    await viewer.speak(Array.from({ length: 16 }, () => ({ type: "dance" })));
    await until("the page to be told to go", 10_000, async () => (await viewer.state()) !== "streaming");
  });
});

test("an unknown way is refused with those that there are", async () => {
  const child = Launcher.spawn({ desktop: ["true"], flags: ["--enable-clipboard=sometimes", "--clipboard-max-bytes=0"] });
  await within("the launcher to refuse", 20_000, child.ended);
  assert.match(child.stderr, /--enable-clipboard "sometimes": accepted is true, false, in, out/);
  assert.match(child.stderr, /--clipboard-max-bytes "0": accepted is a whole number from 1 to 268435456/);
});
