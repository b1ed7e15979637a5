//! Decision: when the next report is due. Refuses to read a clock: time is an argument.

use std::time::Duration;

/// A period that begins with the first buffer and never fires twice to make up for a pause.
#[derive(Debug, Default)]
pub struct Cadence {
    /// When the period began or last fired; none before the first buffer.
    last: Option<Duration>,
}

impl Cadence {
    /// Whether `interval` has passed at `now`. Zero never fires.
    pub fn is_due(&mut self, now: Duration, interval: Duration) -> bool {
        let last = *self.last.get_or_insert(now);
        if interval.is_zero() || now < last {
            self.last = Some(now);
            return false;
        }
        let elapsed = now - last;
        if elapsed < interval {
            return false;
        }
        // Staying on the grid keeps the mean period equal to the interval; periods that were missed are dropped.
        let missed = elapsed.as_nanos() % interval.as_nanos();
        self.last = Some(now - Duration::from_nanos(u64::try_from(missed).unwrap_or(0)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn fires_once_per_interval_on_a_grid_that_starts_with_the_first_buffer() {
        let mut cadence = Cadence::default();
        let fired: Vec<u64> =
            (0..40).map(|n| 500 + n * 90).filter(|&t| cadence.is_due(ms(t), SECOND)).collect();
        assert_eq!(fired, [1580, 2570, 3560]);
    }

    #[test]
    fn a_pause_fires_once() {
        let mut cadence = Cadence::default();
        assert!(!cadence.is_due(ms(0), SECOND));
        assert!(cadence.is_due(ms(10_300), SECOND));
        assert!(!cadence.is_due(ms(10_900), SECOND));
        assert!(cadence.is_due(ms(11_000), SECOND));
    }

    #[test]
    fn zero_never_fires_and_a_later_interval_counts_from_then() {
        let mut cadence = Cadence::default();
        assert!(!cadence.is_due(ms(0), Duration::ZERO));
        assert!(!cadence.is_due(ms(5000), Duration::ZERO));
        assert!(!cadence.is_due(ms(5500), SECOND));
        assert!(cadence.is_due(ms(6000), SECOND));
    }

    #[test]
    fn time_that_jumps_back_starts_anew() {
        let mut cadence = Cadence::default();
        assert!(!cadence.is_due(ms(9000), SECOND));
        assert!(!cadence.is_due(ms(100), SECOND));
        assert!(!cadence.is_due(ms(1000), SECOND));
        assert!(cadence.is_due(ms(1100), SECOND));
    }
}
