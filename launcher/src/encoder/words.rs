//! Decision: the sentences about the quality for the operator's log, and when one is worth a line: not for a limit that goes as it
//! came, as while a new connection finds out what its network carries, nor while nobody watches.

use super::told::Change;
use std::time::Duration;
use vdi_protocol::status::QualityLimitationReason;

/// A limit that goes sooner is not told.
const LASTING: Duration = Duration::from_secs(2);

/// What the log has been told.
#[derive(Debug, Default)]
pub struct Teller {
    told: Option<Change>,
    /// What holds now, if the log does not know it yet, and since when there is such a limit.
    pending: Option<(Change, Duration)>,
}

impl Teller {
    /// The quality has changed. What changes under a limit that the log knows is told at once.
    pub fn changed(&mut self, change: Change, now: Duration) {
        let known = self.told.as_ref().is_some_and(|told| told.reason == change.reason);
        if known && change.reason == QualityLimitationReason::None {
            // Nothing is held back before and after, whatever the size.
            self.pending = None;
            return;
        }
        let since = match &self.pending {
            _ if known => now.saturating_sub(LASTING),
            Some((pending, since)) if pending.reason == change.reason => *since,
            _ => now,
        };
        self.pending = (self.told.as_ref() != Some(&change)).then_some((change, since));
    }

    /// The line that is due; to be asked for about once a second, and after a change, while somebody watches.
    pub fn line(&mut self, now: Duration) -> Option<String> {
        let (change, _) = self.pending.take_if(|(_, since)| now.saturating_sub(*since) >= LASTING)?;
        Some(quality(self.told.insert(change)))
    }
}

fn quality(change: &Change) -> String {
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

    const LIMITED: Change = Change {
        reason: QualityLimitationReason::Bandwidth,
        source_width: 1920,
        source_height: 1080,
        width: 1280,
        height: 720,
        max_framerate: 30.0,
        bitrate_bps: 1_500_000,
    };
    const FREE: Change = Change { reason: QualityLimitationReason::None, max_framerate: 0.0, ..LIMITED };

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What the log says of changes at seconds, and when, asked each second until the twentieth.
    fn told(changes: &[(u64, Change)]) -> Vec<(u64, String)> {
        let mut teller = Teller::default();
        let mut lines = Vec::new();
        for now in 0..20 {
            for (_, change) in changes.iter().filter(|(at, _)| *at == now) {
                teller.changed(change.clone(), s(now));
            }
            lines.extend(teller.line(s(now)).map(|line| (now, line)));
        }
        lines
    }

    #[test]
    fn log_tells_limit_size_pace_and_rate() {
        assert_eq!(
            quality(&LIMITED),
            "quality is limited by bandwidth: 1280x720, at most 30 frames per second, 1500 kbit/s"
        );
        assert_eq!(quality(&FREE), "quality is not limited: 1280x720, the source's frame rate, 1500 kbit/s");
    }

    #[test]
    fn a_limit_that_lasts_is_told_and_what_changes_under_it_at_once() {
        let less = Change { bitrate_bps: 900_000, ..LIMITED };
        let worse = told(&[(1, FREE), (5, LIMITED), (9, less.clone()), (12, FREE)]);
        assert_eq!(
            worse,
            [(3, quality(&FREE)), (7, quality(&LIMITED)), (9, quality(&less)), (14, quality(&FREE))]
        );
    }

    #[test]
    fn another_size_of_what_is_not_limited_is_no_news() {
        let larger = Change { width: 1920, height: 1080, ..FREE };
        assert_eq!(told(&[(1, FREE), (5, larger.clone()), (9, FREE)]), [(3, quality(&FREE))]);
        let after = told(&[(1, FREE), (5, LIMITED), (10, larger.clone())]);
        assert_eq!(after.last(), Some(&(12, quality(&larger))));
    }

    #[test]
    fn a_limit_that_goes_as_it_came_is_not_told() {
        let more = Change { bitrate_bps: 3_000_000, ..LIMITED };
        assert_eq!(told(&[(1, FREE), (5, LIMITED), (6, more.clone()), (6, FREE)]), [(3, quality(&FREE))]);
        // It is as old as its first form.
        assert_eq!(told(&[(1, FREE), (5, LIMITED), (6, more.clone())])[1], (7, quality(&more)));
    }
}
