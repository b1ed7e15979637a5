import { describe, expect, it } from "vitest";
import { FALL_SILENT_MS, judge, UNANSWERED_IN_SILENCE_MS, UNANSWERED_MS, type Evidence } from "./doubt";

const calm: Evidence = { nowMs: 10_000, unansweredSinceMs: null, roundTripMs: 5, lastFrameMs: 9990, flowing: true, stopped: false, hidden: false };

describe("the path", () => {
  it("is fine while frames come or answers do", () => {
    expect(judge(calm)).toBe("fine");
    expect(judge({ ...calm, unansweredSinceMs: 10_000 - UNANSWERED_MS + 1, lastFrameMs: 5000 })).toBe("fine");
    expect(judge({ ...calm, unansweredSinceMs: 5000 })).toBe("fine");
  });

  it("is asked about when a picture that moved stands still, and not when nothing moved", () => {
    const still = { ...calm, lastFrameMs: 10_000 - FALL_SILENT_MS };
    expect(judge(still)).toBe("ask");
    expect(judge({ ...still, flowing: false })).toBe("fine");
  });

  it("is doubted when neither an answer nor a frame has come since a ping went out", () => {
    const silent = { ...calm, unansweredSinceMs: 10_000 - UNANSWERED_MS, lastFrameMs: 8000 };
    expect(judge(silent)).toBe("doubt");
    expect(judge({ ...silent, lastFrameMs: null })).toBe("doubt");
  });

  it("is doubted sooner when a picture that moved has stopped as well", () => {
    const silent = { ...calm, unansweredSinceMs: 10_000 - UNANSWERED_IN_SILENCE_MS, lastFrameMs: 8000, flowing: false };
    expect(judge(silent)).toBe("fine");
    expect(judge({ ...silent, stopped: true })).toBe("doubt");
  });

  it("is given the time that it takes: a slow one more, a hidden page all of it", () => {
    const silent = { ...calm, unansweredSinceMs: 10_000 - UNANSWERED_MS, lastFrameMs: null };
    expect(judge({ ...silent, roundTripMs: 400 })).toBe("fine");
    expect(judge({ ...silent, hidden: true })).toBe("fine");
  });
});
