//! Decision: what of a consumer's network the encoder is told, and when: what matters at once, the rest once a second. Refuses
//! to know where it comes from.

use crate::adaptiveencbin::{feedback::Feedback, rate::Bitrate};
use std::time::Duration;

/// A change of less waits.
const NOTABLE: f64 = 0.03;

/// Two words are at least so far apart.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

/// What was said so long ago is said again: the encoder forgets what nobody repeats.
const REPEAT: Duration = Duration::from_secs(1);

/// What is known of a consumer's network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    /// What an encoder may make.
    pub for_video: Bitrate,
    /// To the consumer and back, with the wait for the feedback in it.
    pub round_trip_time: Option<Duration>,
    /// Share of packets lost.
    pub packet_loss: Option<f64>,
    /// Time that packets stand in a queue.
    pub queue_delay: Option<Duration>,
}

/// The words about one consumer. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct Estimates {
    last: Option<(Bitrate, Duration)>,
}

impl Estimates {
    /// What is to be told now, if anything.
    pub fn feedback(&mut self, consumer: &str, network: Network, now: Duration) -> Option<Feedback> {
        let is_due = self.last.is_none_or(|(told, at)| {
            let age = now.saturating_sub(at);
            let change = f64::from(told.kbps().abs_diff(network.for_video.kbps()));
            age >= REPEAT || (age >= LEAST_INTERVAL && change >= NOTABLE * f64::from(told.kbps()))
        });
        if !is_due {
            return None;
        }
        self.last = Some((network.for_video, now));
        Some(Feedback {
            consumer: consumer.to_owned(),
            estimated_bitrate: Some(network.for_video),
            round_trip_time: network.round_trip_time,
            packet_loss: network.packet_loss,
            queue_delay: network.queue_delay,
            ..Feedback::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn network(kbps: u32) -> Network {
        Network {
            for_video: Bitrate::from_kbps(kbps),
            round_trip_time: Some(Duration::from_millis(20)),
            packet_loss: Some(0.01),
            queue_delay: Some(Duration::from_millis(7)),
        }
    }

    /// When, in ms, something is told of these rates, one every 10 ms.
    fn told(rates: impl Iterator<Item = u32>) -> Vec<(u64, u32)> {
        let mut estimates = Estimates::default();
        let tell = |(n, kbps): (usize, u32)| {
            let ms = 10 * n as u64;
            let told = estimates.feedback("a", network(kbps), Duration::from_millis(ms))?;
            Some((ms, told.estimated_bitrate?.kbps()))
        };
        rates.enumerate().filter_map(tell).collect()
    }

    #[test]
    fn everything_that_is_known_is_told() {
        let told = Estimates::default().feedback("alice", network(4000), Duration::ZERO).unwrap();
        assert_eq!(
            (told.consumer.as_str(), told.estimated_bitrate),
            ("alice", Some(Bitrate::from_kbps(4000)))
        );
        assert_eq!(told.round_trip_time, Some(Duration::from_millis(20)));
        assert_eq!((told.packet_loss, told.queue_delay), (Some(0.01), Some(Duration::from_millis(7))));
        assert_eq!((told.latency, told.frames_per_second), (None, None), "pages know these");
    }

    #[test]
    fn a_fall_is_told_within_the_least_interval_and_steadiness_once_a_second() {
        let falling = (0..4).map(|_| 8000).chain((0..200).map(|_| 1200));
        assert_eq!(told(falling), [(0, 8000), (50, 1200), (1050, 1200)]);
    }

    #[test]
    fn small_changes_wait_until_they_add_up() {
        // One per cent every 100 ms.
        let rising = (0..60).map(|n| 4000 + n / 10 * 40);
        assert_eq!(told(rising), [(0, 4000), (300, 4120)]);
    }
}
