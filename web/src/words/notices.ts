// Decision: what a notice of the server's is in the user's language.
import type { Notice, NoticeSubject } from "../wire/protocol";
import { codecName } from "./codecs";
import { words } from "./language";

/** The server's own sentence where it is about something that has no words here. */
export function noticeWords({ subject, text }: Notice): string {
  return subject ? said(subject) : text;
}

function said(subject: NoticeSubject): string {
  switch (subject.type) {
    case "displayLost":
    case "displayBack":
    case "noMicrophone":
    case "noWebcam":
      return words.notice[subject.type];
    case "codecUnavailable":
      return words.notice.codecUnavailable(codecName(subject.codec));
    case "leftAlone":
      return words.notice.leftAlone(span(subject.seconds), span(subject.limitSeconds));
    case "noGpuEncoder":
      return words.notice.noGpuEncoder(subject.encoder);
    case "encoderSwitched":
      return switched(subject);
  }
}

function switched({ cause, previous, previousHardware, encoder, hardware }: Extract<NoticeSubject, { type: "encoderSwitched" }>): string {
  const { notice } = words;
  switch (cause) {
    case "recovered":
      return hardware ? notice.gpuBack(encoder) : notice.encoderBack(encoder);
    case "size":
      return notice.otherSize(encoder, previous);
    case "chromaFormat":
      return notice.otherChromaFormat(encoder, previous);
    default: {
      const then = previousHardware && !hardware ? notice.cpuTakesOver(encoder) : notice.takesOver(encoder);
      if (cause === "unknown") return `${previousHardware ? notice.gpuFailed(previous) : notice.encoderFailed(previous)} ${then}`;
      const why = notice.failure[cause];
      return `${previousHardware ? notice.gpuFailedBy(previous, why) : notice.encoderFailedBy(previous, why)} ${then}`;
    }
  }
}

/** A span in its largest unit. */
function span(seconds: number): string {
  if (seconds < 120) return words.seconds(seconds);
  return seconds < 7200 ? words.minutes(Math.floor(seconds / 60)) : words.hours(Math.floor(seconds / 3600));
}
