//! Decision: how long to wait before the broker is dialled again.

use std::time::Duration;

/// The first wait: a broker that was restarted is back within moments.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait: what a person accepts before doing something about it.
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from [`FIRST`] to [`LONGEST`], each with jitter, so that a hundred sinks do not dial at once.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure. `random` is anything; it moves the wait between half and whole.
    pub fn failed(&mut self, random: u8) -> Duration {
        let whole = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        whole / 2 + whole.mul_f64(f64::from(random) / 255.0) / 2
    }

    /// A connection was accepted.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.failed(255).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(255).as_millis(), 250);
    }

    #[test]
    fn jitter_takes_up_to_half_and_years_of_failure_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.failed(0), LONGEST / 2);
        assert_eq!(backoff.failed(255), LONGEST);
    }
}
