// Behaviour: what `make run` starts once everything is built: a whole desktop, and nothing left of it after Ctrl-C.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { Child, descendants, isAlive } from "./support/child.js";
import { built, root } from "./support/launcher.js";
import { until, within } from "./support/wait.js";

let chromium: Chromium;

before(async () => {
  chromium = await Chromium.start();
});

after(async () => {
  await chromium.stop();
});

for (const [how, end] of [
  ["Ctrl-C", (child: Child): void => { child.signalGroup("SIGINT"); }],
  ["SIGTERM to the script alone", (child: Child): void => { child.signal("SIGTERM"); }],
] as const) {
  test(`a desktop with terminal, clock and sound is streamed, and ${how} leaves nothing behind`, { timeout: 120_000 }, async () => {
    const temporary = mkdtempSync(join(tmpdir(), "vdi-run-"));
    // What is known of encoders is kept until the next boot, and that is no leftover.
    const runtime = mkdtempSync(join(tmpdir(), "vdi-runtime-"));
    const child = Child.start(resolve(root, "scripts/run.sh"), [], {
      env: {
        VDI_LAUNCHER: built("vdi-launcher"),
        TMPDIR: temporary,
        XDG_RUNTIME_DIR: runtime,
        XDG_STATE_HOME: "/proc/nonexistent",
        SELKIES_ADDR: "127.0.0.1",
        SELKIES_PORT: "0",
        SELKIES_DISPLAY_SIZE: "1280x720",
        SELKIES_FRAMERATE: "30",
        DISPLAY: undefined,
        XAUTHORITY: undefined,
        PULSE_SERVER: undefined,
      },
      ownGroup: true,
    });
    const [, url = ""] = await child.says(/^URL:\s+(\S+)$/m, 30_000);
    const [, user = ""] = await child.says(/^User:\s+(\S+)$/m, 1_000);
    const [, password = ""] = await child.says(/^Password:\s+(\S+)$/m, 1_000);

    const viewer = await chromium.open({ url, user, password });
    await until("window manager, terminal, clock and sound server", 15_000, () => {
      const names = descendants(child.pid).map((one) => one.name);
      for (const name of ["openbox", "xterm", "xclock", "pulseaudio", "Xvfb"]) assert.ok(names.includes(name), `no ${name} among ${names.join()}`);
      return true;
    });
    await until("the desktop to be painted", 10_000, async () => (await viewer.shown()).colours > 20);
    await until("sound to arrive", 15_000, async () => (await viewer.inbound("audio")).bytesReceived > 0);
    await viewer.screenshot("make-run");

    const family = descendants(child.pid);
    end(child);
    await within("the script to end", 20_000, child.ended);
    // The terminal's shell has a session of its own, and ends when its terminal has.
    await until("all processes to be gone", 5_000, () => {
      assert.deepEqual(family.filter(({ pid }) => isAlive(pid)), [], "processes are left behind");
      return true;
    });
    assert.deepEqual(readdirSync(temporary), [], "files are left behind");
    assert.deepEqual(readdirSync(join(runtime, "gst-vdi")), ["encoder-proofs"], "and nothing but that is kept");
    for (const folder of [temporary, runtime]) rmSync(folder, { recursive: true });
    await until("the page to notice", 10_000, async () => (await viewer.state()) !== "streaming");
    await viewer.close();
  });
}
