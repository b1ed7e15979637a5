//! Decision: what follows when the running encoder fails: who is tried next, when it is given up, and when a better one
//! gets another chance. Refuses to know why an encoder failed beyond whether it hung.
//!
//! ```text
//!             fails                        proven again after the cool-down
//! running ────────────▶ cooling (30 s, 60 s, … 1 h) ────────────▶ running
//!    │                     │ hung for the third time
//!    │ healthy for long    ▼
//!    ▼                  never again: each hang costs a thread
//! forgiven
//! ```

use super::{codec::ChromaFormat, table::Row};
use std::{collections::HashMap, time::Duration};

/// Failures in a row, with no healthy time between them, after which it is not the encoders' fault.
pub const FAILURES_IN_A_ROW: u32 = 3;

/// An encoder that ran so long before it failed was healthy.
const HEALTHY: Duration = Duration::from_secs(30);

/// The longest cool-down, however often an encoder has failed.
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(3600);

/// Running for so many of its cool-downs, an encoder is forgiven what it did.
const FORGIVEN_AFTER: u32 = 4;

/// Hangs of one encoder after which it is not tried again.
const MOST_HANGS: u32 = 3;

/// What an encoder has done so far.
#[derive(Debug, Default)]
struct Record {
    failures: u32,
    hangs: u32,
    /// Until when it is left alone.
    cools_until: Duration,
    /// Whether it hung the last time.
    hung: bool,
}

/// An encoder, and which of its kinds.
type Kind = (&'static str, ChromaFormat);

fn kind(row: &Row) -> Kind {
    (row.factory, row.chroma_format)
}

/// Remembers failures. Times are durations since any fixed moment.
#[derive(Debug)]
pub struct Failover {
    cool_down: Duration,
    records: HashMap<Kind, Record>,
    in_a_row: u32,
    /// Since when the running encoder runs.
    since: Duration,
}

impl Failover {
    /// `cool_down` is the first; each further failure doubles it.
    pub fn new(cool_down: Duration) -> Self {
        Self { cool_down, records: HashMap::new(), in_a_row: 0, since: Duration::ZERO }
    }

    /// An encoder has begun to work.
    pub fn started(&mut self, now: Duration) {
        // One that comes back ends the healthy time of another.
        if now.saturating_sub(self.since) >= HEALTHY {
            self.in_a_row = 0;
        }
        self.since = now;
    }

    /// How long the running encoder has run.
    pub fn running_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// The running encoder has failed; false if that was once too often.
    pub fn failed(&mut self, row: &Row, hung: bool, now: Duration) -> bool {
        let was_healthy = now.saturating_sub(self.since) >= HEALTHY;
        self.in_a_row = if was_healthy { 1 } else { self.in_a_row + 1 };
        let forgiven = now.saturating_sub(self.since) >= self.cool_down_of(row) * FORGIVEN_AFTER;
        if let Some(record) = self.records.get_mut(&kind(row)).filter(|_| forgiven) {
            record.failures = 0;
        }
        self.rest(row, hung, now);
        self.in_a_row < FAILURES_IN_A_ROW
    }

    /// A candidate did not work for a reason that may pass.
    pub fn rest(&mut self, row: &Row, hung: bool, now: Duration) {
        let record = self.records.entry(kind(row)).or_default();
        record.failures = record.failures.saturating_add(1);
        record.hangs += u32::from(hung);
        record.hung = hung;
        let cool_down = self.cool_down_of(row);
        if let Some(record) = self.records.get_mut(&kind(row)) {
            record.cools_until = now + cool_down;
        }
    }

    fn cool_down_of(&self, row: &Row) -> Duration {
        let failures = self.records.get(&kind(row)).map_or(0, |record| record.failures);
        let doubled = self.cool_down.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(LONGEST_COOL_DOWN.max(self.cool_down))
    }

    fn cools(&self, row: &Row, now: Duration) -> bool {
        self.records.get(&kind(row)).is_some_and(|record| now < record.cools_until)
    }

    fn may_hang(&self, row: &Row) -> bool {
        self.records.get(&kind(row)).is_some_and(|record| record.hung)
    }

    /// Who is tried in which order after a failure: those that have not failed, then those that cool, the one that has
    /// cooled longest first: a fresh start may help where nothing else is left. Not those that hung.
    ///
    /// A device that has just hung keeps its other encoders too, and the picture would stand still for the whole time
    /// limit of each of their proofs: software comes before them.
    pub fn order(&self, candidates: &[&'static Row], now: Duration) -> Vec<&'static Row> {
        let stuck = candidates.iter().any(|row| row.hardware && self.cools(row, now) && self.may_hang(row));
        let mut fresh: Vec<_> =
            candidates.iter().filter(|row| !self.cools(row, now) && !self.may_hang(row)).collect();
        fresh.sort_by_key(|row| stuck && row.hardware);
        let mut cooling: Vec<_> =
            candidates.iter().filter(|row| self.cools(row, now) && !self.may_hang(row)).collect();
        cooling.sort_by_key(|row| self.records.get(&kind(row)).map(|record| record.cools_until));
        fresh.into_iter().chain(cooling).copied().collect()
    }

    /// The encoder to prove again in the background: one that is better than the running one, has failed, and has
    /// cooled down. Those that never worked are not waited for.
    pub fn comeback(
        &self,
        candidates: &[&'static Row],
        running: &Row,
        now: Duration,
    ) -> Option<&'static Row> {
        let better = candidates.iter().take_while(|row| !row.is(running));
        better.copied().find(|row| {
            self.records
                .get(&kind(row))
                .is_some_and(|record| now >= record.cools_until && record.hangs < MOST_HANGS)
        })
    }

    /// Whether this one has ever failed, or did not work.
    pub fn has_failed(&self, row: &Row) -> bool {
        self.records.contains_key(&kind(row))
    }

    /// A candidate did not work for a reason that lasts: it is not tried again.
    pub fn dismiss(&mut self, row: &Row) {
        self.records.entry(kind(row)).or_default().hangs = MOST_HANGS;
    }

    /// Whether this one may be tried now.
    pub fn may_try(&self, row: &Row, now: Duration) -> bool {
        let hangs = self.records.get(&kind(row)).map_or(0, |record| record.hangs);
        !self.cools(row, now) && hangs < MOST_HANGS
    }

    /// An encoder has come back; what it does from now on counts again.
    pub fn returned(&mut self, row: &Row, now: Duration) {
        if let Some(record) = self.records.get_mut(&kind(row)) {
            record.hung = false;
        }
        self.started(now);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table::ENCODERS, *};
    use proptest::prelude::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn rows(factories: &[&str]) -> Vec<&'static Row> {
        factories.iter().map(|factory| ENCODERS.iter().find(|row| row.factory == *factory).unwrap()).collect()
    }

    fn names(rows: &[&Row]) -> Vec<&'static str> {
        rows.iter().map(|row| row.factory).collect()
    }

    fn all() -> Vec<&'static Row> {
        rows(&["nvcudah264enc", "x264enc", "openh264enc"])
    }

    #[test]
    fn the_next_one_takes_over_and_the_failed_one_is_the_last_resort() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        assert!(failover.failed(all[0], false, s(10)));
        assert_eq!(names(&failover.order(&all, s(10))), ["x264enc", "openh264enc", "nvcudah264enc"]);
        failover.started(s(10));
        assert!(failover.failed(all[1], false, s(11)));
        assert_eq!(names(&failover.order(&all, s(11))), ["openh264enc", "nvcudah264enc", "x264enc"]);
    }

    #[test]
    fn an_encoder_that_hung_is_no_resort_at_all() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        failover.failed(all[0], true, s(10));
        assert_eq!(names(&failover.order(&all, s(10))), ["x264enc", "openh264enc"]);
        assert!(failover.order(&all[..1], s(10)).is_empty());
    }

    #[test]
    fn a_device_that_hung_does_not_hold_the_picture_for_the_proofs_of_its_other_encoders() {
        let candidates = rows(&["nvcudah264enc", "nvh264enc", "x264enc", "openh264enc"]);
        let mut failover = Failover::new(s(30));
        failover.failed(candidates[0], true, s(10));
        assert_eq!(names(&failover.order(&candidates, s(10))), ["x264enc", "openh264enc", "nvh264enc"]);
        assert_eq!(
            names(&failover.order(&candidates[..2], s(10))),
            ["nvh264enc"],
            "where hardware is required"
        );
        let mut failover = Failover::new(s(30));
        failover.failed(candidates[0], false, s(10));
        assert_eq!(names(&failover.order(&candidates, s(10)))[0], "nvh264enc");
    }

    #[test]
    fn the_third_failure_in_a_row_is_the_end() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        for (n, row) in all.iter().enumerate() {
            failover.started(s(n as u64));
            assert_eq!(failover.failed(row, false, s(n as u64 + 1)), n < 2);
        }
    }

    #[test]
    fn failures_with_healthy_time_between_them_are_not_in_a_row() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        for n in 0..20 {
            failover.started(s(100 * n));
            assert!(failover.failed(all[1], false, s(100 * n + 30)));
        }
    }

    #[test]
    fn a_bad_encoder_that_comes_back_now_and_then_does_not_end_the_stream() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        for n in 0..20 {
            failover.returned(all[0], s(100 * n));
            assert!(failover.failed(all[0], false, s(100 * n + 5)));
            failover.started(s(100 * n + 5));
        }
    }

    #[test]
    fn a_better_one_comes_back_after_its_cool_down_which_doubles_with_each_failure() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        let mut now = s(0);
        for wait in [30, 60, 120, 240] {
            failover.failed(all[0], false, now);
            failover.started(now);
            assert!(failover.comeback(&all, all[1], now + s(wait - 1)).is_none());
            now += s(wait);
            assert_eq!(failover.comeback(&all, all[1], now).unwrap().factory, "nvcudah264enc");
            failover.returned(all[0], now);
            now += s(31);
        }
    }

    #[test]
    fn what_never_failed_or_never_worked_does_not_come_back() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        assert!(failover.comeback(&all, all[1], s(99_999)).is_none());
        failover.failed(all[2], false, s(0));
        assert!(
            failover.comeback(&all, all[1], s(99_999)).is_none(),
            "openh264enc is not better than x264enc"
        );
    }

    #[test]
    fn after_a_long_healthy_time_a_failure_counts_as_the_first() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        for _ in 0..4 {
            failover.failed(all[0], false, s(0));
        }
        failover.returned(all[0], s(1000));
        failover.failed(all[0], false, s(1000 + 4 * 240));
        assert!(failover.comeback(&all, all[1], s(1000 + 960 + 29)).is_none());
        assert!(failover.comeback(&all, all[1], s(1000 + 960 + 30)).is_some());
    }

    #[test]
    fn a_driver_that_hangs_three_times_is_left_alone_for_good() {
        let (all, mut failover) = (all(), Failover::new(s(30)));
        for _ in 0..3 {
            assert!(failover.comeback(&all, all[1], s(99_999)).is_some() || failover.records.is_empty());
            failover.rest(all[0], true, s(0));
        }
        assert!(failover.comeback(&all, all[1], s(99_999)).is_none());
    }

    proptest! {
        /// However it fails, a bad encoder comes back less and less often: at most once a cool-down that doubles.
        #[test]
        fn it_does_not_flap(runs in prop::collection::vec(0u64..29, 1..60), hours in 1u64..24) {
            let (all, mut failover) = (all(), Failover::new(s(30)));
            let (mut now, mut comebacks) = (s(0), 0);
            failover.failed(all[0], false, now);
            for run in runs.iter().cycle() {
                while failover.comeback(&all, all[1], now).is_none() && now < s(hours * 3600) {
                    now += s(1);
                }
                if now >= s(hours * 3600) {
                    break;
                }
                comebacks += 1;
                failover.returned(all[0], now);
                now += s(*run);
                failover.failed(all[0], false, now);
            }
            prop_assert!(comebacks <= 7 + hours, "{comebacks} in {hours} h");
        }
    }
}
