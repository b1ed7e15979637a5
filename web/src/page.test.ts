// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import html from "../index.html?raw";
import { Curtain } from "./curtain";
import { announce, words } from "./messages";
import { MAX_NOTICES, Notices, STAY_MS, type Memory } from "./notices";
import { Overlay, type Facts, type OverlayAction } from "./overlay";
import { ManualClock } from "./testing";

function byId<E extends HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as E;
}

function part(root: HTMLElement, name: string): HTMLElement {
  const found = root.querySelector<HTMLElement>(`[data-part="${name}"]`);
  if (!found) throw new Error(`no part ${name}`);
  return found;
}

function remembering(): Memory {
  const entries = new Map<string, string>();
  return { getItem: (key) => entries.get(key) ?? null, setItem: (key, value) => entries.set(key, value) };
}

beforeEach(() => {
  document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
});

describe("the page's HTML", () => {
  it("takes every word from the table", () => {
    const used = [...document.querySelectorAll<HTMLElement>("[data-word], [data-label], [data-hint]")].flatMap(({ dataset }) =>
      [dataset.word, dataset.label, dataset.hint].filter((name) => name !== undefined),
    );
    expect(used.length).toBeGreaterThan(10);
    expect(used.filter((name) => typeof words[name as keyof typeof words] !== "string")).toEqual([]);
    expect(document.querySelector("noscript")?.textContent).toContain(words.noScript);
  });

  it("needs no exception from a strict content security policy", () => {
    expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\ssrc=)/);
  });

  it("has only relative addresses, so that it works under any path; the source's own one is rewritten by the build", () => {
    const addresses = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map((match) => match[1] ?? "");
    expect(addresses.filter((address) => !address.startsWith("./") && address !== "/src/main.ts")).toEqual([]);
  });

  it("lets no key of a button or a panel through to the desktop", () => {
    const loose = [...document.querySelectorAll("button, aside, section")].filter((element) => !element.closest("[data-local]"));
    expect(loose).toEqual([]);
  });
});

describe("the panel", () => {
  const facts: Facts = {
    state: "streaming",
    media: { codec: "H264", encoder: "x264enc", width: 1920, height: 1080, framerate: 60, audio: true },
    size: { width: 1920, height: 1080 },
    display: { width: 1920, height: 1080 },
    quality: null,
    limitedSeconds: 0,
    stats: {
      framesDecoded: 600,
      framesDropped: 1,
      framesPerSecond: 59.7,
      bitrateBps: 7_900_000,
      jitterMs: 1,
      jitterBufferDelayMs: 6.25,
      decodeMs: 2.5,
      packetsReceived: 9_800,
      packetsLost: 4,
      roundTripMs: 3.25,
      freezeCount: 0,
    },
    role: "controller",
    consumers: 3,
    sound: "playing",
    fullscreen: false,
  };
  let pressed: OverlayAction[];
  let overlay: Overlay;

  beforeEach(() => {
    pressed = [];
    overlay = new Overlay(byId("panel"), byId<HTMLButtonElement>("handle"), (action) => pressed.push(action));
  });

  it("says what is sent, how it arrives, and who is there", () => {
    overlay.show(facts);
    const shown = ["state", "encoder", "picture", "frameRate", "bitRate", "losses", "role", "latency", "network", "buffer", "decode"].map(
      (name) => part(byId("panel"), name).textContent,
    );
    expect(shown).toEqual([
      "Live",
      "H264 · x264enc · software",
      "1920 × 1080",
      "60 fps",
      "7.9 Mbit/s",
      "4 packets, 1 frame",
      "in control · 3 connected",
      "12", // 3.25 + 6.25 + 2.5
      "3.3 ms",
      "6.3 ms",
      "2.5 ms",
    ]);
  });

  it("says what holds quality back, for how long, and how small the picture is for it", () => {
    const quality: NonNullable<Facts["quality"]> = {
      reason: "bandwidth",
      seconds: 0,
      encoder: "nvh264enc",
      hardware: true,
      codec: "H264",
      width: 1280,
      height: 720,
      maxFramerate: 30,
      bitrateBps: 1_500_000,
    };
    overlay.show({ ...facts, size: { width: 1280, height: 720 }, quality, limitedSeconds: 185 });
    expect(["encoder", "picture", "qualityLabel", "quality", "frameRate"].map((name) => part(byId("panel"), name).textContent)).toEqual([
      "H264 · nvh264enc · hardware",
      "1280 × 720 of 1920 × 1080",
      "Limited by",
      "bandwidth, for 3\u00a0min",
      "60 fps, at most 30",
    ]);
    expect(byId("handle").dataset.limited).toBe("true");
    expect(byId("handle").title).toContain("limited by bandwidth");
    overlay.show({ ...facts, quality: { ...quality, reason: "none", maxFramerate: 0 } });
    expect(["picture", "qualityLabel", "quality", "frameRate"].map((name) => part(byId("panel"), name).textContent)).toEqual([
      "1920 × 1080",
      "Quality",
      "full",
      "60 fps",
    ]);
    expect([byId("handle").dataset.limited, byId("handle").title]).toEqual(["false", words.openPanel]);
  });

  it("hides the row of quality where the server says nothing of it", () => {
    overlay.show(facts);
    expect(part(byId("panel"), "quality").parentElement?.hidden).toBe(true);
  });

  it("says that it does not know what it was not told", () => {
    overlay.show({ ...facts, media: null, size: { width: 0, height: 0 }, stats: null, role: null, consumers: null, sound: "none" });
    expect(["encoder", "picture", "frameRate", "latency", "role"].map((name) => part(byId("panel"), name).textContent)).toEqual(Array(5).fill("–"));
    expect(part(byId("panel"), "sound")).toMatchObject({ disabled: true });
  });

  it("counts a second once, however often it is shown", () => {
    for (let i = 0; i < 5; i++) overlay.show(facts);
    overlay.show({ ...facts, stats: { ...facts.stats } as NonNullable<Facts["stats"]> });
    expect(part(byId("panel"), "curve").getAttribute("points")?.split(" ")).toHaveLength(2);
  });

  it("opened by the keyboard it takes the focus and Escape closes it; opened by a mouse it leaves the focus", () => {
    overlay.toggle(true);
    expect([overlay.open, document.activeElement]).toEqual([true, part(byId("panel"), "close")]);
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect([overlay.open, pressed]).toEqual([false, ["unfocused"]]);
    overlay.toggle();
    expect([overlay.open, pressed]).toEqual([true, ["unfocused", "unfocused"]]);
    expect(byId("handle").getAttribute("aria-expanded")).toBe("true");
  });

  it("reports its buttons", () => {
    for (const name of ["fullscreen", "sound", "keyboard"]) part(byId("panel"), name).click();
    expect(pressed).toEqual(["fullscreen", "sound", "keyboard"]);
  });
});

describe("the curtain", () => {
  it("shows words and what to do, focuses that, and goes with the stream", () => {
    const chosen: string[] = [];
    const root = byId("curtain");
    const curtain = new Curtain(root, (action) => chosen.push(action));
    curtain.show(announce({ name: "connecting", stage: "offer" }, 0, false), false);
    expect([root.dataset.busy, part(root, "detail").textContent, part(root, "action").hidden]).toEqual(["true", words.stage.offer, true]);
    curtain.show(announce({ name: "ended", message: "time is up" }, 0, true), false);
    expect([part(root, "title").textContent, part(root, "quote").textContent]).toEqual([words.ended, "time is up"]);
    expect(document.activeElement).toBe(part(root, "action"));
    part(root, "action").click();
    expect(chosen).toEqual(["retry"]);
    curtain.show(null, false);
    expect(root.hidden).toBe(true);
  });
});

describe("notices", () => {
  let clock: ManualClock;
  let notices: Notices;
  let memory: Memory;
  const texts = (): (string | null | undefined)[] => [...byId("notices").children].map((notice) => notice.firstChild?.textContent);

  beforeEach(() => {
    clock = new ManualClock();
    memory = remembering();
    notices = new Notices(byId("notices"), clock, memory);
  });

  it("go by themselves, errors only when dismissed", async () => {
    notices.add("info", "a");
    notices.add("error", "b");
    await clock.pass(STAY_MS);
    expect(texts()).toEqual(["b"]);
    byId("notices").querySelector("button")?.click();
    expect(texts()).toEqual([]);
  });

  it("are not repeated, and the oldest makes room", () => {
    for (const text of ["a", "a", "b", "c", "d", "e"]) notices.add("warning", text);
    expect(texts()).toEqual(["b", "c", "d", "e"]);
    expect(MAX_NOTICES).toBe(4);
  });

  it("with a name are shown once in a tab, however often it is reloaded, and others each time", async () => {
    notices.add("warning", "no GPU", "no-gpu-1");
    await clock.pass(STAY_MS);
    const reloaded = new Notices(byId("notices"), clock, memory);
    reloaded.add("warning", "no GPU", "no-gpu-1");
    expect(texts()).toEqual([]);
    reloaded.add("warning", "no GPU", "no-gpu-of-another-session");
    reloaded.add("info", "switched");
    await clock.pass(STAY_MS);
    reloaded.add("info", "switched");
    expect(texts()).toEqual(["switched"]);
  });

  it("are shown where the browser lets the page remember nothing", () => {
    const forbidden = () => {
      throw new Error("SecurityError");
    };
    new Notices(byId("notices"), clock, { getItem: forbidden, setItem: forbidden }).add("warning", "no GPU", "no-gpu-1");
    expect(texts()).toEqual(["no GPU"]);
  });

  it("are text, never markup", () => {
    notices.add("info", "<img src=x>");
    expect(byId("notices").querySelector("img")).toBeNull();
    expect(texts()).toEqual(["<img src=x>"]);
  });
});
