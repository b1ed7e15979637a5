//! Decision: at which rate packets left and came. Both are rates of the same packets, so that they can be compared.

use crate::{Bitrate, DataSize};
use std::{collections::VecDeque, time::Duration};

/// Rates are of so long. A desktop's frames come each 16 ms, and feedback each 50 to 250.
pub const WINDOW: Duration = Duration::from_millis(250);

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
            && first.arrived + WINDOW < latest
        {
            self.recent.pop_front();
        }
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
