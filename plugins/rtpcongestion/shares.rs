//! Decision: how much of what the link carries is left for pictures: less sound, retransmissions, a reserve for the data
//! channels, and everything of a packet that is no picture. What counts is what was really sent over the last second.

use std::{collections::VecDeque, time::Duration};
use vdi_congestion::{Bitrate, Class, DataSize};

/// Over how long it is looked.
const WINDOW: Duration = Duration::from_secs(1);

/// In how many pieces.
const SLOT: Duration = Duration::from_millis(100);

/// For keys, pointers, reports and clocks; these packets are no RTP, so nobody counts them here.
const DATA_CHANNELS: Bitrate = Bitrate::from_kbps(20);

/// The reserve takes no more than this share, however little there is.
const MOST_FOR_DATA: f64 = 0.05;

/// Retransmissions take no more than this share: what a burst of loss needed now is not needed for long.
const MOST_FOR_RETRANSMISSIONS: f64 = 0.3;

/// Pictures get at least this: nothing at all would be no word to an encoder.
const LEAST: Bitrate = Bitrate::from_kbps(30);

/// What of a full packet of 1200 bytes is payload, as long as nothing was sent.
const USUAL_PAYLOAD: f64 = 0.95;

#[derive(Debug, Clone, Copy)]
struct Slot {
    began: Duration,
    by_class: [DataSize; 4],
    video_payload: DataSize,
}

/// What was sent lately.
#[derive(Debug, Default)]
pub struct Shares {
    slots: VecDeque<Slot>,
}

impl Shares {
    /// A packet has left: its weight on the wire, and its payload.
    pub fn sent(&mut self, class: Class, wire: DataSize, payload: DataSize, now: Duration) {
        if self.slots.back().is_none_or(|slot| now.saturating_sub(slot.began) >= SLOT) {
            self.slots.push_back(Slot {
                began: now,
                by_class: Default::default(),
                video_payload: DataSize::ZERO,
            });
            self.forget(now);
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.by_class[class as usize] += wire;
            if class == Class::Video {
                slot.video_payload += payload;
            }
        }
    }

    fn forget(&mut self, now: Duration) {
        while self.slots.front().is_some_and(|slot| now.saturating_sub(slot.began) >= WINDOW) {
            self.slots.pop_front();
        }
    }

    /// What a class took.
    fn rate(&self, class: Class) -> Bitrate {
        let sum = self.slots.iter().fold(DataSize::ZERO, |sum, slot| sum + slot.by_class[class as usize]);
        sum.per(WINDOW).unwrap_or_default()
    }

    /// What an encoder may make of an estimate for everything together.
    pub fn for_video(&mut self, estimate: Bitrate, now: Duration) -> Bitrate {
        self.forget(now);
        let retransmitted = self.rate(Class::Retransmission).min(estimate.scaled(MOST_FOR_RETRANSMISSIONS));
        let data = DATA_CHANNELS.min(estimate.scaled(MOST_FOR_DATA));
        let left = estimate.less(self.rate(Class::Audio)).less(retransmitted).less(data);
        left.scaled(self.payload_share()).max(LEAST)
    }

    /// Small frames carry less picture for their weight.
    fn payload_share(&self) -> f64 {
        let (wire, payload) =
            self.slots.iter().fold((DataSize::ZERO, DataSize::ZERO), |(wire, payload), slot| {
                (wire + slot.by_class[Class::Video as usize], payload + slot.video_payload)
            });
        if wire == DataSize::ZERO {
            return USUAL_PAYLOAD;
        }
        // The packets of a silent desktop are small; those of one that needs its share are not.
        (payload.bytes() as f64 / wire.bytes() as f64).clamp(0.8, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn bytes(bytes: u64) -> DataSize {
        DataSize::from_bytes(bytes)
    }

    #[test]
    fn before_anything_was_sent_the_usual_is_assumed() {
        let left = Shares::default().for_video(Bitrate::from_kbps(10_020), ms(0));
        assert_eq!(left, Bitrate::from_kbps(9500));
    }

    #[test]
    fn sound_retransmissions_and_headers_are_taken_off() {
        let mut shares = Shares::default();
        // 100 packets of sound of 200 bytes a second are 160 kbit/s; 50 retransmissions of 1000 bytes 400 kbit/s.
        for n in 0..100 {
            shares.sent(Class::Audio, bytes(200), bytes(140), ms(10 * n));
            shares.sent(Class::Video, bytes(1000), bytes(900), ms(10 * n));
            if n % 2 == 0 {
                shares.sent(Class::Retransmission, bytes(1000), bytes(900), ms(10 * n));
            }
        }
        let left = shares.for_video(Bitrate::from_kbps(4580), ms(999));
        assert_eq!(left, Bitrate::from_kbps(4000).scaled(0.9));
        // A second later nothing of it counts.
        assert_eq!(shares.for_video(Bitrate::from_kbps(10_020), ms(2500)), Bitrate::from_kbps(9500));
    }

    #[test]
    fn little_is_not_all_reserved() {
        let mut shares = Shares::default();
        for n in 0..100 {
            shares.sent(Class::Retransmission, bytes(1000), bytes(900), ms(10 * n));
        }
        let left = shares.for_video(Bitrate::from_kbps(100), ms(999));
        assert_eq!(left, Bitrate::from_kbps(65).scaled(USUAL_PAYLOAD));
    }

    #[test]
    fn memory_is_bounded() {
        let mut shares = Shares::default();
        for n in 0..100_000 {
            shares.sent(Class::Video, bytes(1000), bytes(900), ms(n));
        }
        assert!(shares.slots.len() <= 11);
    }
}
