//! Decision: what a page's report means for the encoder. Pages belong to others: what they say is held to what can be,
//! and is passed on so often at most. Refuses to know how anything travels.

use crate::{adaptiveencbin::feedback::Feedback, wswebrtcsink::frames::Beyond};
use std::time::Duration;
use vdi_protocol::control::PageStats;

/// Pages report once a second. More often nobody is listened to.
const LEAST_INTERVAL: Duration = Duration::from_millis(500);

/// The most frames a second that a screen shows.
const MAX_FRAMES_PER_SECOND: f64 = 240.0;

/// Counts of the last report, since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Packets {
    received: u64,
    lost: i64,
}

/// The reports of one page. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct PageReports {
    packets: Packets,
    last: Option<Duration>,
}

impl PageReports {
    /// A report came. `latency` is how long frames took to the consumer's screen.
    pub fn feedback(
        &mut self,
        consumer: &str,
        stats: &PageStats,
        latency: Option<Duration>,
        now: Duration,
    ) -> Option<Feedback> {
        if self.last.is_some_and(|last| now.saturating_sub(last) < LEAST_INTERVAL) {
            return None;
        }
        self.last = Some(now);
        Some(Feedback {
            consumer: consumer.to_owned(),
            is_sole: false,
            // The congestion control knows these.
            estimated_bitrate: None,
            queue_delay: None,
            round_trip_time: Beyond::of(stats).network.map(|half| half * 2),
            packet_loss: self.packet_loss(stats),
            latency,
            frames_per_second: Some(stats.frames_per_second.clamp(0.0, MAX_FRAMES_PER_SECOND)),
        })
    }

    /// The share of packets that were lost since the report before; `None` if there were none.
    fn packet_loss(&mut self, stats: &PageStats) -> Option<f64> {
        let now = Packets { received: stats.packets_received, lost: stats.packets_lost };
        let before = std::mem::replace(&mut self.packets, now);
        // A page that connected anew counts from the beginning.
        let before = if now.received < before.received { Packets::default() } else { before };
        let received = now.received - before.received;
        // What was believed lost may have come late.
        let lost = u64::try_from(now.lost.saturating_sub(before.lost)).unwrap_or(0);
        (received > 0).then(|| lost as f64 / (received as f64 + lost as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Option<Duration> = Some(Duration::from_millis(20));

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn losses(counts: &[(u64, i64)]) -> Vec<Option<f64>> {
        let mut reports = PageReports::default();
        let loss = |(i, (packets_received, packets_lost)): (usize, &(u64, i64))| {
            let stats = PageStats {
                packets_received: *packets_received,
                packets_lost: *packets_lost,
                ..PageStats::default()
            };
            reports.feedback("a", &stats, LATENCY, at(i as u64)).unwrap().packet_loss
        };
        counts.iter().enumerate().map(loss).collect()
    }

    #[test]
    fn what_a_page_sees_is_passed_on() {
        let stats = PageStats { frames_per_second: 59.5, round_trip_ms: 30.0, ..PageStats::default() };
        let feedback = PageReports::default().feedback("alice", &stats, LATENCY, at(0)).unwrap();
        assert_eq!((feedback.consumer.as_str(), feedback.latency), ("alice", LATENCY));
        assert_eq!(feedback.round_trip_time, Some(Duration::from_millis(30)));
        assert_eq!(feedback.frames_per_second, Some(59.5));
        // The page's round trip is 0 until its first ping was answered.
        let silent = PageReports::default().feedback("alice", &PageStats::default(), None, at(0)).unwrap();
        assert_eq!((silent.latency, silent.round_trip_time), (None, None));
    }

    #[test]
    fn loss_is_that_of_the_time_between_two_reports() {
        let counts = [(90, 10), (190, 10), (265, 35), (365, 30), (365, 30), (50, 50)];
        let expected = [Some(0.1), Some(0.0), Some(0.25), Some(0.0), None, Some(0.5)];
        assert_eq!(losses(&counts), expected);
        assert_eq!(
            losses(&[(1, i64::MIN), (2, i64::MAX), (u64::MAX, i64::MIN)])[0],
            Some(0.0),
            "no overflow"
        );
        assert_eq!(losses(&[(0, 7)]), [None], "a page that does not count what it receives");
    }

    #[test]
    fn lies_are_held_to_what_can_be() {
        let stats =
            PageStats { frames_per_second: 1e300, round_trip_ms: f64::INFINITY, ..PageStats::default() };
        let feedback = PageReports::default().feedback("eve", &stats, LATENCY, at(0)).unwrap();
        assert_eq!(feedback.frames_per_second, Some(240.0));
        assert_eq!(feedback.round_trip_time, Some(at(10)));
    }

    #[test]
    fn a_flood_of_reports_is_thinned_out() {
        let mut reports = PageReports::default();
        let mut passed = 0;
        for ms in 0..10_000 {
            let feedback = reports.feedback("eve", &PageStats::default(), LATENCY, Duration::from_millis(ms));
            passed += u32::from(feedback.is_some());
        }
        assert_eq!(passed, 20);
    }
}
