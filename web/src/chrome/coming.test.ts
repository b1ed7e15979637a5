import { describe, expect, it } from "vitest";
import { comingWords, extensionWords } from "./coming";
import { Page } from "../fixture";

describe("the end that is coming", () => {
  it("counts down in minutes and seconds, to now", () => {
    const at = (nowMs: number): string => comingWords({ limit: "timeout", atMs: 300_000, extensionSeconds: null }, nowMs, "controller").when;
    expect([0, 500, 241_000, 299_100, 300_000, 310_000].map(at)).toEqual([
      "It ends in 5:00.",
      "It ends in 5:00.",
      "It ends in 0:59.",
      "It ends in 0:01.",
      "It ends now.",
      "It ends now.",
    ]);
  });

  it("says what helps, and to whom", () => {
    const what = (limit: "idle" | "timeout", role: "controller" | "viewer"): string => comingWords({ limit, atMs: 0, extensionSeconds: null }, 0, role).what;
    expect(what("idle", "controller")).toContain("Any key or motion keeps it");
    expect(what("idle", "viewer")).toContain("Whoever controls it");
    expect(what("timeout", "controller")).toContain("Save your work");
  });

  it("is put off by whoever is in control, where that is offered", () => {
    const said = (extensionSeconds: number | null, role: "controller" | "viewer"): string | null => extensionWords({ limit: "timeout", atMs: 0, extensionSeconds }, role);
    expect([said(1800, "controller"), said(60, "controller"), said(5400, "controller")]).toEqual(["Extend by 30 minutes", "Extend by 1 minute", "Extend by 90 minutes"]);
    expect([said(3600, "controller"), said(7200, "controller")]).toEqual(["Extend by 1 hour", "Extend by 2 hours"]);
    expect([said(1800, "viewer"), said(null, "controller")]).toEqual([null, null]);
  });

  it("is known from the server's word until that is taken back", async () => {
    const page = new Page();
    const { control } = await page.connect();
    control.say({ type: "ending", limit: "idle", seconds: 60 });
    expect(page.connection.coming).toEqual({ limit: "idle", atMs: page.clock.nowMs() + 60_000, extensionSeconds: null });
    control.say({ type: "ending", limit: "timeout", seconds: 60, extensionSeconds: 1800 });
    expect(page.connection.coming?.extensionSeconds).toBe(1800);
    control.say({ type: "ending", seconds: 0 });
    expect(page.connection.coming).toBeNull();
  });
});
