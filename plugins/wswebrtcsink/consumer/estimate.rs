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
    /// A change waits until then, having come too soon after the last.
    held_until: Option<Duration>,
}

impl Estimates {
    /// What is to be told now, if anything.
    pub fn feedback(&mut self, consumer: &str, network: Network, now: Duration) -> Option<Feedback> {
        self.held_until = None;
        if let Some((told, at)) = self.last {
            let age = now.saturating_sub(at);
            let change = f64::from(told.kbps().abs_diff(network.for_video.kbps()));
            let is_notable = change >= NOTABLE * f64::from(told.kbps());
            if is_notable && age < LEAST_INTERVAL {
                self.held_until = Some(at.saturating_add(LEAST_INTERVAL));
            }
            if age < LEAST_INTERVAL || (!is_notable && age < REPEAT) {
                return None;
            }
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

    /// When to ask again although there is no other news.
    pub fn held_until(&self) -> Option<Duration> {
        self.held_until
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
    fn what_comes_too_soon_is_asked_for_in_time() {
        let mut estimates = Estimates::default();
        let ms = Duration::from_millis;
        assert!(estimates.feedback("alice", network(8000), ms(0)).is_some());
        assert!(estimates.feedback("alice", network(1200), ms(49)).is_none());
        assert_eq!(estimates.held_until(), Some(ms(50)));
        assert!(estimates.feedback("alice", network(1200), ms(50)).is_some());
        assert_eq!(estimates.held_until(), None);
        assert!(estimates.feedback("alice", network(1190), ms(60)).is_none());
        assert_eq!(estimates.held_until(), None, "it is nothing to speak of");
    }

    #[test]
    fn small_changes_wait_until_they_add_up() {
        // One per cent every 100 ms.
        let rising = (0..60).map(|n| 4000 + n / 10 * 40);
        assert_eq!(told(rising), [(0, 4000), (300, 4120)]);
    }
}
