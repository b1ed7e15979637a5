//! Decision: when to ask the link for more, and what its answer means. A probe is a short burst at twice the estimate: where
//! it comes as fast as it left, and the last of it waited no longer than the first, there is room. One that fails costs a
//! queue of a few milliseconds.

use crate::{Bitrate, DataSize, Probe};
use std::time::Duration;

/// A probe asks for so many times the estimate.
const FACTOR: f64 = 2.0;
/// And lasts so long.
const LENGTH: Duration = Duration::from_millis(8);
/// Fewer packets tell nothing.
const LEAST_SIZE: DataSize = DataSize::from_bytes(5 * 1250);
/// From one that failed to the next. A link that opens again is found open within this time.
const INTERVAL: Duration = Duration::from_millis(2000);
/// After the rate went down, the first.
const FIRST: Duration = Duration::from_millis(1000);
/// An answer that has not come is none.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Arriving so much more slowly than it left is a queue.
const SLOWER: f64 = 0.85;
/// While next to nothing is sent a probe says that the link is as it was: each time longer until the next, up to this.
const INTERVAL_IDLE: Duration = Duration::from_secs(5);
const INTERVAL_IDLE_MOST: Duration = Duration::from_secs(60);
/// And of an estimate above this share of what is wanted at most nothing is asked then: silence is to be silent.
const ENOUGH: f64 = 0.75;
/// Room that turned out to be none so soon after was that of a bucket which lets bursts through: for so long nothing is asked then,
/// each time twice as long.
const SOON: Duration = Duration::from_secs(5);
const DISTRUST: Duration = Duration::from_secs(10);
const DISTRUST_MOST: Duration = Duration::from_secs(60);
/// Room is asked for again at once where a probe has found so much of it.
const WORTH_MORE: f64 = 1.05;
/// A packet's time by the sender's session, by which feedback is held against it, is a little later than that at which it left.
const STAMPED: Duration = Duration::from_millis(5);
/// Arriving so many times as fast as it left is no rate of the link: a radio or a receiver has held it up for a moment.
const COMPRESSED: f64 = 2.0;
/// What of a rate that was proven for 8 ms is taken for lasting.
pub const TRUST: f64 = 0.85;

/// A probe on its way.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    wanted: Probe,
    /// When its first and last packet left, and how much in between.
    begin: Option<Duration>,
    end: Option<Duration>,
    left: DataSize,
    asked: Duration,
    // What has come of it.
    first: Option<(Duration, Duration)>,
    last: Option<(Duration, Duration)>,
    arrived: DataSize,
    /// What feedback has told of, and how much of it was lost.
    told_size: DataSize,
    lost: u32,
    told: u32,
}

/// What came of a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// So much goes, and perhaps more.
    Room(Bitrate),
    /// So much goes, and no more.
    Limit(Bitrate),
    /// It says nothing.
    Nothing,
}

/// Probes of one link.
#[derive(Debug)]
pub struct Probing {
    cluster: Option<Cluster>,
    next: Duration,
    /// The same while idle, and what will be added to it then.
    next_idle: Duration,
    interval_idle: Duration,
    /// When room was found last, and for how long nobody asks if that was none.
    room_at: Option<Duration>,
    distrust: Duration,
}

impl Probing {
    /// The first is due at once.
    pub fn new(now: Duration) -> Self {
        Self {
            cluster: None,
            next: now,
            next_idle: now,
            interval_idle: INTERVAL_IDLE,
            room_at: None,
            distrust: DISTRUST,
        }
    }

    /// The link drops what is above its rate, without a queue.
    pub fn limited(&mut self, now: Duration) {
        self.hold_off(now);
        match self.room_at.take() {
            Some(at) if now < at + SOON => {
                self.next = now + self.distrust;
                self.distrust = (2 * self.distrust).min(DISTRUST_MOST);
            }
            // It was found by growing, or by a probe that was right.
            _ => {}
        }
    }

    /// The rate went down: not now.
    pub fn hold_off(&mut self, now: Duration) {
        self.cluster = None;
        self.next = self.next.max(now + FIRST);
        (self.next_idle, self.interval_idle) = (self.next, INTERVAL_IDLE);
    }

    /// A probe, if it is time for one. `is_idle` says that most of the estimate is not used.
    pub fn poll(&mut self, estimate: Bitrate, max: Bitrate, is_idle: bool, now: Duration) -> Option<Probe> {
        if let Some(cluster) = &self.cluster {
            if now < cluster.asked + PATIENCE {
                return None;
            }
            self.cluster = None;
            self.next = now + INTERVAL;
        }
        if now < self.next || estimate >= if is_idle { max.scaled(ENOUGH) } else { max } {
            return None;
        }
        if !is_idle {
            self.interval_idle = INTERVAL_IDLE;
        } else if now < self.next_idle {
            return None;
        } else {
            self.next_idle = now + self.interval_idle;
            self.interval_idle = (2 * self.interval_idle).min(INTERVAL_IDLE_MOST);
        }
        // Proof for a little more than the most that is wanted.
        let rate = estimate.scaled(FACTOR).min(max.scaled(1.0 / TRUST));
        let wanted = Probe { rate, size: rate.over(LENGTH).max(LEAST_SIZE) };
        self.cluster = Some(Cluster {
            wanted,
            begin: None,
            end: None,
            left: DataSize::ZERO,
            asked: now,
            first: None,
            last: None,
            arrived: DataSize::ZERO,
            told_size: DataSize::ZERO,
            lost: 0,
            told: 0,
        });
        Some(wanted)
    }

    /// A packet has left.
    pub fn sent(&mut self, size: DataSize, at: Duration) {
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.end.is_none()) else { return };
        cluster.begin.get_or_insert(at);
        cluster.left += size;
        if cluster.left >= cluster.wanted.size {
            cluster.end = Some(at);
        }
    }

    /// Feedback tells of a packet.
    pub fn told(&mut self, sent: Duration, arrived: Option<Duration>, size: DataSize) {
        let Some(cluster) = &mut self.cluster else { return };
        let is_of_it = cluster.begin.is_some_and(|begin| begin <= sent)
            && cluster.end.is_none_or(|end| sent <= end + STAMPED)
            && cluster.told_size < cluster.left;
        if !is_of_it {
            return;
        }
        cluster.told += 1;
        cluster.told_size += size;
        match arrived {
            None => cluster.lost += 1,
            Some(arrived) => {
                if cluster.first.is_none() {
                    cluster.first = Some((sent, arrived));
                } else {
                    cluster.arrived += size;
                }
                cluster.last = Some((sent, arrived));
            }
        }
    }

    /// What came of it, once all of it is told of. `told_up_to` is when the last packet left that feedback has told of.
    pub fn answer(&mut self, estimate: Bitrate, told_up_to: Duration, now: Duration) -> Option<Answer> {
        let cluster = self.cluster.filter(|cluster| cluster.is_told(told_up_to))?;
        self.cluster = None;
        self.next = now + INTERVAL;
        let answer = cluster.answer();
        if matches!(answer, Answer::Room(rate) if rate > estimate.scaled(WORTH_MORE)) {
            if self.room_at.is_some_and(|at| now > at + DISTRUST_MOST) {
                self.distrust = DISTRUST;
            }
            self.room_at = Some(now);
            (self.next, self.next_idle, self.interval_idle) = (now, now, INTERVAL_IDLE);
        }
        Some(answer)
    }
}

impl Cluster {
    /// Whether feedback has told of all of it.
    fn is_told(&self, told_up_to: Duration) -> bool {
        let Some(end) = self.end else { return false };
        told_up_to >= end + STAMPED || (told_up_to >= end && self.told_size >= self.left)
    }

    fn answer(&self) -> Answer {
        let (Some(first), Some(last)) = (self.first, self.last) else { return Answer::Nothing };
        if self.told < 4 || self.lost * 5 > self.told {
            return Answer::Nothing;
        }
        let sent_in = last.0.saturating_sub(first.0);
        let came_in = last.1.saturating_sub(first.1);
        // What was held up and came all at once, or had nothing to leave with, says nothing.
        let Some(left_at) = self.arrived.per(sent_in) else { return Answer::Nothing };
        let came_at = self.arrived.per(came_in).unwrap_or(Bitrate::MAX);
        if left_at < self.wanted.rate.scaled(0.6) || came_at > left_at.scaled(COMPRESSED) {
            return Answer::Nothing;
        }
        // What left at once may come more slowly, and still as fast as was asked for.
        if came_at < left_at.scaled(SLOWER) && came_at < self.wanted.rate {
            Answer::Limit(came_at.scaled(TRUST))
        } else {
            Answer::Room(came_at.min(left_at).min(self.wanted.rate).scaled(TRUST))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATE: Bitrate = Bitrate::from_kbps(2000);
    const MAX: Bitrate = Bitrate::from_kbps(12_000);
    const PACKET: DataSize = DataSize::from_bytes(1250);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A probe that leaves as it is asked to, and whose packets come with so long from one to the next.
    fn answer(apart_us: u64, lost: u64) -> Option<Answer> {
        let mut probing = Probing::new(ms(0));
        let probe = probing.poll(ESTIMATE, MAX, false, ms(0))?;
        assert_eq!((probe.rate, probe.size), (ESTIMATE.scaled(2.0), DataSize::from_bytes(6250)));
        let leaves = |n: u64| Duration::from_micros(2500 * n);
        (0..5).for_each(|n| probing.sent(PACKET, leaves(n)));
        for n in 0..5 {
            let arrived = (n >= lost).then(|| ms(100) + Duration::from_micros(apart_us * n));
            probing.told(leaves(n), arrived, PACKET);
        }
        probing.answer(ESTIMATE, leaves(4), ms(120))
    }

    #[test]
    fn what_comes_as_it_left_has_room() {
        assert_eq!(answer(2500, 0), Some(Answer::Room(ESTIMATE.scaled(2.0).scaled(TRUST))));
    }

    #[test]
    fn what_comes_more_slowly_has_found_the_limit() {
        // 10,000 bits each 4 ms.
        assert_eq!(answer(4000, 0), Some(Answer::Limit(Bitrate::from_kbps(2500).scaled(TRUST))));
    }

    #[test]
    fn what_was_held_up_and_came_all_at_once_proves_nothing() {
        assert_eq!(answer(1300, 0), Some(Answer::Room(ESTIMATE.scaled(2.0).scaled(TRUST))));
        assert_eq!(answer(1200, 0), Some(Answer::Nothing));
        assert_eq!(answer(0, 0), Some(Answer::Nothing));
    }

    #[test]
    fn what_is_lost_proves_nothing() {
        assert_eq!(answer(2500, 2), Some(Answer::Nothing));
    }

    #[test]
    fn one_is_asked_at_a_time_and_none_above_what_is_wanted() {
        let mut probing = Probing::new(ms(0));
        assert_eq!(probing.poll(MAX, MAX, false, ms(0)), None);
        assert!(probing.poll(ESTIMATE, MAX, false, ms(0)).is_some());
        assert_eq!(probing.poll(ESTIMATE, MAX, false, ms(1000)), None, "its answer is waited for");
        assert_eq!(probing.poll(ESTIMATE, MAX, false, ms(1500)), None, "it never left");
        assert!(probing.poll(ESTIMATE, MAX, false, ms(3500)).is_some());
    }

    #[test]
    fn a_probe_that_left_at_once_proves_no_more_than_it_asked_for() {
        let mut probing = Probing::new(ms(0));
        assert!(probing.poll(ESTIMATE, MAX, false, ms(0)).is_some());
        let leaves = |n: u64| Duration::from_micros(100 * n);
        (0..5).for_each(|n| probing.sent(PACKET, leaves(n)));
        // Stamped a little later than they left, and 50 Mbit/s when they come.
        (0..5).for_each(|n| {
            probing.told(leaves(n + 3), Some(ms(100) + Duration::from_micros(200 * n)), PACKET);
        });
        assert_eq!(
            probing.answer(ESTIMATE, leaves(7), ms(120)),
            Some(Answer::Room(ESTIMATE.scaled(2.0).scaled(TRUST)))
        );
    }

    #[test]
    fn a_probe_that_finds_no_more_is_not_repeated_at_once_and_an_idle_screen_needs_little() {
        let mut probing = Probing::new(ms(0));
        assert!(probing.poll(ESTIMATE, MAX, false, ms(0)).is_some());
        let leaves = |n: u64| Duration::from_micros(2500 * n);
        (0..5).for_each(|n| probing.sent(PACKET, leaves(n)));
        (0..5).for_each(|n| probing.told(leaves(n), Some(leaves(n)), PACKET));
        let found = ESTIMATE.scaled(2.0).scaled(TRUST);
        assert_eq!(probing.answer(found, leaves(4), ms(120)), Some(Answer::Room(found)));
        assert_eq!(probing.poll(found, MAX, false, ms(121)), None);
        assert_eq!(probing.poll(MAX.scaled(0.8), MAX, true, ms(60_000)), None);
        assert!(probing.poll(MAX.scaled(0.8), MAX, false, ms(60_000)).is_some());
    }

    #[test]
    fn room_that_was_none_is_not_asked_for_again_for_a_while() {
        let mut probing = Probing::new(ms(0));
        let mut asked = Vec::new();
        for at in 0..200_000 {
            if at % 10 != 0 || probing.poll(ESTIMATE, MAX, false, ms(at)).is_none() {
                continue;
            }
            asked.push(at / 1000);
            let leaves = |n: u64| ms(at) + Duration::from_micros(2500 * n);
            (0..5).for_each(|n| probing.sent(PACKET, leaves(n)));
            (0..5).for_each(|n| probing.told(leaves(n), Some(leaves(n)), PACKET));
            assert!(matches!(probing.answer(ESTIMATE, leaves(4), ms(at + 120)), Some(Answer::Room(_))));
            probing.limited(ms(at + 2000));
        }
        assert_eq!(asked, [0, 12, 34, 76, 138]);
    }

    #[test]
    fn an_idle_screen_asks_ever_less_often_and_at_once_again_where_there_is_room() {
        let mut probing = Probing::new(ms(0));
        let mut asked = Vec::new();
        for second in 0..100 {
            if probing.poll(ESTIMATE, MAX, true, ms(1000 * second)).is_some() {
                asked.push(second);
            }
        }
        assert_eq!(asked, [0, 5, 15, 35, 75]);
    }
}
