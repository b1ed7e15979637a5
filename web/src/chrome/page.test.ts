// @vitest-environment happy-dom
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import html from "../../index.html?raw";
import { Cursor } from "../picture/cursor";
import { ControlNews, NAME_MS } from "./control";
import { Curtain } from "./curtain";
import { announce, words } from "../words/messages";
import { MAX_NOTICES, Notices, STAY_MS, type Memory } from "./notices";
import { Overlay, type Facts, type OverlayAction } from "../panel/overlay";
import type { CursorShape, Latency, PageStats } from "../wire/protocol";
import { PeopleList } from "../people/people";
import { ManualClock } from "../testing";
import { Waterfall } from "../panel/waterfall";

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

  it("has no hint that only a mouse finds", () => {
    const hinted = [...document.querySelectorAll<HTMLElement>("[data-hint]")].filter(({ dataset }) => dataset.hint !== dataset.label);
    const described = [...document.querySelectorAll<HTMLElement>("[aria-describedby]")];
    expect(hinted.filter((element) => !described.includes(element))).toEqual([]);
    const hints = described.map((element) => document.getElementById(element.getAttribute("aria-describedby") ?? ""));
    expect([described.length > 10, hints.filter((hint) => hint === null || hint.hidden)]).toEqual([true, []]);
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
    media: { codec: "H264", chromaFormat: "4:2:0", encoder: "x264enc", width: 1920, height: 1080, framerate: 60, audio: true },
    size: { width: 1920, height: 1080 },
    display: { width: 1920, height: 1080 },
    quality: null,
    limitedSeconds: 0,
    stats: {
      framesDecoded: 600,
      framesDropped: 1,
      framesPresented: 598,
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
    latency: null,
    latencySeconds: 0,
    role: "controller",
    consumers: 3,
    sound: "playing",
    fullscreen: false,
    acts: true,
    locked: false,
  };
  let pressed: OverlayAction[];
  let overlay: Overlay;

  beforeEach(() => {
    pressed = [];
    overlay = new Overlay(byId("panel"), byId<HTMLButtonElement>("handle"), (action) => pressed.push(action));
  });

  it("says what is sent, how it arrives, and who is there", () => {
    overlay.show(facts);
    const shown = ["state", "encoder", "picture", "frameRate", "bitRate", "losses", "role"].map(
      (name) => part(byId("panel"), name).textContent,
    );
    expect(shown).toEqual([
      "Live",
      "H.264 · x264enc · software",
      "1920 × 1080",
      "60 fps",
      "7.9 Mbit/s",
      "4 packets, 1 frame",
      "in control · 3 connected",
    ]);
  });

  it("says what holds quality back, for how long, and how small the picture is for it", () => {
    const quality: NonNullable<Facts["quality"]> = {
      reason: "bandwidth",
      seconds: 0,
      encoder: "nvh264enc",
      hardware: true,
      codec: "H264",
      sourceWidth: 1920,
      sourceHeight: 1080,
      width: 1280,
      height: 720,
      maxFramerate: 30,
      bitrateBps: 1_500_000,
    };
    overlay.show({ ...facts, size: { width: 1280, height: 720 }, quality, limitedSeconds: 185 });
    expect(["encoder", "picture", "qualityLabel", "quality", "frameRate"].map((name) => part(byId("panel"), name).textContent)).toEqual([
      "H.264 · nvh264enc · hardware",
      "1280 × 720 of 1920 × 1080",
      "Limited by",
      "bandwidth, for 3\u00a0min",
      "60 fps, at most 30",
    ]);
    expect(byId("handle").dataset.limited).toBe("true");
    expect(byId("handle").title).toContain("limited by bandwidth");
    expect(part(byId("panel"), "limitation").textContent).toBe(words.limitationHint.bandwidth);
    overlay.show({ ...facts, quality: { ...quality, reason: "none", maxFramerate: 0 } });
    expect(part(byId("panel"), "limitation").textContent).toBe(words.limitationHint.none);
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
    expect(["quality", "limitation"].map((name) => part(byId("panel"), name).parentElement?.hidden)).toEqual([true, true]);
  });

  it("says that it does not know what it was not told", () => {
    overlay.show({ ...facts, media: null, size: { width: 0, height: 0 }, stats: null, role: null, consumers: null, sound: "none" });
    expect(["encoder", "picture", "frameRate", "latency", "role"].map((name) => part(byId("panel"), name).textContent)).toEqual(Array(5).fill("–"));
    expect(part(byId("panel"), "sound")).toMatchObject({ disabled: true });
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

  it("has a switch where words say what is, which stands as they say", () => {
    const css = readFileSync(`${import.meta.dirname}/../panel/waterfall.css`, "utf8");
    expect(css).toContain('.actions :is([data-part="sound"], #microphone, #camera)[aria-pressed="true"]');
    const sound = part(byId("panel"), "sound");
    const stands = (["playing", "muted", "blocked"] as const).map((state) => {
      overlay.show({ ...facts, sound: state });
      return [part(sound, "soundLabel").textContent, sound.getAttribute("aria-pressed")];
    });
    expect(stands).toEqual([
      [words.soundOn, "true"],
      [words.soundOff, "false"],
      [words.clickForSound, "false"],
    ]);
  });

  it("reports its buttons", () => {
    for (const name of ["fullscreen", "sound", "keyboard"]) part(byId("panel"), name).click();
    expect(pressed).toEqual(["fullscreen", "sound", "keyboard"]);
  });
});

describe("the waterfall", () => {
  const latency: Latency = {
    codec: "H264",
    estimated: false,
    frames: 60,
    uncertaintyUs: 940,
    glassToGlass: { p50Us: 21_000, p95Us: 33_500 },
    stages: [
      { stage: "capture", p50Us: 2000, p95Us: 4000 },
      { stage: "encode", p50Us: 12_000, p95Us: 15_000 },
      { stage: "network", p50Us: 1000, p95Us: 6000 },
      { stage: "present", p50Us: 6000, p95Us: 9000 },
    ],
  };
  const stats: PageStats = {
    framesDecoded: 600,
    framesDropped: 0,
    framesPresented: 0,
    framesPerSecond: 60,
    bitrateBps: 0,
    jitterMs: 0,
    jitterBufferDelayMs: 6.25,
    decodeMs: 2.5,
    packetsReceived: 0,
    packetsLost: 0,
    roundTripMs: 3.25,
    freezeCount: 0,
  };
  let root: HTMLElement;
  let waterfall: Waterfall;
  const texts = (...names: string[]): (string | null)[] => names.map((name) => part(root, name).textContent);
  const rows = (): HTMLElement[] => [...part(root, "rows").children] as HTMLElement[];
  const bars = (row: HTMLElement | undefined): string[] =>
    [...(row?.querySelectorAll<HTMLElement>(".bar i") ?? [])].map(({ style }) => `${style.insetInlineStart} ${style.width}`);

  beforeEach(() => {
    root = part(byId("panel"), "waterfall");
    waterfall = new Waterfall(root);
  });

  it("says how long the whole way takes, which stage takes longest, and how sure that is", () => {
    waterfall.show(latency, 0.4, stats);
    expect(texts("latencyLabel", "latency", "latencyP95", "slowest", "certainty")).toEqual([
      "Latency",
      "21",
      "p95 34\u00a0ms",
      "Slowest: encode, 12\u00a0ms",
      "±\u00a00.9\u00a0ms between the two clocks",
    ]);
  });

  it("is a table with a row for each stage, whose bars begin where the one before ends", () => {
    waterfall.show(latency, 0, stats);
    expect(rows().map((row) => [...row.children].map((cell) => cell.textContent))).toEqual([
      ["Capture", "", "2.0", "4.0"],
      ["Encode", "", "12", "15"],
      ["Network", "", "1.0", "6.0"],
      ["Present", "", "6.0", "9.0"],
    ]);
    // The axis ends at 30 ms: 15 ms before the last stage, and its 9 ms.
    expect(texts("axisMiddle", "axisEnd")).toEqual(["15", "30\u00a0ms"]);
    expect(bars(rows()[1])).toEqual(["6.67% 50.00%", "6.67% 40.00%"]);
    expect(bars(rows()[3])).toEqual(["50.00% 30.00%", "50.00% 20.00%"]);
    expect(rows().map((row) => row.dataset.slowest)).toEqual(["false", "true", "false", "false"]);
    expect(rows().every((row) => row.querySelector("th")?.scope === "row")).toBe(true);
    const meanings = [...part(root, "stagesMeaning").children].map((row) => [...row.children].map(({ textContent }) => textContent));
    expect(meanings).toEqual((["capture", "encode", "network", "present"] as const).map((stage) => [words.stageName[stage], words.stageHint[stage]]));
  });

  it("draws what came with the next second, and a stage that it does not know by its name", () => {
    waterfall.show(latency, 0, stats);
    const [first] = rows();
    waterfall.show({ ...latency, stages: [{ stage: "teleport", p50Us: 1000, p95Us: 1000 }] }, 0, stats);
    expect(rows().map((row) => row.firstChild?.textContent)).toEqual(["teleport"]);
    expect(rows()[0]).toBe(first);
    expect(texts("slowest")).toEqual(["Slowest: teleport, 1.0\u00a0ms"]);
    waterfall.show({ ...latency, stages: [{ stage: "constructor", p50Us: 1000, p95Us: 1000 }] }, 0, stats);
    expect(rows()[0]?.firstChild?.textContent).toBe("constructor");
  });

  it("marks what is estimated", () => {
    waterfall.show({ ...latency, estimated: true, uncertaintyUs: 0 }, 0, stats);
    expect(root.dataset.source).toBe("estimated");
    expect(texts("latencyLabel", "certainty")).toEqual([words.latencyLabel.estimated, words.notExact.estimated]);
  });

  it("tells of figures that are old, since a still desktop makes no new ones", () => {
    waterfall.show(latency, 12.7, stats);
    expect(texts("latency", "certainty")).toEqual(["21", "Nothing has changed for 12\u00a0s"]);
  });

  it("shows the browser's own part where the server says nothing, and nothing before there is anything", () => {
    waterfall.show(null, 0, null);
    expect(texts("latency", "slowest", "certainty")).toEqual(["–", "", ""]);
    expect(part(root, "table").hidden).toBe(true);
    waterfall.show(null, 0, stats);
    expect(texts("latencyLabel", "latency", "latencyP95")).toEqual(["Response", "12", ""]); // 3.25 + 6.25 + 2.5
    expect(rows().map((row) => row.firstChild?.textContent)).toEqual(["Network", "Buffer", "Decode"]);
    expect(part(root, "table").hidden).toBe(false);
  });

  it("counts a second once in its curve, however often it is shown, and begins anew with a session", () => {
    const points = () => part(root, "curve").getAttribute("points")?.split(" ").filter(Boolean).length;
    for (let i = 0; i < 5; i++) waterfall.show(latency, 0, stats);
    waterfall.show({ ...latency }, 0, stats);
    expect(points()).toBe(2);
    waterfall.show(null, 0, null);
    expect(points()).toBe(0);
  });
});

describe("the pointer", () => {
  const shape: CursorShape = { width: 24, height: 16, hotspotX: 3, hotspotY: 2, png: "iVBORw0KGgo=" };
  const pointer = (): string => byId("stage").style.getPropertyValue("--pointer");

  it("has the desktop's shape as soon as one is told, and is hidden where it is invisible", () => {
    const cursor = new Cursor(byId("stage"));
    cursor.show(null, 1, 1);
    expect(pointer()).toBe("");
    cursor.show(shape, 1, 1);
    expect(pointer()).toBe('url("data:image/png;base64,iVBORw0KGgo=") 3 2, default');
    // The same number of pixels on a screen with twice as many in a CSS pixel.
    cursor.show(shape, 0.5, 2);
    expect(pointer()).toBe('image-set(url("data:image/png;base64,iVBORw0KGgo=") 2x) 2 1, default');
    cursor.show({ ...shape, width: 0, height: 0, png: "" }, 1, 1);
    expect(pointer()).toBe("none");
    cursor.show(null, 1, 1);
    expect(pointer()).toBe("");
  });
});

describe("the curtain", () => {
  it("shows words and what to do, focuses that, and goes with the stream", () => {
    const chosen: string[] = [];
    const root = byId("curtain");
    const curtain = new Curtain(root, (action) => chosen.push(action));
    curtain.show(announce({ name: "connecting", stage: "offer" }, 0, false), false);
    expect([root.dataset.busy, part(root, "detail").textContent, part(root, "action").hidden]).toEqual(["true", words.stage.offer, true]);
    curtain.show(announce({ name: "ended", message: "time is up", end: null }, 0, true), false);
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
    notices.add("warning", "no GPU", { once: "no-gpu-1" });
    await clock.pass(STAY_MS);
    const reloaded = new Notices(byId("notices"), clock, memory);
    reloaded.add("warning", "no GPU", { once: "no-gpu-1" });
    expect(texts()).toEqual([]);
    reloaded.add("warning", "no GPU", { once: "no-gpu-of-another-session" });
    reloaded.add("info", "switched");
    await clock.pass(STAY_MS);
    reloaded.add("info", "switched");
    expect(texts()).toEqual(["switched"]);
  });

  it("are shown where the browser lets the page remember nothing", () => {
    const forbidden = () => {
      throw new Error("SecurityError");
    };
    new Notices(byId("notices"), clock, { getItem: forbidden, setItem: forbidden }).add("warning", "no GPU", { once: "no-gpu-1" });
    expect(texts()).toEqual(["no GPU"]);
  });

  it("have the server's own words for whoever unfolds them, and stay while those are read", async () => {
    notices.tell({ level: "warning", text: "The display :7 is gone", subject: { type: "displayLost" } });
    notices.tell({ level: "info", text: "Something without a name" });
    const folded = byId("notices").querySelectorAll("details");
    expect([texts(), folded.length, folded[0]?.querySelector("q")?.textContent]).toEqual([
      [`${words.notice.displayLost}${words.particulars}The display :7 is gone`, "Something without a name"],
      1,
      "The display :7 is gone",
    ]);
    folded[0]?.setAttribute("open", "");
    await clock.pass(STAY_MS);
    expect(byId("notices").querySelectorAll(".notice")).toHaveLength(1);
  });

  it("tell who gets control and who loses it, but of the present role only", async () => {
    const news = new ControlNews(notices, clock);
    news.show(null, null);
    news.show("viewer", "Anna");
    expect(texts()).toEqual([]);
    news.show("controller", null);
    expect(texts()).toEqual([words.controlIsYours]);
    // The server says so before the page is told its role, and who has it.
    news.taken(false);
    news.show("controller", null);
    news.show("viewer", null);
    expect(texts()).toEqual([]);
    news.show("viewer", "Anna");
    news.show("viewer", "Anna");
    expect(texts()).toEqual([words.controlTakenBy("Anna")]);
    // Over a connection that came back nothing of it is known for a moment.
    news.show(null, null);
    news.show("controller", null);
    expect(texts()).toEqual([words.controlIsYours]);
    await clock.pass(NAME_MS);
    new ControlNews(notices, clock).show("controller", null);
    expect(texts()).toEqual([words.controlIsYours]);
  });

  it("tell without a name that control is gone where none is told, and nothing of it once it is back", async () => {
    const news = new ControlNews(notices, clock);
    news.show("controller", null);
    news.taken(false);
    news.show("viewer", null);
    await clock.pass(NAME_MS);
    expect(texts()).toEqual([words.controlTaken]);
    news.show("controller", null);
    news.taken(false);
    news.show("viewer", null);
    news.show("controller", null);
    await clock.pass(NAME_MS);
    expect(texts()).toEqual([words.controlIsYours]);
    news.taken(true);
    expect(texts()).toEqual([words.controlIsYours, words.controlTakenByYou]);
  });

  it("name who is in control as the list of people does, and never this page", () => {
    const places = { root: byId("partPeople"), asked: byId("asked"), takeControl: byId<HTMLButtonElement>("takeControl") };
    const people = new PeopleList(places, "", clock, () => undefined);
    expect(people.inControl("a")).toBeNull();
    const told = (role: "a" | "b", name: string): void => {
      people.told({ people: ["a", "b"].map((consumer) => ({ consumer, name: consumer === "b" ? name : "", role: consumer === role ? "controller" : "viewer" })), asks: false });
    };
    told("a", "Ben");
    expect(people.inControl("a")).toBeNull();
    told("b", "Ben");
    expect(people.inControl("a")).toBe("Ben");
    told("b", "");
    people.show("a", "viewer");
    expect([people.inControl("a"), byId("partPeople").querySelectorAll("li span")[1]?.textContent]).toEqual([words.somebody(2), words.somebody(2)]);
  });

  it("are text, never markup", () => {
    notices.add("info", "<img src=x>");
    expect(byId("notices").querySelector("img")).toBeNull();
    expect(texts()).toEqual(["<img src=x>"]);
  });
});
