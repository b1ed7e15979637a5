//! Decision: how many steps of quality are given up because frames arrive too late.
//!
//! A step takes a quarter of the bits and of the pixels per second, whatever makes frames late: a queue on the way
//! drains with fewer bits, an overloaded encoder or decoder catches up with fewer pixels. Refuses to know which.

use super::{lasting::Lasting, patience::Patience};
use std::time::Duration;

/// Above the limit for so long, by two reports of a consumer at least, a step is taken. One late key frame is no reason.
const STEP_AFTER: Duration = Duration::from_secs(2);

/// Between two steps: the effect of one takes a second to happen and up to two to be reported.
const SETTLE: Duration = Duration::from_secs(3);

/// A step is given back below this share of the limit. A step makes a third more bits, and so at most a third more
/// latency.
const RETURN_BELOW: f64 = 0.75;

/// The first wait before a step is given back.
const HOLD: Duration = Duration::from_secs(5);

/// A step down so soon after a return is the return's fault: on a link that is only just too narrow a queue takes its time.
const PROBATION: Duration = Duration::from_secs(100);

/// What a step leaves of bits and pixels per second.
const STEP: f64 = 0.75;

/// The most steps: a tenth of the bits is left, and the ladder's lowest rung is reached.
const MAX_STEPS: usize = 8;

/// Steps given up for latency.
#[derive(Debug)]
pub struct Latency {
    steps: usize,
    above: Lasting,
    below_since: Option<Duration>,
    stepped_at: Option<Duration>,
    /// Quality went down last, and not up.
    is_descending: bool,
    /// For the return to each step.
    patience: [Patience; MAX_STEPS],
}

impl Latency {
    /// Nothing given up.
    pub const fn new() -> Self {
        Self {
            steps: 0,
            above: Lasting::new(),
            below_since: None,
            stepped_at: None,
            is_descending: false,
            patience: [const { Patience::new(HOLD).with_probation(PROBATION) }; MAX_STEPS],
        }
    }

    /// Begins again without losing what was learnt about bounced returns.
    pub fn restart(&mut self) {
        *self = Self { patience: self.patience.clone(), ..Self::new() };
    }

    /// What is left of bits and pixels per second, 1 without a limit.
    pub fn share(&self) -> f64 {
        STEP.powi(i32::try_from(self.steps).unwrap_or(i32::MAX))
    }

    /// Whether anything is given up.
    pub const fn is_limiting(&self) -> bool {
        self.steps > 0
    }

    /// The latency now; an unknown one is no reason to give anything up.
    pub fn observe(&mut self, latency: Option<Duration>, max: Option<Duration>, now: Duration) {
        let Some(max) = max else { return self.restart() };
        let latency = latency.unwrap_or_default();
        let above = latency > max;
        let below = latency <= max.mul_f64(RETURN_BELOW);
        let is_late = self.above.observe(above, STEP_AFTER, now);
        self.below_since = below.then(|| self.below_since.unwrap_or(now));

        let lasted = |since: Option<Duration>| since.map(|since| now.saturating_sub(since));
        let settled = lasted(self.stepped_at).is_none_or(|time| time >= SETTLE);
        if is_late && settled && self.steps < MAX_STEPS {
            // A queue that has built up makes late even where it drains: only the first step of a descent was too much.
            if self.is_descending {
                self.patience[self.steps].passed();
            } else {
                self.patience[self.steps].stepped_down(now);
            }
            self.steps += 1;
            self.is_descending = true;
            self.above.restart();
            self.stepped_at = Some(now);
        } else if self.steps > 0 {
            let upper = self.steps - 1;
            if lasted(self.below_since).is_some_and(|time| time >= self.patience[upper].hold()) {
                self.patience[upper].returned(now);
                self.steps = upper;
                self.is_descending = false;
                self.below_since = None;
                self.stepped_at = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Option<Duration> = Some(Duration::from_millis(100));

    /// Observes a latency four times a second and tells the steps after each second.
    fn run(
        policy: &mut Latency,
        from_s: u64,
        seconds: u64,
        latency_ms: impl Fn(&Latency) -> u64,
    ) -> Vec<usize> {
        (from_s..from_s + seconds)
            .map(|second| {
                for quarter in 0..4 {
                    let now = Duration::from_millis(second * 1000 + quarter * 250);
                    let latency = Duration::from_millis(latency_ms(policy));
                    policy.observe(Some(latency), MAX, now);
                }
                policy.steps
            })
            .collect()
    }

    #[test]
    fn above_the_limit_quality_goes_down_step_by_step() {
        let mut policy = Latency::new();
        let steps = run(&mut policy, 0, 12, |_| 150);
        assert_eq!(steps, [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
        assert_eq!(policy.share(), 0.75_f64.powi(4));
        run(&mut policy, 12, 100, |_| 5000);
        assert_eq!(policy.steps, MAX_STEPS, "there is an end");
    }

    #[test]
    fn one_late_second_is_no_reason() {
        let mut policy = Latency::new();
        for second in 0..60 {
            let late = second % 5 == 0;
            let steps = run(&mut policy, second, 1, |_| if late { 900 } else { 90 });
            assert_eq!(steps, [0], "second {second}");
        }
    }

    #[test]
    fn quality_comes_back_when_it_holds_below_but_not_between_the_thresholds() {
        let mut policy = Latency::new();
        run(&mut policy, 0, 6, |_| 150);
        assert_eq!(policy.steps, 2);
        run(&mut policy, 6, 600, |_| 90);
        assert_eq!(policy.steps, 2, "90 ms is neither above 100 nor below 75");
        assert_eq!(run(&mut policy, 606, 12, |_| 70), [2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn a_limit_between_two_steps_is_probed_ever_more_rarely() {
        // 120 ms at full quality, 60 ms one step down: each return is bounced.
        let mut policy = Latency::new();
        let steps = run(&mut policy, 0, 3600, |policy| if policy.steps == 0 { 120 } else { 60 });
        let changes = steps.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // 6 doublings up to 300 s take 10 minutes, and then there are 2 changes in 303 s.
        assert!((15..=36).contains(&changes), "{changes} changes in an hour");
    }

    #[test]
    fn an_unknown_latency_gives_quality_back_and_no_limit_at_once() {
        let mut policy = Latency::new();
        run(&mut policy, 0, 6, |_| 150);
        for quarter in 24..=44 {
            policy.observe(None, MAX, Duration::from_millis(quarter * 250));
        }
        assert_eq!(policy.steps, 1);
        policy.observe(Some(Duration::from_secs(9)), None, Duration::from_secs(12));
        assert_eq!(policy.steps, 0);
    }
}
