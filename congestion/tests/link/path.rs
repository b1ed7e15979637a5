//! A way through the network: one queue with a limit, a wire, and what the wire does to packets.

use super::trace::{Trace, normal};
use std::{collections::VecDeque, time::Duration};
use vdi_congestion::{Bitrate, DataSize};

/// How the queue keeps itself short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Discipline {
    /// Drops what no longer fits into so many bytes.
    DropTail(u64),
    /// A policer: no queue at all, and what is more than the rate is dropped once a bucket of so many bytes is empty.
    Police(u64),
    /// CoDel (RFC 8289): drops when packets have waited 5 ms for longer than 100 ms, ever more often.
    CoDel,
}

/// Loss that is not the queue's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// None.
    None,
    /// Each packet with this probability.
    Random(f64),
    /// Gilbert and Elliott: good times turn bad with the first probability, bad ones good with the second, and bad ones lose
    /// each packet with the third.
    Bursts(f64, f64, f64),
}

/// A way and its faults.
#[derive(Debug, Clone)]
pub struct Path {
    /// What it carries.
    pub trace: Trace,
    /// Its queue.
    pub discipline: Discipline,
    /// Time on the wire.
    pub delay: Duration,
    /// From this time on the way is so much longer.
    pub detour: Option<(Duration, Duration)>,
    /// So often, and for so long, nobody takes what has come: a browser without a processor.
    pub stalls: Option<(Duration, Duration)>,
    /// Standard deviation of the time on the wire; packets stay in order.
    pub jitter: Duration,
    /// Loss on the wire.
    pub loss: Loss,
    /// Share of packets that are held back so long that others overtake them.
    pub reordered: f64,
}

impl Path {
    /// A clean one with a queue of a tenth of a second.
    pub fn of(trace: Trace, rate: Bitrate, delay: Duration) -> Self {
        let queue = rate.over(Duration::from_millis(100)).bytes().max(15_000);
        Self {
            trace,
            discipline: Discipline::DropTail(queue),
            delay,
            detour: None,
            stalls: None,
            jitter: Duration::ZERO,
            loss: Loss::None,
            reordered: 0.0,
        }
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// It comes at this time, and has waited so long.
    Arrives {
        /// At the other end.
        at: Duration,
        /// Before its turn.
        waited: Duration,
    },
    /// It does not come.
    Lost,
}

/// A way in use. Packets are given to it in the order of time.
#[derive(Debug)]
pub struct Wire {
    path: Path,
    random: fastrand::Rng,
    /// When each packet in the queue has left, and its size.
    queue: VecDeque<(Duration, u64)>,
    queued: u64,
    free_at: Duration,
    last_arrival: Duration,
    is_bad: bool,
    codel: CoDel,
}

impl Wire {
    /// An idle one.
    pub fn new(path: Path, seed: u64) -> Self {
        Self {
            path,
            random: fastrand::Rng::with_seed(seed),
            queue: VecDeque::new(),
            queued: 0,
            free_at: Duration::ZERO,
            last_arrival: Duration::ZERO,
            is_bad: false,
            codel: CoDel::default(),
        }
    }

    /// How long a packet would wait now.
    pub fn waiting(&self, now: Duration) -> Duration {
        self.free_at.saturating_sub(now)
    }

    /// A packet comes to the queue.
    pub fn send(&mut self, size: DataSize, now: Duration) -> Fate {
        while let Some((_, bytes)) = self.queue.front().copied().filter(|(left, _)| *left <= now) {
            self.queued -= bytes;
            self.queue.pop_front();
        }
        let bytes = size.bytes();
        if let Discipline::DropTail(limit) = self.path.discipline
            && self.queued + bytes > limit
        {
            return Fate::Lost;
        }
        if let Discipline::Police(bucket) = self.path.discipline {
            // The bucket's level, as the time by which what it holds would have left.
            let left = self.path.trace.finish(self.free_at.max(now), size);
            if left - now > DataSize::from_bytes(bucket).at(self.path.trace.rate(now)) {
                return Fate::Lost;
            }
            self.free_at = left;
            return self.carry(now, Duration::ZERO);
        }
        let begin = self.free_at.max(now);
        if self.path.discipline == Discipline::CoDel && self.codel.drops(begin - now, begin) {
            return Fate::Lost;
        }
        let left = self.path.trace.finish(begin, size);
        // Without the time that its own bits take; a link that stands still lets it wait too.
        let own = size.at(self.path.trace.rate(left - Duration::from_nanos(1)));
        let waited = (left - now).saturating_sub(own);
        self.free_at = left;
        self.queue.push_back((left, bytes));
        self.queued += bytes;
        self.carry(left, waited)
    }

    /// A packet has left the queue.
    fn carry(&mut self, left: Duration, waited: Duration) -> Fate {
        if self.is_lost() {
            return Fate::Lost;
        }
        let jitter = self.path.jitter.mul_f64(normal(&mut self.random).abs());
        let detour = self.path.detour.filter(|(from, _)| left >= *from).map(|(_, longer)| longer);
        let at = left + self.path.delay + detour.unwrap_or_default() + jitter;
        let at = self.path.stalls.map_or(at, |(each, long)| {
            let into = Duration::from_nanos((at.as_nanos() % each.as_nanos()) as u64);
            if into < long { at + (long - into) } else { at }
        });
        if self.random.f64() < self.path.reordered {
            let held = Duration::from_millis(self.random.u64(1..20));
            return Fate::Arrives { at: at + held, waited };
        }
        self.last_arrival = at.max(self.last_arrival);
        Fate::Arrives { at: self.last_arrival, waited }
    }

    fn is_lost(&mut self) -> bool {
        match self.path.loss {
            Loss::None => false,
            Loss::Random(share) => self.random.f64() < share,
            Loss::Bursts(to_bad, to_good, share) => {
                let turn = if self.is_bad { to_good } else { to_bad };
                if self.random.f64() < turn {
                    self.is_bad = !self.is_bad;
                }
                self.is_bad && self.random.f64() < share
            }
        }
    }
}

/// The controlled delay of RFC 8289, 5.
#[derive(Debug, Default)]
struct CoDel {
    above_until: Option<Duration>,
    next_drop: Option<Duration>,
    count: u32,
}

impl CoDel {
    const TARGET: Duration = Duration::from_millis(5);
    const INTERVAL: Duration = Duration::from_millis(100);

    fn drops(&mut self, waited: Duration, now: Duration) -> bool {
        if waited < Self::TARGET {
            (self.above_until, self.next_drop) = (None, None);
            return false;
        }
        let due = *self.above_until.get_or_insert(now + Self::INTERVAL);
        if now < due {
            return false;
        }
        match self.next_drop {
            None => {
                self.count = if self.count > 2 { self.count - 2 } else { 1 };
                self.next_drop = Some(now + Self::INTERVAL.div_f64(f64::from(self.count).sqrt()));
                true
            }
            Some(at) if now >= at => {
                self.count += 1;
                self.next_drop = Some(at + Self::INTERVAL.div_f64(f64::from(self.count).sqrt()));
                true
            }
            Some(_) => false,
        }
    }
}
