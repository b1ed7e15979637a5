import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { noticeReader, type Notice } from "../wire/protocol";
import { list, parse } from "../wire/schema";
import { speak } from "./language";
import { LANGUAGES, type Language } from "./languages";
import { noticeWords } from "./notices";

const golden = new URL("../../../protocol/golden/notice.json", import.meta.url);
const all = parse(list(noticeReader), readFileSync(golden, "utf8"));
const about = (subject: Notice["subject"]): Notice => ({ level: "info", text: "The server's.", ...(subject && { subject }) });

afterEach(() => speak("en"));

it("every notice of the server's has words of its own in every language", async () => {
  for (const language of Object.keys(LANGUAGES) as Language[]) {
    await speak(language);
    const told = all.map(noticeWords);
    expect(new Set(told).size).toBe(all.length);
    for (const words of told) expect(words).not.toMatch(/undefined|A sentence/);
  }
});

it("a notice about something that has no name here is the server's sentence", () => {
  expect(noticeWords(about(undefined))).toBe("The server's.");
});

it("an encoder that takes over is told with why, and with what that means for the computer", () => {
  const failed = { type: "encoderSwitched", cause: "timeOut", previous: "nvh264enc", previousHardware: true, encoder: "x264enc", hardware: false } as const;
  expect(noticeWords(about(failed))).toBe("The GPU encoder failed (nvh264enc: it stopped answering). The CPU encodes the picture now (x264enc).");
  expect(noticeWords(about({ ...failed, hardware: true, encoder: "vah264enc", cause: "unknown" }))).toBe("The GPU encoder failed (nvh264enc). vah264enc encodes the picture now.");
  expect(noticeWords(about({ ...failed, cause: "recovered", hardware: true, encoder: "nvh264enc" }))).toBe("The GPU encodes the picture again (nvh264enc).");
});

it("spans are told in their largest unit", () => {
  expect(noticeWords(about({ type: "leftAlone", seconds: 119, limitSeconds: 7200 }))).toBe("No page was connected to this desktop for 119\u00a0s. It is ended after 2\u00a0h without one.");
  expect(noticeWords(about({ type: "leftAlone", seconds: 420, limitSeconds: 600 }))).toContain("for 7\u00a0min");
});
