//! Decision: the sentences about encoders: for the page in its user's words, for the log in the operator's.

use super::told::{Change, Choice};
use vdi_protocol::{control::NoticeLevel, status::QualityLimitationReason};

/// What a page says of an encoder that takes over from another.
pub fn switch(choice: &Choice, previous: &str, previous_hardware: bool) -> (NoticeLevel, String) {
    let now = &choice.encoder;
    match (choice.cause.as_str(), choice.hardware) {
        ("recovered", true) => (NoticeLevel::Info, format!("The GPU encodes the picture again ({now}).")),
        ("recovered", false) => (NoticeLevel::Info, format!("{now} encodes the picture again.")),
        ("renegotiation", _) => (
            NoticeLevel::Info,
            format!("The new size of the desktop needs another encoder: {now} takes over from {previous}."),
        ),
        (cause, hardware) => {
            let failed = if previous_hardware { "GPU encoder" } else { "encoder" };
            let then = if previous_hardware && !hardware {
                format!("the CPU encodes the picture now ({now})")
            } else {
                format!("{now} takes over")
            };
            let why = why(cause).map(|why| format!(": {why}")).unwrap_or_default();
            (NoticeLevel::Warning, format!("The {failed} failed ({previous}{why}); {then}."))
        }
    }
}

/// The reasons that happen in mid-stream, in words for people who do not know GStreamer.
fn why(cause: &str) -> Option<&'static str> {
    Some(match cause {
        "encode-error" | "init-error" => "it reported an error",
        "time-out" => "it stopped answering",
        "no-device" => "its device is gone",
        "no-encoder-engine" => "its device has no encoder",
        "session-limit" => "too many sessions use it",
        "driver-mismatch" => "the driver does not fit",
        "bad-output" => "its output was broken",
        _ => return None,
    })
}

/// What a page says when the first encoder is software although hardware was looked for.
pub fn no_gpu(encoder: &str) -> String {
    format!("No GPU encoder works on this server: its CPU encodes the picture ({encoder}).")
}

/// The line of the log about a change of quality.
pub fn quality(change: &Change) -> String {
    let pace = if change.max_framerate > 0.0 {
        format!("at most {} frames per second", change.max_framerate)
    } else {
        "the source's frame rate".into()
    };
    let frame = format!("{}x{}, {pace}, {} kbit/s", change.width, change.height, change.bitrate_bps / 1000);
    match change.reason {
        QualityLimitationReason::None => format!("quality is not limited: {frame}"),
        reason => format!("quality is limited by {}: {frame}", reason.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(encoder: &str, hardware: bool, cause: &str) -> Choice {
        Choice { encoder: encoder.into(), hardware, cause: cause.into(), ..Choice::default() }
    }

    #[test]
    fn page_is_told_which_encoder_failed_how_and_which_one_took_over() {
        assert_eq!(
            switch(&choice("x264enc", false, "encode-error"), "nvh264enc", true),
            (
                NoticeLevel::Warning,
                "The GPU encoder failed (nvh264enc: it reported an error); the CPU encodes the picture now (x264enc)."
                    .into()
            )
        );
        assert_eq!(
            switch(&choice("vah264enc", true, "time-out"), "nvh264enc", true).1,
            "The GPU encoder failed (nvh264enc: it stopped answering); vah264enc takes over."
        );
        assert_eq!(
            switch(&choice("openh264enc", false, "a reason of tomorrow"), "x264enc", false).1,
            "The encoder failed (x264enc); openh264enc takes over."
        );
        assert_eq!(
            switch(&choice("nvh264enc", true, "recovered"), "x264enc", false),
            (NoticeLevel::Info, "The GPU encodes the picture again (nvh264enc).".into())
        );
    }

    #[test]
    fn log_tells_limit_size_pace_and_rate() {
        let change = Change {
            reason: QualityLimitationReason::Bandwidth,
            source_width: 1920,
            source_height: 1080,
            width: 1280,
            height: 720,
            max_framerate: 30.0,
            bitrate_bps: 1_500_000,
        };
        assert_eq!(
            quality(&change),
            "quality is limited by bandwidth: 1280x720, at most 30 frames per second, 1500 kbit/s"
        );
        let free = Change { reason: QualityLimitationReason::None, max_framerate: 0.0, ..change };
        assert_eq!(quality(&free), "quality is not limited: 1280x720, the source's frame rate, 1500 kbit/s");
    }
}
