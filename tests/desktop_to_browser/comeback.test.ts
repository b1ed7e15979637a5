// Behaviour: a page whose connection was cut, and whose session the server has forgotten, comes back as who it was. One that only
// watched takes nothing, and is known all the same: what its user takes later is his beyond the next cut.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

let chromium: Chromium;
let launcher: Launcher;

before(async () => {
  chromium = await Chromium.start();
  launcher = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xclock", "-update", "1"] });
});

after(async () => {
  await launcher.stop();
  await chromium.stop();
});

/** In the page: no session is gone on with, since the server does not know the secret by which it would be. */
function forgetSecrets(): void {
  const Native = WebSocket;
  globalThis.WebSocket = class extends Native {
    override send(data: string): void {
      super.send(data.replace(/"token":"\w+"/, `"token":"${"0".repeat(32)}"`));
    }
  };
}

/** Loses the session: the server closes it as soon as the page has gone. */
async function lose(viewer: Viewer): Promise<void> {
  const before = await viewer.consumer();
  await viewer.page.evaluate(() => { (globalThis as unknown as { vdi: { peer: RTCPeerConnection } }).vdi.peer.close(); });
  await launcher.statusWhere("the session to be lost", ({ consumers }) => consumers.every(({ id }) => id !== before), 20_000);
}

async function back(viewer: Viewer, before: string): Promise<void> {
  await until("another session", 20_000, async () => ![before, ""].includes(await viewer.consumer()));
  await viewer.connected();
}

test("who came back watching and took control has it again after the next cut", { timeout: 90_000 }, async () => {
  const anna = await chromium.open(launcher);
  await anna.becomes("controller");
  const bert = await chromium.open(launcher);
  await bert.becomes("viewer");
  await bert.page.evaluate(forgetSecrets);

  const first = await bert.consumer();
  await lose(bert);
  await back(bert, first);
  await bert.becomes("viewer");
  await anna.becomes("controller");

  await bert.page.click("#takeControl");
  await bert.becomes("controller");
  const second = await bert.consumer();
  // Long enough for the seat to be inherited.
  await bert.page.context().setOffline(true);
  await lose(bert);
  await anna.becomes("controller", 15_000);
  await bert.page.context().setOffline(false);
  await back(bert, second);
  await bert.becomes("controller");
  await anna.becomes("viewer");
});

test("who is not let in by the server that came back is told to log in, and not that there is none", { timeout: 120_000 }, async (context) => {
  const first = await Launcher.start({ flags: ["--display-size", "640x480"], desktop: ["xclock", "-update", "1"] });
  const viewer = await chromium.open(first);
  await first.child.stop("SIGKILL", 5_000);
  await until("the page to look for its server", 30_000, () => viewer.page.getByText("The server cannot be reached.").isVisible());
  const env = { SELKIES_PORT: new URL(first.url).port, SELKIES_BASIC_AUTH_USER: first.user, SELKIES_BASIC_AUTH_PASSWORD: "another password" };
  const second = Launcher.spawn({ desktop: ["sleep", "3600"], flags: ["--display-size", "640x480"], env });
  context.after(() => second.stop("SIGTERM", 15_000));
  await second.says(/^URL:\s+(\S+)$/m, 30_000);
  await until("the page to say so", 30_000, () => viewer.page.getByText("It wants you to log in again").isVisible());
  assert.equal(await viewer.page.locator("html").getAttribute("data-state"), "failed");
  await viewer.page.getByRole("button", { name: "Reload the page" }).waitFor();
  await viewer.screenshot("turned-away");
});
