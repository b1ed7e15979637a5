// The doctor's rules with plain facts: what the statistics say of the path, what became of each server, and which cause is named.
import { describe, expect, it } from "vitest";
import { nothingGathered, pathOf, serverVerdict, verdict, type Facts, type Path, type ServerTest } from "./facts";
import { asText, failureOf, findings } from "./findings";
import { doctorWords } from "../words/language";

const noPath = pathOf([]);

function tested(url: string, part: Partial<ServerTest> = {}): ServerTest {
  return { url, relays: !url.startsWith("stun"), gave: null, code: null, words: "", tookMs: 20, finished: true, ...part };
}

const gathered = (part: Partial<typeof nothingGathered>): typeof nothingGathered => ({ ...nothingGathered, udp: true, ...part });

function facts(part: Partial<Facts> = {}, path: Partial<Path> = {}): Facts {
  const both = { local: gathered({ host: 1 }), remote: gathered({ host: 2 }) };
  return { connected: false, serverAnswers: true, tried: true, relayOnly: false, tests: [], path: { ...noPath, ...both, ...path }, ...part };
}

const REPORT: [string, object][] = [
  ["T", { type: "transport", id: "T", selectedCandidatePairId: "P2" }],
  ["P1", { type: "candidate-pair", id: "P1", state: "failed", localCandidateId: "L1", remoteCandidateId: "R1", requestsSent: 7, responsesReceived: 0 }],
  ["P2", { type: "candidate-pair", id: "P2", state: "succeeded", nominated: true, localCandidateId: "L2", remoteCandidateId: "R1", requestsSent: 3, responsesReceived: 3, currentRoundTripTime: 0.0123 }],
  ["L1", { type: "local-candidate", id: "L1", candidateType: "host", protocol: "udp", address: "", port: 9 }],
  ["L2", { type: "local-candidate", id: "L2", candidateType: "relay", protocol: "udp", relayProtocol: "tcp", address: "10.0.0.1", port: 50000 }],
  ["R1", { type: "remote-candidate", id: "R1", candidateType: "host", protocol: "udp", address: "fd00::2", port: 40000 }],
];

describe("the path", () => {
  it("is read from the statistics, with every pair that was tried", () => {
    const path = pathOf(REPORT);
    expect(path.pairs.map((pair) => [pair.kind, pair.local, pair.remote, pair.state])).toEqual([
      ["host udp", "hidden:9", "[fd00::2]:40000", "failed"],
      ["relay tcp", "10.0.0.1:50000", "[fd00::2]:40000", "succeeded"],
    ]);
    expect([path.selected?.kind, path.selected?.roundTripMs]).toEqual(["relay tcp", 12.3]);
    expect([path.local, path.remote]).toEqual([
      { host: 1, srflx: 0, relay: 1, udp: true },
      { host: 1, srflx: 0, relay: 0, udp: true },
    ]);
  });

  it("is told in words, and its pairs stand in the report", () => {
    const found = findings(facts({ connected: true }, pathOf(REPORT)), null);
    expect(found.verdict).toBe("relayed");
    expect(found.browser[0]?.message).toBe("Media go through a TURN server (TCP), 12\u00a0ms there and back.");
    expect(asText(found, [])).toContain("hidden:9 (host udp) → [fd00::2]:40000: failed, 0/7 answered");
  });
});

describe("a server that was tested", () => {
  const cases: [string, ServerTest, string][] = [
    ["gave an address", tested("turn:h", { gave: "relay" }), "passed"],
    ["refused the password", tested("turn:h", { code: 401 }), "credentials"],
    ["forbade it", tested("turn:h", { code: 403 }), "forbidden"],
    ["was full", tested("turn:h", { code: 486 }), "quota"],
    ["was not reached", tested("turn:h", { code: 701 }), "unreachable"],
    ["was silent", tested("turn:h", { finished: false }), "silent"],
    ["said nothing and gave nothing", tested("turn:h"), "refused"],
    ["told nothing new, since there is no router", tested("stun:h"), "passed"],
    ["is a STUN server that was not reached", tested("stun:h", { code: 701 }), "unreachable"],
  ];
  for (const [what, test, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      expect(serverVerdict(test)).toBe(expected);
    });
  }
});

describe("the cause", () => {
  const relayOnly = { relayOnly: true };
  const cases: [string, Facts, string][] = [
    ["all is well", facts({ connected: true }), "connected"],
    ["nobody answers", facts({ serverAnswers: false }), "serverSilent"],
    ["no session came so far", facts({ tried: false }), "notTried"],
    ["relays only, none configured", facts({ ...relayOnly }, { local: nothingGathered }), "noRelayConfigured"],
    ["relays only, wrong password", facts({ ...relayOnly, tests: [tested("turn:h", { code: 401 })] }), "relayCredentials"],
    ["relays only, out of reach", facts({ ...relayOnly, tests: [tested("turn:h", { code: 701 })] }), "relayUnreachable"],
    ["the browser offers nothing", facts({}, { local: nothingGathered }), "noCandidates"],
    ["the server offers nothing", facts({}, { remote: nothingGathered }), "serverNoCandidates"],
    ["packets are dropped, no TURN server", facts({ tests: [tested("stun:h")] }), "blockedNoTurn"],
    ["packets are dropped, wrong password", facts({ tests: [tested("turn:h", { code: 401 })] }), "blockedTurnCredentials"],
    ["packets are dropped, TURN out of reach", facts({ tests: [tested("turn:h", { finished: false })] }), "blockedTurnUnreachable"],
    ["the relay works, the rest does not", facts({ tests: [tested("turn:h", { gave: "relay" })] }), "blocked"],
  ];
  for (const [what, known, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      expect(verdict(known)).toBe(expected);
    });
  }

  it("is told to the server by its name, where the browser knows it", () => {
    expect(failureOf(facts())?.reason).toBe("pathBlocked");
    expect(failureOf(facts({ ...relayOnly }))?.reason).toBe("relayRefused");
    expect(failureOf(facts({ tried: false }))).toBeNull();
    expect(failureOf(facts({ connected: true }))).toBeNull();
  });
});

describe("the report", () => {
  it("names each server by its URL and says nothing secret", () => {
    const tests = [tested("turn:turn.example.com?transport=tcp", { code: 401, words: "Unauthorized." }), tested("stun:stun.example.com")];
    const report = {
      healthy: false,
      unixSeconds: 1_700_000_000,
      checks: [{ name: "turnTcp", outcome: "failed", target: "turn:turn.example.com?transport=tcp", reason: "WRONG_CREDENTIALS", message: "It refuses.", advice: "Correct it." } as const],
    };
    const found = findings(facts({ tests }), { report, aheadSeconds: 90 });
    const text = asText(found, ["Browser 1.0"]);
    for (const line of [
      `✘ ${doctorWords.verdict.blockedTurnCredentials.title}`,
      "✘ Server: turn:turn.example.com?transport=tcp: Refuses user or password (401 Unauthorized).",
      "✔ Server: stun:stun.example.com: Works (20\u00a0ms).",
      "! Clock: This browser’s clock and the server’s differ by 90\u00a0s.",
      "✘ TURN, TCP: turn:turn.example.com?transport=tcp: It refuses. [WRONG_CREDENTIALS]",
      "    → Correct it.",
      "Browser 1.0",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });

  it("calls what the server looked at by its name in the page's language, and by the server's where it knows none", () => {
    const checks = ["sound", "microphone", "webcam", "gamepads", "ofTomorrow"].map((name) => ({ name, outcome: "passed", message: "Fine." }) as const);
    const found = findings(facts(), { report: { healthy: true, unixSeconds: 0, checks }, aheadSeconds: 0 });
    expect(found.server.map((row) => row.name)).toEqual(["Sound", "Microphone", "Webcam", "Gamepads", "ofTomorrow"]);
  });

  it("does without the server's part", () => {
    const found = findings(facts(), { status: 404 });
    expect(found.server.map((row) => [row.outcome, row.message])).toEqual([["skipped", doctorWords.noReportOf(404)]]);
    expect(findings(facts(), null).server).toHaveLength(1);
  });

  it("counts a blocked server as no failure where another relays", () => {
    const tests = [tested("turn:a", { code: 701 }), tested("turn:b?transport=tcp", { gave: "relay" }), tested("turn:c", { code: 401 })];
    const found = findings(facts({ connected: true, tests }), null);
    expect(found.browser.filter((row) => row.target !== "").map((row) => row.outcome)).toEqual(["warning", "passed", "failed"]);
  });
});
