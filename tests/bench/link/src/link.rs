//! Decision: one direction of a link: what becomes of each packet, and when. Time is an argument; what a packet is, is the
//! caller's business.
//!
//! ```text
//! offer ─▶ queue (limit, CoDel) ─▶ capacity ─▶ loss ─▶ delay, jitter ─▶ take
//! ```

use crate::{
    capacity::Capacity,
    chance::{Chance, Loss},
    codel::Codel,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// A queue that is limited to less would lose packets although it is empty.
const LEAST_LIMIT_BYTES: u64 = 3000;
/// The most that any queue holds, whatever was asked for: a second at 500 Mbit/s.
const MOST_LIMIT_BYTES: u64 = 64 << 20;
/// Packets that are on their way behind the queue at most; what is more is lost.
const MOST_IN_THE_AIR: usize = 100_000;

/// Where a drop-tail queue ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At so many bytes.
    Bytes(u64),
    /// At as many as the link carries in this time, at the rate that it has at that moment.
    Time(Duration),
}

/// What a direction is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// What it carries.
    pub capacity: Capacity,
    /// The end of its queue.
    pub limit: Limit,
    /// Whether CoDel keeps the queue short.
    pub codel: bool,
    /// Time that every packet takes.
    pub delay: Duration,
    /// Time that a packet may take beyond that. It does not overtake, and none overtakes it.
    pub jitter: Duration,
    /// Share of packets that are held back by the whole jitter while others overtake them.
    pub reorder: f64,
    /// Loss that no queue causes. What is lost has been carried, as on a radio link.
    pub loss: Loss,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            capacity: Capacity::Unlimited,
            limit: Limit::Time(Duration::from_millis(100)),
            codel: false,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            loss: Loss::NONE,
        }
    }
}

/// How a packet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// At the other end.
    Delivered,
    /// The queue was full.
    QueueFull,
    /// CoDel took it.
    Codel,
    /// By chance.
    Lost,
}

/// A packet.
#[derive(Debug)]
pub struct Packet<T> {
    /// The packet itself.
    pub load: T,
    /// Its size on the wire.
    pub bytes: u32,
    /// When it came.
    pub arrived: Duration,
}

/// What became of a packet.
#[derive(Debug)]
pub struct Outcome<T> {
    /// The packet.
    pub packet: Packet<T>,
    /// How it ended.
    pub fate: Fate,
    /// When it left the queue, or was dropped: what it waited until then is the queueing delay.
    pub started: Duration,
    /// When it ended: due at the other end, if it is delivered.
    pub due: Duration,
}

impl<T> Outcome<T> {
    /// Time in the queue.
    pub const fn waited(&self) -> Duration {
        self.started.saturating_sub(self.packet.arrived)
    }
}

#[derive(Debug)]
struct Serving<T> {
    packet: Packet<T>,
    started: Duration,
    /// What was left of it when the capacity was asked, and when that was.
    left_bytes: u32,
    since: Duration,
    /// `None` while the link carries nothing.
    through: Option<Duration>,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link<T> {
    shape: Shape,
    chance: Chance,
    codel: Codel,
    queue: VecDeque<Packet<T>>,
    queued_bytes: u64,
    serving: Option<Serving<T>>,
    /// When the packet before was through.
    free_at: Duration,
    /// Behind the queue, by when they are due; the number keeps the order.
    air: BTreeMap<(Duration, u64), Outcome<T>>,
    ended: VecDeque<Outcome<T>>,
    number: u64,
    /// When the last one that keeps the order is due.
    last_due: Duration,
}

impl<T> Link<T> {
    /// An empty one.
    pub fn new(shape: Shape, seed: u64) -> Self {
        Self {
            shape,
            chance: Chance::new(seed),
            codel: Codel::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            serving: None,
            free_at: Duration::ZERO,
            air: BTreeMap::new(),
            ended: VecDeque::new(),
            number: 0,
            last_due: Duration::ZERO,
        }
    }

    /// What it is like.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Bytes that wait.
    pub const fn queued_bytes(&self) -> u64 {
        self.queued_bytes
    }

    /// Is something else from now on. What is half through goes on with the new capacity.
    pub fn change(&mut self, shape: Shape, now: Duration) {
        self.advance(now);
        let before = std::mem::replace(&mut self.shape, shape);
        if before.capacity == self.shape.capacity {
            return;
        }
        if let Some(serving) = &mut self.serving {
            let left = serving.through.map_or(1.0, |through| {
                let whole = through.saturating_sub(serving.since).as_secs_f64();
                through.saturating_sub(now).as_secs_f64() / whole.max(f64::MIN_POSITIVE)
            });
            serving.left_bytes = (f64::from(serving.left_bytes) * left.min(1.0)).round() as u32;
            serving.since = now;
            serving.through = self.shape.capacity.carry(now, serving.left_bytes);
        }
    }

    /// A packet has come. Packets come in the order of time.
    pub fn offer(&mut self, packet: Packet<T>) {
        let now = packet.arrived;
        self.advance(now);
        let is_full = self.queued_bytes + u64::from(packet.bytes) > self.limit_bytes(now);
        if is_full && self.serving.is_some() {
            self.ended.push_back(Outcome { packet, fate: Fate::QueueFull, started: now, due: now });
            return;
        }
        self.queued_bytes += u64::from(packet.bytes);
        self.queue.push_back(packet);
        self.advance(now);
    }

    /// When to ask again what has ended.
    pub fn next(&self) -> Option<Duration> {
        let ended = self.ended.front().map(|outcome| outcome.due);
        let through = self.serving.as_ref().and_then(|serving| serving.through);
        let due = self.air.first_key_value().map(|((due, _), _)| *due);
        [ended, through, due].into_iter().flatten().min()
    }

    /// The next packet that has ended by `now`.
    pub fn take(&mut self, now: Duration) -> Option<Outcome<T>> {
        self.advance(now);
        if let Some(outcome) = self.ended.pop_front() {
            return Some(outcome);
        }
        let first = self.air.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    fn limit_bytes(&self, now: Duration) -> u64 {
        let bytes = match self.shape.limit {
            Limit::Bytes(bytes) => bytes,
            Limit::Time(time) => self
                .shape
                .capacity
                .rate_bps(now)
                .map_or(MOST_LIMIT_BYTES, |bps| (bps as f64 / 8.0 * time.as_secs_f64()) as u64),
        };
        bytes.clamp(LEAST_LIMIT_BYTES, MOST_LIMIT_BYTES)
    }

    /// Lets pass what is through by `now`, and begins with what is next.
    fn advance(&mut self, now: Duration) {
        loop {
            if let Some(serving) =
                self.serving.take_if(|one| one.through.is_some_and(|through| through <= now))
            {
                let through = serving.through.unwrap_or(now);
                self.free_at = through;
                self.fly(serving.packet, serving.started, through);
            }
            if self.serving.is_some() {
                return;
            }
            let Some(packet) = self.queue.pop_front() else { return };
            self.queued_bytes -= u64::from(packet.bytes);
            let started = packet.arrived.max(self.free_at);
            let waited = started.saturating_sub(packet.arrived);
            if self.shape.codel && self.codel.drops(started, waited, self.queued_bytes) {
                self.ended.push_back(Outcome { packet, fate: Fate::Codel, started, due: started });
                continue;
            }
            let left_bytes = packet.bytes;
            let through = self.shape.capacity.carry(started, left_bytes);
            self.serving = Some(Serving { packet, started, left_bytes, since: started, through });
        }
    }

    fn fly(&mut self, packet: Packet<T>, started: Duration, through: Duration) {
        if self.chance.loses(self.shape.loss) || self.air.len() >= MOST_IN_THE_AIR {
            self.ended.push_back(Outcome { packet, fate: Fate::Lost, started, due: through });
            return;
        }
        let arrives = through + self.shape.delay;
        let due = if self.chance.happens(self.shape.reorder) {
            arrives + self.shape.jitter
        } else {
            self.last_due = self.last_due.max(arrives + self.chance.up_to(self.shape.jitter));
            self.last_due
        };
        self.number += 1;
        self.air.insert((due, self.number), Outcome { packet, fate: Fate::Delivered, started, due });
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
