// The wire: every message that the page shares with the server, mirrored from the crate `protocol`. The golden files of
// that crate are read by its tests and by protocol.test.ts, so that the two ends cannot drift apart.
import { byDefault, flag, integer, known, list, nullable, number, oneOf, optional, record, struct, tagged, text, type Read } from "./schema";
import { gamepadIndex, gamepadState, rumble } from "./gamepads";
import { invitations, invite, invited, notInvited, revoke } from "./invitations";
import { notice } from "./notice";
import { way } from "./pointer";
import { recordWish, recording, recordingFailed, recordingStatus } from "./recording";
import { screen, screenReader, viewport } from "./screen";
import { settings, settingsWish } from "./settings";
import { clipboardPolicy, filesPolicy } from "./share";

export type { ScreenInfo, Viewport } from "./screen";
export * from "./gamepads";
export * from "./notice";
export * from "./share";
export * from "./pointer";
export * from "./settings";

/** Version of the signalling protocol. */
export const VERSION = 1;
/** WebSocket sub-protocol that both ends name. */
export const SUBPROTOCOL = "vdi.1";
/** Keys that one page may hold at once. */
export const MAX_HELD_KEYS = 64;
/** Characters of one piece of typed text. */
export const MAX_TEXT_CHARS = 1024;
/** Frames in one report. */
export const MAX_FRAME_REPORTS = 32;
/** Columns and rows of a pointer's shape. */
export const MAX_CURSOR_PX = 128;

const u8 = integer(0, 0xff);
const u16 = integer(0, 0xffff);
const u32 = integer(0, 0xffff_ffff);
const i32 = integer(-0x8000_0000, 0x7fff_ffff);
const count = integer(0, Number.MAX_SAFE_INTEGER);

const iceCandidate = {
  candidate: text,
  sdpMLineIndex: byDefault(nullable(u32), null),
  sdpMid: optional(text),
};

const iceServer = struct({ urls: list(text), username: optional(text), credential: optional(text) });

const errorCode = oneOf([
  "malformedMessage",
  "unexpectedMessage",
  "unsupportedVersion",
  "badSdp",
  "badCandidate",
  "tooManyConsumers",
  "noMedia",
  "timeout",
  "unknownConsumer",
  "internal",
]);
/** Why a message was refused or a session ended. */
export type ErrorCode = Read<typeof errorCode>;

const failureReason = oneOf([
  "CONFIG_INVALID",
  "GPU_INIT_ERROR",
  "ENCODER_UNAVAILABLE",
  "DISPLAY_UNAVAILABLE",
  "DESKTOP_FAILED",
  "PORT_UNAVAILABLE",
  "PIPELINE_ERROR",
]);
/** Why a session failed. */
export type FailureReason = Read<typeof failureReason>;

const endCause = oneOf(["stopped", "loggedOut", "timeout", "idle", "disconnected", "invitationExpired", "invitationRevoked", "flooded"]);
/** Why a session ended that did not fail. */
export type EndCause = Read<typeof endCause>;

const phase = oneOf(["Starting", "Ready", "Streaming", "Idle", "Draining", "Ended", "Failed"]);
/** Where a session stands. */
export type Phase = Read<typeof phase>;

const role = oneOf(["controller", "viewer"]);
/** What a page may do; the server enforces it. */
export type Role = Read<typeof role>;

const sessionLimit = oneOf(["timeout", "idle", "disconnected"]);
/** What ends a session. */
export type SessionLimit = Read<typeof sessionLimit>;

const limitation = oneOf(["none", "cpu", "bandwidth", "latency"]);
/** What holds quality back: the words of W3C webrtc-stats, and `latency`. */
export type Limitation = Read<typeof limitation>;

const continued = struct({ consumer: text, token: text, media: oneOf(["keep", "replace"]) });
/** A session that goes on: `keep` over the peer connection that lives, `replace` over another one. */
export type Continued = Read<typeof continued>;

/** Why a page got no connection, or lost it. */
export const CONNECTION_FAILURES = [
  "full",
  "noHello",
  "unsupportedVersion",
  "noMedia",
  "noAnswer",
  "badAnswer",
  "noCandidates",
  "relayRefused",
  "pathBlocked",
  "dtlsFailed",
  "pathLost",
  "signallingLost",
  "badMessages",
  "internal",
] as const;
const connectionFailure = oneOf(CONNECTION_FAILURES);
export type ConnectionFailure = Read<typeof connectionFailure>;

/** Signalling, page to server. */
export const fromConsumer = tagged({
  hello: { version: u32, client: optional(text), watches: optional(flag), session: optional(continued), decodes: optional(list(text, 8)), fullChroma: optional(list(text, 8)), surround: optional(flag) },
  answer: { sdp: text },
  ice: iceCandidate,
  failure: { reason: connectionFailure, message: byDefault(text, "") },
  bye: {},
});
export type FromConsumer = Read<typeof fromConsumer>;

const ice = { iceServers: list(iceServer), iceTransportPolicy: oneOf(["all", "relay"]) };

/** Signalling, server to page. */
export const toConsumer = tagged({
  welcome: {
    version: u32,
    consumer: text,
    ...ice,
    // A server that gives none cannot go on with a session that was cut.
    token: optional(text),
    resumed: optional(flag),
  },
  iceServers: ice,
  offer: { sdp: text },
  ice: iceCandidate,
  error: { code: errorCode, message: text },
  bye: { reason: text, cause: known(endCause) },
});
export type ToConsumer = Read<typeof toConsumer>;
export type Welcome = Extract<ToConsumer, { type: "welcome" }>;
/** The servers by which a page finds a way, and whether it may use another. */
export type IceServers = Omit<Extract<ToConsumer, { type: "iceServers" }>, "type">;

const pageStats = {
  framesDecoded: byDefault(count, 0),
  framesDropped: byDefault(count, 0),
  framesPresented: byDefault(count, 0),
  framesPerSecond: byDefault(number, 0),
  bitrateBps: byDefault(number, 0),
  jitterMs: byDefault(number, 0),
  jitterBufferDelayMs: byDefault(number, 0),
  decodeMs: byDefault(number, 0),
  packetsReceived: byDefault(count, 0),
  packetsLost: byDefault(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), 0),
  roundTripMs: byDefault(number, 0),
  freezeCount: byDefault(count, 0),
};
export const pageStatsReader = struct(pageStats);
/** What the browser sees, in W3C webrtc-stats terms. */
export type PageStats = Read<typeof pageStatsReader>;

const media = {
  codec: byDefault(text, ""),
  chromaFormat: byDefault(text, ""),
  encoder: byDefault(text, ""),
  width: byDefault(u32, 0),
  height: byDefault(u32, 0),
  framerate: byDefault(u32, 0),
  audio: byDefault(flag, false),
};
export const mediaReader = struct(media);
/** The media on its way to the page. */
export type MediaInfo = Read<typeof mediaReader>;

const quality = {
  reason: byDefault(limitation, "none"),
  seconds: byDefault(number, 0),
  encoder: byDefault(text, ""),
  hardware: byDefault(flag, false),
  codec: byDefault(text, ""),
  sourceWidth: byDefault(u32, 0),
  sourceHeight: byDefault(u32, 0),
  width: byDefault(u32, 0),
  height: byDefault(u32, 0),
  maxFramerate: byDefault(number, 0),
  bitrateBps: byDefault(count, 0),
};
export const qualityReader = struct(quality);
/** What is encoded and what holds it back. */
export type Quality = Read<typeof qualityReader>;

const frameReport = struct({
  rtpTimestamp: u32,
  receivedUs: optional(count),
  decodedUs: optional(count),
  presentedUs: count,
});
/** When a frame that is on the screen came, was decoded and was shown, on the server's clock. */
export type FrameReport = Read<typeof frameReport>;

const percentiles = { p50Us: byDefault(count, 0), p95Us: byDefault(count, 0) };
const latency = {
  codec: byDefault(text, ""),
  estimated: byDefault(flag, false),
  frames: byDefault(count, 0),
  uncertaintyUs: byDefault(count, 0),
  glassToGlass: byDefault(struct(percentiles), { p50Us: 0, p95Us: 0 }),
  // Named by text: a newer server may know of a stage that this page does not.
  stages: byDefault(list(struct({ stage: text, p50Us: count, p95Us: count }), 32), []),
};
export const latencyReader = struct(latency);
/** What the way of the page's frames took over the last second. */
export type Latency = Read<typeof latencyReader>;

const cursorPx = byDefault(integer(0, MAX_CURSOR_PX), 0);
const cursor = { width: cursorPx, height: cursorPx, hotspotX: cursorPx, hotspotY: cursorPx, png: byDefault(text, "") };
export const cursorReader = struct(cursor);
/** The pointer's shape: a PNG in base64, or a width of 0 for a pointer that is invisible. */
export type CursorShape = Read<typeof cursorReader>;

const person = struct({ consumer: text, name: byDefault(text, ""), role, viewOnly: optional(flag) });
/** A connected page. */
export type Person = Read<typeof person>;

const people = { people: byDefault(list(person), []), asks: byDefault(flag, false), asking: optional(text) };
export const peopleReader = struct(people);
/** Everybody who is here. */
export type People = Read<typeof peopleReader>;

/** Data channel `control`, page to server. */
export const fromPage = tagged({
  ping: { id: u32 },
  stats: pageStats,
  frames: { uncertaintyUs: count, frames: list(frameReport, MAX_FRAME_REPORTS) },
  requestKeyFrame: {},
  takeControl: {},
  giveControl: { consumer: text },
  keepControl: {},
  extend: {},
  invite,
  revoke,
  record: recordWish,
  name: { name: text },
  viewport,
  settings: settingsWish,
});
export type FromPage = Read<typeof fromPage>;

/** Data channel `control`, server to page. */
export const toPage = tagged({
  pong: { id: u32, receivedUs: optional(count), sentUs: optional(count) },
  latency,
  cursor,
  screen,
  media,
  session: { phase, reason: optional(failureReason), message: optional(text), role, consumers: u32 },
  controlTaken: { sameUser: flag },
  ending: { limit: optional(sessionLimit), seconds: number, extensionSeconds: optional(count) },
  notice,
  quality,
  display: { width: u32, height: u32 },
  clipboard: clipboardPolicy,
  files: filesPolicy,
  settings,
  people,
  controlRefused: {},
  invitations,
  invited,
  notInvited,
  recording,
  recordingFailed,
  rumble,
});
export type ToPage = Read<typeof toPage>;
/** What the motors of a gamepad do from now on, each of 65535; both at 0 stop them. */
export type RumbleInfo = Omit<Extract<ToPage, { type: "rumble" }>, "type">;
export type SessionInfo = Extract<ToPage, { type: "session" }>;
/** What a page wants changed. */
export type Wish = Omit<Extract<FromPage, { type: "settings" }>, "type">;
export type Pong = Extract<ToPage, { type: "pong" }>;

/** Data channel `input`, page to server. */
export const input = tagged({
  key: { keysym: u32, down: flag },
  button: { button: u8, down: flag, x: u16, y: u16 },
  lockedButton: { button: u8, down: flag, seq: u32, ...way },
  wheel: { dx: i32, dy: i32 },
  text: { text },
  releaseAll: {},
  held: { keysyms: list(u32, MAX_HELD_KEYS) },
  gamepadConnected: { index: gamepadIndex, name: text },
  gamepadState: { index: gamepadIndex, ...gamepadState },
  gamepadDisconnected: { index: gamepadIndex },
});
export type Input = Read<typeof input>;

/** Broker, sink to broker; no page speaks it, but programs in TypeScript that relay do. */
export const toBroker = tagged({
  register: { version: u32, consumers: list(text) },
  consumer: { consumer: text, message: toConsumer },
  consumerRemoved: { consumer: text },
});

/** Broker, broker to sink. */
export const fromBroker = tagged({
  registered: {},
  consumerAdded: { consumer: text },
  consumer: { consumer: text, message: fromConsumer },
  consumerRemoved: { consumer: text },
  refused: { reason: text },
});

const figuresOfLatency = { p50Seconds: number, p95Seconds: number, p99Seconds: number };

const network = struct({
  availableOutgoingBitrateBps: byDefault(count, 0),
  videoBitrateBps: byDefault(count, 0),
  queueDelaySeconds: byDefault(nullable(number), null),
  roundTripSeconds: byDefault(nullable(number), null),
  packetLoss: byDefault(number, 0),
  pacerDelaySeconds: byDefault(number, 0),
  // Named by text: a newer server may know of a state that this page does not.
  state: byDefault(text, ""),
});

/** The body of `GET /status`. */
export const status = struct({
  version: byDefault(text, ""),
  phase: byDefault(phase, "Starting"),
  reason: byDefault(nullable(failureReason), null),
  message: byDefault(nullable(text), null),
  uptimeSeconds: byDefault(number, 0),
  lastInputSecondsAgo: byDefault(nullable(number), null),
  secondsWithoutPage: byDefault(nullable(number), null),
  limits: byDefault(
    struct({
      expiresAt: nullable(text),
      idleTimeoutSeconds: nullable(count),
      disconnectedTimeoutSeconds: nullable(count),
      extendedSeconds: count,
      extensionSeconds: count,
      extensionsLeft: u32,
    }),
    { expiresAt: null, idleTimeoutSeconds: null, disconnectedTimeoutSeconds: null, extendedSeconds: 0, extensionSeconds: 0, extensionsLeft: 0 },
  ),
  display: byDefault(nullable(text), null),
  screen: byDefault(screenReader, { resizable: false, maxWidth: 0, maxHeight: 0, dpi: 0, monitors: [] }),
  encoder: byDefault(
    nullable(
      struct({
        name: text,
        hardware: flag,
        codec: text,
        chromaFormat: byDefault(text, ""),
        sourceWidth: u32,
        sourceHeight: u32,
        frameWidth: u32,
        frameHeight: u32,
        framesPerSecond: number,
        maxFramerate: nullable(number),
        targetBitrateBps: count,
        framesEncoded: count,
        keyFramesEncoded: count,
        framesDropped: count,
        totalEncodeTimeSeconds: number,
        encodeTimeSeconds: number,
        cpuUsage: nullable(number),
        latencySeconds: nullable(number),
        qualityLimitationReason: limitation,
        qualityLimitationDurations: struct({ none: number, cpu: number, bandwidth: number, latency: number }),
        qualityLimitationResolutionChanges: u32,
        switches: u32,
        lastSwitch: nullable(struct({ from: text, to: text, cause: text, message: text })),
        rejections: list(struct({ encoder: text, reason: text, message: text })),
      }),
    ),
    null,
  ),
  latency: byDefault(
    nullable(
      struct({
        consumer: text,
        estimated: flag,
        frames: count,
        uncertaintySeconds: number,
        glassToGlass: struct(figuresOfLatency),
        stages: list(struct({ stage: text, ...figuresOfLatency })),
      }),
    ),
    null,
  ),
  audio: struct({ running: flag, message: nullable(text) }),
  microphone: struct({ running: flag, message: nullable(text) }),
  webcam: struct({ running: flag, message: nullable(text) }),
  recording: byDefault(nullable(recordingStatus), null),
  gpu: struct({
    devices: list(
      struct({
        name: text,
        utilization: number,
        encoderUtilization: nullable(number),
        memoryTotalBytes: count,
        memoryUsedBytes: count,
      }),
    ),
    message: nullable(text),
  }),
  tls: byDefault(
    nullable(struct({ source: oneOf(["given", "selfSigned"]), fingerprint: text, notAfter: text, message: nullable(text) })),
    null,
  ),
  consumers: list(
    struct({
      id: text,
      role,
      connected: flag,
      media: byDefault(
        nullable(
          struct({
            framesDecoded: count,
            framesPerSecond: number,
            jitterSeconds: number,
            packetsReceived: count,
            packetsLost: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
            roundTripSeconds: number,
          }),
        ),
        null,
      ),
      network: byDefault(nullable(network), null),
    }),
  ),
  connection: byDefault(struct({ failures: record(count) }), { failures: {} }),
  iceServers: byDefault(
    nullable(
      struct({
        urls: list(text),
        source: oneOf(["none", "file", "rest", "static", "sharedSecret", "stun"]),
        transportPolicy: oneOf(["all", "relay"]),
        expiresInSeconds: nullable(number),
        renewedInSeconds: nullable(number),
        renewalFailures: count,
        error: nullable(text),
      }),
    ),
    null,
  ),
  turn: byDefault(
    nullable(
      struct({
        udpPort: nullable(u32),
        allocations: count,
        allocationsTotal: count,
        refused: record(count),
        traffic: record(struct({ bytesFromClients: count, bytesToClients: count, packetsDropped: count })),
      }),
    ),
    null,
  ),
});
export type Status = Read<typeof status>;

const outcome = oneOf(["passed", "warning", "failed", "skipped"]);
/** What came of a check. */
export type Outcome = Read<typeof outcome>;

const check = struct({
  // Named by text: a newer server may look at more than this page knows of.
  name: text,
  outcome,
  target: optional(text),
  reason: optional(text),
  message: text,
  advice: optional(text),
});
/** One thing that the server looked at. */
export type Check = Read<typeof check>;

/** `GET /doctor`: what the server found. */
export const doctorReport = struct({ healthy: flag, unixSeconds: number, checks: list(check, 200) });
export type DoctorReport = Read<typeof doctorReport>;
