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
/// What of a rate that was proven for 15 ms is taken for lasting.
const TRUST: f64 = 0.85;

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
}

impl Probing {
    /// The first is due at once.
    pub fn new(now: Duration) -> Self {
        Self { cluster: None, next: now }
    }

    /// The rate went down: not now.
    pub fn hold_off(&mut self, now: Duration) {
        self.cluster = None;
        self.next = self.next.max(now + FIRST);
    }

    /// A probe, if it is time for one.
    pub fn poll(&mut self, estimate: Bitrate, max: Bitrate, now: Duration) -> Option<Probe> {
        if let Some(cluster) = &self.cluster {
            if now < cluster.asked + PATIENCE {
                return None;
            }
            self.cluster = None;
            self.next = now + INTERVAL;
        }
        if now < self.next || estimate >= max {
            return None;
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
        let is_of_it =
            cluster.begin.is_some_and(|begin| begin <= sent) && cluster.end.is_none_or(|end| sent <= end);
        if !is_of_it {
            return;
        }
        cluster.told += 1;
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
    pub fn answer(&mut self, told_up_to: Duration, now: Duration) -> Option<Answer> {
        let cluster = self.cluster.filter(|cluster| cluster.end.is_some_and(|end| told_up_to >= end))?;
        self.cluster = None;
        self.next = now + INTERVAL;
        let answer = cluster.answer();
        if matches!(answer, Answer::Room(_)) {
            self.next = now;
        }
        Some(answer)
    }
}

impl Cluster {
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
        if left_at < self.wanted.rate.scaled(0.6) {
            return Answer::Nothing;
        }
        if came_at < left_at.scaled(SLOWER) {
            Answer::Limit(came_at.scaled(TRUST))
        } else {
            Answer::Room(came_at.min(left_at).min(self.wanted.rate).scaled(TRUST))
        }
    }
}
