// Setup: every word that the page says, in one table, ready for translation; and the pure choice of words per state.
import type { Cause } from "../connection/cause";
import type { Stage, State } from "../connection/connection";
import type { ErrorCode, FailureReason, Limitation } from "../wire/protocol";
import type { Source } from "../panel/stages";

export const words = {
  product: "gst-vdi",
  desktop: "Desktop",
  noScript: "This page needs JavaScript to show the desktop.",

  state: { connecting: "Connecting", streaming: "Live", reconnecting: "Reconnecting", failed: "Not connected", ended: "Ended" },
  stage: {
    server: "Reaching the server…",
    offer: "The server is preparing the stream…",
    media: "Opening the media path…",
    desktop: "Waiting for the desktop…",
    frame: "Waiting for the first picture…",
  } satisfies Record<Stage, string>,

  connecting: "Connecting to your desktop",
  reconnecting: "Reconnecting…",
  waitingForDesktop: "Waiting for the desktop",
  retryIn: (seconds: number) => (seconds <= 1 ? "Trying again in a moment." : `Trying again in ${seconds} seconds.`),
  retryNow: "Trying again now.",
  retriesByItself: "This page keeps trying and comes back by itself.",
  ended: "The session has ended",
  endedDetail: "You can close this page, or connect again.",

  unreachable: "The server cannot be reached.",
  lost: "The connection was lost.",
  timeout: "The media path did not come up in time. If this goes on, a firewall may block it: ask your administrator about TURN.",
  noWebRtc: "This browser cannot show the desktop",
  noWebRtcDetail: "It has no WebRTC, or WebRTC is switched off. Please use a current Chrome, Edge, Firefox or Safari.",
  noCodec: "This browser cannot play the picture",
  noCodecDetail: (codec: string) => `The desktop is sent as ${codec}, which this browser does not decode. Please use another browser.`,
  version: "This page is out of date",
  versionDetail: "Page and server speak different versions. Reload the page to get the one that fits.",

  refused: {
    malformedMessage: "The server did not understand this page.",
    unexpectedMessage: "The server did not understand this page.",
    unsupportedVersion: "Page and server speak different versions. Reload the page to get the one that fits.",
    badSdp: "Browser and server could not agree on how to send the picture. Please try another browser.",
    badCandidate: "Browser and server found no way to each other.",
    tooManyConsumers: "As many people are watching as the server allows. Try again when someone has left.",
    noMedia: "The server is up, the desktop is not sending yet.",
    timeout: "The media path did not come up in time. If this goes on, a firewall may block it: ask your administrator about TURN.",
    unknownConsumer: "The server has ended this session; another one begins.",
    internal: "The server had a problem of its own.",
  } satisfies Record<ErrorCode, string>,
  refusedTitle: "The server refused the connection",
  fullTitle: "The desktop is full",

  failedTitle: "The desktop is not available",
  failure: {
    CONFIG_INVALID: "The session is configured wrongly. Please tell your administrator.",
    GPU_INIT_ERROR: "This session needs a GPU encoder, and none works. Please tell your administrator.",
    ENCODER_UNAVAILABLE: "No video encoder works on the server. Please tell your administrator.",
    DISPLAY_UNAVAILABLE: "The display of the desktop cannot be reached, or has stopped.",
    DESKTOP_FAILED: "The desktop does not start, or keeps stopping.",
    PORT_UNAVAILABLE: "The server cannot listen on its address. Please tell your administrator.",
    PIPELINE_ERROR: "Capturing or encoding the desktop failed.",
  } satisfies Record<FailureReason, string>,

  tryAgain: "Try again",
  connectAgain: "Connect again",
  reload: "Reload the page",

  panel: "Session",
  openPanel: "Show session panel",
  closePanel: "Hide session panel",
  latencyLabel: { measured: "Latency", estimated: "Latency (estimated)", browser: "Response" } satisfies Record<Source, string>,
  latencyHint: {
    measured: "From a change on the desktop until it is on your screen: half of the pictures took no longer than this.",
    estimated:
      "From a change on the desktop to your screen, as far as it can be known: this browser does not say when it shows a picture. The screen itself comes on top.",
    browser: "Network there and back, waiting in the jitter buffer, and decoding, as this browser measures them. Capturing, encoding and the screen itself come on top.",
  } satisfies Record<Source, string>,
  p95: (ms: string) => `p95 ${ms}\u00a0ms`,
  ms: (ms: string) => `${ms}\u00a0ms`,
  slowest: (stage: string, ms: string) => `Slowest: ${stage}, ${ms}\u00a0ms`,
  uncertainty: (ms: string) => `±\u00a0${ms}\u00a0ms between the two clocks`,
  notExact: {
    measured: "",
    estimated: "This browser does not tell when it shows a picture",
    browser: "Only this browser’s part of the way",
  } satisfies Record<Source, string>,
  lastChange: (seconds: number) => (seconds < 60 ? `Nothing has changed for ${seconds}\u00a0s` : `Nothing has changed for ${Math.floor(seconds / 60)}\u00a0min`),
  waterfall: "Time that each stage of the way takes, in milliseconds",
  median: "Median: half of the pictures took no longer.",
  percentile: "Of a hundred pictures, 95 took no longer.",
  stageName: {
    capture: "Capture",
    convert: "Convert",
    encode: "Encode",
    packetise: "Packetise",
    send: "Send",
    network: "Network",
    buffer: "Buffer",
    decode: "Decode",
    present: "Present",
  },
  stageHint: {
    capture: "From the change on the desktop until its pixels are fetched.",
    convert: "Until they have the colours that the encoder takes.",
    encode: "Until the encoder has compressed them.",
    packetise: "Until they are cut into packets.",
    send: "Until the last packet is given to the network.",
    network: "Until this browser has all of them.",
    buffer: "Until the browser takes them out of its jitter buffer.",
    decode: "Until the browser has decoded the picture.",
    present: "Until the browser has put it on the screen.",
  },
  encoder: "Encoder",
  hardware: "hardware",
  software: "software",
  picture: "Picture",
  pictureOf: (picture: string, desktop: string) => `${picture} of ${desktop}`,
  quality: "Quality",
  fullQuality: "full",
  limitedBy: "Limited by",
  limitedFor: (by: string, time: string) => `${by}, for ${time}`,
  limitation: {
    cpu: "the server's CPU",
    bandwidth: "bandwidth",
    latency: "latency",
  } satisfies Record<Exclude<Limitation, "none">, string>,
  limitationHint: {
    none: "The desktop is sent in its own size and as often as it changes.",
    cpu: "The server has too little computing time left, so it sends fewer frames. They come back by themselves.",
    bandwidth: "The network, or a limit that was set, does not carry more, so the picture is sent smaller or less often. It comes back by itself.",
    latency: "Pictures took too long to arrive, so they are sent smaller or less often. It comes back by itself.",
  } satisfies Record<Limitation, string>,
  openPanelLimited: (by: string) => `Show session panel: quality is limited by ${by}`,
  seconds: (count: number) => `${count}\u00a0s`,
  minutes: (count: number) => `${count}\u00a0min`,
  hours: (count: number) => `${count}\u00a0h`,
  frameRate: "Frame rate",
  atMost: (rate: string, most: number) => `${rate}, at most ${most}`,
  bitRate: "Bit rate",
  losses: "Lost",
  lossCount: (packets: number, frames: number) =>
    `${packets} ${packets === 1 ? "packet" : "packets"}, ${frames} ${frames === 1 ? "frame" : "frames"}`,
  role: "You",
  controller: "in control",
  viewer: "watching",
  people: (count: number) => (count === 1 ? "alone" : `${count} connected`),
  unknown: "–",

  fullscreen: "Full screen",
  leaveFullscreen: "Leave full screen",
  soundOn: "Sound on",
  soundOff: "Sound off",
  noSound: "No sound",
  clickForSound: "Click for sound",
  keyboard: "Keyboard",
  keyboardInput: "Keyboard input to the desktop",
  endsByIdle: "Nobody uses this desktop. Any key or motion keeps it.",
  endsByIdleWatched: "Nobody uses this desktop. Whoever controls it keeps it with any key or motion.",
  endsByTimeout: "This session reaches its longest time. Save your work.",
  endsIn: (time: string) => `It ends in ${time}.`,
  endsNow: "It ends now.",
  watching: "You are watching.",
  takeControl: "Take control",
  dismiss: "Dismiss",
  controlTakenByYou: "You are using this desktop in another tab or window now. This one goes on watching.",
  controlTaken: "Somebody else controls this desktop now. You go on watching.",
  useHere: "Use here",
  cut: "The server does not answer on one of its two ways. Picture, keyboard and mouse go on; the page keeps trying.",

  // Input
  keyRow: "Keys that a touch keyboard lacks",
  keyName: {
    Escape: "Esc",
    Tab: "Tab",
    Control: "Ctrl",
    Alt: "Alt",
    Super: "Super",
    Shift: "Shift",
    ArrowLeft: "Left",
    ArrowUp: "Up",
    ArrowDown: "Down",
    ArrowRight: "Right",
    Home: "Home",
    End: "End",
    PageUp: "Page up",
    PageDown: "Page down",
    Insert: "Ins",
    Delete: "Del",
    functionKeys: "F1 to F12",
  },
  hideKeyboard: "Hide the keyboard",
  lockRefused: "The browser did not lock the pointer. Click once more in a moment.",
} as const;

export type Action = "retry" | "reload";

/** What stands on the page while there is no stream. */
export interface Announcement {
  readonly title: string;
  readonly detail: string;
  /** When the next try comes; apart, since it changes each second and is not for screen readers to repeat. */
  readonly when: string;
  /** The server's own words, if it said any. */
  readonly quote: string;
  readonly busy: boolean;
  readonly action: { readonly label: string; readonly does: Action } | null;
}

const RETRY = { label: words.tryAgain, does: "retry" } as const;
const RELOAD = { label: words.reload, does: "reload" } as const;

/** What the user is told; `null` while the stream is there. `seen`: there was a picture before. */
export function announce(state: State, nowMs: number, seen: boolean): Announcement | null {
  switch (state.name) {
    case "streaming":
      return null;
    case "connecting":
      return { title: words.connecting, detail: words.stage[state.stage], when: "", quote: "", busy: true, action: null };
    case "ended":
      return { title: words.ended, detail: words.endedDetail, when: "", quote: state.message, busy: false, action: { label: words.connectAgain, does: "retry" } };
    case "reconnecting": {
      const waiting = state.cause.kind === "refused" && state.cause.code === "noMedia";
      const seconds = state.retryAtMs === null ? 0 : Math.ceil((state.retryAtMs - nowMs) / 1000);
      const when = state.retryAtMs === null || seconds <= 0 ? words.retryNow : words.retryIn(seconds);
      return {
        title: waiting ? words.waitingForDesktop : seen ? words.reconnecting : words.connecting,
        detail: explain(state.cause),
        when,
        // A server that has a problem of its own is the only one to know which.
        quote: state.cause.kind === "refused" && state.cause.code === "internal" ? state.cause.message : "",
        busy: true,
        action: null,
      };
    }
    case "failed":
      return {
        title: headline(state.cause),
        detail: explain(state.cause),
        when: state.retrying ? words.retriesByItself : "",
        quote: quoteOf(state.cause),
        busy: false,
        action: remedy(state.cause),
      };
  }
}

function explain(cause: Cause): string {
  switch (cause.kind) {
    case "unreachable":
      return words.unreachable;
    case "lost":
      return words.lost;
    case "timeout":
      return words.timeout;
    case "refused":
      return words.refused[cause.code];
    case "session":
      return cause.reason ? words.failure[cause.reason] : words.refused.internal;
    case "bye":
      return words.endedDetail;
    case "version":
      return words.versionDetail;
    case "noWebRtc":
      return words.noWebRtcDetail;
    case "noCodec":
      return words.noCodecDetail(cause.codec);
  }
}

function headline(cause: Cause): string {
  switch (cause.kind) {
    case "version":
      return words.version;
    case "noWebRtc":
      return words.noWebRtc;
    case "noCodec":
      return words.noCodec;
    case "refused":
      if (cause.code === "unsupportedVersion") return words.version;
      return cause.code === "tooManyConsumers" ? words.fullTitle : words.refusedTitle;
    default:
      return words.failedTitle;
  }
}

function quoteOf(cause: Cause): string {
  if (cause.kind === "refused") return cause.message;
  if (cause.kind === "session") return [cause.reason, cause.message].filter(Boolean).join(": ");
  return "";
}

function remedy(cause: Cause): Announcement["action"] {
  if (cause.kind === "noWebRtc" || cause.kind === "noCodec") return null;
  if (cause.kind === "version" || (cause.kind === "refused" && cause.code === "unsupportedVersion")) return RELOAD;
  return RETRY;
}
