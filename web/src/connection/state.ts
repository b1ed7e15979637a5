// Decision: what a session and the page's connection tell of themselves, and in which states a page may be; types only.
import type { Cause } from "./cause";
import type { ClipboardPolicy, EndCause, FilesPolicy, Notice, PageStats, People, SessionLimit, Settings, ToPage } from "../wire/protocol";

/** How far a session has come. */
export type Stage = "server" | "offer" | "media" | "desktop" | "frame";

export type State =
  | { readonly name: "connecting"; readonly stage: Stage }
  | { readonly name: "streaming" }
  /** `retryAtMs` is `null` while a try is being made. */
  | { readonly name: "reconnecting"; readonly cause: Cause; readonly retryAtMs: number | null }
  /** `retrying`: the page goes on trying by itself. */
  | { readonly name: "failed"; readonly cause: Cause; readonly retrying: boolean }
  | { readonly name: "ended"; readonly message: string; readonly end: EndCause | null };

/** The limit that will end the session, and when, on the page's clock. */
export interface Coming {
  readonly limit: SessionLimit;
  readonly atMs: number;
  /** By how much whoever is in control may put it off; `null` if nobody may. */
  readonly extensionSeconds: number | null;
}

export type ConnectionEvent =
  /** State, role, media, statistics or the number of pages changed. */
  | { type: "changed" }
  /** A new session begins: what was held before is not held in it. */
  | { type: "begun" }
  /** The present session is about to end: the last moment at which its picture is there. */
  | { type: "ending" }
  /** The page stood still, and goes on. */
  | { type: "resumed" }
  /** A successor has taken the session's place: what was sent last may be lost. */
  | { type: "succeeded" }
  /** The path of a session that was given up is there after all: what was sent meanwhile is lost. */
  | { type: "healed" }
  /** A successor that was on its way is not any more. */
  | { type: "abandoned" }
  /** Another page has control now. */
  | { type: "controlTaken"; sameUser: boolean }
  /** Messages have not reached the server for a while; the media goes on. */
  | { type: "cut" }
  | Extract<ToPage, { type: "screen" }>
  | { type: "track"; track: MediaStreamTrack; receiver: RTCRtpReceiver }
  | ({ type: "notice" } & Notice)
  /** What this page may do with the clipboard. */
  | ({ type: "clipboard" } & ClipboardPolicy)
  /** What this page may do with files. */
  | ({ type: "files" } & FilesPolicy)
  /** What is set of the session, and what can be. */
  | ({ type: "settings" } & Settings)
  /** Who is here, and who asks for control. */
  | ({ type: "people" } & People)
  /** This page has asked for control, and does not get it. */
  | { type: "controlRefused" }
  /** Which invitations hold, one that was made, or why there is none. */
  | Extract<ToPage, { type: "invitations" | "invited" | "notInvited" }>
  /** A game would have a gamepad shake. */
  | Extract<ToPage, { type: "rumble" }>
  /** Whether the session is recorded, or why it is no more. */
  | Extract<ToPage, { type: "recording" | "recordingFailed" }>;

export type SessionEvent =
  | { type: "welcome"; consumer: string }
  | { type: "offered" }
  /** The media path is up. */
  | { type: "connected" }
  | { type: "track"; track: MediaStreamTrack; receiver: RTCRtpReceiver }
  | { type: "control"; message: ToPage }
  | { type: "stats"; stats: PageStats }
  /** The page stood still, and goes on: whatever it keeps of before is stale. */
  | { type: "resumed" }
  /** The media path is lost; or, not certain, it may be, and this is told again as long as it seems so. */
  | { type: "doubted"; certain: boolean }
  /** It is there after all. */
  | { type: "healed" }
  /** Whether messages reach the server has changed. */
  | { type: "line" }
  /** About to end: the last moment at which the picture is there. */
  | { type: "ending" }
  | { type: "over"; cause: Cause };
