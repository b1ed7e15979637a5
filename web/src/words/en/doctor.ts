// Setup: what the doctor says, in English. Its other words come from the server, whose checks bring their own.
import type { ServerVerdict, Verdict } from "../../doctor/facts";
import type { Outcome } from "../../wire/protocol";

/** What is said of a finding, and what to do. */
export interface Said {
  readonly title: string;
  readonly advice: string;
}

export const doctor = {
  doctor: "Doctor",
  open: "Check the connection",
  openOnCurtain: "Find out why",
  looking: "Looking at the connection…",
  lookingDetail: "Each server is tried for real, which takes up to ten seconds.",
  browserSide: "Seen from this browser",
  serverSide: "Seen from the server",
  again: "Check again",
  copy: "Copy report",
  copied: "Copied",
  copyFailed: "Select the text below and copy it",
  close: "Close",
  details: (count: number) => (count === 1 ? "The path that was tried" : `All ${count} paths that were tried`),

  outcome: { passed: "fine", warning: "could be better", failed: "does not work", skipped: "not checked" } satisfies Record<Outcome, string>,

  verdict: {
    connected: { title: "You are connected, directly", advice: "Pictures take the shortest way from the server to this browser." },
    relayed: { title: "You are connected, through a TURN server", advice: "Nothing is wrong. A direct way would be a little quicker; a firewall, a router or the server's settings prevent it." },
    serverSilent: { title: "The server does not answer", advice: "Check that the desktop is running and that you are in the right network or VPN; then try again." },
    notTried: { title: "The connection has not come as far as the media path", advice: "What the server says below tells more." },
    noRelayConfigured: {
      title: "Only relayed paths may be used, and there is no TURN server",
      advice: "Your administrator has to configure a TURN server (--turn-host), or allow direct paths (--ice-transport-policy=all).",
    },
    relayCredentials: { title: "The TURN server refuses user or password", advice: "Your administrator has to correct the TURN credentials or the shared secret, and to compare the two clocks." },
    relayUnreachable: {
      title: "The TURN server cannot be reached from here",
      advice: "A firewall between you and it blocks the way, or it is not running. TURN over TLS on port 443 passes most firewalls.",
    },
    noCandidates: {
      title: "This browser offers no address",
      advice: "A setting, a policy or an extension of the browser forbids WebRTC the use of the network (“WebRTC IP handling”). Allow it, or use TURN.",
    },
    serverNoCandidates: { title: "The server offers no address", advice: "It has no network that browsers could reach, or its settings leave every address out. The server’s checks below say more." },
    blockedNoTurn: {
      title: "A firewall blocks the media, and there is no TURN server",
      advice: "Page and server can talk, but packets between their addresses do not come through. Your administrator has to open UDP, or to configure a TURN server.",
    },
    blockedTurnCredentials: {
      title: "A firewall blocks the direct way, and the TURN server refuses user or password",
      advice: "Your administrator has to correct the TURN credentials or the shared secret, and to compare the two clocks.",
    },
    blockedTurnUnreachable: {
      title: "A firewall blocks the direct way, and the TURN server cannot be reached either",
      advice: "TURN over TLS on port 443 passes most firewalls; your administrator can offer it.",
    },
    blocked: {
      title: "The TURN server works, and still nothing comes through",
      advice: "The TURN server may not be allowed to reach the desktop’s server: look at its permitted peers and at the firewall between the two.",
    },
  } satisfies Record<Verdict, Said>,

  server: {
    passed: { title: "Works", advice: "" },
    credentials: { title: "Refuses user or password", advice: "Correct the credentials or the shared secret; if they expire, compare the clocks of both servers." },
    forbidden: { title: "Forbids it", advice: "The server’s rules exclude this network: look at its allowed and denied addresses." },
    quota: { title: "Has no address left to give", advice: "Raise its quota, or widen its range of relay ports." },
    unreachable: { title: "Cannot be reached from this browser", advice: "A firewall blocks it, nothing listens there, or (with turns:) its certificate is not trusted." },
    silent: { title: "Did not answer in time", advice: "A firewall drops the packets. TCP, or TLS on port 443, gets through more often than UDP." },
    refused: { title: "Gave no address", advice: "Look at the server’s log." },
  } satisfies Record<ServerVerdict, Said>,
  took: (ms: number) => `${Math.round(ms)}\u00a0ms`,

  rowPath: "Path",
  rowGathered: "Addresses",
  rowPairs: "Tries",
  rowServer: "Server",
  rowClock: "Clock",
  rowDoctor: "Report",
  pathDirect: (kind: string, ms: string) => `Media go directly (${kind}), ${ms} there and back.`,
  pathRelayed: (kind: string, ms: string) => `Media go through a TURN server (${kind}), ${ms} there and back.`,
  noPath: "No path is up.",
  unknownTime: "time unknown",
  gathered: (own: string, servers: string) => `This browser offers ${own}; the server offers ${servers}.`,
  kinds: (host: number, srflx: number, relay: number) =>
    host + srflx + relay === 0 ? "none" : [host > 0 ? `${host} own` : "", srflx > 0 ? `${srflx} seen from outside` : "", relay > 0 ? `${relay} relayed` : ""].filter(Boolean).join(", "),
  noUdp: "None of this browser’s addresses is for UDP: its settings or a policy forbid it.",
  pairs: (tried: number, answered: number) => `${tried} ${tried === 1 ? "path" : "paths"} tried, ${answered} answered.`,
  pair: (local: string, kind: string, remote: string, state: string) => `${local} (${kind}) → ${remote}: ${state}`,
  pairChosen: "nominated",
  pairAnswers: (answered: number, asked: number) => `${answered}/${asked} answered`,
  noServers: "No STUN or TURN server is configured.",
  noServersAdvice: "Behind strict firewalls pages cannot connect then.",
  clockFine: (seconds: string) => `This browser’s clock and the server’s differ by ${seconds}\u00a0s.`,
  clockWrong: (seconds: string) => `This browser’s clock and the server’s differ by ${seconds}\u00a0s.`,
  clockAdvice: "Certificates and credentials may be refused: set both clocks by the network.",
  noReport: "The server’s own checks could not be had.",
  noReportOf: (status: number) => `The server answered with ${status} when asked for its checks.`,
  noReportAdvice: "A server without a launcher has none; the browser’s checks hold all the same.",

  checkName: {
    gpu: "GPU",
    encoder: "Encoder",
    media: "Media",
    latency: "Latency",
    candidates: "Addresses",
    servers: "Servers",
    stun: "STUN",
    turnUdp: "TURN, UDP",
    turnTcp: "TURN, TCP",
    turnTls: "TURN, TLS",
    dns: "Names",
    clock: "Clock",
    sound: "Sound",
    microphone: "Microphone",
    webcam: "Webcam",
    gamepads: "Gamepads",
  } as Record<string, string>,
} as const;
