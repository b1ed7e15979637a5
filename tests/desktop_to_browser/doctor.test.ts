// Behaviour: the doctor in the page says in words what works and what does not: in a healthy session, with TURN servers that
// refuse or cannot be reached, and on the curtain of a page that does not connect. Failures are counted by reason.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Coturn } from "./support/coturn.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const PASSWORD = "open-sesame";
const desktop = ["xclock", "-update", "1"];

interface Row {
  outcome: string;
  name: string;
  target: string;
  text: string;
}

interface Shown {
  state: string;
  verdict: string;
  title: string;
  browser: Row[];
  server: Row[];
}

/** What the doctor's window shows once it has looked; each server has up to ten seconds. */
function examination(viewer: Viewer): Promise<Shown> {
  return until("the doctor to have looked", 45_000, () =>
    viewer.page.evaluate(() => {
      const root = document.querySelector<HTMLDialogElement>("#doctor");
      const state = root?.dataset["state"];
      if (!root?.open || state === undefined || state === "looking") return null;
      const text = (part: string): string => root.querySelector(`[data-part="${part}"]`)?.textContent ?? "";
      const rows = (part: string): Row[] =>
        [...root.querySelectorAll<HTMLElement>(`[data-part="${part}"] > li`)].map((row) => ({
          outcome: row.dataset["outcome"] ?? "",
          name: row.querySelector(".name")?.textContent ?? "",
          target: row.querySelector("code")?.textContent ?? "",
          text: [...row.querySelectorAll("p")].map((paragraph) => paragraph.textContent).join(" "),
        }));
      return { state, verdict: root.dataset["verdict"] ?? "", title: text("title"), browser: rows("browser"), server: rows("server") };
    }),
  );
}

function row(rows: Row[], fits: (row: Row) => boolean): Row {
  const found = rows.find(fits);
  assert.ok(found, JSON.stringify(rows, null, 1));
  return found;
}

/** Both looks of the page, for people. */
async function pictures(viewer: Viewer, name: string): Promise<void> {
  for (const colorScheme of ["dark", "light"] as const) {
    await viewer.page.emulateMedia({ colorScheme });
    await viewer.screenshot(`doctor-${name}-${colorScheme}`);
  }
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("the doctor in the page", { timeout: 240_000 }, () => {
  let chromium: Chromium;
  let coturn: Coturn;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "vdi-doctor-"));
    coturn = await Coturn.start({ users: { user: "alice", password: PASSWORD }, port: await closedPort(), tlsPort: await closedPort() });
    chromium = await Chromium.start();
  });

  after(async () => {
    await chromium.stop();
    await coturn.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("tells a TURN server that works from one that refuses and one that is not there", async () => {
    const right = { ...coturn.iceServer("udp") };
    const wrong = { ...coturn.iceServer("tcp"), credential: "hunter2-wrong" };
    const gone = { urls: `turn:127.0.0.1:${await closedPort()}?transport=tcp`, username: "alice", credential: PASSWORD };
    const file = join(folder, "rtc.json");
    writeFileSync(file, JSON.stringify({ lifetimeDuration: "86400s", iceServers: [right, wrong, gone], blockStatus: "NOT_BLOCKED", iceTransportPolicy: "all" }));
    const launcher = await Launcher.start({ flags: ["--display-size", "640x480", "--builtin-turn=false", "--rtc-config-json", file], desktop });
    try {
      const viewer = await chromium.open(launcher);
      await launcher.statusWhere("the page reports what reaches it", ({ consumers }) => (consumers[0]?.media?.framesDecoded ?? 0) > 0);
      await viewer.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await viewer.page.keyboard.press("Control+Shift+M");
      await viewer.page.click("#openDoctor");
      const shown = await examination(viewer);
      assert.equal(shown.state, "passed");
      assert.equal(shown.verdict, "connected", shown.title);
      const of = (rows: Row[], target: unknown): Row => row(rows, (one) => one.target === target);
      assert.equal(of(shown.browser, right.urls).outcome, "passed");
      assert.match(of(shown.browser, wrong.urls).text, /Refuses user or password \(401/);
      assert.match(of(shown.browser, gone.urls).text, /Cannot be reached|Did not answer/);
      assert.equal(of(shown.server, right.urls).outcome, "passed");
      assert.match(of(shown.server, wrong.urls).text, /\[WRONG_CREDENTIALS\]/);
      assert.match(of(shown.server, gone.urls).text, /\[REFUSED\]/);
      const media = row(shown.server, ({ name }) => name === "Media");
      assert.match(media.text, /has decoded \d+ frames/);
      assert.ok(["passed", "failed"].includes(media.outcome), media.text);
      assert.equal(row(shown.server, ({ name }) => name === "Encoder").outcome, "warning", "software, where hardware was preferred");
      assert.match(row(shown.browser, ({ name }) => name === "Clock").text, /differ by 0\.\d/);
      await pictures(viewer, "mixed");
      await viewer.page.click('#doctor [data-part="copy"]');
      const copied = await until("the copied report", 5_000, () => viewer.page.evaluate(() => navigator.clipboard.readText()));
      assert.match(copied, /✘ Server: turn:127\.0\.0\.1:\d+\?transport=tcp: Refuses user or password/);
      assert.match(copied, /✔ Path: Media go directly/);
      for (const secret of [PASSWORD, "hunter2-wrong", launcher.password]) assert.ok(!copied.includes(secret), "a secret stands in the report");
      // The keyboard is the desktop's again.
      await viewer.page.keyboard.press("Escape");
      await until("the window to close", 5_000, () => viewer.page.evaluate(() => document.querySelector<HTMLDialogElement>("#doctor")?.open === false));
      const { connection } = await launcher.status();
      assert.deepEqual(connection.failures, {});
      await viewer.close();
    } finally {
      await launcher.stop();
    }
  });

  test("leads from the curtain of a page that cannot connect to the cause, and the failure is counted", async () => {
    const launcher = await Launcher.start({
      flags: ["--display-size", "640x480", "--builtin-turn=false", "--ice-transport-policy", "relay", "--rtc-config-json", join(folder, "none.json")],
      desktop,
    });
    try {
      const viewer = await chromium.prepare(launcher);
      await viewer.page.goto(launcher.url);
      await viewer.page.waitForSelector("#diagnose:not([hidden])", { timeout: 20_000 });
      await pictures(viewer, "curtain");
      await viewer.page.click("#diagnose");
      const shown = await examination(viewer);
      assert.equal(shown.verdict, "noRelayConfigured");
      assert.equal(shown.state, "failed");
      assert.match(shown.title, /no TURN server/);
      assert.match(row(shown.browser, ({ name }) => name === "Server").text, /No STUN or TURN server is configured/);
      await pictures(viewer, "no-relay");
      const { connection } = await launcher.statusWhere("the failure is counted", (status) => (status.connection.failures["relayRefused"] ?? 0) > 0, 40_000);
      assert.deepEqual(Object.keys(connection.failures), ["relayRefused"]);
      const metrics = await (await launcher.get("/metrics")).text();
      assert.match(metrics, /^vdi_connection_failures_total\{reason="relayRefused"\} [1-9]/m);
      assert.match(metrics, /^vdi_connection_failures_total\{reason="pathBlocked"\} 0$/m);
      await launcher.logged(/a page failed to connect.*the TURN server gave no address: `vdi-launcher doctor` tells why/);
      await viewer.close();
    } finally {
      await launcher.stop();
    }
  });
});
