// Decision: why a session ended, and what follows: another try by itself, or a word to the user and a button.
import type { ConnectionFailure, EndCause, ErrorCode, FailureReason } from "../wire/protocol";

export type Cause =
  /** The server cannot be reached. */
  | { readonly kind: "unreachable" }
  /** It can, and has its user log in first. */
  | { readonly kind: "turnedAway" }
  /** The connection was there and is gone. */
  | { readonly kind: "lost" }
  /** The server did not answer, or the media path did not come up, in time. */
  | { readonly kind: "timeout" }
  /** The server refused, with a code and a sentence. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string }
  /** The server says that the session failed. */
  | { readonly kind: "session"; readonly reason: FailureReason | null; readonly message: string | null }
  /** The server ended the session. */
  | { readonly kind: "bye"; readonly message: string; readonly end: EndCause | null }
  /** Page and server speak different versions. */
  | { readonly kind: "version"; readonly server: number | null }
  /** The browser has no WebRTC. */
  | { readonly kind: "noWebRtc" }
  /** The browser cannot decode what the server sends. */
  | { readonly kind: "noCodec"; readonly codec: string };

export type Consequence = "retry" | "fail" | "end";

const ON_REFUSAL: Record<ErrorCode, Consequence> = {
  malformedMessage: "fail",
  unexpectedMessage: "fail",
  unsupportedVersion: "fail",
  badSdp: "fail",
  badCandidate: "retry",
  tooManyConsumers: "fail",
  noMedia: "retry",
  timeout: "retry",
  unknownConsumer: "retry",
  internal: "retry",
};

export function consequence(cause: Cause): Consequence {
  switch (cause.kind) {
    case "unreachable":
    case "lost":
    case "timeout":
    case "session":
      return "retry";
    case "refused":
      return ON_REFUSAL[cause.code];
    case "bye":
      return "end";
    case "turnedAway":
    case "version":
    case "noWebRtc":
    case "noCodec":
      return "fail";
  }
}

/** Whether an error message from the server ends the session, or only says that one message was not used. */
export function isFatal(code: ErrorCode): boolean {
  return code !== "malformedMessage" && code !== "unexpectedMessage" && code !== "badCandidate";
}

/** What the server is told of a connection that did not come up. */
export interface Failure {
  readonly reason: ConnectionFailure;
  readonly message: string;
}

/** That; `null` where the server knows it, or nobody does. Of a path that did not come up `tested` knows. */
export function failureOf(cause: Cause, tested: () => Failure | null): Failure | null {
  if (cause.kind === "timeout") return tested();
  return cause.kind === "noCodec" ? { reason: "badAnswer", message: `The browser does not decode ${cause.codec}.` } : null;
}
