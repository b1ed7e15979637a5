//! Decision: how much a page may say that somebody else has to deal with. (page, now) → heard, dropped or too much. Each page
//! has a bucket of its own, so that one that floods takes nothing from the others. Time is an argument.

use std::{collections::BTreeMap, time::Duration};

/// Messages that a page may send at once: what it says when it comes, and what a scripted one asks for in a row. People
/// click far slower.
const BURST: f64 = 100.0;
/// Messages a second in the long run: a slider that is drawn along sends one each time that the screen is drawn, and is let go
/// before the burst is used up.
const PER_SECOND: f64 = 20.0;
/// Dropped messages after which a page is closed: no page of ours gets there, and each one more costs the time of a
/// processor that the desktop needs.
const TOO_MANY: u32 = 1000;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed on.
    Heard,
    /// It is lost; `first` since the page has come.
    Dropped {
        /// Nobody was warned of this page yet.
        first: bool,
    },
    /// It is lost, and the page has to go. Said once.
    TooMuch,
}

/// The budgets of all pages that are here.
#[derive(Debug, Default)]
pub struct Budgets(BTreeMap<String, Bucket>);

#[derive(Debug)]
struct Bucket {
    messages: f64,
    /// When it was filled last.
    filled: Duration,
    /// Messages that were dropped since it was full.
    dropped: u32,
    warned: bool,
}

impl Budgets {
    /// A page has come.
    pub fn came(&mut self, page: &str, now: Duration) {
        let bucket = Bucket { messages: BURST, filled: now, dropped: 0, warned: false };
        self.0.entry(page.to_owned()).or_insert(bucket);
    }

    /// A page is gone.
    pub fn left(&mut self, page: &str) {
        self.0.remove(page);
    }

    /// A page says something at `now`.
    pub fn charge(&mut self, page: &str, now: Duration) -> Verdict {
        // Who is not here is not heard, and not kept in mind either.
        let Some(bucket) = self.0.get_mut(page) else { return Verdict::Dropped { first: false } };
        let passed = now.saturating_sub(bucket.filled).as_secs_f64();
        bucket.filled = bucket.filled.max(now);
        bucket.messages = (bucket.messages + passed * PER_SECOND).min(BURST);
        if bucket.messages >= BURST {
            bucket.dropped = 0;
        }
        if bucket.messages >= 1.0 {
            bucket.messages -= 1.0;
            return Verdict::Heard;
        }
        bucket.dropped = bucket.dropped.saturating_add(1);
        if bucket.dropped == TOO_MANY {
            return Verdict::TooMuch;
        }
        Verdict::Dropped { first: !std::mem::replace(&mut bucket.warned, true) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn pages() -> Budgets {
        let mut budgets = Budgets::default();
        budgets.came("a", s(0));
        budgets.came("b", s(0));
        budgets
    }

    /// How many of so many messages are heard.
    fn heard(budgets: &mut Budgets, page: &str, count: u32, now: Duration) -> usize {
        (0..count).filter(|_| budgets.charge(page, now) == Verdict::Heard).count()
    }

    #[test]
    fn burst_is_heard_and_what_follows_at_the_lasting_rate() {
        let mut budgets = pages();
        assert_eq!(heard(&mut budgets, "a", 150, s(0)), 100);
        assert_eq!(heard(&mut budgets, "a", 50, s(1)), 20);
        assert_eq!(heard(&mut budgets, "a", 150, s(60)), 100, "it never has more than a burst");
    }

    #[test]
    fn flood_of_one_page_takes_nothing_from_another() {
        let mut budgets = pages();
        heard(&mut budgets, "a", 50_000, s(0));
        assert_eq!(heard(&mut budgets, "b", 100, s(0)), 100);
    }

    #[test]
    fn page_is_warned_of_once_and_closed_once() {
        let mut budgets = pages();
        heard(&mut budgets, "a", 100, s(0));
        assert_eq!(budgets.charge("a", s(0)), Verdict::Dropped { first: true });
        let told: Vec<_> = (0..5000).map(|_| budgets.charge("a", s(0))).collect();
        assert_eq!(told.iter().filter(|told| **told == Verdict::TooMuch).count(), 1);
        assert_eq!(told.iter().position(|told| *told == Verdict::TooMuch), Some(998));
        assert!(!told.contains(&Verdict::Dropped { first: true }));
    }

    #[test]
    fn page_that_is_quiet_again_is_not_closed_for_what_it_said_long_ago() {
        let mut budgets = pages();
        for minute in 1..20 {
            heard(&mut budgets, "a", 600, s(60 * minute));
        }
        assert_eq!(budgets.charge("a", s(2000)), Verdict::Heard);
    }

    #[test]
    fn clock_that_stands_fills_nothing_and_who_is_gone_is_not_heard() {
        let mut budgets = pages();
        heard(&mut budgets, "a", 100, s(5));
        assert_eq!(heard(&mut budgets, "a", 10, s(4)), 0);
        budgets.left("b");
        assert_eq!(budgets.charge("b", s(9)), Verdict::Dropped { first: false });
        assert_eq!(budgets.0.len(), 1);
        // Another connection of a page that is here brings it no second burst.
        budgets.came("a", s(5));
        assert_eq!(heard(&mut budgets, "a", 10, s(5)), 0);
    }
}
