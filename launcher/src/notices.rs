//! Decision: the notices that pages are shown: each as an English sentence, for clients that know no better, and as what
//! it is about, for a page that has words of its own.

use crate::{codec, encoder::told::Choice, limits};
use vdi_protocol::{
    notice::{Notice, NoticeLevel, NoticeSubject, SwitchCause},
    settings::VideoCodec,
};

fn notice(level: NoticeLevel, subject: NoticeSubject, text: impl Into<String>) -> Notice {
    Notice { level, text: text.into(), subject: Some(subject), once: None }
}

/// The display is gone.
pub fn display_lost(why: &str) -> Notice {
    notice(NoticeLevel::Warning, NoticeSubject::DisplayLost, format!("{why}."))
}

/// It is back.
pub fn display_back() -> Notice {
    notice(NoticeLevel::Info, NoticeSubject::DisplayBack, "The desktop is back.")
}

/// Somebody speaks, and is not heard.
pub fn no_microphone(why: &str) -> Notice {
    let text = format!("The desktop has no microphone: {why}.");
    notice(NoticeLevel::Warning, NoticeSubject::NoMicrophone, text)
}

/// Somebody shows something, and is not seen.
pub fn no_webcam(why: &str) -> Notice {
    let text = format!("The desktop has no webcam: {why}.");
    notice(NoticeLevel::Warning, NoticeSubject::NoWebcam, text)
}

/// The encoders of a codec were tried in vain.
pub fn codec_unavailable(codec: VideoCodec, why: &str) -> Notice {
    let nick = codec::nick(codec);
    let text = format!("The codec stays as it was, since no encoder for {nick} works: {why}.");
    notice(NoticeLevel::Warning, NoticeSubject::CodecUnavailable { codec }, text)
}

/// Somebody comes back to a desktop that would not have waited much longer.
pub fn left_alone(seconds: u64, limit_seconds: u64) -> Notice {
    let text = format!(
        "No page was connected to this desktop for {}. It is ended after {} without one.",
        limits::words(seconds),
        limits::words(limit_seconds)
    );
    notice(NoticeLevel::Info, NoticeSubject::LeftAlone { seconds, limit_seconds }, text)
}

/// The first encoder is software although hardware was looked for. `session` makes it one notice for each.
pub fn no_gpu(encoder: &str, session: &str) -> Notice {
    let text = format!("No GPU encoder works on this server: its CPU encodes the picture ({encoder}).");
    let subject = NoticeSubject::NoGpuEncoder { encoder: encoder.into() };
    Notice { once: Some(format!("no-gpu-{session}")), ..notice(NoticeLevel::Warning, subject, text) }
}

/// One encoder has taken over from another.
pub fn encoder_switched(choice: &Choice, previous: &str, previous_hardware: bool) -> Notice {
    let (now, hardware) = (&choice.encoder, choice.hardware);
    let cause = cause(&choice.cause);
    let (level, text) = match cause {
        SwitchCause::Recovered if hardware => {
            (NoticeLevel::Info, format!("The GPU encodes the picture again ({now})."))
        }
        SwitchCause::Recovered => (NoticeLevel::Info, format!("{now} encodes the picture again.")),
        SwitchCause::Size => (
            NoticeLevel::Info,
            format!("The new size of the desktop needs another encoder: {now} takes over from {previous}."),
        ),
        SwitchCause::ChromaFormat => (
            NoticeLevel::Info,
            format!("The picture's chroma format needs another encoder: {now} takes over from {previous}."),
        ),
        failure => {
            let failed = if previous_hardware { "GPU encoder" } else { "encoder" };
            let then = if previous_hardware && !hardware {
                format!("the CPU encodes the picture now ({now})")
            } else {
                format!("{now} takes over")
            };
            let why = why(failure).map(|why| format!(": {why}")).unwrap_or_default();
            (NoticeLevel::Warning, format!("The {failed} failed ({previous}{why}); {then}."))
        }
    };
    let subject = NoticeSubject::EncoderSwitched {
        cause,
        previous: previous.into(),
        previous_hardware,
        encoder: now.clone(),
        hardware,
    };
    notice(level, subject, text)
}

/// A cause as `adaptiveencbin` names it.
fn cause(name: &str) -> SwitchCause {
    match name {
        "recovered" => SwitchCause::Recovered,
        "renegotiation" => SwitchCause::Size,
        "chroma-format" => SwitchCause::ChromaFormat,
        "encode-error" | "init-error" => SwitchCause::Error,
        "time-out" => SwitchCause::TimeOut,
        "no-device" => SwitchCause::NoDevice,
        "no-encoder-engine" => SwitchCause::NoEncoderEngine,
        "session-limit" => SwitchCause::SessionLimit,
        "driver-mismatch" => SwitchCause::DriverMismatch,
        "bad-output" => SwitchCause::BadOutput,
        _ => SwitchCause::Unknown,
    }
}

/// What happens in mid-stream, in words for people who do not know GStreamer.
fn why(failure: SwitchCause) -> Option<&'static str> {
    Some(match failure {
        SwitchCause::Error => "it reported an error",
        SwitchCause::TimeOut => "it stopped answering",
        SwitchCause::NoDevice => "its device is gone",
        SwitchCause::NoEncoderEngine => "its device has no encoder",
        SwitchCause::SessionLimit => "too many sessions use it",
        SwitchCause::DriverMismatch => "the driver does not fit",
        SwitchCause::BadOutput => "its output was broken",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(encoder: &str, hardware: bool, cause: &str, previous: &str) -> Notice {
        let choice = Choice { encoder: encoder.into(), hardware, cause: cause.into(), ..Choice::default() };
        encoder_switched(&choice, previous, previous.starts_with("nv"))
    }

    #[test]
    fn page_is_told_which_encoder_failed_how_and_which_one_took_over() {
        let failed = switched("x264enc", false, "encode-error", "nvh264enc");
        assert_eq!(failed.level, NoticeLevel::Warning);
        assert_eq!(
            failed.text,
            "The GPU encoder failed (nvh264enc: it reported an error); the CPU encodes the picture now (x264enc)."
        );
        assert_eq!(
            failed.subject,
            Some(NoticeSubject::EncoderSwitched {
                cause: SwitchCause::Error,
                previous: "nvh264enc".into(),
                previous_hardware: true,
                encoder: "x264enc".into(),
                hardware: false,
            })
        );
        assert_eq!(
            switched("vah264enc", true, "time-out", "nvh264enc").text,
            "The GPU encoder failed (nvh264enc: it stopped answering); vah264enc takes over."
        );
        assert_eq!(
            switched("openh264enc", false, "a reason of tomorrow", "x264enc").text,
            "The encoder failed (x264enc); openh264enc takes over."
        );
    }

    #[test]
    fn encoder_that_is_better_or_fits_better_has_replaced_none_that_failed() {
        for (cause, words) in [
            ("recovered", "The GPU encodes the picture again (nvh264enc)."),
            (
                "renegotiation",
                "The new size of the desktop needs another encoder: nvh264enc takes over from x264enc.",
            ),
            (
                "chroma-format",
                "The picture's chroma format needs another encoder: nvh264enc takes over from x264enc.",
            ),
        ] {
            let told = switched("nvh264enc", true, cause, "x264enc");
            assert_eq!((told.level, told.text.as_str()), (NoticeLevel::Info, words));
        }
    }

    #[test]
    fn spans_are_told_in_words_and_in_seconds() {
        let told = left_alone(420, 600);
        assert!(
            told.text.contains("for 7 minutes") && told.text.contains("after 10 minutes"),
            "{}",
            told.text
        );
        assert_eq!(told.subject, Some(NoticeSubject::LeftAlone { seconds: 420, limit_seconds: 600 }));
    }
}
