//! Decision: when a key frame is quicker than sending again what was lost. A link that narrows loses some ten frames before
//! anybody knows; sent again they would fill it for seconds, and nobody wants to see them any more.

use crate::{Bitrate, DataSize};
use std::{collections::VecDeque, time::Duration};

/// What was lost longer ago than this beyond a round trip has been sent again, or is not missed.
const MEMORY: Duration = Duration::from_millis(150);
/// And of so many packets at most.
const MOST_PACKETS: usize = 4096;
/// What takes longer to send again is not worth it.
const WORTH: Duration = Duration::from_millis(100);
/// An encoder is told of a new rate within so long.
const RATE_KNOWN: Duration = Duration::from_millis(40);
/// From one key frame to the next: time for the first to arrive.
const APART: Duration = Duration::from_millis(500);

/// What was lost of late.
#[derive(Debug, Default)]
pub struct Recovery {
    /// When it was told of, the number of the packet, and its size.
    lost: VecDeque<(Duration, u16, DataSize)>,
    last: Option<Duration>,
    /// When one will be wanted whatever is lost.
    due: Option<Duration>,
}

impl Recovery {
    /// The link carries so little all of a sudden that what is on its way will not come in time, if at all. Once the encoder
    /// knows the new rate, a key frame is worth more than it.
    pub fn replace(&mut self, now: Duration) {
        self.due.get_or_insert(now + RATE_KNOWN);
    }

    /// Whether what is on its way, and what waits for its turn, is to be replaced.
    pub fn is_replacing(&self) -> bool {
        self.due.is_some()
    }

    /// A packet of a picture was lost.
    pub fn lost(&mut self, sequence: u16, size: DataSize, now: Duration) {
        self.lost.push_back((now, sequence, size));
        while self.lost.len() > MOST_PACKETS {
            self.lost.pop_front();
        }
    }

    /// It has come after all.
    pub fn came(&mut self, sequence: u16) {
        self.lost.retain(|(_, lost, _)| *lost != sequence);
    }

    /// A key frame is next to leave. Whether it is to: it replaces all before it, unless the encoder has made it before it knew
    /// how narrow the link has become; then the next one does, which will be wanted whenever the last was.
    pub fn key_frame_comes(&mut self, now: Duration) -> bool {
        if self.due.is_some_and(|due| now < due) {
            self.last = None;
            return false;
        }
        self.lost.clear();
        self.due = None;
        self.last = Some(now);
        true
    }

    /// Whether a key frame is wanted instead of what was lost. Told once.
    pub fn wants_key_frame(&mut self, rate: Bitrate, round_trip: Duration, now: Duration) -> bool {
        while self.lost.front().is_some_and(|(at, ..)| *at + MEMORY + round_trip < now) {
            self.lost.pop_front();
        }
        let is_due = self.due.is_some_and(|due| now >= due);
        let missing = self.lost.iter().fold(DataSize::ZERO, |sum, (.., size)| sum + *size);
        if (missing.at(rate) <= WORTH && !is_due)
            || self.last.is_some_and(|last| now < last + APART + round_trip)
        {
            return false;
        }
        self.last = Some(now);
        self.lost.clear();
        self.due = None;
        true
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
    fn a_few_lost_packets_are_sent_again() {
        let mut recovery = Recovery::default();
        (0..9).for_each(|n| recovery.lost(n, PACKET, ms(100)));
        // Nine packets of 10 ms each.
        assert!(!recovery.wants_key_frame(Bitrate::from_kbps(1000), ms(20), ms(100)));
    }

    #[test]
    fn many_are_replaced_by_one_key_frame_and_not_by_a_storm_of_them() {
        let mut recovery = Recovery::default();
        let mut wanted = 0;
        for n in 0..100 {
            (0..20).for_each(|lost| recovery.lost(lost, PACKET, ms(10 * n)));
            wanted += u32::from(recovery.wants_key_frame(Bitrate::from_kbps(1000), ms(20), ms(10 * n)));
        }
        assert_eq!(wanted, 2, "in a second");
    }

    #[test]
    fn one_that_will_be_wanted_is_told_once_when_the_encoder_knows_its_rate() {
        let mut recovery = Recovery::default();
        recovery.replace(ms(1000));
        recovery.replace(ms(1050));
        let wanted = |at| recovery.wants_key_frame(Bitrate::from_kbps(1000), ms(20), ms(at));
        assert_eq!([1000, 1039, 1040, 1041, 3000].map(wanted), [false, false, true, false, false]);
    }

    #[test]
    fn key_frame_that_was_under_way_replaces_only_what_it_is_small_enough_for() {
        let rate = Bitrate::from_kbps(1000);
        let mut recovery = Recovery::default();
        (0..20).for_each(|lost| recovery.lost(lost, PACKET, ms(1000)));
        assert!(recovery.wants_key_frame(rate, ms(20), ms(1000)));
        recovery.replace(ms(1010));
        assert!(!recovery.key_frame_comes(ms(1020)), "it is of the rate before");
        assert!(recovery.wants_key_frame(rate, ms(20), ms(1050)), "the next one is not waited for");
        // A link that narrows once more while that is on its way.
        recovery.replace(ms(1060));
        assert!(recovery.key_frame_comes(ms(1110)));
        assert!(!recovery.is_replacing() && !recovery.wants_key_frame(rate, ms(20), ms(3000)));
    }

    #[test]
    fn what_is_lost_all_the_time_is_sent_again_and_what_came_late_was_not_lost() {
        let mut recovery = Recovery::default();
        // A fifth of 100 packets a second, at 1 Mbit/s.
        for n in 0..100_u16 {
            recovery.lost(n, PACKET, ms(50 * u64::from(n)));
            assert!(
                !recovery.wants_key_frame(Bitrate::from_kbps(1000), ms(50), ms(50 * u64::from(n))),
                "{n}"
            );
        }
        (100..150).for_each(|n| recovery.lost(n, PACKET, ms(5000)));
        (100..150).for_each(|n| recovery.came(n));
        assert!(!recovery.wants_key_frame(Bitrate::from_kbps(1000), ms(50), ms(5000)));
    }
}
