//! Decision: how long things must have been good before quality is given back. A return that is bounced waits twice as
//! long the next time, so that a limit which lies between two steps is probed ever more rarely. Refuses to know what
//! the limit is.

use std::time::Duration;

/// The longest wait: whoever's network or machine has recovered gets the full picture back within five minutes.
const LONGEST: Duration = Duration::from_secs(300);

/// A step down so soon after a return is the return's fault, whatever the wait was.
const PROBATION: Duration = Duration::from_secs(30);

/// The wait before a return. Times are durations since any fixed moment.
#[derive(Debug, Clone)]
pub struct Patience {
    shortest: Duration,
    hold: Duration,
    /// The last return, as long as no step down has followed it.
    returned: Option<Duration>,
}

impl Patience {
    /// Patience that begins with `shortest`.
    pub const fn new(shortest: Duration) -> Self {
        Self { shortest, hold: shortest, returned: None }
    }

    /// How long things must have been good.
    pub const fn hold(&self) -> Duration {
        self.hold
    }

    /// Quality went up.
    pub fn returned(&mut self, now: Duration) {
        if self.returned.is_some() {
            // The return before was not bounced.
            self.hold = (self.hold / 2).max(self.shortest);
        }
        self.returned = Some(now);
    }

    /// Quality went down.
    pub fn stepped_down(&mut self, now: Duration) {
        let Some(returned) = self.returned.take() else { return };
        if now.saturating_sub(returned) <= PROBATION.max(self.hold * 2) {
            self.hold = (self.hold * 2).min(LONGEST);
        } else {
            self.hold = self.shortest;
        }
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
    fn returns_in_a_row_make_it_shorter_again() {
        let mut patience = Patience::new(s(5));
        for now in [0, 100, 200] {
            patience.returned(s(now));
            patience.stepped_down(s(now + 1));
        }
        assert_eq!(patience.hold(), s(40));
        for (now, hold) in [(300, 40), (400, 20), (500, 10), (600, 5), (700, 5)] {
            patience.returned(s(now));
            assert_eq!(patience.hold(), s(hold), "after the return at {now} s");
        }
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
    fn a_first_step_down_is_no_bounce() {
        let mut patience = Patience::new(s(5));
        patience.stepped_down(s(1));
        assert_eq!(patience.hold(), s(5));
    }
}
