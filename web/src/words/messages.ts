// Decision: which words the page says in which state. The words are in a table for each language, `en/` and its siblings.
import type { Cause } from "../connection/cause";
import type { State } from "../connection/connection";
import { codecName } from "./codecs";
import { words } from "./language";

export { words };

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

/** What the user is told; `null` while the stream is there. `seen`: there was a picture before. */
export function announce(state: State, nowMs: number, seen: boolean): Announcement | null {
  switch (state.name) {
    case "streaming":
      return null;
    case "connecting":
      return { title: words.connecting, detail: words.stage[state.stage], when: "", quote: "", busy: true, action: null };
    case "ended":
      return ended(state);
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

function ended({ end, message }: Extract<State, { name: "ended" }>): Announcement {
  const announcement = { title: words.ended, when: "", quote: "", busy: false, action: { label: words.connectAgain, does: "retry" } } as const;
  switch (end) {
    case null:
      // The server says it in words alone.
      return { ...announcement, detail: words.endedDetail, quote: message };
    case "invitationExpired":
    case "invitationRevoked":
      return { ...announcement, title: words[end], detail: words.invitationOver, action: null };
    case "loggedOut":
      return { ...announcement, detail: `${words.endedBy[end]} ${words.endedDetail}`, quote: message };
    default:
      return { ...announcement, detail: `${words.endedBy[end]} ${words.endedDetail}` };
  }
}

function explain(cause: Cause): string {
  switch (cause.kind) {
    case "unreachable":
      return words.unreachable;
    case "turnedAway":
      return words.turnedAway;
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
      return words.noCodecDetail(codecName(cause.codec));
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
    case "turnedAway":
      return words.refusedTitle;
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
  if (cause.kind === "version" || cause.kind === "turnedAway" || (cause.kind === "refused" && cause.code === "unsupportedVersion")) return { label: words.reload, does: "reload" };
  return { label: words.tryAgain, does: "retry" };
}
