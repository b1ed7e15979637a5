//! Decision: how much of the estimate the sender uses. A desktop is silent for minutes and then sends a burst: what a link
//! carries when nothing is sent says nothing.

use crate::{Bitrate, DataSize};
use std::{collections::VecDeque, time::Duration};

/// Looked at over so long.
const WINDOW: Duration = Duration::from_millis(500);
/// In pieces of so long.
const PIECE: Duration = Duration::from_millis(20);

/// What was sent of late.
#[derive(Debug, Default)]
pub struct Usage {
    pieces: VecDeque<(Duration, DataSize)>,
}

impl Usage {
    /// A packet has left.
    pub fn sent(&mut self, size: DataSize, at: Duration) {
        match self.pieces.back_mut() {
            Some((begin, sum)) if at < *begin + PIECE => *sum += size,
            _ => self.pieces.push_back((at, size)),
        }
        while self.pieces.front().is_some_and(|(begin, _)| *begin + WINDOW < at) {
            self.pieces.pop_front();
        }
    }

    /// What has left after a time, of the last window.
    pub fn since(&self, time: Duration) -> DataSize {
        self.pieces
            .iter()
            .filter(|(begin, _)| *begin > time)
            .fold(DataSize::ZERO, |sum, (_, size)| sum + *size)
    }

    /// The rate over the last window.
    pub fn rate(&self, now: Duration) -> Bitrate {
        let recent = self.pieces.iter().filter(|(begin, _)| *begin + WINDOW >= now);
        let sum = recent.map(|(_, size)| size.bytes()).sum();
        DataSize::from_bytes(sum).per(WINDOW).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_half_a_second_and_silence_is_none() {
        let mut usage = Usage::default();
        for ms in (0..1000).step_by(10) {
            usage.sent(DataSize::from_bytes(1250), Duration::from_millis(ms));
        }
        let rate = usage.rate(Duration::from_millis(990));
        assert!((Bitrate::from_kbps(950)..=Bitrate::from_kbps(1050)).contains(&rate), "{rate:?}");
        assert_eq!(usage.rate(Duration::from_millis(1600)), Bitrate::ZERO);
    }
}
