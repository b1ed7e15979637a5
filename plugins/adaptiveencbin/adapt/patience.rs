//! Decision: how long things must have been good before a step of quality is given back. A return that is bounced waits
//! twice as long the next time, so that a limit which lies just below a step is probed ever more rarely. Each step has
//! patience of its own: going up to where all is well is never slow because one step more was too much. Refuses to know
//! what the limit is.

use std::time::Duration;

/// The longest wait: whoever's network or machine has recovered gets the full picture back within five minutes.
const LONGEST: Duration = Duration::from_secs(300);

/// A step down so soon after a return is the return's fault, whatever the wait was.
const PROBATION: Duration = Duration::from_secs(30);

/// The wait before the return to one step. Times are durations since any fixed moment.
#[derive(Debug, Clone)]
pub struct Patience {
    shortest: Duration,
    probation: Duration,
    hold: Duration,
    /// The last return, as long as no step down has followed it.
    returned: Option<Duration>,
}

impl Patience {
    /// Patience that begins with `shortest`.
    pub const fn new(shortest: Duration) -> Self {
        Self { shortest, probation: PROBATION, hold: shortest, returned: None }
    }

    /// The same for what shows only after a while that a return was too much.
    pub const fn with_probation(self, probation: Duration) -> Self {
        Self { probation, ..self }
    }

    /// How long things must have been good.
    pub const fn hold(&self) -> Duration {
        self.hold
    }

    /// Quality came back to this step.
    pub fn returned(&mut self, now: Duration) {
        self.returned = Some(now);
    }

    /// Quality went down from this step.
    pub fn stepped_down(&mut self, now: Duration) {
        let Some(returned) = self.returned.take() else { return };
        self.hold = if now.saturating_sub(returned) <= self.probation.max(self.hold * 2) {
            (self.hold * 2).min(LONGEST)
        } else {
            self.shortest
        };
    }

    /// Quality went down past this step, which is another one's fault.
    pub fn passed(&mut self) {
        self.returned = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_bounced_return_doubles_the_wait_up_to_five_minutes() {
        let mut patience = Patience::new(s(5));
        let mut now = s(0);
        let mut holds = Vec::new();
        for _ in 0..8 {
            patience.returned(now);
            patience.stepped_down(now + s(3));
            holds.push(patience.hold().as_secs());
            now += s(3) + patience.hold();
        }
        assert_eq!(holds, [10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_return_that_held_for_long_forgives_everything() {
        let mut patience = Patience::new(s(5));
        patience.returned(s(0));
        patience.stepped_down(s(1));
        patience.returned(s(20));
        patience.stepped_down(s(20 + 31));
        assert_eq!(patience.hold(), s(5));
    }

    #[test]
    fn what_shows_late_that_a_return_was_too_much_is_waited_for() {
        let mut patience = Patience::new(s(5)).with_probation(s(100));
        patience.returned(s(0));
        patience.stepped_down(s(90));
        assert_eq!(patience.hold(), s(10));
        patience.returned(s(100));
        patience.stepped_down(s(201));
        assert_eq!(patience.hold(), s(5));
    }

    #[test]
    fn neither_a_first_step_down_nor_one_that_only_passes_is_a_bounce() {
        let mut patience = Patience::new(s(5));
        patience.stepped_down(s(1));
        patience.returned(s(10));
        patience.passed();
        patience.stepped_down(s(11));
        assert_eq!(patience.hold(), s(5));
    }
}
