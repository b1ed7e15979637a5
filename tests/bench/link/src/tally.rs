//! Decision: what a direction has done in a second, for people and programs to read as it happens.

use crate::link::{Fate, Outcome};
use serde::Serialize;
use std::time::Duration;

/// Packets and their bytes on the wire.
#[derive(Debug, Default, Clone, Copy, Serialize, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub packets: u64,
    /// How much.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }
}

/// Times in milliseconds; all 0 if there was nothing.
#[derive(Debug, Default, Clone, Copy, Serialize, PartialEq)]
pub struct Spread {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    /// By nearest rank.
    pub fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.saturating_sub(1)).map_or(0.0, |time| (time.as_secs_f64() * 1e6).round() / 1e3)
        };
        Self { p50: at(0.5), p95: at(0.95), max: at(1.0) }
    }
}

/// What happened since the last time.
#[derive(Debug, Default)]
pub struct Tally {
    offered: Amount,
    delivered: Amount,
    dropped: Amount,
    lost: Amount,
    waited: Vec<Duration>,
    late: Vec<Duration>,
}

/// The same, to be told.
#[derive(Debug, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// What came.
    pub offered: Amount,
    /// What was handed on.
    pub delivered: Amount,
    /// What the queue dropped, because it was full or by CoDel.
    pub dropped: Amount,
    /// What was lost by chance.
    pub lost: Amount,
    /// Time in the queue, without a packet's own length, of what was handed on or lost.
    pub queue_delay_ms: Spread,
    /// How much later than the link would have the relay has handed packets on: its own fault.
    pub late_ms: Spread,
}

impl Tally {
    /// A packet has come.
    pub fn offered(&mut self, bytes: u32) {
        self.offered.add(bytes);
    }

    /// A packet has ended, so much later than it should have.
    pub fn ended<T>(&mut self, outcome: &Outcome<T>, late: Duration) {
        let bytes = outcome.packet.bytes;
        match outcome.fate {
            Fate::Delivered => {
                self.delivered.add(bytes);
                self.waited.push(outcome.waited());
                self.late.push(late);
            }
            Fate::Lost => {
                self.lost.add(bytes);
                self.waited.push(outcome.waited());
            }
            Fate::QueueFull | Fate::Codel => self.dropped.add(bytes),
        }
    }

    /// Begins anew.
    pub fn tell(&mut self) -> Told {
        let Self { offered, delivered, dropped, lost, mut waited, mut late } = std::mem::take(self);
        let (queue_delay_ms, late_ms) = (Spread::of(&mut waited), Spread::of(&mut late));
        Told { offered, delivered, dropped, lost, queue_delay_ms, late_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Packet;

    #[test]
    fn a_second_has_what_ended_in_it_and_the_next_begins_with_nothing() {
        let mut tally = Tally::default();
        for ms in 1..=100 {
            tally.offered(1000);
            let started = Duration::from_millis(ms);
            let fate = if ms > 95 { Fate::QueueFull } else { Fate::Delivered };
            let packet = Packet { load: (), bytes: 1000, arrived: Duration::ZERO };
            tally.ended(&Outcome { packet, fate, started, due: started }, Duration::from_micros(ms));
        }
        let told = tally.tell();
        assert_eq!((told.offered.packets, told.delivered.bytes, told.dropped.bytes), (100, 95_000, 5_000));
        assert_eq!(told.queue_delay_ms, Spread { p50: 48.0, p95: 91.0, max: 95.0 });
        assert_eq!(told.late_ms.max, 0.095);
        assert_eq!(tally.tell(), Tally::default().tell());
    }
}
