// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import html from "../../index.html?raw";
import { Tabs } from "../panel/tabs";
import type { Settings } from "../wire/protocol";
import { USUAL, type Habits } from "../input/habits";
import { Drawer, type DrawerEvent } from "./drawer";
import { HabitChoice } from "./habits";
import { PREFERENCES, PREFERENCES_KEY, readPreferences } from "./preferences";
import { frameRates, placeOf, PLACES, rateAt } from "./scale";

describe("the slider", () => {
  it("ends at the bounds, and reads well between them", () => {
    expect([0, 1, 50, 99, PLACES].map((place) => rateAt(place, 500_000, 20_000_000))).toEqual([500_000, 520_000, 3_200_000, 19_000_000, 20_000_000]);
  });

  it("stands where the rate is, also after it was rounded", () => {
    for (let place = 0; place <= PLACES; place++) {
      const bps = rateAt(place, 500_000, 20_000_000);
      expect(Math.abs(placeOf(bps, 500_000, 20_000_000) - place), `${place}: ${bps}`).toBeLessThanOrEqual(1);
    }
    expect([placeOf(1, 500_000, 20_000_000), placeOf(9e9, 500_000, 20_000_000)]).toEqual([0, PLACES]);
  });

  it("has one place where the operator leaves no choice", () => {
    expect([placeOf(8e6, 8e6, 8e6), rateAt(50, 8e6, 8e6)]).toEqual([0, 8e6]);
  });
});

it("frame rates are those below the most, the most, and what is set", () => {
  expect(frameRates(60, 60)).toEqual([60, 30, 20, 15, 10]);
  expect(frameRates(144, 45)).toEqual([144, 120, 60, 45, 30, 20, 15, 10]);
  expect(frameRates(5, 5)).toEqual([5]);
});

it("preferences that cannot be read are the defaults, each for itself", () => {
  expect(readPreferences(null)).toEqual(PREFERENCES);
  expect(readPreferences("{")).toEqual(PREFERENCES);
  expect(readPreferences("7")).toEqual(PREFERENCES);
  expect(readPreferences('{"theme":"pink","volume":0.5}')).toEqual({ ...PREFERENCES, volume: 0.5 });
  expect(readPreferences('{"clipboard":false,"volume":"loud"}')).toEqual({ ...PREFERENCES, clipboard: false });
  expect(readPreferences('{"clipboard":0,"theme":"dark","volume":2,"more":1}')).toEqual({ ...PREFERENCES, theme: "dark" });
});

describe("the drawer", () => {
  const choice = { bitrateBps: 4_000_000, framerate: 30, contentHint: "text", codec: "H264" } as const;
  const settings: Settings = { now: choice, defaults: { bitrateBps: 8_000_000, framerate: 60, contentHint: "auto", codec: "H264" }, minBitrateBps: 500_000, maxBitrateBps: 20_000_000, maxFramerate: 60, codecs: ["H264", "VP8", "VP9", "H265"] };
  let events: DrawerEvent[];
  let memory: Map<string, string>;
  let drawer: Drawer;
  const part = <E extends HTMLElement>(name: string): E => {
    const found = document.querySelector<E>(`#partSettings [data-part="${name}"]`);
    if (!found) throw new Error(name);
    return found;
  };
  const open = (): Drawer =>
    new Drawer(part("ofSession").parentElement ?? document.body, { getItem: (key) => memory.get(key) ?? null, setItem: (key, value) => memory.set(key, value) }, (codec) => codec !== "H265", (event) => events.push(event));
  const act = (name: string, value: string, ...types: string[]): void => {
    part<HTMLInputElement>(name).value = value;
    for (const type of types) part(name).dispatchEvent(new Event(type));
  };

  beforeEach(() => {
    document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
    events = [];
    memory = new Map();
    drawer = open();
  });

  it("shows what the server says, and nothing of the session while it says nothing", () => {
    drawer.show(true);
    expect(part("ofSession").hidden).toBe(true);
    drawer.told(settings);
    drawer.show(true);
    expect([part("ofSession").hidden, part("bitrateText").textContent, part<HTMLSelectElement>("framerate").value, part<HTMLSelectElement>("contentHint").value]).toEqual([
      false,
      "4.0 Mbit/s",
      "30",
      "text",
    ]);
    expect(part("bitrate").getAttribute("aria-valuetext")).toBe("4.0 Mbit/s");
    expect([part<HTMLFieldSetElement>("ofSession").disabled, part("onlyController").hidden]).toEqual([false, true]);
    drawer.show(false);
    expect([part<HTMLFieldSetElement>("ofSession").disabled, part("onlyController").hidden]).toEqual([true, false]);
  });

  it("wishes once the slider is let go, and does not move it under the hand", () => {
    drawer.told(settings);
    drawer.show(true);
    act("bitrate", "100", "input");
    drawer.show(true);
    expect([part<HTMLInputElement>("bitrate").value, part("bitrateText").textContent, events]).toEqual(["100", "20.0 Mbit/s", []]);
    act("bitrate", "100", "input", "change");
    expect(events).toEqual([{ type: "wish", wish: { bitrateBps: 20_000_000 } }]);
    // It was not granted.
    drawer.show(true);
    expect(part("bitrateText").textContent).toBe("4.0 Mbit/s");
  });

  it("offers the codecs that server and browser have, and shows what is tried until it holds", () => {
    const select = part<HTMLSelectElement>("codec");
    drawer.told({ ...settings, codecs: [] });
    drawer.show(true);
    expect(part("codecRow").hidden).toBe(true);
    drawer.told(settings);
    drawer.show(true);
    expect([part("codecRow").hidden, [...select.options].map(({ text }) => text), select.value]).toEqual([false, ["H.264", "VP8", "VP9"], "H264"]);
    act("codec", "VP9", "change");
    expect(events).toEqual([{ type: "wish", wish: { codec: "VP9" } }]);
    drawer.told({ ...settings, trying: "VP9" });
    drawer.show(true);
    expect(select.value).toBe("VP9");
    drawer.told(settings);
    drawer.show(true);
    expect(select.value).toBe("H264");
  });

  it("keeps what is the page's own, and forgets everything with the defaults", () => {
    drawer.told(settings);
    drawer.show(true);
    act("volume", "40", "input");
    act("theme", "dark", "change");
    part("clipboard").click();
    expect(JSON.parse(memory.get(PREFERENCES_KEY) ?? "")).toEqual({ theme: "dark", volume: 0.4, clipboard: false, pointer: true, name: "" });
    expect(open().preferences).toEqual({ theme: "dark", volume: 0.4, clipboard: false, pointer: true, name: "" });
    events = [];
    part("toDefaults").click();
    expect(events).toContainEqual({ type: "wish", wish: settings.defaults });
    expect(events).toContainEqual({ type: "defaults" });
    expect(part("volumeText").textContent).toBe("100\u00a0%");
    expect(open().preferences).toEqual(PREFERENCES);
  });
});

describe("the choices of hands", () => {
  const open = (touch: boolean): { hands: { habits: Habits; use: (wanted: Partial<Habits>) => void }; choice: HabitChoice; select: (name: string) => HTMLSelectElement } => {
    document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
    const hands = {
      habits: { ...USUAL, macKeys: "off" } as Habits,
      use(wanted: Partial<Habits>): void {
        this.habits = { ...this.habits, ...wanted };
      },
    };
    const root = document.getElementById("habits") ?? document.body;
    return { hands, choice: new HabitChoice(root, hands, touch), select: (name) => root.querySelector<HTMLSelectElement>(`[data-part="${name}"]`) ?? document.createElement("select") };
  };

  it("show what holds, say what is chosen, and go back to what is usual", () => {
    const { hands, choice, select } = open(true);
    expect([select("macKeys").value, select("touchMode").value]).toEqual(["off", "touchscreen"]);
    for (const [name, value] of [["macKeys", "on"], ["touchMode", "trackpad"]] as const) {
      select(name).value = value;
      select(name).dispatchEvent(new Event("change"));
    }
    const rumble = document.querySelector<HTMLInputElement>('#habits [data-part="rumble"]');
    expect(rumble?.checked).toBe(true);
    rumble?.click();
    expect(hands.habits).toEqual({ macKeys: "on", touchMode: "trackpad", rumble: false });
    choice.forget();
    expect([hands.habits, select("macKeys").value, select("touchMode").value]).toEqual([USUAL, "auto", "touchscreen"]);
    expect(rumble?.checked).toBe(true);
  });

  it("ask for fingers only where there are some", () => {
    expect([true, false].map((touch) => open(touch).select("touchMode").closest<HTMLElement>("label")?.hidden)).toEqual([false, true]);
  });
});

describe("tabs", () => {
  it("show one part, and are one stop of the Tab key, with arrows between them", () => {
    document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
    const shown: string[] = [];
    const list = document.querySelector<HTMLElement>(".tabs") ?? document.body;
    const tabs = new Tabs(list, (id) => shown.push(id));
    const all = [...list.querySelectorAll<HTMLElement>('[role="tab"]')];
    const visible = (): string[] => [...document.querySelectorAll<HTMLElement>('[role="tabpanel"]')].filter(({ hidden }) => !hidden).map(({ id }) => id);
    expect([tabs.shown, visible()]).toEqual(["tabSession", ["partSession"]]);
    const press = (key: string): void => {
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    };
    all[0]?.focus();
    press("ArrowLeft");
    expect([tabs.shown, document.activeElement]).toEqual([all.at(-1)?.id, all.at(-1)]);
    press("ArrowRight");
    expect(tabs.shown).toBe("tabSession");
    press("End");
    press("Home");
    expect([tabs.shown, visible()]).toEqual(["tabSession", ["partSession"]]);
    expect(all.map(({ tabIndex }) => tabIndex).filter((index) => index === 0)).toHaveLength(1);
    expect(shown).toHaveLength(4);
  });
});
