//! Decision: percentiles over a sliding window of durations. Refuses to read a clock: time is an argument.
//!
//! The window is a ring of sub-windows, each a histogram; whole sub-windows slide out. Recording touches one of them
//! and allocates nothing; figures are merged only when somebody asks.
//!
//! ```text
//!   │ sub │ sub │ sub │ … │ sub │ now   SUB_WINDOWS of them; what the window holds is between
//!   └── slides out ──────────────┘      9/10 and 10/10 of its length
//! ```

use super::figures::Figures;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Sub-windows per window: a tenth of the window is how coarsely old values slide out.
const SUB_WINDOWS: usize = 10;

/// Finest difference the percentiles tell, in nanoseconds.
const LOWEST_NS: u64 = 1_000;

/// Above one minute percentiles stop telling values apart; `max` stays exact.
const HIGHEST_NS: u64 = 60_000_000_000;

/// How exact percentiles are; each step costs ten times the memory, and the time to merge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// To 1 %: 100 kB a window.
    Percent,
    /// To 0.1 %: 800 kB a window.
    PerMille,
}

impl Precision {
    /// Significant decimal digits.
    const fn digits(self) -> u8 {
        match self {
            Self::Percent => 2,
            Self::PerMille => 3,
        }
    }
}

/// One sub-window.
struct Sub {
    histogram: Histogram<u32>,
    min_ns: u64,
    max_ns: u64,
    sum_ns: u128,
}

impl Sub {
    fn clear(&mut self) {
        if !self.histogram.is_empty() {
            self.histogram.reset();
        }
        (self.min_ns, self.max_ns, self.sum_ns) = (u64::MAX, 0, 0);
    }
}

/// A sliding window of durations.
pub struct Window {
    length: Duration,
    /// Sub-window `n` lives at `n % SUB_WINDOWS`.
    ring: Vec<Sub>,
    /// Number of the sub-window that time has reached.
    current: u64,
    /// Where figures are merged, kept so that asking does not allocate either.
    merged: Histogram<u32>,
}

impl Window {
    /// A window over the last `length`, which is held to one millisecond at least.
    pub fn new(length: Duration, precision: Precision) -> Self {
        let histogram = || {
            #[expect(
                clippy::expect_used,
                reason = "the bounds are constants that satisfy 2 * low <= high, digits <= 5"
            )]
            Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, precision.digits())
                .expect("constant bounds are valid")
        };
        let sub = || Sub { histogram: histogram(), min_ns: u64::MAX, max_ns: 0, sum_ns: 0 };
        Self {
            length: length.max(Duration::from_millis(1)),
            ring: (0..SUB_WINDOWS).map(|_| sub()).collect(),
            current: 0,
            merged: histogram(),
        }
    }

    /// The window's length.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ring.iter_mut().for_each(Sub::clear);
        self.current = 0;
    }

    /// Counts a value at `now`.
    pub fn record(&mut self, now: Duration, value: Duration) {
        self.advance(now);
        let value_ns = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        let sub = &mut self.ring[(self.current % SUB_WINDOWS as u64) as usize];
        sub.histogram.saturating_record(value_ns);
        sub.min_ns = sub.min_ns.min(value_ns);
        sub.max_ns = sub.max_ns.max(value_ns);
        sub.sum_ns += u128::from(value_ns);
    }

    /// The figures of what the window holds at `now`.
    pub fn figures(&mut self, now: Duration) -> Figures {
        self.advance(now);
        self.merged.reset();
        let mut figures = Figures { min_ns: u64::MAX, ..Figures::default() };
        let mut sum_ns = 0;
        for sub in self.ring.iter().filter(|sub| !sub.histogram.is_empty()) {
            // Equal bounds cannot fail to merge; if they did, the counts below would show it.
            let _ = self.merged.add(&sub.histogram);
            figures.min_ns = figures.min_ns.min(sub.min_ns);
            figures.max_ns = figures.max_ns.max(sub.max_ns);
            sum_ns += sub.sum_ns;
        }
        figures.count = self.merged.len();
        if figures.count == 0 {
            return Figures::default();
        }
        figures.mean_ns = u64::try_from(sum_ns / u128::from(figures.count)).unwrap_or(u64::MAX);
        // A bucket answers with its upper edge, which must not pass what was really seen.
        let at = |q| self.merged.value_at_quantile(q).clamp(figures.min_ns, figures.max_ns);
        (figures.p50_ns, figures.p95_ns, figures.p99_ns) = (at(0.50), at(0.95), at(0.99));
        figures
    }

    /// Lets time reach `now`: clears what has slid out. Time that jumps back (a flush) starts anew.
    fn advance(&mut self, now: Duration) {
        let sub_ns = self.length.as_nanos() / SUB_WINDOWS as u128;
        let target = u64::try_from(now.as_nanos() / sub_ns).unwrap_or(u64::MAX);
        if target < self.current {
            self.clear();
        }
        let steps = (target - self.current).min(SUB_WINDOWS as u64);
        for n in 0..steps {
            self.ring[((target - n) % SUB_WINDOWS as u64) as usize].clear();
        }
        self.current = target;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Asserts equality to the histogram's 0.1 %.
    #[track_caller]
    fn assert_close(got_ns: u64, wanted: Duration) {
        let wanted_ns = wanted.as_nanos() as u64;
        assert!(got_ns.abs_diff(wanted_ns) <= wanted_ns / 1000, "{got_ns} is not {wanted_ns}");
    }

    #[test]
    fn one_to_a_hundred_milliseconds() {
        let mut window = Window::new(ms(5000), Precision::PerMille);
        // Out of order on purpose: 37 is coprime to 100, so every value from 1 to 100 comes once.
        for n in 0..100 {
            window.record(ms(n), ms(n * 37 % 100 + 1));
        }
        let figures = window.figures(ms(100));
        assert_eq!(figures.count, 100);
        assert_eq!(figures.min_ns, 1_000_000);
        assert_eq!(figures.mean_ns, 50_500_000);
        assert_close(figures.p50_ns, ms(50));
        assert_close(figures.p95_ns, ms(95));
        assert_close(figures.p99_ns, ms(99));
        assert_eq!(figures.max_ns, 100_000_000);
    }

    #[test]
    fn one_slow_frame_in_a_hundred_shows_in_the_maximum_and_not_in_p99() {
        let mut window = Window::new(ms(5000), Precision::PerMille);
        for n in 0..100 {
            window.record(ms(n), if n == 50 { ms(400) } else { ms(20) });
        }
        let figures = window.figures(ms(100));
        assert_close(figures.p99_ns, ms(20));
        assert_eq!(figures.max_ns, 400_000_000);
        assert_eq!(figures.mean_ns, 23_800_000);
    }

    #[test]
    fn a_single_value_is_every_figure_exactly() {
        let mut window = Window::new(ms(5000), Precision::PerMille);
        window.record(ms(7), Duration::from_nanos(12_345_678));
        let n = 12_345_678;
        assert_eq!(
            window.figures(ms(8)),
            Figures { count: 1, min_ns: n, mean_ns: n, p50_ns: n, p95_ns: n, p99_ns: n, max_ns: n }
        );
    }

    #[test]
    fn an_empty_window_is_all_zero() {
        assert_eq!(Window::new(ms(5000), Precision::PerMille).figures(ms(123)), Figures::default());
    }

    #[test]
    fn old_values_slide_out_a_tenth_of_the_window_at_a_time() {
        let mut window = Window::new(ms(1000), Precision::PerMille);
        window.record(ms(50), ms(500));
        window.record(ms(150), ms(10));
        assert_eq!(window.figures(ms(999)).max_ns, 500_000_000);
        // At 1000 ms the window is 100..1100: the first tenth has gone, the second has not.
        let figures = window.figures(ms(1000));
        assert_eq!((figures.count, figures.max_ns), (1, 10_000_000));
        assert_eq!(window.figures(ms(1100)), Figures::default());
    }

    #[test]
    fn a_pause_longer_than_the_window_empties_it() {
        let mut window = Window::new(ms(1000), Precision::PerMille);
        for n in 0..1000 {
            window.record(ms(n), ms(30));
        }
        assert_eq!(window.figures(ms(1_000_000)), Figures::default());
    }

    #[test]
    fn values_over_the_top_are_counted_and_their_maximum_is_exact() {
        let mut window = Window::new(ms(5000), Precision::PerMille);
        window.record(ms(0), Duration::from_secs(600));
        let figures = window.figures(ms(1));
        assert_eq!((figures.count, figures.max_ns), (1, 600_000_000_000));
        assert_eq!(figures.mean_ns, 600_000_000_000);
        // Percentiles of values over the top cannot lie below what was really seen.
        assert_eq!(figures.p50_ns, 600_000_000_000);
        window.record(ms(0), Duration::MAX);
        assert_eq!(window.figures(ms(1)).max_ns, u64::MAX);
    }

    #[test]
    fn zero_is_a_value() {
        let mut window = Window::new(ms(5000), Precision::PerMille);
        window.record(ms(0), Duration::ZERO);
        assert_eq!(window.figures(ms(0)), Figures { count: 1, ..Figures::default() });
    }

    #[test]
    fn time_that_jumps_back_starts_anew() {
        let mut window = Window::new(ms(1000), Precision::PerMille);
        window.record(ms(90_000), ms(300));
        window.record(ms(0), ms(20));
        let figures = window.figures(ms(1));
        assert_eq!((figures.count, figures.max_ns), (1, 20_000_000));
    }

    proptest! {
        #[test]
        fn agrees_with_sorting_what_is_in_the_window(
            values in proptest::collection::vec((0u64..200, 0u64..2_000_000_000), 1..300)
        ) {
            let mut window = Window::new(ms(1000), Precision::PerMille);
            let mut now = 0;
            let mut all = Vec::new();
            for (gap, value) in values {
                now += gap;
                window.record(ms(now), Duration::from_nanos(value));
                all.push((now / 100, value));
            }
            let mut kept: Vec<u64> =
                all.iter().filter(|(sub, _)| sub + 10 > now / 100).map(|&(_, value)| value).collect();
            kept.sort_unstable();
            let figures = window.figures(ms(now));
            prop_assert_eq!(figures.count, kept.len() as u64);
            prop_assert_eq!(figures.min_ns, kept[0]);
            prop_assert_eq!(figures.max_ns, kept[kept.len() - 1]);
            prop_assert_eq!(figures.mean_ns, kept.iter().sum::<u64>() / kept.len() as u64);
            for (got, quantile) in [(figures.p50_ns, 50), (figures.p95_ns, 95), (figures.p99_ns, 99)] {
                let exact = kept[(kept.len() * quantile).div_ceil(100) - 1];
                prop_assert!(got.abs_diff(exact) <= exact / 1000 + LOWEST_NS, "{} is not {}", got, exact);
            }
        }
    }
}
