//! Decision: when which packet leaves. Sound goes before retransmissions, these before video, and all before padding; within a
//! class the order stays. What is sent is spread so that a shallow buffer takes it, and is never held longer than the link
//! itself would hold it. Refuses to drop anything: who fills it looks at `queued` and acts on frames.

use crate::{Bitrate, DataSize, Probe};
use std::{collections::VecDeque, time::Duration};

/// Timers are late by about so much; what one wake-up may send at once is the rate over this time.
const BURST: Duration = Duration::from_millis(5);

/// The same while a probe leaves: that is to arrive as it was asked for.
const BURST_OF_PROBE: Duration = Duration::from_millis(1);

/// Sound that takes more than there is delays the others by so much at most: the rate may rise at any time.
const MOST_DEBT: Duration = Duration::from_millis(100);

/// What a probe is to be made of may come so late.
const PATIENCE: Duration = Duration::from_millis(20);

/// What a packet is, in the order in which packets leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Sound: never waits.
    Audio,
    /// What was lost, sent again.
    Retransmission,
    /// Pictures.
    Video,
    /// What only asks whether the link carries more.
    Padding,
}

impl Class {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Audio, Self::Retransmission, Self::Video, Self::Padding];
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// Send this.
    Send(Class, DataSize, T),
    /// Look again at this time; or when a packet comes.
    At(Duration),
    /// Nothing waits.
    Empty,
}

/// Packets that wait for their turn.
#[derive(Debug)]
pub struct Pacer<T> {
    queues: [VecDeque<(DataSize, T)>; 4],
    queued: DataSize,
    rate: Bitrate,
    /// Before this time the link is taken for busy with what was sent.
    free_at: Duration,
    probe: Option<Probing>,
}

/// A probe that is on its way out.
#[derive(Debug)]
struct Probing {
    rate: Bitrate,
    left: DataSize,
    until: Duration,
}

impl<T> Pacer<T> {
    /// Lets packets go at this rate.
    pub fn new(rate: Bitrate) -> Self {
        Self {
            queues: Default::default(),
            queued: DataSize::ZERO,
            rate,
            free_at: Duration::ZERO,
            probe: None,
        }
    }

    /// Another rate. What was sent already is paid for at the old one.
    pub fn set_rate(&mut self, rate: Bitrate) {
        self.rate = rate;
    }

    /// What leaves next leaves at the probe's rate, whatever it is, until it is enough for the probe, or too late for it.
    pub fn probe(&mut self, probe: Probe, now: Duration) {
        let until = now.saturating_add(PATIENCE).saturating_add(probe.size.at(probe.rate));
        self.probe = Some(Probing { rate: probe.rate, left: probe.size, until });
        self.free_at = self.free_at.min(now);
    }

    /// A packet wants to leave.
    pub fn push(&mut self, class: Class, size: DataSize, packet: T) {
        self.queues[class as usize].push_back((size, packet));
        self.queued += size;
    }

    /// What waits, all classes together.
    pub fn queued(&self) -> DataSize {
        self.queued
    }

    /// How long what waits will take.
    pub fn delay(&self) -> Duration {
        self.queued.at(self.rate)
    }

    /// Forgets what waits of a class. How many packets that were.
    pub fn drop_all(&mut self, class: Class) -> usize {
        let dropped = std::mem::take(&mut self.queues[class as usize]);
        self.queued = dropped.iter().fold(self.queued, |sum, (size, _)| sum - *size);
        dropped.len()
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.queues.iter_mut().for_each(VecDeque::clear);
        self.queued = DataSize::ZERO;
    }

    /// The packet whose turn it is, if it is its time.
    pub fn next(&mut self, now: Duration) -> Next<T> {
        let Some(class) = Class::ALL.into_iter().find(|class| !self.queues[*class as usize].is_empty())
        else {
            return Next::Empty;
        };
        let burst = if self.probe.is_some() { BURST_OF_PROBE } else { BURST };
        let earliest = self.free_at.saturating_sub(burst);
        if class != Class::Audio && now < earliest {
            return Next::At(earliest);
        }
        let Some((size, packet)) = self.queues[class as usize].pop_front() else { return Next::Empty };
        self.queued = self.queued - size;
        let rate = self.spend(size, now);
        // An idle time is not saved up.
        self.free_at = self.free_at.max(now).saturating_add(size.at(rate));
        if class == Class::Audio {
            self.free_at = self.free_at.min(now.saturating_add(MOST_DEBT));
        }
        Next::Send(class, size, packet)
    }

    /// The rate at which so much leaves now.
    fn spend(&mut self, size: DataSize, now: Duration) -> Bitrate {
        let Some(probe) = &mut self.probe else { return self.rate };
        let rate = self.rate.max(probe.rate);
        probe.left = probe.left - size;
        if probe.left == DataSize::ZERO || now > probe.until {
            self.probe = None;
        }
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: DataSize = DataSize::from_bytes(1250);
    /// One packet of 10,000 bits each 10 ms.
    const RATE: Bitrate = Bitrate::from_kbps(1000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn leaving(pacer: &mut Pacer<u32>, until: Duration) -> Vec<(u64, u32)> {
        let mut now = Duration::ZERO;
        let mut left = Vec::new();
        while now <= until {
            match pacer.next(now) {
                Next::Send(_, _, packet) => left.push((now.as_millis() as u64, packet)),
                Next::At(at) => now = at,
                Next::Empty => break,
            }
        }
        left
    }

    #[test]
    fn packets_are_spread_over_the_time_that_they_take() {
        let mut pacer = Pacer::new(RATE);
        (0..4).for_each(|n| pacer.push(Class::Video, PACKET, n));
        assert_eq!(pacer.delay(), ms(40));
        assert_eq!(leaving(&mut pacer, ms(100)), [(0, 0), (5, 1), (15, 2), (25, 3)]);
        assert_eq!(pacer.queued(), DataSize::ZERO);
    }

    #[test]
    fn sound_never_waits_and_counts() {
        let mut pacer = Pacer::new(RATE);
        (0..3).for_each(|n| pacer.push(Class::Video, PACKET, n));
        assert!(matches!(pacer.next(ms(0)), Next::Send(Class::Video, PACKET, 0)));
        pacer.push(Class::Audio, PACKET, 9);
        assert!(matches!(pacer.next(ms(1)), Next::Send(Class::Audio, PACKET, 9)));
        assert_eq!(pacer.next(ms(1)), Next::At(ms(15)), "its time is taken from the pictures");
    }

    #[test]
    fn what_was_lost_goes_before_new_pictures_and_padding_last() {
        let mut pacer = Pacer::new(Bitrate::MAX);
        for class in [Class::Padding, Class::Video, Class::Retransmission, Class::Audio] {
            pacer.push(class, PACKET, class as u32);
        }
        let order: Vec<_> = leaving(&mut pacer, ms(10)).into_iter().map(|(_, packet)| packet).collect();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn silence_is_not_saved_up() {
        let mut pacer = Pacer::new(RATE);
        pacer.push(Class::Video, PACKET, 0);
        assert!(matches!(pacer.next(ms(0)), Next::Send(..)));
        (1..4).for_each(|n| pacer.push(Class::Video, PACKET, n));
        assert!(matches!(pacer.next(ms(5000)), Next::Send(..)));
        assert_eq!(pacer.next(ms(5000)), Next::At(ms(5005)));
    }

    #[test]
    fn a_rate_of_nothing_holds_all_but_sound() {
        let mut pacer = Pacer::new(Bitrate::ZERO);
        pacer.push(Class::Video, PACKET, 0);
        assert!(matches!(pacer.next(ms(0)), Next::Send(..)), "one is on its way before that is known");
        pacer.push(Class::Video, PACKET, 1);
        pacer.push(Class::Audio, PACKET, 2);
        assert!(matches!(pacer.next(ms(10)), Next::Send(Class::Audio, PACKET, 2)));
        assert!(matches!(pacer.next(ms(10)), Next::At(_)));
    }
}
