//! Decision: which reports say something new. Feedback is repeated, overtaken, and may be forged: a packet counts once as
//! arrived, at most once before that as lost, and not at all when it is long past.

use crate::Report;
use std::time::Duration;

/// Packets that are remembered; a second of 30 Mbit/s has some 3,000.
const REMEMBERED: usize = 8192;

/// A packet that left longer ago is history, whatever is said of it.
const OLDEST: Duration = Duration::from_secs(3);

/// What is known of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Lost,
    Arrived,
}

/// What a report says that was not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It has arrived.
    Arrived,
    /// It has arrived after all.
    ArrivedLate,
    /// It has not arrived.
    Lost,
}

/// What has been told of the packets of late. A packet is known by its number and by when it left: the number alone comes
/// again after 65,536.
#[derive(Debug)]
pub struct Sequence {
    told: Vec<Option<(Duration, Told)>>,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { told: vec![None; REMEMBERED] }
    }
}

impl Sequence {
    /// What is new in a report, if anything.
    pub fn news(&mut self, report: &Report, now: Duration) -> Option<News> {
        if report.sent > now || now - report.sent > OLDEST {
            return None;
        }
        let place = &mut self.told[usize::from(report.sequence) % REMEMBERED];
        let before = place.filter(|(sent, _)| *sent == report.sent).map(|(_, told)| told);
        let news = match (before, report.arrived) {
            (None, Some(_)) => News::Arrived,
            (None, None) => News::Lost,
            (Some(Told::Lost), Some(_)) => News::ArrivedLate,
            (Some(_), _) => return None,
        };
        *place = Some((report.sent, if news == News::Lost { Told::Lost } else { Told::Arrived }));
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataSize;

    fn report(sequence: u16, sent_ms: u64, arrived: bool) -> Report {
        Report {
            is_picture: true,
            sequence,
            sent: Duration::from_millis(sent_ms),
            arrived: arrived.then_some(Duration::ZERO),
            size: DataSize::from_bytes(1200),
        }
    }

    #[test]
    fn a_packet_counts_once_and_a_lost_one_may_still_arrive() {
        let mut sequence = Sequence::default();
        let now = Duration::from_millis(1000);
        let mut news = |report| sequence.news(&report, now);
        assert_eq!(news(report(1, 900, true)), Some(News::Arrived));
        assert_eq!(news(report(1, 900, true)), None, "told twice");
        assert_eq!(news(report(1, 900, false)), None, "and taken back");
        assert_eq!(news(report(2, 901, false)), Some(News::Lost));
        assert_eq!(news(report(2, 901, false)), None);
        assert_eq!(news(report(2, 901, true)), Some(News::ArrivedLate));
        assert_eq!(news(report(2, 901, true)), None);
    }

    #[test]
    fn numbers_come_again() {
        let mut sequence = Sequence::default();
        assert!(sequence.news(&report(7, 0, true), Duration::ZERO).is_some());
        let later = Duration::from_secs(60);
        assert!(sequence.news(&report(7, 60_000, true), later).is_some());
    }

    #[test]
    fn the_future_and_the_past_say_nothing() {
        let mut sequence = Sequence::default();
        let now = Duration::from_secs(10);
        assert_eq!(sequence.news(&report(1, 10_001, true), now), None);
        assert_eq!(sequence.news(&report(2, 6_999, true), now), None);
    }
}
