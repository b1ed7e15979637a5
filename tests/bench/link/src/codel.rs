//! Decision: CoDel (RFC 8289): which packet at the head of a queue goes because the queue has stood for too long.

use std::time::Duration;

/// The delay that a standing queue may have (RFC 8289, 4.4).
const TARGET: Duration = Duration::from_millis(5);
/// For how long it may be above that (RFC 8289, 4.3).
const INTERVAL: Duration = Duration::from_millis(100);
/// Less than this in the queue is no queue.
const MTU_BYTES: u64 = 1500;

/// The state of RFC 8289, 5.3.
#[derive(Debug, Default)]
pub struct Codel {
    /// When the delay will have been above the target for an interval.
    first_above: Option<Duration>,
    /// When the next packet goes, while packets go.
    drop_next: Duration,
    /// Packets that have gone since this began.
    count: u32,
    last_count: u32,
    dropping: bool,
}

impl Codel {
    /// Whether the packet that is at the head at `now` goes; it has waited for `waited`, and `left_bytes` are in the queue.
    /// To be asked again for the packet behind one that goes, at the same time.
    pub fn drops(&mut self, now: Duration, waited: Duration, left_bytes: u64) -> bool {
        let above = self.is_above(now, waited, left_bytes);
        if self.dropping {
            if !above {
                self.dropping = false;
                return false;
            }
            if now < self.drop_next {
                return false;
            }
            self.count += 1;
            self.drop_next = control_law(self.drop_next, self.count);
            return true;
        }
        if !above {
            return false;
        }
        self.dropping = true;
        let delta = self.count.saturating_sub(self.last_count);
        // It was dropping a moment ago, and the rate at which it did was about right.
        let recent = now.saturating_sub(self.drop_next) < 16 * INTERVAL;
        self.count = if delta > 1 && recent { delta } else { 1 };
        self.last_count = self.count;
        self.drop_next = control_law(now, self.count);
        true
    }

    fn is_above(&mut self, now: Duration, waited: Duration, left_bytes: u64) -> bool {
        if waited < TARGET || left_bytes <= MTU_BYTES {
            self.first_above = None;
            return false;
        }
        now >= *self.first_above.get_or_insert(now + INTERVAL)
    }
}

fn control_law(at: Duration, count: u32) -> Duration {
    at + INTERVAL.div_f64(f64::from(count.max(1)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets that go in so many milliseconds, of one that leaves each millisecond after this wait.
    fn dropped(waited_ms: u64, for_ms: u64) -> Vec<u64> {
        let mut codel = Codel::default();
        let waited = Duration::from_millis(waited_ms);
        (0..for_ms).filter(|ms| codel.drops(Duration::from_millis(*ms), waited, 100_000)).collect()
    }

    #[test]
    fn a_short_queue_loses_nothing_and_a_standing_one_more_and_more() {
        assert!(dropped(4, 2000).is_empty());
        let gone = dropped(20, 400);
        // The first after an interval, the second one interval later, then faster by the square root.
        assert_eq!(gone[..3], [100, 200, 271]);
        assert!(gone.len() > 4, "{gone:?}");
    }
}
