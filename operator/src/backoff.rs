//! Decision: how long to wait after a failure: twice as long each time, up to a limit, and never all at once.

use std::time::Duration;

/// Wait after the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// Longest wait: what has failed for long is looked at this often.
const LONGEST: Duration = Duration::from_secs(60);

/// The wait after the `failures`-th failure in a row (1 for the first), within half and the whole of its step.
/// `random` is between 0 and 1: it keeps sessions that failed together from coming back together.
pub fn after(failures: u32, random: f64) -> Duration {
    let step = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    step.mul_f64(spread(0.5, 1.0, random))
}

/// A span within a tenth of itself, so that what began together does not stay together.
pub fn about(span: Duration, random: f64) -> Duration {
    span.mul_f64(spread(0.9, 1.1, random))
}

fn spread(least: f64, most: f64, random: f64) -> f64 {
    least + (most - least) * random.clamp(0.0, 1.0)
}

/// A number between 0 and 1 for [`after`] and [`about`].
pub fn random() -> f64 {
    // No secret hangs on it: without randomness all wait for the middle of their step.
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_spread() {
        let whole = |failures| after(failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 4].map(whole), [200, 400, 800, 1_600]);
        assert_eq!(after(40, 1.0), LONGEST);
        assert_eq!(after(u32::MAX, 0.0), LONGEST / 2);
    }
}
