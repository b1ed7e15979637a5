import { describe, expect, it } from "vitest";
import type { Cause } from "../connection/cause";
import type { State } from "../connection/connection";
import type { EndCause } from "../wire/protocol";
import { encoderKind } from "../panel/encoders";
import { codecName } from "./codecs";
import { speak, words } from "./language";
import { announce } from "./messages";
import { bytesWords } from "../share/files";
import { bitRate } from "../panel/overlay";
import { curve, milliseconds } from "../panel/waterfall";

const failed = (cause: Cause, retrying = false): State => ({ name: "failed", cause, retrying });

describe("words", () => {
  it("are none while the desktop is there", () => {
    expect(announce({ name: "streaming" }, 0, true)).toBeNull();
  });

  it("count down to the next try", () => {
    const at = (nowMs: number): string | undefined =>
      announce({ name: "reconnecting", cause: { kind: "lost" }, retryAtMs: 5000 }, nowMs, true)?.when;
    expect(at(1000)).toBe("Trying again in 4 seconds.");
    expect(at(4100)).toBe("Trying again in a moment.");
    expect(at(5000)).toBe("Trying again now.");
  });

  it("say in the user's language why a guest had to go, and offer nothing that would not let him in", () => {
    const ended = (end: EndCause | null) => announce({ name: "ended", message: "time is up", end }, 0, true);
    expect(ended("invitationExpired")).toMatchObject({ title: "Your invitation has expired", quote: "", action: null });
    expect(ended("invitationRevoked")).toMatchObject({ title: "Your invitation was revoked", quote: "", action: null });
  });

  it("say that the server was stopped, and not by whom: nobody told", () => {
    expect(announce({ name: "ended", message: "interrupted", end: "stopped" }, 0, true)?.detail).toBe(`It was stopped on the server. ${words.endedDetail}`);
  });

  it("say in the user's language why a session has ended, and quote the server where it has particulars, or words alone", async () => {
    const ended = (end: EndCause | null) => announce({ name: "ended", message: "xterm has ended", end }, 0, true);
    await speak("de");
    expect(ended("idle")).toMatchObject({ title: "Die Sitzung ist beendet", detail: "Zu lange hat niemand den Desktop benutzt. Sie können diese Seite schließen oder sich neu verbinden.", quote: "" });
    expect(ended("loggedOut")).toMatchObject({ quote: "xterm has ended", action: { does: "retry" } });
    expect(ended(null)).toMatchObject({ title: "Die Sitzung ist beendet", detail: words.endedDetail, quote: "xterm has ended" });
    await speak("en");
  });

  it("speak of reconnecting only after there was a picture", () => {
    const state: State = { name: "reconnecting", cause: { kind: "unreachable" }, retryAtMs: null };
    expect(announce(state, 0, true)?.title).toBe("Reconnecting…");
    expect(announce(state, 0, false)?.title).toBe("Connecting to your desktop");
    expect(announce({ ...state, cause: { kind: "refused", code: "noMedia", message: "" } }, 0, true)?.title).toBe("Waiting for the desktop");
  });

  it("quote the server, and offer what helps", () => {
    expect(announce({ name: "failed", cause: { kind: "turnedAway" }, retrying: false }, 0, true)).toMatchObject({ title: words.refusedTitle, detail: words.turnedAway, action: { does: "reload" } });
    expect(announce(failed({ kind: "refused", code: "tooManyConsumers", message: "16 is the limit" }), 0, false)).toMatchObject({
      title: "The desktop is full",
      quote: "16 is the limit",
      action: { does: "retry" },
    });
    expect(announce(failed({ kind: "version", server: 2 }), 0, false)?.action?.does).toBe("reload");
    expect(announce(failed({ kind: "noCodec", codec: "H264" }), 0, false)).toMatchObject({ action: null, title: "This browser cannot play the picture" });
    expect(announce(failed({ kind: "session", reason: "GPU_INIT_ERROR", message: "no device" }, true), 0, true)).toMatchObject({
      quote: "GPU_INIT_ERROR: no device",
      detail: "This session needs a GPU encoder, and none works. Please tell your administrator.",
      when: "This page keeps trying and comes back by itself.",
    });
    expect(announce({ name: "reconnecting", cause: { kind: "refused", code: "internal", message: "no clock" }, retryAtMs: null }, 0, true)?.quote).toBe("no clock");
    expect(announce({ name: "ended", message: "time is up", end: null }, 0, true)).toMatchObject({ quote: "time is up", action: { does: "retry" } });
  });
});

it("codecs are written as everybody does", () => {
  expect(["H264", "H265", "VP8", "VP9", "AV1", ""].map(codecName)).toEqual(["H.264", "H.265", "VP8", "VP9", "AV1", ""]);
  expect(announce(failed({ kind: "noCodec", codec: "H265" }), 0, false)?.detail).toContain("H.265");
});

describe("figures", () => {
  it("are short enough to read", () => {
    expect([bitRate(7_940_000), bitRate(192_400), bitRate(0)]).toEqual(["7.9 Mbit/s", "192 kbit/s", "0 kbit/s"]);
    expect([milliseconds(0), milliseconds(9.94), milliseconds(9.96), milliseconds(123.4)]).toEqual(["0.0", "9.9", "10", "123"]);
  });

  it("files are told in the unit that fits them", () => {
    expect([0, 13, 1000, 1500, 99_400, 2_340_000, 45_600_000, 7_800_000_000].map(bytesWords)).toEqual(
      ["0 B", "13 B", "1.0 kB", "1.5 kB", "99 kB", "2.3 MB", "46 MB", "7.8 GB"].map((text) => text.replace(" ", "\u00a0")),
    );
  });

  it("the curve has its newest point at the right, and fits what was slowest", () => {
    expect(curve([0, 25, 50])).toBe("57,23.0 58,12.0 59,1.0");
    expect(curve([100, 200])).toBe("58,12.0 59,1.0");
    expect(curve([])).toBe("");
  });
});

it("encoders are told apart by where they run, and unknown ones are not guessed", () => {
  expect(["nvcudah264enc", "nvautogpuh264enc", "vah264lpenc", "v4l2h264enc", "qsvh264enc"].map(encoderKind)).toEqual(Array(5).fill("hardware"));
  expect(["x264enc", "openh264enc", "vp8enc", "vp9enc", "av1enc", "svtav1enc"].map(encoderKind)).toEqual(Array(6).fill("software"));
  expect([encoderKind(""), encoderKind("myh264enc")]).toEqual([null, null]);
});
