// Decision: whether the picture moves as it should. Bytes that come without frames mean that the decoder waits for a key
// frame; a server that no longer answers means that the path is dead, whatever the browser still believes of it.
//
// Silence alone is no fault: a desktop on which nothing changes may send nothing.

export interface Sight {
  readonly nowMs: number;
  /** Video bytes received since the session began, without those that were sent again: a picture at rest is probed with them. */
  readonly bytes: number;
  /** Frames decoded since the session began. */
  readonly frames: number;
  /** Since when a ping waits for its answer; `null` while none does, or from a server that never answered one. */
  readonly unansweredSinceMs: number | null;
  /** Whether the page is hidden: browsers then decode and run timers as they please. */
  readonly hidden: boolean;
}

export interface Watch {
  readonly frames: number;
  /** Since when frames are missing although bytes come; `null` while all is well. */
  readonly silentSinceMs: number | null;
  /** Bytes at that moment. */
  readonly silentBytes: number;
  /** Key frames asked for in this silence. */
  readonly requests: number;
}

export type Remedy = "none" | "requestKeyFrame" | "restart";

/** Silence of frames after which a key frame is asked for, and again after each further one. */
export const SILENCE_MS = 2000;
/** Key frames asked for in vain before the session is begun anew. */
export const MAX_REQUESTS = 4;
/** How long a ping may wait for its answer (one goes out each second) before the path counts as dead. */
export const DEAF_MS = 5000;

export const watchfulFrom: Watch = { frames: 0, silentSinceMs: null, silentBytes: 0, requests: 0 };

export function watch(before: Watch, sight: Sight): [Watch, Remedy] {
  const calm: Watch = { frames: sight.frames, silentSinceMs: null, silentBytes: sight.bytes, requests: 0 };
  if (sight.hidden) return [calm, "none"];
  if (sight.unansweredSinceMs !== null && sight.nowMs - sight.unansweredSinceMs >= DEAF_MS) return [calm, "restart"];
  if (sight.frames !== before.frames) return [calm, "none"];
  if (before.silentSinceMs === null) return [{ ...calm, silentSinceMs: sight.nowMs }, "none"];
  if (sight.bytes === before.silentBytes) return [{ ...before, silentSinceMs: sight.nowMs }, "none"];
  if (sight.nowMs - before.silentSinceMs < SILENCE_MS) return [before, "none"];
  if (before.requests >= MAX_REQUESTS) return [calm, "restart"];
  return [{ ...before, silentSinceMs: sight.nowMs, silentBytes: sight.bytes, requests: before.requests + 1 }, "requestKeyFrame"];
}
