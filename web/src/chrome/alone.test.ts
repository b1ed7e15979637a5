// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import html from "../../index.html?raw";
import { Tabs } from "../panel/tabs";
import type { Role } from "../wire/protocol";
import { Alone, ALONE_MS } from "./alone";

let alone: Alone;

beforeEach(() => {
  document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
  alone = new Alone(document.body);
});

const hidden = (name: string): boolean => document.querySelector(`[data-word="${name}"]`)?.closest<HTMLElement>("[data-with]")?.hidden === true;
const names = ["followWindow", "rumble", "ownClipboard", "showPointer", "nothingShared", "streamOnly", "volume", "pixelForPixel"];
const away = (): string[] => names.filter(hidden);
const LAUNCHED = ["streamOnly"];
const ALONE = ["followWindow", "rumble", "ownClipboard", "showPointer", "nothingShared"];

describe("a stream without a launcher", () => {
  it("is known by no role that came with the picture, and has only what has an effect", () => {
    alone.show(true, null, "playing", 0);
    alone.show(true, null, "playing", ALONE_MS - 1);
    expect([alone.is, away()]).toEqual([false, LAUNCHED]);
    alone.show(true, null, "playing", ALONE_MS);
    expect([alone.is, away()]).toEqual([true, ALONE]);
    alone.show(true, null, "none", ALONE_MS + 1);
    expect(away()).toEqual([...ALONE, "volume"]);
  });

  it("stays so while it reconnects, of whose sound nothing is known for a moment", () => {
    for (const nowMs of [0, ALONE_MS]) alone.show(true, null, "playing", nowMs);
    alone.show(false, null, "none", ALONE_MS + 1);
    alone.show(true, null, "playing", ALONE_MS + 2);
    expect([alone.is, away()]).toEqual([true, ALONE]);
  });

  it("is none as soon as a role is told, and never again", () => {
    const at = (nowMs: number, role: Role | null, streams = true): boolean => {
      alone.show(streams, role, "none", nowMs);
      return alone.is;
    };
    expect([at(0, null), at(ALONE_MS, null), at(ALONE_MS + 1, "viewer"), at(9 * ALONE_MS, null)]).toEqual([false, true, false, false]);
    expect(away()).toEqual(LAUNCHED);
  });

  it("is not what has no picture yet, however long that takes", () => {
    for (const nowMs of [0, 100 * ALONE_MS]) alone.show(false, null, "none", nowMs);
    alone.show(true, null, "none", 101 * ALONE_MS);
    expect([alone.is, away()]).toEqual([false, LAUNCHED]);
  });
});

describe("a tab that is not offered", () => {
  it("is left for the first, and the arrows step over it", () => {
    const panel = document.getElementById("panel") ?? document.body;
    const tabs = new Tabs(panel, () => undefined);
    tabs.show("tabPeople");
    tabs.offer("tabPeople", false);
    expect([tabs.shown, document.getElementById("tabPeople")?.hidden, document.getElementById("partPeople")?.hidden]).toEqual(["tabSession", true, true]);
    document.getElementById("tabSession")?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
    expect(tabs.shown).toBe("tabSettings");
    tabs.offer("tabPeople", true);
    document.getElementById("tabSettings")?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
    expect(tabs.shown).toBe("tabPeople");
  });
});
