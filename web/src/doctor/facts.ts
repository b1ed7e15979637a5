// Decision: what the browser's own figures say of the way to the server: candidates, pairs that were tried, and the path that
// was taken, read out of the W3C statistics; and what became of a server that was tested. Knows no browser.

/** Candidates of one side by type. */
export interface Gathered {
  readonly host: number;
  readonly srflx: number;
  readonly relay: number;
  /** Whether any of them is reached by UDP. */
  readonly udp: boolean;
}

export const nothingGathered: Gathered = { host: 0, srflx: 0, relay: 0, udp: false };

/** One pair of addresses between which ICE tried to send. */
export interface Pair {
  readonly state: string;
  readonly nominated: boolean;
  readonly local: string;
  readonly remote: string;
  /** Of the local side, and how it is spoken to: `host udp`, `relay tcp`. */
  readonly kind: string;
  /** To the server and back, in ms; `null` if nothing came back. */
  readonly roundTripMs: number | null;
  /** Tests that were sent, and answers that came. */
  readonly requests: number;
  readonly responses: number;
}

export interface Path {
  readonly pairs: readonly Pair[];
  readonly selected: Pair | null;
  readonly local: Gathered;
  readonly remote: Gathered;
}

/** The fields of the statistics that are used; all are optional in some browser. */
interface Entry {
  type: string;
  id: string;
  state?: string;
  nominated?: boolean;
  localCandidateId?: string;
  remoteCandidateId?: string;
  selectedCandidatePairId?: string;
  currentRoundTripTime?: number;
  requestsSent?: number;
  responsesReceived?: number;
  candidateType?: string;
  protocol?: string;
  relayProtocol?: string;
  address?: string;
  port?: number;
}

/** Pairs that are listed: more are of no use to a reader. */
const MAX_PAIRS = 40;

export function pathOf(report: Iterable<readonly [string, unknown]>): Path {
  const entries = new Map([...report].map(([id, entry]) => [id, entry as Entry]));
  const all = [...entries.values()];
  const transport = all.find((entry) => entry.type === "transport" && entry.selectedCandidatePairId !== undefined);
  const candidates = all.filter((entry) => entry.type === "candidate-pair");
  const read = (entry: Entry): Pair => {
    const local = entries.get(entry.localCandidateId ?? "");
    const remote = entries.get(entry.remoteCandidateId ?? "");
    return {
      state: entry.state ?? "",
      nominated: entry.nominated ?? false,
      local: addressOf(local),
      remote: addressOf(remote),
      kind: `${local?.candidateType ?? "?"} ${local?.relayProtocol ?? local?.protocol ?? "?"}`,
      roundTripMs: entry.currentRoundTripTime === undefined ? null : Math.round(entry.currentRoundTripTime * 10_000) / 10,
      requests: entry.requestsSent ?? 0,
      responses: entry.responsesReceived ?? 0,
    };
  };
  const chosen =
    candidates.find((entry) => entry.id === transport?.selectedCandidatePairId) ??
    candidates.find((entry) => entry.nominated === true && entry.state === "succeeded");
  return {
    pairs: candidates.slice(0, MAX_PAIRS).map(read),
    selected: chosen ? read(chosen) : null,
    local: gathered(all.filter((entry) => entry.type === "local-candidate")),
    remote: gathered(all.filter((entry) => entry.type === "remote-candidate")),
  };
}

function gathered(candidates: readonly Entry[]): Gathered {
  const of = (type: string): number => candidates.filter((one) => one.candidateType === type).length;
  return { host: of("host"), srflx: of("srflx"), relay: of("relay"), udp: candidates.some((one) => one.protocol === "udp") };
}

function addressOf(entry: Entry | undefined): string {
  // A browser hides its own addresses from pages that may not use camera or microphone.
  const address = entry?.address === undefined || entry.address === "" ? "hidden" : entry.address;
  return address.includes(":") ? `[${address}]:${entry?.port ?? 0}` : `${address}:${entry?.port ?? 0}`;
}

/** What became of the test of one STUN or TURN server. */
export interface ServerTest {
  readonly url: string;
  readonly relays: boolean;
  /** The type of candidate that it gave; `null` if it gave none. */
  readonly gave: "srflx" | "relay" | null;
  /** `icecandidateerror`: STUN's code, or 701 when it was not reached. */
  readonly code: number | null;
  readonly words: string;
  readonly tookMs: number;
  /** Whether the browser was done, or was not waited for any longer. */
  readonly finished: boolean;
}

/** `passed`: it works; the others say in what way it does not. */
export type ServerVerdict = "passed" | "credentials" | "forbidden" | "quota" | "unreachable" | "silent" | "refused";

export function serverVerdict(test: ServerTest): ServerVerdict {
  if (test.gave !== null) return "passed";
  // Without a router in between, a STUN server tells nothing new, and browsers then report nothing.
  if (!test.relays && test.finished && test.code === null) return "passed";
  switch (test.code) {
    case null:
      return test.finished ? "refused" : "silent";
    case 401:
    case 441:
      return "credentials";
    case 403:
      return "forbidden";
    case 486:
    case 508:
      return "quota";
    case 701:
      return "unreachable";
    default:
      return test.code >= 300 && test.code < 700 ? "refused" : "unreachable";
  }
}

/** Everything that the page knows of its connection. */
export interface Facts {
  readonly connected: boolean;
  /** Whether the server answered over HTTP just now. */
  readonly serverAnswers: boolean;
  /** Whether a session ever came as far as a peer connection: before that there is nothing to say of paths. */
  readonly tried: boolean;
  readonly relayOnly: boolean;
  readonly path: Path;
  readonly tests: readonly ServerTest[];
}

/** Why there is no connection, in the order in which it would have to be repaired. */
export type Verdict =
  | "connected"
  | "relayed"
  | "serverSilent"
  | "notTried"
  | "noRelayConfigured"
  | "relayCredentials"
  | "relayUnreachable"
  | "noCandidates"
  | "serverNoCandidates"
  | "blockedNoTurn"
  | "blockedTurnCredentials"
  | "blockedTurnUnreachable"
  | "blocked";

export function verdict(facts: Facts): Verdict {
  const { path, tests } = facts;
  if (facts.connected) return path.selected?.kind.startsWith("relay") ? "relayed" : "connected";
  if (!facts.serverAnswers) return "serverSilent";
  if (!facts.tried) return "notTried";
  const turn = tests.filter((test) => test.relays);
  const works = turn.some((test) => serverVerdict(test) === "passed") || path.local.relay > 0;
  const misnamed = turn.some((test) => serverVerdict(test) === "credentials");
  if (facts.relayOnly && !works) {
    if (turn.length === 0) return "noRelayConfigured";
    return misnamed ? "relayCredentials" : "relayUnreachable";
  }
  const any = ({ host, srflx, relay }: Gathered): boolean => host + srflx + relay > 0;
  if (!any(path.local) && !works) return "noCandidates";
  if (!any(path.remote)) return "serverNoCandidates";
  if (works) return "blocked";
  if (turn.length === 0) return "blockedNoTurn";
  return misnamed ? "blockedTurnCredentials" : "blockedTurnUnreachable";
}
