//! Decision: a greedy flow that competes for a link as a download over TCP does: CUBIC (RFC 9438) with slow start, fast
//! recovery and a retransmission timeout. It says how many packets go now, and is told which have been acknowledged.

use std::{collections::BTreeSet, time::Duration};

/// Size of its packets on the wire.
pub const PACKET_BYTES: u32 = 1500;
/// RFC 9438, 4.1 and 4.6.
const C: f64 = 0.4;
const BETA: f64 = 0.7;
/// RFC 6928.
const INITIAL_WINDOW: f64 = 10.0;
const LEAST_WINDOW: f64 = 2.0;
/// A socket's buffer: 6 MB, as Linux has it.
const MOST_WINDOW: f64 = 4000.0;
/// So many later ones acknowledged mean that one is lost (RFC 5681, 3.2).
const DUPLICATES: u64 = 3;
/// The shortest retransmission timeout (Linux).
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);

/// The flow.
#[derive(Debug)]
pub struct Rival {
    window: f64,
    threshold: f64,
    /// The window before the last decrease, and when that was.
    most: f64,
    since: Duration,
    /// What Reno would have, which CUBIC does not stay below.
    reno: f64,
    next: u64,
    unacknowledged: BTreeSet<u64>,
    /// What was sent before this is part of a decrease that has been.
    recover: u64,
    round_trip: Duration,
    /// When the last acknowledgement came, or what went out after a silence.
    heard: Duration,
}

impl Rival {
    /// It begins.
    pub fn new(now: Duration) -> Self {
        Self {
            window: INITIAL_WINDOW,
            threshold: f64::INFINITY,
            most: 0.0,
            since: now,
            reno: 0.0,
            next: 0,
            unacknowledged: BTreeSet::new(),
            recover: 0,
            round_trip: Duration::from_millis(100),
            heard: now,
        }
    }

    /// Numbers of the packets that go now.
    pub fn go(&mut self, now: Duration) -> std::ops::Range<u64> {
        if !self.unacknowledged.is_empty() && now >= self.timeout() {
            self.unacknowledged.clear();
            self.threshold = (self.window * BETA).max(LEAST_WINDOW);
            self.window = LEAST_WINDOW;
            self.recover = self.next;
            self.heard = now;
        }
        if self.unacknowledged.is_empty() {
            self.heard = now;
        }
        let first = self.next;
        while (self.unacknowledged.len() as f64) < self.window.floor() {
            self.unacknowledged.insert(self.next);
            self.next += 1;
        }
        first..self.next
    }

    /// When to ask again, whatever comes until then.
    pub fn timeout(&self) -> Duration {
        self.heard + (self.round_trip * 2).max(LEAST_TIMEOUT)
    }

    /// A packet has been acknowledged, so long after it was sent.
    pub fn acknowledged(&mut self, number: u64, round_trip: Duration, now: Duration) {
        if !self.unacknowledged.remove(&number) {
            return;
        }
        self.heard = now;
        self.round_trip = (self.round_trip * 7 + round_trip) / 8;
        let kept = self.unacknowledged.split_off(&number.saturating_sub(DUPLICATES));
        let lost = std::mem::replace(&mut self.unacknowledged, kept);
        match lost.last() {
            Some(last) if *last >= self.recover => self.decrease(now),
            _ => self.grow(now),
        }
    }

    fn decrease(&mut self, now: Duration) {
        // Fast convergence (RFC 9438, 4.7).
        let is_below = self.window < self.most;
        self.most = if is_below { self.window * (1.0 + BETA) / 2.0 } else { self.window };
        self.window = (self.window * BETA).max(LEAST_WINDOW);
        self.threshold = self.window;
        self.reno = self.window;
        self.since = now;
        self.recover = self.next;
    }

    fn grow(&mut self, now: Duration) {
        if self.window < self.threshold {
            self.window = (self.window + 1.0).min(MOST_WINDOW);
            return;
        }
        let origin = (self.most * (1.0 - BETA) / C).max(0.0).cbrt();
        let time = (now.saturating_sub(self.since) + self.round_trip).as_secs_f64();
        let cubic = (C * (time - origin).powi(3) + self.most).min(1.5 * self.window);
        self.reno += 3.0 * (1.0 - BETA) / (1.0 + BETA) / self.window;
        let target = cubic.max(self.reno);
        if target > self.window {
            self.window = (self.window + (target - self.window) / self.window).min(MOST_WINDOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capacity::{Capacity, Rates},
        link::{Fate, Limit, Link, Packet, Shape},
    };
    use std::collections::VecDeque;

    const RETURN: Duration = Duration::from_millis(20);

    /// Bits that flows which begin so many seconds after one another get delivered in each of so many seconds.
    fn play(shape: Shape, flows: &[u64], seconds: u64) -> Vec<Vec<u64>> {
        let mut link = Link::new(shape, 1);
        let mut rivals: Vec<Rival> = flows.iter().map(|s| Rival::new(Duration::from_secs(*s))).collect();
        let mut back: VecDeque<(Duration, usize, u64, Duration)> = VecDeque::new();
        let mut bits = vec![vec![0; seconds as usize]; flows.len()];
        for ms in 0..seconds * 1000 {
            let now = Duration::from_millis(ms);
            while let Some(&(due, flow, number, sent)) = back.front()
                && due <= now
            {
                rivals[flow].acknowledged(number, now - sent, now);
                back.pop_front();
            }
            for (flow, rival) in
                rivals.iter_mut().enumerate().filter(|(flow, _)| now >= Duration::from_secs(flows[*flow]))
            {
                for number in rival.go(now) {
                    link.offer(Packet { load: (flow, number), bytes: PACKET_BYTES, arrived: now });
                }
            }
            while let Some(outcome) = link.take(now) {
                if outcome.fate == Fate::Delivered {
                    let (flow, number) = outcome.packet.load;
                    bits[flow][(ms / 1000) as usize] += u64::from(PACKET_BYTES) * 8;
                    back.push_back((outcome.due + RETURN, flow, number, outcome.packet.arrived));
                }
            }
        }
        bits
    }

    fn link() -> Shape {
        Shape {
            capacity: Capacity::Rates(Rates::constant(8_000_000)),
            limit: Limit::Time(Duration::from_millis(100)),
            delay: Duration::from_millis(20),
            ..Shape::default()
        }
    }

    #[test]
    fn alone_it_takes_what_the_link_has() {
        let bits = play(link(), &[0], 30);
        let mean = bits[0][5..].iter().sum::<u64>() / 25;
        // A packet may end a second later than it would by itself.
        assert!(mean > 7_600_000 && mean < 8_010_000, "{mean}");
    }

    #[test]
    fn two_of_them_share_in_the_long_run() {
        let bits = play(link(), &[0, 5], 90);
        let [one, other] = [0, 1].map(|flow| bits[flow][30..].iter().sum::<u64>() as f64);
        let share = other / (one + other);
        assert!((0.3..0.7).contains(&share), "{share}");
        assert!((one + other) / 60.0 > 7_500_000.0);
    }

    #[test]
    fn it_comes_back_after_an_outage() {
        let mut rates = Rates::constant(8_000_000);
        rates.then(Duration::from_secs(10), 0);
        rates.then(Duration::from_secs(13), 8_000_000);
        let bits = play(
            Shape { capacity: Capacity::Rates(rates), limit: Limit::Bytes(100_000), ..link() },
            &[0],
            25,
        );
        assert_eq!(bits[0][11], 0);
        assert!(bits[0][18..].iter().all(|bits| *bits > 7_000_000), "{bits:?}");
    }
}
