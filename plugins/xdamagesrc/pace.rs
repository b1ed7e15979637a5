//! Decision: the frame rate as a limit of the mean, not as a grid (a virtual scheduling algorithm, ITU-T I.371's GCRA). Refuses to
//! read a clock.
//!
//! A client that draws at exactly the frame rate draws now a little early, now a little late. On a grid each early frame would
//! wait, and a late one would make the next wait; here a frame may be early by half an interval. One that is late gives up
//! nothing of what is due to those after it, up to an interval: otherwise a single late one would hold back all that a client
//! draws from then on, since it never draws slower than the rate.

use std::time::Duration;

/// How far the frames that have left have used up the rate. The interval is an argument, since it may change at any time.
#[derive(Debug, Default, Clone, Copy)]
pub struct Pace {
    /// When the last frame left, and when the next would be due if all came exactly at the rate.
    last: Option<(Duration, Duration)>,
}

impl Pace {
    /// From when on the next frame may leave.
    pub fn allowed(&self, interval: Duration) -> Duration {
        let Some((left, due)) = self.last else { return Duration::ZERO };
        let half = interval / 2;
        // One that left before it was allowed, since somebody demanded it, makes the next wait no longer than others do.
        due.min(left + interval + half).saturating_sub(half).max(left + half)
    }

    /// A frame has left.
    pub fn left(&mut self, now: Duration, interval: Duration) {
        let due =
            self.last.map_or(now, |(_, due)| due.clamp(now.saturating_sub(interval), now + interval / 2));
        self.last = Some((now, due + interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_micros(16_667);

    /// When frames leave that a client has drawn at these times.
    fn departures(drawn: impl IntoIterator<Item = Duration>) -> Vec<Duration> {
        let mut pace = Pace::default();
        let mut left: Vec<Duration> = Vec::new();
        for at in drawn {
            if left.last().is_some_and(|last| at <= *last) {
                continue;
            }
            let at = at.max(pace.allowed(INTERVAL));
            pace.left(at, INTERVAL);
            left.push(at);
        }
        left
    }

    #[test]
    fn a_client_at_the_frame_rate_with_jitter_is_never_held_back() {
        let jitter_us = [0, 3000, 500, 4000, 4000, 0, 2500, 4000, 1000, 0];
        let drawn: Vec<_> =
            (0..300).map(|n| INTERVAL * n + Duration::from_micros(jitter_us[n as usize % 10])).collect();
        assert_eq!(departures(drawn.clone()), drawn);
    }

    #[test]
    fn a_frame_that_is_late_once_holds_none_back_after_it() {
        for late_us in [3_000, 9_000, 14_000, 30_000, 100_000] {
            // The 30th is late, and so are those that the client draws meanwhile.
            let stalled = INTERVAL * 30 + Duration::from_micros(late_us);
            let drawn: Vec<_> =
                (0..100).map(|n| if n < 30 { INTERVAL * n } else { (INTERVAL * n).max(stalled) }).collect();
            let left = departures(drawn);
            // Two frames later it is over.
            for at in left.iter().filter(|at| **at >= stalled + INTERVAL * 2) {
                assert_eq!(at.as_micros() % INTERVAL.as_micros(), 0, "{late_us} µs late: {at:?}");
            }
        }
    }

    #[test]
    fn a_client_that_draws_all_the_time_gets_the_frame_rate() {
        let left = departures((0..1000).map(Duration::from_millis));
        assert!((60..=63).contains(&left.len()), "{}", left.len());
    }

    #[test]
    fn the_first_frame_after_silence_leaves_at_once() {
        let ms = Duration::from_millis;
        assert_eq!(departures([ms(0), ms(500), ms(1700)]), [ms(0), ms(500), ms(1700)]);
    }

    proptest! {
        #[test]
        fn whatever_is_drawn_the_mean_stays_below_the_rate(gaps_us in prop::collection::vec(1_u64..40_000, 2..200)) {
            let mut at = Duration::ZERO;
            let left = departures(gaps_us.into_iter().map(|gap| { at += Duration::from_micros(gap); at }));
            for first in 0..left.len() {
                for last in first + 1..left.len() {
                    let frames = u32::try_from(last - first).unwrap();
                    // Half an interval of earliness and one of lateness, once.
                    let slack = INTERVAL * 3 / 2 + Duration::from_micros(1);
                    prop_assert!(left[last] - left[first] + slack >= INTERVAL * frames);
                }
            }
        }
    }
}
