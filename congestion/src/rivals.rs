//! Decision: whether others still fill the queue, and when to yield to them. Refuses to say at which rate.

use crate::Bitrate;
use std::time::Duration;

/// The queue has been empty for so long: they have gone.
const GONE_AFTER: Duration = Duration::from_secs(1);
/// Least time from one yielding to the next, beyond the round trip through their queue.
const YIELDS_APART: Duration = Duration::from_millis(300);

/// A queue varies by so much beyond its half.
const MUCH: Duration = Duration::from_millis(30);

/// Others on the same link.
#[derive(Debug, Clone, Copy)]
pub struct Rivals {
    first: Duration,
    queue: Duration,
    before: Bitrate,
    empty_since: Option<Duration>,
    last_yield: Duration,
}

impl Rivals {
    /// They keep such a queue; before they came the link carried so much.
    pub fn new(queue: Duration, before: Bitrate, now: Duration) -> Self {
        Self { first: queue, queue, before, empty_since: None, last_yield: now }
    }

    /// What the link carried before they came.
    pub fn before(&self) -> Bitrate {
        self.before
    }

    /// Whether the queue is much more than they kept when they were found.
    pub fn is_outgrown(&self, standing: Duration) -> bool {
        standing > self.first.mul_f64(1.5) + MUCH
    }

    /// Whether the queue, as it stands now, has been empty for long enough.
    pub fn have_gone(&mut self, standing: Duration, empty: Duration, now: Duration) -> bool {
        self.queue = standing;
        if standing > empty {
            self.empty_since = None;
            return false;
        }
        now >= *self.empty_since.get_or_insert(now) + GONE_AFTER
    }

    /// Whether what was lost since it yielded last is known by now; if so, it yields.
    pub fn may_yield(&mut self, round_trip: Duration, now: Duration) -> bool {
        if now < self.last_yield + round_trip + self.queue + YIELDS_APART {
            return false;
        }
        self.last_yield = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn they_have_gone_when_the_queue_has_been_empty_for_a_second() {
        let mut rivals = Rivals::new(ms(80), Bitrate::ZERO, ms(0));
        assert!(!rivals.have_gone(ms(2), ms(7), ms(100)));
        assert!(!rivals.have_gone(ms(60), ms(7), ms(900)), "they were between two bursts");
        assert!(!rivals.have_gone(ms(2), ms(7), ms(1000)));
        assert!(!rivals.have_gone(ms(2), ms(7), ms(1999)));
        assert!(rivals.have_gone(ms(2), ms(7), ms(2000)));
    }

    #[test]
    fn it_yields_once_for_what_was_lost_at_once() {
        let mut rivals = Rivals::new(ms(100), Bitrate::ZERO, ms(0));
        assert!(!rivals.may_yield(ms(40), ms(439)));
        assert!(rivals.may_yield(ms(40), ms(440)));
        assert!(!rivals.may_yield(ms(40), ms(500)));
    }

    #[test]
    fn a_queue_that_doubles_is_not_theirs_alone() {
        let rivals = Rivals::new(ms(80), Bitrate::ZERO, ms(0));
        assert!(!rivals.is_outgrown(ms(150)));
        assert!(rivals.is_outgrown(ms(151)));
    }
}
