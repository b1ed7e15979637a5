// Behaviour: files go both ways between the page and one folder of the desktop, whole or not at all, survive a cut, and no path leads
// out of that folder.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, writeSync, closeSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const LARGE_BYTES = 200_000_000;

let home: string;
let folder: string;
let large: string;
let largeDigest: string;
let chromium: Chromium;
let launcher: Launcher;
let viewer: Viewer;
let token: string;

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** The token that the server has given this page, as it came over the channel `control`. */
const tokenOf = (of: Viewer): Promise<string> => until("the page to be told of files", 10_000, () => of.page.evaluate(() => document.querySelector("#files")?.getAttribute("data-token") ?? null));

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${launcher.url}files/${path}`, { ...init, headers: { authorization: launcher.authorization, ...(init.headers as Record<string, string> | undefined) } });

/** A request with a path that no well-behaved client sends. */
async function raw(path: string): Promise<number> {
  const { hostname, port } = new URL(launcher.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n")) {
        socket.destroy();
        resolve(Number(text.split(" ")[1]));
      }
    });
    socket.on("error", reject);
    socket.on("close", () => { resolve(0); });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: ${launcher.authorization}\r\nConnection: close\r\n\r\n`, "latin1");
  });
}

const uploads = (): Promise<string> => viewer.page.evaluate(() => document.querySelector("#files .uploads")?.textContent ?? "");

before(async () => {
  home = mkdtempSync(join(tmpdir(), "vdi-files-"));
  folder = join(home, "shared");
  mkdirSync(folder);
  large = join(home, "large.bin");
  const out = openSync(large, "w");
  for (let at = 0; at < LARGE_BYTES; at += 10_000_000) writeSync(out, randomBytes(10_000_000));
  closeSync(out);
  largeDigest = await digest(large);
  writeFileSync(join(home, "secret"), "secret");
  launcher = await Launcher.start({ desktop: ["sleep", "3600"], flags: ["--display-size", "640x480", "--files-folder", folder, "--files-max-bytes", String(LARGE_BYTES)] });
  chromium = await Chromium.start();
  viewer = await chromium.open(launcher);
  await viewer.becomes("controller");
  token = await tokenOf(viewer);
});

after(async () => {
  await chromium.stop();
  await launcher.stop();
  rmSync(home, { recursive: true, force: true });
});

test("a file of 200 MB that is cut in the middle arrives as it was", async () => {
  // The connection is cut under the page in the middle of a slice, twice: what of it has come by then is the network's secret.
  await viewer.page.evaluate(
    ([first, second]) => {
      const real = window.fetch.bind(window);
      const marks = globalThis as unknown as { cuts: number };
      marks.cuts = 0;
      window.fetch = (input, init) => {
        const offset = Number((init?.headers as Record<string, string> | undefined)?.["upload-offset"]);
        const due = (marks.cuts === 0 && offset > first) || (marks.cuts === 1 && offset > second);
        if (init?.method !== "PATCH" || !due) return real(input, init);
        marks.cuts++;
        const cut = new AbortController();
        setTimeout(() => { cut.abort(); }, 5);
        return real(input, { ...init, signal: cut.signal });
      };
    },
    [LARGE_BYTES / 3, (2 * LARGE_BYTES) / 3] as const,
  );
  await viewer.page.setInputFiles('#files [data-part="chooser"]', large);
  await until("some of it to have come", 60_000, async () => (await uploads()).includes("of 200"));
  await viewer.screenshot("files-uploading");
  assert.deepEqual(readdirSync(folder).filter((name) => !name.startsWith(".")), [], "what is not whole is not there");
  await until("all of it to have come", 600_000, () => existsSync(join(folder, "large.bin")));
  assert.equal(await viewer.page.evaluate(() => (globalThis as unknown as { cuts: number }).cuts), 2);
  assert.equal(await digest(join(folder, "large.bin")), largeDigest);
  await until("the page to say so", 10_000, async () => (await uploads()).includes("copied"));
  assert.deepEqual(readdirSync(join(folder, ".vdi-uploads")), []);
});

test("a download that is cut in the middle goes on where it was, unless the file is another one by then", async () => {
  const path = `${token}/large.bin`;
  const first = await ask(path);
  const etag = first.headers.get("etag") ?? "";
  assert.match(first.headers.get("content-disposition") ?? "", /^attachment/);
  const hash = createHash("sha256");
  let at = 0;
  const reader = first.body?.getReader();
  while (reader && at < LARGE_BYTES / 2) {
    const { value } = await reader.read();
    hash.update(value ?? Buffer.alloc(0));
    at += value?.length ?? 0;
  }
  await reader?.cancel();
  const rest = await ask(path, { headers: { range: `bytes=${at}-`, "if-range": etag } });
  assert.equal(rest.status, 206);
  assert.equal(rest.headers.get("content-range"), `bytes ${at}-${LARGE_BYTES - 1}/${LARGE_BYTES}`);
  for await (const chunk of rest.body ?? []) hash.update(chunk as Uint8Array);
  assert.equal(hash.digest("hex"), largeDigest);
  const other = await ask(path, { headers: { range: "bytes=5-", "if-range": '"another"' } });
  assert.equal(other.status, 200);
  await other.body?.cancel();
  assert.equal((await ask(path, { headers: { range: `bytes=${LARGE_BYTES}-` } })).status, 416);
});

test("the page lists the folder and downloads what is there", async () => {
  mkdirSync(join(folder, "sub folder"));
  writeFileSync(join(folder, "sub folder", "ünï & cödé #1.txt"), "found");
  await viewer.page.evaluate(() => { document.querySelector<HTMLDetailsElement>('#files [data-part="folder"]')?.setAttribute("open", ""); });
  await viewer.page.getByRole("button", { name: "sub folder" }).click();
  await viewer.page.getByRole("link", { name: "ünï & cödé #1.txt" }).waitFor();
  await viewer.screenshot("files-list");
  const coming = viewer.page.waitForEvent("download", { timeout: 15_000 });
  await viewer.page.getByRole("link", { name: "ünï & cödé #1.txt" }).click();
  const download = await coming;
  assert.equal(download.suggestedFilename(), "ünï & cödé #1.txt");
  assert.equal(readFileSync(await download.path(), "utf8"), "found");
  await until("the log to say who has it", 10_000, () => /page \w+ has downloaded a file name="sub folder\/ünï & cödé #1\.txt" bytes=5/.test(launcher.words));
});

test("a file that is dropped on the picture is copied, and one of the same name does not take its place", async () => {
  writeFileSync(join(folder, "note.txt"), "mine");
  await viewer.page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "note.txt"));
    const stage = document.getElementById("stage");
    stage?.dispatchEvent(new DragEvent("dragover", { bubbles: true, cancelable: true, dataTransfer: data }));
    stage?.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
  });
  await until("it to have come", 10_000, () => existsSync(join(folder, "note (1).txt")));
  assert.equal(readFileSync(join(folder, "note (1).txt"), "utf8"), "dropped");
  assert.equal(readFileSync(join(folder, "note.txt"), "utf8"), "mine");
  await until("the page to tell its name", 10_000, async () => (await uploads()).includes("note (1).txt"));
  await until("the log to say whose it is", 10_000, () => /page \w+ has uploaded a file name="note \(1\)\.txt" bytes=7/.test(launcher.words));
});

test("no path leads out of the folder", async () => {
  symlinkSync(join(home, "secret"), join(folder, "link"));
  symlinkSync(home, join(folder, "way"));
  writeFileSync(join(folder, ".hidden"), "hidden");
  for (const path of ["..%2fsecret", "%2e%2e/secret", "link", "way/secret", "way", ".hidden", "%00", "a%2f..%2f..%2fsecret", ".vdi-uploads", ".%2fnote.txt", "//etc/passwd", "%2fetc%2fpasswd"]) {
    const status = await raw(`/files/${token}/${path}`);
    assert.ok(status === 400 || status === 404, `${path}: ${status}`);
  }
  for (const path of [`/files/${token}/../../secret`, `/files/${token}/../${token}/note.txt/..`]) assert.ok((await raw(path)) >= 400, path);
  const names = ((await (await ask(`${token}/`)).json()) as { entries: { name: string }[] }).entries.map(({ name }) => name);
  assert.ok(names.includes("note.txt") && !names.includes("link") && !names.includes("way") && !names.includes(".hidden"), names.join());
  for (const name of ["../evil", "..", ".bashrc", "a/b", "a\0b", ""]) {
    const response = await ask(`${token}/`, { method: "POST", headers: { "upload-length": "1", "upload-metadata": `filename ${Buffer.from(name).toString("base64")}` } });
    assert.equal(response.status, 400, JSON.stringify(name));
  }
  assert.equal(existsSync(join(home, "evil")), false);
});

test("what is too large is refused by page and server in words, and what is cancelled leaves nothing", async () => {
  const response = await ask(`${token}/`, { method: "POST", headers: { "upload-length": String(LARGE_BYTES + 1), "upload-metadata": "filename YQ==" } });
  assert.equal(response.status, 413);
  assert.match(await response.text(), /accepted are 200000000 bytes/);
  const begun = await ask(`${token}/`, { method: "POST", headers: { "upload-length": "4", "upload-metadata": "filename YQ==" } });
  assert.equal(begun.status, 201);
  const at = (begun.headers.get("location") ?? "").replace(/^\/files\//, "");
  const more = (offset: number, body: string): Promise<Response> => ask(at, { method: "PATCH", headers: { "upload-offset": String(offset) }, body });
  assert.equal((await more(0, "ab")).headers.get("upload-offset"), "2");
  assert.equal((await more(0, "ab")).status, 409, "it is further");
  assert.equal((await more(2, "cdefgh")).status, 400, "it is longer than it was to be");
  assert.equal((await ask(at, { method: "DELETE" })).status, 204);
  assert.equal((await ask(at, { method: "HEAD" })).status, 404);
  assert.deepEqual(readdirSync(join(folder, ".vdi-uploads")), []);
});

test("a viewer and a stranger get nothing, and a token ends with control", async () => {
  const guest = await chromium.open(launcher);
  await guest.becomes("viewer");
  assert.equal(await guest.page.evaluate(() => document.getElementById("files")?.hidden), true);
  for (const stranger of ["0".repeat(32), "", "x"]) assert.ok([403, 404].includes((await ask(`${stranger}/note.txt`)).status), stranger);
  assert.equal((await ask(`${token}/note.txt`)).status, 200);
  await guest.page.getByRole("button", { name: "Take control" }).click();
  await guest.becomes("controller");
  assert.equal((await ask(`${token}/note.txt`)).status, 403);
  assert.equal((await ask(`${await tokenOf(guest)}/note.txt`)).status, 200);
  await guest.close();
});

for (const [way, read, write] of [["in", 403, 201], ["out", 200, 403], ["false", 403, 403]] as const) {
  test(`the policy ${way} is the server's`, async () => {
    const other = await Launcher.start({ desktop: ["sleep", "3600"], flags: ["--display-size", "640x480", "--files-folder", folder, `--enable-file-transfers=${way}`] });
    const page = await chromium.open(other);
    await page.becomes("controller");
    const given = way === "false" ? "none" : await tokenOf(page);
    const headers = { authorization: other.authorization };
    assert.equal((await fetch(`${other.url}files/${given}/note.txt`, { headers })).status, read);
    const begun = await fetch(`${other.url}files/${given}/`, { method: "POST", headers: { ...headers, "upload-length": "1", "upload-metadata": "filename YQ==" } });
    assert.equal(begun.status, write);
    await page.close();
    await other.stop();
  });
}
