//! Decision: what happens when the desktop's command or its display ends. Success ends the session, failure restarts it
//! with back-off, too many failures in a short time give up.

use std::{collections::VecDeque, time::Duration};

/// Failures within [`WINDOW`] after which the command is given up.
pub const MAX_FAILURES: usize = 3;
/// Time in which failures count together: a desktop that fell over once an hour ago is no broken one.
pub const WINDOW: Duration = Duration::from_secs(60);
/// First pause before a restart; it doubles with each failure in the window.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The session is over, as the user wished.
    End,
    /// Start it again after this pause.
    RestartAfter(Duration),
    /// It will not work.
    GiveUp,
}

/// The failures that still count.
#[derive(Debug, Default)]
pub struct RestartPolicy {
    failures: VecDeque<Duration>,
}

impl RestartPolicy {
    /// The command has ended at `now`.
    pub fn ended(&mut self, success: bool, now: Duration) -> Next {
        if success {
            return Next::End;
        }
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|first| now.saturating_sub(*first) >= WINDOW) {
            self.failures.pop_front();
        }
        match self.failures.len() {
            count if count >= MAX_FAILURES => Next::GiveUp,
            count => Next::RestartAfter(FIRST_PAUSE * (1 << (count - 1))),
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
    fn success_ends_the_session_even_after_failures() {
        let mut policy = RestartPolicy::default();
        policy.ended(false, s(1));
        assert_eq!(policy.ended(true, s(2)), Next::End);
    }

    #[test]
    fn third_failure_within_a_minute_gives_up() {
        let mut policy = RestartPolicy::default();
        assert_eq!(policy.ended(false, s(0)), Next::RestartAfter(Duration::from_millis(500)));
        assert_eq!(policy.ended(false, s(30)), Next::RestartAfter(s(1)));
        assert_eq!(policy.ended(false, s(59)), Next::GiveUp);
    }

    #[test]
    fn old_failures_are_forgiven() {
        let mut policy = RestartPolicy::default();
        for minute in 0..10 {
            assert_eq!(
                policy.ended(false, s(minute * 60)),
                Next::RestartAfter(FIRST_PAUSE),
                "minute {minute}"
            );
        }
    }
}
