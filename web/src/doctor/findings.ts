// Decision: what the doctor shows: rows out of the browser's facts, and the report as text. Nothing in it is secret: of a
// server there is its URL, which has no credentials.
import { serverVerdict, verdict, type Facts, type Gathered, type ServerTest, type Verdict } from "./facts";
import { table as english } from "../words/en";
import { doctorWords as words, figure } from "../words/language";
import type { Check, ConnectionFailure, DoctorReport, Outcome } from "../wire/protocol";

/** Clocks further apart than this make certificates and short-lived credentials fail. */
const MAX_SKEW_SECONDS = 30;

/** One line of what the doctor shows. */
export interface Row {
  readonly outcome: Outcome;
  readonly name: string;
  readonly target: string;
  readonly message: string;
  readonly advice: string;
}

export interface Findings {
  readonly verdict: Verdict;
  readonly outcome: Outcome;
  readonly browser: readonly Row[];
  readonly server: readonly Row[];
  /** The pairs that were tried, a line each. */
  readonly pairs: readonly string[];
}

/** What is known of the server's own report. */
export type ServerReport = { readonly report: DoctorReport; readonly aheadSeconds: number } | { readonly status: number } | null;

export function findings(facts: Facts, server: ServerReport): Findings {
  const found = verdict(facts);
  const rows = [pathRow(facts), gatheredRow(facts), ...(facts.path.pairs.length > 0 ? [pairsRow(facts)] : []), ...serverRows(facts.tests)];
  if (server && "report" in server) rows.push(clockRow(server.aheadSeconds));
  return {
    verdict: found,
    outcome: found === "connected" || found === "relayed" ? "passed" : "failed",
    browser: rows,
    server: server && "report" in server ? server.report.checks.map(checkRow) : [noReport(server)],
    pairs: facts.path.pairs.map(({ local, kind, remote, state, nominated, responses, requests, roundTripMs }) =>
      [
        words.pair(local, kind, remote, state),
        nominated ? words.pairChosen : "",
        words.pairAnswers(responses, requests),
        roundTripMs === null ? "" : `${figure(roundTripMs, 1)}\u00a0ms`,
      ]
        .filter(Boolean)
        .join(", "),
    ),
  };
}

function row(outcome: Outcome, name: string, message: string, advice = "", target = ""): Row {
  return { outcome, name, target, message, advice };
}

function pathRow({ connected, path }: Facts): Row {
  const { selected } = path;
  if (!connected || !selected) return row(connected ? "passed" : "failed", words.rowPath, connected ? words.verdict.connected.title : words.noPath);
  const ms = selected.roundTripMs === null ? words.unknownTime : words.took(selected.roundTripMs);
  const say = selected.kind.startsWith("relay") ? words.pathRelayed : words.pathDirect;
  // The second word is how packets travel on this browser's side.
  return row("passed", words.rowPath, say((selected.kind.split(" ")[1] ?? "").toUpperCase(), ms));
}

function gatheredRow({ path, tried, relayOnly }: Facts): Row {
  const say = ({ host, srflx, relay }: Gathered): string => words.kinds(host, srflx, relay);
  const { local, remote } = path;
  const any = local.host + local.srflx + local.relay > 0;
  const message = words.gathered(say(local), say(remote));
  if (!any) return row(tried ? "failed" : "skipped", words.rowGathered, message);
  if (!local.udp && !relayOnly) return row("warning", words.rowGathered, message, words.noUdp);
  return row("passed", words.rowGathered, message);
}

function pairsRow({ connected, path }: Facts): Row {
  const answered = path.pairs.filter((pair) => pair.responses > 0).length;
  return row(connected || answered > 0 ? "passed" : "failed", words.rowPairs, words.pairs(path.pairs.length, answered));
}

function serverRows(tests: readonly ServerTest[]): Row[] {
  if (tests.length === 0) return [row("warning", words.rowServer, words.noServers, words.noServersAdvice)];
  const relayed = tests.some((test) => test.relays && serverVerdict(test) === "passed");
  return tests.map((test) => {
    const found = serverVerdict(test);
    const { title, advice } = words.server[found];
    const detail = found === "passed" ? words.took(test.tookMs) : [test.code, test.words.replace(/\.$/, "")].filter(Boolean).join(" ");
    // What is not reached is no harm where another way to a relay works; what is refused is a mistake.
    const blocked = found === "unreachable" || found === "silent";
    const outcome = found === "passed" ? "passed" : blocked && relayed ? "warning" : "failed";
    return row(outcome, words.rowServer, detail === "" ? `${title}.` : `${title} (${detail}).`, advice, test.url);
  });
}

function clockRow(aheadSeconds: number): Row {
  const apart = Math.abs(aheadSeconds);
  if (apart > MAX_SKEW_SECONDS) return row("warning", words.rowClock, words.clockWrong(figure(apart)), words.clockAdvice);
  return row("passed", words.rowClock, words.clockFine(figure(apart, 1)));
}

function checkRow(check: Check): Row {
  const reason = check.reason === undefined ? "" : ` [${check.reason}]`;
  return row(check.outcome, words.checkName[check.name] ?? check.name, check.message + reason, check.advice ?? "", check.target ?? "");
}

function noReport(server: ServerReport): Row {
  const message = server && "status" in server ? words.noReportOf(server.status) : words.noReport;
  return row("skipped", words.rowDoctor, message, words.noReportAdvice);
}

const SIGNS: Record<Outcome, string> = { passed: "✔", warning: "!", failed: "✘", skipped: "–" };

/** The report for a message to an administrator. */
export function asText(found: Findings, about: readonly string[]): string {
  const line = ({ outcome, name, target, message, advice }: Row): string =>
    `${SIGNS[outcome]} ${name}: ${target === "" ? "" : `${target}: `}${message}` + (advice === "" || outcome === "passed" ? "" : `\n    → ${advice}`);
  const { title, advice } = words.verdict[found.verdict];
  return [
    `${SIGNS[found.outcome]} ${title}`,
    `    ${advice}`,
    "",
    words.browserSide,
    ...found.browser.map(line),
    ...found.pairs.map((pair) => `    ${pair}`),
    "",
    words.serverSide,
    ...found.server.map(line),
    "",
    ...about,
    "",
  ].join("\n");
}

const FAILURE: Partial<Record<Verdict, ConnectionFailure>> = {
  noRelayConfigured: "relayRefused",
  relayCredentials: "relayRefused",
  relayUnreachable: "relayRefused",
  noCandidates: "noCandidates",
  serverNoCandidates: "noCandidates",
  blockedNoTurn: "pathBlocked",
  blockedTurnCredentials: "pathBlocked",
  blockedTurnUnreachable: "pathBlocked",
  blocked: "pathBlocked",
};

/** What the page tells the server of a connection that did not come up; `null` if it knows no better than the server. */
export function failureOf(facts: Facts): { reason: ConnectionFailure; message: string } | null {
  const found = verdict(facts);
  const reason = FAILURE[found];
  if (reason === undefined) return null;
  const { local, remote, pairs } = facts.path;
  // It is for the server's log, which is in English whatever the page speaks.
  const { doctor } = english;
  const say = ({ host, srflx, relay }: Gathered): string => doctor.kinds(host, srflx, relay);
  return { reason, message: `${doctor.verdict[found].title}. ${doctor.gathered(say(local), say(remote))} ${pairs.length} pairs tried.` };
}
