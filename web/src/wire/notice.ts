// The wire: what a page is told in passing, mirrored from `protocol/src/notice.rs`.
import { flag, integer, known, oneOf, optional, struct, tagged, text, type Read } from "./schema";
import { videoCodec } from "./settings";

const count = integer(0, Number.MAX_SAFE_INTEGER);

export const noticeLevel = oneOf(["info", "warning", "error"]);
export type NoticeLevel = Read<typeof noticeLevel>;

const switchCause = oneOf([
  "recovered",
  "size",
  "chromaFormat",
  "error",
  "timeOut",
  "noDevice",
  "noEncoderEngine",
  "sessionLimit",
  "driverMismatch",
  "badOutput",
  "unknown",
]);
/** Why one encoder takes over from another. */
export type SwitchCause = Read<typeof switchCause>;
/** How an encoder has failed, where that is known. */
export type EncoderFailure = Exclude<SwitchCause, "recovered" | "size" | "chromaFormat" | "unknown">;

const noticeSubject = tagged({
  displayLost: {},
  displayBack: {},
  noMicrophone: {},
  noWebcam: {},
  codecUnavailable: { codec: videoCodec },
  leftAlone: { seconds: count, limitSeconds: count },
  noGpuEncoder: { encoder: text },
  encoderSwitched: { cause: switchCause, previous: text, previousHardware: flag, encoder: text, hardware: flag },
});
/** What a notice is about. */
export type NoticeSubject = Read<typeof noticeSubject>;

export const notice = { level: noticeLevel, text, subject: known(noticeSubject), once: optional(text) };
export const noticeReader = struct(notice);
/** Something the user should know. */
export type Notice = Read<typeof noticeReader>;
