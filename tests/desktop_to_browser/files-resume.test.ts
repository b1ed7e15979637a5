// Behaviour: a file that has come in part goes on at its byte: when the launcher is another one, when its page is, and when somebody else
// was in control meanwhile, who stops what is under way.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const BYTES = 40_000_000;
/** Slices from here on wait for a word of the test. */
const HALF = BYTES / 2;

/** What the page is made to keep of its requests. */
interface Marks {
  asked: string[];
  waiting: boolean;
  go: () => void;
}

let home: string;
let folder: string;
let file: string;
let content: Buffer;
let chromium: Chromium;
let launcher: Launcher;
let viewer: Viewer;

function start(port: string): Promise<Launcher> {
  const flags = ["--display-size", "640x480", "--files-folder", folder];
  return Launcher.start({ desktop: ["sleep", "3600"], flags, env: { SELKIES_PORT: port } });
}

const tokenOf = (of: Viewer): Promise<string> => until("the page to be told of files", 15_000, () => of.page.evaluate(() => document.querySelector("#files")?.getAttribute("data-token") ?? null));
const uploads = (): Promise<string> => viewer.page.evaluate(() => document.querySelector("#files .uploads")?.textContent ?? "");
const marks = (): Promise<Pick<Marks, "asked" | "waiting">> => viewer.page.evaluate(() => {
    const { asked, waiting } = globalThis as unknown as Marks;
    return { asked, waiting };
  });
const visible = (): string[] => readdirSync(folder).filter((name) => !name.startsWith("."));
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Writes down what the page asks for of an upload, and holds slices of the second half back until it is told to go on. */
async function holdBack(from: number): Promise<void> {
  await viewer.page.evaluate((from) => {
    const real = window.fetch.bind(window);
    const marks = globalThis as unknown as Marks;
    [marks.asked, marks.waiting] = [[], false];
    const gate = new Promise<void>((resolve) => { marks.go = resolve; });
    window.fetch = async (input, init) => {
      const offset = (init?.headers as Record<string, string> | undefined)?.["upload-offset"];
      const method = init?.method ?? "GET";
      if (method === "PATCH" && Number(offset) >= from) {
        marks.waiting = true;
        await gate;
      }
      if (["POST", "PATCH", "HEAD"].includes(method)) marks.asked.push(`${method} ${offset ?? ""}`.trim());
      return real(input, init);
    };
  }, from);
}

async function chooseAndWaitForHalf(): Promise<void> {
  await holdBack(HALF);
  await viewer.page.setInputFiles('#files [data-part="chooser"]', file);
  await until("half of it to have come", 60_000, async () => (await marks()).waiting);
  assert.deepEqual(visible(), [], "what is not whole is not there");
}

const goOn = (): Promise<void> => viewer.page.evaluate(() => { (globalThis as unknown as Marks).go(); });

async function arrived(): Promise<void> {
  await until("all of it to have come", 60_000, () => existsSync(join(folder, "large.bin")));
  assert.equal(digest(readFileSync(join(folder, "large.bin"))), digest(content));
  await until("the page to say so", 10_000, async () => (await uploads()).includes("copied"));
  assert.deepEqual([visible(), readdirSync(join(folder, ".vdi-uploads"))], [["large.bin"], []]);
}

before(async () => {
  home = mkdtempSync(join(tmpdir(), "vdi-files-resume-"));
  file = join(home, "large.bin");
  content = randomBytes(BYTES);
  writeFileSync(file, content);
  chromium = await Chromium.start();
});

beforeEach(async () => {
  folder = mkdtempSync(join(home, "shared-"));
  launcher = await start("0");
  viewer = await chromium.open(launcher);
  await viewer.becomes("controller");
  await tokenOf(viewer);
});

afterEach(async () => {
  await viewer.close();
  await launcher.stop();
});

after(async () => {
  await chromium.stop();
  rmSync(home, { recursive: true, force: true });
});

test("half an upload survives another launcher, goes on by itself, and what nobody goes on with is removed", async (context) => {
  await chooseAndWaitForHalf();
  const { port } = new URL(launcher.url);
  await launcher.stop();
  const old = join(folder, ".vdi-uploads", "0".repeat(32));
  for (const path of [old, `${old}.json`]) {
    writeFileSync(path, "old");
    utimesSync(path, 1_700_000_000, 1_700_000_000);
  }
  // Another password would have the browser ask.
  const env = { SELKIES_PORT: port, SELKIES_BASIC_AUTH_USER: launcher.user, SELKIES_BASIC_AUTH_PASSWORD: launcher.password };
  const successor = Launcher.spawn({ desktop: ["sleep", "3600"], flags: ["--display-size", "640x480", "--files-folder", folder], env });
  context.after(() => successor.stop("SIGTERM", 15_000));
  await successor.says(/^URL:\s+(\S+)$/m, 30_000);
  await viewer.page.getByRole("button", { name: "Connect again" }).click({ timeout: 15_000 });
  await goOn();
  await arrived();
  const { asked } = await marks();
  assert.equal(asked.filter((one) => one === "POST").length, 1, asked.join());
  assert.equal(asked.filter((one) => one === "PATCH 0").length, 1, asked.join());
  assert.equal(existsSync(old), false);
});

test("the same file that is chosen once more on another page of the browser goes on where it was", async () => {
  await chooseAndWaitForHalf();
  await viewer.page.reload();
  await viewer.becomes("controller");
  await tokenOf(viewer);
  await holdBack(Infinity);
  await viewer.page.setInputFiles('#files [data-part="chooser"]', file);
  await arrived();
  const { asked } = await marks();
  const offset = Number(asked.find((one) => one.startsWith("PATCH"))?.split(" ")[1]);
  assert.ok(offset >= HALF && !asked.includes("POST"), asked.join());
});

test("who loses control stops an upload and a download, is told so, and goes on with both when it is back", async () => {
  mkdirSync(join(folder, "sub"));
  const large = join(folder, "sub", "down.bin");
  writeFileSync(large, content);
  const token = await tokenOf(viewer);
  const path = `${launcher.url}files/${token}/sub/down.bin`;
  const headers = { authorization: launcher.authorization };
  const download = await fetch(path, { headers });
  const reader = download.body?.getReader();
  assert.ok(reader);
  const first = (await reader.read()).value ?? new Uint8Array();
  await holdBack(HALF);
  await viewer.page.setInputFiles('#files [data-part="chooser"]', file);
  await until("half of it to have come", 60_000, async () => (await marks()).waiting);

  const guest = await chromium.open(launcher);
  await guest.becomes("viewer");
  await guest.page.getByRole("button", { name: "Take control" }).click();
  await guest.becomes("controller");
  await goOn();
  await until("the page to say what it waits for", 10_000, async () => (await uploads()).includes("continues when you have control again"));
  await viewer.screenshot("files-held");
  const left = await (async () => {
    let bytes = first.length;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return "whole";
        bytes += value.length;
      }
    } catch {
      return bytes;
    }
  })();
  assert.ok(typeof left === "number" && left < BYTES, `the download went on: ${left}`);
  assert.equal((await fetch(path, { headers })).status, 403);
  assert.equal(existsSync(join(folder, "large.bin")), false);

  await viewer.page.getByRole("button", { name: "Take control" }).click();
  await viewer.becomes("controller");
  await until("all of it to have come", 60_000, () => existsSync(join(folder, "large.bin")));
  assert.equal(digest(readFileSync(join(folder, "large.bin"))), digest(content));
  assert.equal((await marks()).asked.filter((one) => one === "POST").length, 1);
  const rest = await fetch(path, { headers: { ...headers, range: `bytes=${left}-`, "if-range": download.headers.get("etag") ?? "" } });
  assert.equal(rest.status, 206, "the same link holds again");
  assert.equal(digest(new Uint8Array(await rest.arrayBuffer())), digest(content.subarray(left)));
  await guest.close();
});
