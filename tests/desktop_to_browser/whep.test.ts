// Behaviour: a standard WHEP player on a page of another site watches with the viewers' token, only watches, and leaves its place
// when it says so.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chromium } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";
import { WhepPlayer } from "./support/whep.js";

const TOKEN = "watch-only";

let launcher: Launcher;
let chromium: Chromium;
let player: WhepPlayer;

before(async () => {
  launcher = await Launcher.start({
    flags: ["--display-size", "640x480", "--max-consumers", "1"],
    desktop: ["xclock", "-update", "1"],
    env: { SELKIES_VIEWER_TOKEN: TOKEN },
  });
  chromium = await Chromium.start();
  player = await WhepPlayer.open(chromium);
});

after(async () => {
  await player.close();
  await chromium.stop();
  await launcher.stop();
});

test("a wrong token is refused with words that the player may read", { timeout: 30_000 }, async () => {
  const refused = await player.play(launcher, "guess");
  assert.equal(refused.status, 401);
  assert.notEqual(refused.text, "");
});

for (const sound of [false, true]) {
  test(`a player of another site ${sound ? "that would take sound too " : ""}watches, controls nothing, and frees its place`, { timeout: 60_000 }, async () => {
    const played = await player.play(launcher, TOKEN, sound);
    assert.equal(played.status, 201, played.text);
    assert.equal(played.patched, 204);
    assert.match(played.text, /a=candidate:/);
    await until("frames to be shown", 20_000, async () => (await player.decoded()) >= 10);
    const { consumers } = await launcher.statusWhere("it is connected", ({ consumers }) => consumers[0]?.connected === true);
    assert.deepEqual(consumers.map(({ role }) => role), ["viewer"]);
    assert.match(consumers[0]?.id ?? "", /^whep-/);
    assert.equal((await launcher.status()).phase, "Streaming");

    const second = await player.play(launcher, TOKEN);
    assert.equal(second.status, 503, "there is one place");
    assert.equal(await player.page.evaluate((url) => fetch(url, { method: "DELETE", headers: { authorization: "Bearer guess" } }).then(({ status }) => status), played.session ?? ""), 401);
    assert.equal(await player.page.evaluate(([url, token]) => fetch(`${url}0`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status), [played.session ?? "", TOKEN] as const), 404);
    assert.equal(await player.leave(), 200);
    await launcher.statusWhere("nobody is left", ({ consumers }) => consumers.length === 0, 20_000);
  });
}
