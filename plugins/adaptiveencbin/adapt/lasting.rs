//! Decision: whether something has been so for long enough, forgiving short exceptions: a moment in which it was not so
//! takes back as much as a moment in which it was. Refuses to know what.

use std::time::Duration;

/// Nobody looked for longer than this: what was in between is not known, and counts as no more.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// How long something has been so.
#[derive(Debug, Clone, Default)]
pub struct Lasting {
    time: Duration,
    last: Option<Duration>,
}

impl Lasting {
    /// It has not been so yet.
    pub const fn new() -> Self {
        Self { time: Duration::ZERO, last: None }
    }

    /// Whether it has been so for `enough` with this moment.
    pub fn observe(&mut self, is_so: bool, enough: Duration, now: Duration) -> bool {
        let last = self.last.replace(now).unwrap_or(now);
        let gap = now.saturating_sub(last).min(LONGEST_GAP);
        self.time = if is_so { (self.time + gap).min(enough) } else { self.time.saturating_sub(gap) };
        is_so && self.time >= enough
    }

    /// Begins again.
    pub fn restart(&mut self) {
        self.time = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_SECONDS: Duration = Duration::from_secs(2);

    /// Milliseconds until it has lasted two seconds, looked at four times a second, within ten minutes.
    fn until(is_so: impl Fn(u64) -> bool) -> Option<u64> {
        let mut lasting = Lasting::new();
        (0..600_000)
            .step_by(250)
            .find(|ms| lasting.observe(is_so(*ms), TWO_SECONDS, Duration::from_millis(*ms)))
    }

    #[test]
    fn dips_delay_it_and_half_of_the_time_is_not_enough() {
        assert_eq!(until(|_| true), Some(2000));
        assert_eq!(until(|ms| ms % 2000 != 1750), Some(2500), "one quarter of a second was not so");
        assert_eq!(until(|ms| ms % 2000 < 1000), None);
        assert_eq!(until(|_| false), None);
    }

    #[test]
    fn a_gap_counts_for_a_second_at_most() {
        let mut lasting = Lasting::new();
        assert!(!lasting.observe(true, TWO_SECONDS, Duration::from_secs(0)));
        assert!(!lasting.observe(true, TWO_SECONDS, Duration::from_secs(60)));
        assert!(lasting.observe(true, TWO_SECONDS, Duration::from_secs(61)));
        lasting.restart();
        assert!(!lasting.observe(true, TWO_SECONDS, Duration::from_secs(62)));
    }
}
