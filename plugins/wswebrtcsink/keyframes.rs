//! Decision: when a wanted key frame is asked of the encoder.
//!
//! Consumers ask on join, on loss (PLI, FIR) and when their picture froze, and several ask at once. A key frame costs
//! several times an ordinary one, so requests within one interval become one. The last request is never forgotten: it
//! is honoured when the interval ends, since a key frame sent before the request cannot have answered it.

use std::time::Duration;

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Ask the encoder now.
    Now,
    /// Ask the encoder at this time; call [`Debounce::due`] then.
    At(Duration),
    /// A later request is pending already.
    Pending,
}

/// Spaces key-frame requests. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct Debounce {
    /// When the encoder was asked last.
    last: Option<Duration>,
    /// When the pending request is due.
    pending: Option<Duration>,
}

impl Debounce {
    /// A consumer wants a key frame.
    pub fn request(&mut self, interval: Duration, now: Duration) -> Verdict {
        match self.last.map(|last| last + interval) {
            Some(due) if now < due => match self.pending {
                Some(pending) if pending <= due => Verdict::Pending,
                _ => {
                    self.pending = Some(due);
                    Verdict::At(due)
                }
            },
            _ => {
                self.pending = None;
                self.last = Some(now);
                Verdict::Now
            }
        }
    }

    /// Whether a pending request is due; if so, it counts as asked.
    pub fn due(&mut self, now: Duration) -> bool {
        match self.pending {
            Some(due) if now >= due => {
                self.pending = None;
                self.last = Some(now);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(300);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn first_request_is_asked_at_once() {
        assert_eq!(Debounce::default().request(INTERVAL, ms(0)), Verdict::Now);
    }

    #[test]
    fn a_storm_becomes_one_key_frame_now_and_one_at_the_end_of_the_interval() {
        let mut debounce = Debounce::default();
        assert_eq!(debounce.request(INTERVAL, ms(1000)), Verdict::Now);
        assert_eq!(debounce.request(INTERVAL, ms(1010)), Verdict::At(ms(1300)));
        for t in 1011..1300 {
            assert_eq!(debounce.request(INTERVAL, ms(t)), Verdict::Pending);
            assert!(!debounce.due(ms(t)));
        }
        assert!(debounce.due(ms(1300)));
        assert!(!debounce.due(ms(1301)), "one request is asked once");
        assert_eq!(debounce.request(INTERVAL, ms(1301)), Verdict::At(ms(1600)));
    }

    #[test]
    fn a_shorter_interval_counts_at_once_for_a_request_that_waits() {
        let mut debounce = Debounce::default();
        assert_eq!(debounce.request(ms(60_000), ms(0)), Verdict::Now);
        assert_eq!(debounce.request(ms(60_000), ms(10)), Verdict::At(ms(60_000)));
        assert_eq!(debounce.request(ms(100), ms(20)), Verdict::At(ms(100)));
        assert_eq!(debounce.request(ms(100), ms(30)), Verdict::Pending);
        assert!(debounce.due(ms(100)));
        assert!(!debounce.due(ms(60_000)), "the earlier one was answered with it");
    }

    #[test]
    fn requests_further_apart_than_the_interval_are_all_asked() {
        let mut debounce = Debounce::default();
        for t in [0, 300, 600, 5000] {
            assert_eq!(debounce.request(INTERVAL, ms(t)), Verdict::Now, "at {t} ms");
        }
    }
}
