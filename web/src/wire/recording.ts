// The wire: the recording of the session, mirrored from `recording` of the crate `protocol`.
import { byDefault, flag, integer, nullable, oneOf, struct, text, type Read } from "./schema";

/** Whether the page in control may start and stop it, and whether it runs. */
export const recording = { onRequest: byDefault(flag, false), running: byDefault(flag, false) };

const failure = oneOf(["diskFull", "tooLarge", "notWritable", "failed"]);
/** Why a recording has ended although nobody wanted that. */
export type RecordingFailure = Read<typeof failure>;
export const recordingFailed = { reason: failure };

export const recordWish = { on: flag };

const count = integer(0, Number.MAX_SAFE_INTEGER);
/** What `/status` says of it. */
export const recordingStatus = struct({
  running: flag,
  startedAt: nullable(text),
  file: nullable(text),
  files: count,
  bytesWritten: count,
  framesDropped: count,
  failures: count,
  failure: nullable(failure),
  message: nullable(text),
});
