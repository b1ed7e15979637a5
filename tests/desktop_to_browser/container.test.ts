// Behaviour: the images: what is in them, and a session's container, locked down as the operator's pod is, from its start through
// a browser's eyes and hands to its end.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Container, MEMORY_BYTES, OPERATOR, SESSION, buildImages, noContainers, podman, podmanSays } from "./support/container.js";
import { Network, noNetworks } from "./support/netns.js";
import { until, within } from "./support/wait.js";

const skip = noContainers() || noNetworks();
/** Debian's packages come from afar the first time; then this takes seconds. */
const BUILD_LIMIT_MS = 900_000;

interface Image {
  Size: number;
  Labels: Record<string, string>;
  Config: { User: string; Env: string[]; Entrypoint: string[]; ExposedPorts: Record<string, object> };
  RootFS: { Layers: string[] };
  GraphDriver: { Data: { LowerDir?: string; UpperDir: string } };
}

const inspect = (image: string): Image => (JSON.parse(podmanSays("image", "inspect", image)) as [Image])[0];

/** All files of all layers, also those that a later layer hides. */
function* filesOf(image: Image): Generator<string> {
  const layers = [image.GraphDriver.Data.UpperDir, ...(image.GraphDriver.Data.LowerDir?.split(":") ?? [])];
  const folders = [...layers];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) yield path;
    }
  }
}

describe("the images", { skip, timeout: BUILD_LIMIT_MS + 300_000 }, () => {
  before(() => within("the images to be built", BUILD_LIMIT_MS, buildImages("session", "operator")), { timeout: BUILD_LIMIT_MS });

  for (const [name, user, port] of [
    [SESSION, "1000:1000", "8080/tcp"],
    [OPERATOR, "65532:65532", "8081/tcp"],
  ] as const) {
    test(`${name} runs as ${user}, says where it comes from, and keeps no secret in any layer`, () => {
      const image = inspect(name);
      assert.equal(image.Config.User, user);
      assert.deepEqual(Object.keys(image.Config.ExposedPorts), [port]);
      for (const label of ["title", "description", "licenses", "version", "revision"]) {
        assert.ok(image.Labels[`org.opencontainers.image.${label}`], `label ${label} is missing`);
      }
      assert.deepEqual(image.Config.Env.filter((entry) => /PASSWORD|TOKEN|SECRET|KEY/i.test(entry)), []);
      const suspicious: string[] = [];
      let files = 0;
      for (const path of filesOf(image)) {
        files += 1;
        const { mode, size } = statSync(path);
        // The base's own setuid programs lie under a layer that has taken the bit away; what a container sees is looked at below.
        if (/\/(\.netrc|\.npmrc|\.git-credentials|\.docker\/config\.json|credentials(\.toml)?|id_[a-z0-9]+|\.env)$/.test(path)) suspicious.push(path);
        if (size < 100_000 && mode & 0o400 && /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(readFileSync(path, "latin1"))) suspicious.push(path);
      }
      assert.ok(files > 3, "the layers were read");
      assert.deepEqual(suspicious, []);
    });
  }

  test("nothing in the session's image makes its user anybody else, and it is as small as a desktop can be", () => {
    const found = podmanSays("run", "--rm", "--network=none", "--user=0", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--entrypoint=find", SESSION,
      "/", "-xdev", "(", "-perm", "/6000", "-o", "-perm", "-2", "!", "-perm", "-1000", "!", "-type", "l", ")", "-print");
    assert.equal(found, "", "files with setuid or setgid, or that everybody may write to");
    const merged = podmanSays("image", "mount", SESSION);
    try {
      assert.equal(podman(["image", "exists", SESSION]).code, 0);
      assert.ok(!existsSync(join(merged, "root/.cache")), "leftovers of root");
      assert.deepEqual(readdirSync(join(merged, "var/lib/apt/lists")), []);
    } finally {
      podmanSays("image", "unmount", SESSION);
    }
    assert.ok(inspect(SESSION).Size < 1_300_000_000, `${inspect(SESSION).Size} bytes`);
  });

  test("the operator's image is its program and the libraries it links, and the program starts there", () => {
    const files = [...filesOf(inspect(OPERATOR))].map((path) => path.replace(/^.*\/diff\//, "/"));
    assert.ok(files.length <= 12, files.join("\n"));
    assert.ok(!files.some((path) => /\/(sh|bash|busybox|apt|dpkg)$/.test(path)), "no shell and no package manager");
    const lockedDown = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"];
    const crds = podman(["run", "--rm", "--network=none", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", ...lockedDown, OPERATOR, "crd"]);
    assert.equal(crds.code, 0, crds.stderr);
    assert.match(crds.stdout, /^ {2}name: vdisessions\.vdi\.kasm\.io$/m);
  });
});

describe("a session's container", { skip, timeout: 300_000 }, () => {
  let network: Network;
  let chromium: Chromium;
  let container: Container;
  let viewer: Viewer;

  before(async () => {
    await buildImages("session");
    network = new Network(["page", "desk"]);
    chromium = await Chromium.start({ inside: network.host("page") });
    container = Container.start({
      inside: network.host("desk"),
      env: {
        SELKIES_BASIC_AUTH_PASSWORD: "a password of this test",
        SELKIES_ENCODER_POLICY: "software",
        SELKIES_DISPLAY_SIZE: "1280x720",
        SELKIES_FRAMERATE: "30",
        SELKIES_MAX_CPU: "0",
        SELKIES_MAX_LATENCY: "0",
      },
    });
    await container.child.says(/^URL:/m, 60_000);
    viewer = await chromium.open({ url: `http://${network.host("desk").address}:8080/`, user: "user", password: "a password of this test" });
  }, { timeout: BUILD_LIMIT_MS });

  after(async () => {
    container.remove();
    await chromium.stop();
    network.remove();
  });

  /** To the terminal, which is in front. */
  async function type(words: string): Promise<void> {
    const { x, y } = await viewer.placeOf(400, 300);
    await viewer.page.mouse.click(x, y);
    await viewer.page.keyboard.type(words);
    await viewer.page.keyboard.press("Enter");
  }

  test("it is UID 1000 without capabilities, without new privileges, under seccomp and a limit of memory, and writes nowhere but to its volumes", () => {
    const { status } = container;
    assert.match(status["Uid"] ?? "", /^1000\s+1000\s+1000\s+1000$/);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) assert.equal(status[set], "0000000000000000", set);
    assert.equal(status["NoNewPrivs"], "1");
    assert.equal(status["Seccomp"], "2");
    assert.equal(container.memoryLimit, MEMORY_BYTES);
    const writable = container.exec("find", "/", "-xdev", "-writable", "-type", "d");
    // The volumes themselves, and nothing of the image: one that is writable there would be shared by all sessions of a node.
    assert.deepEqual(writable.stdout.trim().split("\n").sort(), ["/home/user", "/run/user/1000", "/tmp"]);
    const written = container.exec("touch", "/usr/local/bin/x", "/etc/x", "/var/lib/x");
    assert.equal(written.stderr.match(/Read-only file system|Permission denied/g)?.length, 3, written.stderr);
  });

  test("Chromium shows the desktop, and what is typed there arrives in the home volume, as the user's", async () => {
    await until("the desktop to be painted", 30_000, async () => (await viewer.shown()).colours > 20);
    await type("id -un > ~/who");
    // The shell makes the file, and then the command fills it.
    const who = await until("the file in the home volume", 20_000, () => {
      const text = existsSync(container.path("home", "who")) ? readFileSync(container.path("home", "who"), "utf8") : "";
      return text !== "" && text;
    });
    assert.equal(who, "user\n");
    assert.equal(statSync(container.path("home", "who")).uid, 1000);
    // The terminal becomes green, and the page shows it.
    await type("printf '\\033[48;2;0;160;0m\\033[2J'");
    await until("the terminal to be green", 20_000, async () => {
      const green = (await viewer.shown()).cells.filter(([red, g, blue]) => g > 110 && red < 60 && blue < 60).length;
      if (green < 60) throw new Error(`${green} of 576 cells are`);
      return true;
    });
    await viewer.screenshot("container");
  });

  test("what a program of the desktop plays is heard in the page", async () => {
    await type("timeout 20 pacat /dev/urandom &");
    await until("the noise", 20_000, async () => (await viewer.heard()) > 0.01);
  });

  test("programs that lose their parents are reaped when they end", async () => {
    await type("for i in 1 2 3 4 5; do (setsid sh -c 'exec -a vdi-orphan sleep 0.2' &); done; touch ~/orphans");
    await until("the loop to end", 20_000, () => existsSync(container.path("home", "orphans")));
    await until("no process to be without a parent", 20_000, () => {
      const dead = container.exec("sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status || true").stdout;
      if (dead.trim() !== "") throw new Error(dead);
      return true;
    });
  });

  test("SIGTERM ends it in time and with 0, and the page says so", async () => {
    const stopped = performance.now();
    assert.equal(podman(["stop", "--time=30", container.name]).code, 0);
    // A kill after the 30 s would be exit code 137.
    const ending = await within("podman to end", 5_000, container.child.ended);
    assert.equal(ending.code, 0, container.child.stderr);
    assert.ok(performance.now() - stopped < 30_000);
    await until("the page to be told", 10_000, async () => (await viewer.state()) === "ended");
    assert.match(await viewer.words(), /session has ended/i);
    assert.match(container.terminationMessage, /^STOPPED: /, "an end that was asked for is no failure");
    assert.ok(!container.child.stderr.includes("a password of this test") && !container.child.stdout.includes("a password of this test"));
  });

  test("a GPU that is required and missing is the termination message, and the exit code is its own", async () => {
    const failing = Container.start({ env: { SELKIES_ENCODER_POLICY: "require-hardware" } });
    try {
      const { code } = await within("the container to end", 60_000, failing.child.ended);
      assert.equal(code, 10, failing.child.stderr);
      assert.match(failing.terminationMessage, /^GPU_INIT_ERROR: /);
    } finally {
      failing.remove();
    }
  });

  test("a volume that was forgotten is named in the termination message", async () => {
    const failing = Container.start({ without: ["home"] });
    try {
      const { code } = await within("the container to end", 30_000, failing.child.ended);
      assert.equal(code, 2, failing.child.stderr);
      assert.match(failing.terminationMessage, /^CONFIG_INVALID: .*\/home\/user/);
    } finally {
      failing.remove();
    }
  });

  test("the desktop is what follows the two dashes, and its end is the container's", async () => {
    const short = Container.start({ args: ["--", "sh", "-c", "xprop -root >/home/user/root-window"] });
    try {
      const { code } = await within("the container to end", 60_000, short.child.ended);
      assert.equal(code, 0, short.child.stderr);
      assert.match(readFileSync(short.path("home", "root-window"), "utf8"), /_XKB_RULES_NAMES/);
      assert.equal(short.terminationMessage, "LOGGED_OUT: sh has ended\n", "whoever leaves has logged out");
    } finally {
      short.remove();
    }
  });
});
