//! Decision: the sentence about the quality, for the operator's log.

use super::told::Change;
use vdi_protocol::status::QualityLimitationReason;

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
