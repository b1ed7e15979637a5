//! Decision: whether others still fill the queue, and when to yield to them. Refuses to know rates.

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
    empty_since: Option<Duration>,
    last_yield: Duration,
}

impl Rivals {
    /// They keep such a queue.
    pub fn new(queue: Duration, now: Duration) -> Self {
        Self { first: queue, queue, empty_since: None, last_yield: now }
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
