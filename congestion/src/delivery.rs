//! Decision: at which rate packets left and came. Both are rates of the same packets, so that they can be compared.

use crate::{Bitrate, DataSize};
use std::{collections::VecDeque, time::Duration};

/// Rates are of so long. A desktop's frames come each 16 ms, and feedback each 50 to 250.
pub const WINDOW: Duration = Duration::from_millis(250);

/// A busy link tells its rate in so long and with so many packets.
const BUSY: Duration = Duration::from_millis(20);
const BUSY_PACKETS: usize = 8;

/// More are not kept, whatever is told of when they came.
const MOST_PACKETS: usize = 4096;

/// The peak is remembered for so long.
const PEAK_MEMORY: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
struct Arrival {
    sent: Duration,
    arrived: Duration,
    size: DataSize,
}

/// What came of late.
#[derive(Debug, Default)]
pub struct Delivery {
    recent: VecDeque<Arrival>,
    peaks: VecDeque<(Duration, Bitrate)>,
}

impl Delivery {
    /// A packet has arrived.
    pub fn arrived(&mut self, sent: Duration, arrived: Duration, size: DataSize) {
        // A receiver's clock that goes back makes no rate.
        if self.recent.back().is_some_and(|last| arrived + WINDOW < last.arrived) {
            self.recent.clear();
        }
        self.recent.push_back(Arrival { sent, arrived, size });
        let latest = self.recent.iter().rev().take(8).map(|arrival| arrival.arrived).max();
        while let (Some(first), Some(latest)) = (self.recent.front(), latest)
            && (first.arrived + WINDOW < latest || self.recent.len() > MOST_PACKETS)
        {
            self.recent.pop_front();
        }
    }

    /// Rate at which the newest packets came that all waited in a queue: the link was busy with them, and with nothing before them.
    /// `None` if they are too few to tell.
    pub fn busy_rate(&self, waited: impl Fn(Duration, Duration) -> bool) -> Option<Bitrate> {
        let busy = || self.recent.iter().rev().take_while(|packet| waited(packet.sent, packet.arrived));
        let (first, last) =
            (busy().map(|packet| packet.arrived).min()?, busy().map(|packet| packet.arrived).max()?);
        if busy().count() < BUSY_PACKETS || last - first < BUSY {
            return None;
        }
        let size = busy().fold(DataSize::ZERO, |sum, packet| sum + packet.size);
        let earliest = busy().find(|packet| packet.arrived == first)?.size;
        (size - earliest).per(last - first)
    }

    /// Rate at which they came, over the last window; `None` before there is enough of it.
    pub fn rate(&self) -> Option<Bitrate> {
        self.over(|arrival| arrival.arrived)
    }

    /// Rate at which the same packets left.
    pub fn sent_rate(&self) -> Option<Bitrate> {
        self.over(|arrival| arrival.sent)
    }

    fn over(&self, time: impl Fn(&Arrival) -> Duration) -> Option<Bitrate> {
        let begin = self.recent.iter().map(&time).min()?;
        let end = self.recent.iter().map(&time).max()?;
        let span = end.saturating_sub(begin);
        if span < WINDOW / 3 || self.recent.len() < 4 {
            return None;
        }
        let total: u64 = self.recent.iter().map(|arrival| arrival.size.bytes()).sum();
        // Between n packets there are n - 1 gaps.
        let first = self.recent.iter().find(|arrival| time(arrival) == begin)?.size;
        (DataSize::from_bytes(total) - first).per(span)
    }

    /// Remembers the present rate for the peak.
    pub fn note(&mut self, now: Duration) {
        if let Some(rate) = self.rate() {
            self.peaks.push_back((now, rate));
        }
        while self.peaks.front().is_some_and(|(at, _)| *at + PEAK_MEMORY < now) {
            self.peaks.pop_front();
        }
    }

    /// The highest rate of the last seconds.
    pub fn peak(&self) -> Option<Bitrate> {
        self.peaks.iter().map(|(_, rate)| *rate).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: DataSize = DataSize::from_bytes(1250);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn rates_are_of_the_same_packets() {
        let mut delivery = Delivery::default();
        // 10,000 bits leave each 5 ms, and come each 10.
        for n in 0..40 {
            delivery.arrived(ms(5 * n), ms(500 + 10 * n), PACKET);
        }
        let (sent, came) = (delivery.sent_rate().unwrap(), delivery.rate().unwrap());
        assert_eq!((sent.bps(), came.bps()), (2_000_000, 1_000_000));
    }

    #[test]
    fn too_little_makes_no_rate_and_a_clock_that_goes_back_begins_anew() {
        let mut delivery = Delivery::default();
        for n in 0..3 {
            delivery.arrived(ms(50 * n), ms(50 * n), PACKET);
        }
        assert_eq!(delivery.rate(), None);
        for n in 0..40 {
            delivery.arrived(ms(5 * n), ms(5000 + 10 * n), PACKET);
        }
        assert!(delivery.rate().is_some());
        delivery.arrived(ms(300), ms(10), PACKET);
        assert_eq!(delivery.rate(), None);
    }

    #[test]
    fn the_peak_lasts_for_some_seconds() {
        let mut delivery = Delivery::default();
        for n in 0..100 {
            delivery.arrived(ms(10 * n), ms(10 * n), PACKET);
            delivery.note(ms(10 * n));
        }
        assert_eq!(delivery.peak(), Some(Bitrate::from_kbps(1000)));
        for n in 0..50 {
            delivery.arrived(ms(1000 + 100 * n), ms(1000 + 100 * n), PACKET);
            delivery.note(ms(1000 + 100 * n));
        }
        assert_eq!(delivery.peak(), Some(Bitrate::from_kbps(1000)));
        delivery.note(ms(7000));
        assert_eq!(delivery.peak(), None);
    }
}
