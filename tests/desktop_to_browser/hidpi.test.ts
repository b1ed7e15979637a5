// Behaviour: what real toolkits do with the scale of a dense screen that they are told of, both those that run when it comes
// and those that start after it. How large their windows are the X server says.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, type Viewer } from "./support/browser.js";
import { Child } from "./support/child.js";
import { Launcher } from "./support/launcher.js";
import { until } from "./support/wait.js";

const TOOLKITS = ["gtk3", "gtk4", "qt5", "qt6"] as const;
type Toolkit = (typeof TOOLKITS)[number];

let chromium: Chromium;
let launcher: Launcher;
let env: Record<string, string>;
let viewer: Viewer;

before(async () => {
  chromium = await Chromium.start();
  launcher = await Launcher.start({ flags: ["--display-size", "1600x1200"], desktop: ["openbox"], env: { SELKIES_ENABLE_RESIZE: undefined } });
  env = await launcher.desktopEnvironment();
  viewer = await chromium.open(launcher, { viewport: { width: 1600, height: 1200 } });
});

after(async () => {
  await viewer.close();
  await chromium.stop();
  await launcher.stop();
});

function start(toolkit: Toolkit): Child {
  const program = join(import.meta.dirname, "support", "toolkits", `${toolkit}.py`);
  // No bus, no portals: what is left is what the X server tells, as in a container.
  return Child.start("/usr/bin/python3", [program], { env: { ...env, GSETTINGS_BACKEND: "memory", NO_AT_BRIDGE: "1" } });
}

/** Width and height of this toolkit's window in pixels, without a frame around it. */
function size(toolkit: Toolkit): [number, number] {
  const told = execFileSync("xwininfo", ["-name", toolkit], { env, timeout: 10_000, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const [, width, height] = /Width: (\d+)\n\s+Height: (\d+)/.exec(told) ?? [];
  return [Number(width), Number(height)];
}

/** Starts them all, and waits for their windows. */
async function startAll(): Promise<Child[]> {
  const children = TOOLKITS.map(start);
  for (const toolkit of TOOLKITS) await until(`the window of ${toolkit}`, 20_000, () => size(toolkit));
  return children;
}

/** How many times as wide and as high as at a plain scale the window is; a font has whole pixels. */
async function is(toolkit: Toolkit, times: number, plain: [number, number]): Promise<void> {
  await until(`the window of ${toolkit} at ${times} times ${plain.join("x")}`, 15_000, () => {
    const now = size(toolkit);
    if (!now.every((px, axis) => Math.abs(px / (plain[axis] ?? 0) - times) < 0.1)) throw new Error(`it is ${now.join("x")}`);
    return true;
  });
}

/** A window of the page on a screen with this device pixel ratio. */
async function look(scale: number): Promise<void> {
  await viewer.close();
  viewer = await chromium.open(launcher, { viewport: { width: Math.floor(1600 / scale), height: Math.floor(1200 / scale) }, deviceScaleFactor: scale });
  await launcher.statusWhere("the dots per inch", ({ screen }) => screen.dpi === 96 * scale);
}

test("GTK follows at once, Qt from its next start, and all have the same scale then", async () => {
  const running = await startAll();
  const plain = Object.fromEntries(TOOLKITS.map((toolkit) => [toolkit, size(toolkit)])) as Record<Toolkit, [number, number]>;
  await look(2);
  for (const toolkit of ["gtk3", "gtk4"] as const) await is(toolkit, 2, plain[toolkit]);
  for (const child of running) await child.stop();

  const started = await startAll();
  for (const toolkit of TOOLKITS) await is(toolkit, 2, plain[toolkit]);
  await viewer.screenshot("hidpi");
  // What is between whole numbers goes into the text.
  await look(1.5);
  for (const toolkit of ["gtk3", "gtk4"] as const) await is(toolkit, 1.5, plain[toolkit]);
  for (const child of started) await child.stop();
});
