//! Decision: which limit holds, for how long each has held, and how often it changed the size: W3C webrtc-stats'
//! `qualityLimitationReason`, `qualityLimitationDurations` and `qualityLimitationResolutionChanges`. Refuses to limit
//! anything itself.

use std::time::Duration;

/// The limit that holds. `Latency` is ours: W3C has no word for it but `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limitation {
    /// Full quality.
    #[default]
    None,
    /// The processors are too busy.
    Cpu,
    /// The bit rate does not suffice, or a consumer's network does not carry it.
    Bandwidth,
    /// Frames arrive too late.
    Latency,
}

impl Limitation {
    /// The word in stats and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cpu => "cpu",
            Self::Bandwidth => "bandwidth",
            Self::Latency => "latency",
        }
    }
}

/// Seconds that each limit has held.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Durations {
    /// Full quality.
    pub none: f64,
    /// [`Limitation::Cpu`].
    pub cpu: f64,
    /// [`Limitation::Bandwidth`].
    pub bandwidth: f64,
    /// [`Limitation::Latency`].
    pub latency: f64,
}

/// Keeps the books.
#[derive(Debug)]
pub struct Ledger {
    limitation: Limitation,
    since: Duration,
    past: Durations,
    resolution_changes: u32,
}

impl Ledger {
    /// Full quality from now on.
    pub fn new(now: Duration) -> Self {
        Self { limitation: Limitation::None, since: now, past: Durations::default(), resolution_changes: 0 }
    }

    /// This limit holds from now on.
    pub fn limited_by(&mut self, limitation: Limitation, now: Duration) {
        if limitation != self.limitation {
            self.past = self.durations(now);
            self.since = now;
            self.limitation = limitation;
        }
    }

    /// A limit has changed the size.
    pub fn resolution_changed(&mut self) {
        self.resolution_changes = self.resolution_changes.saturating_add(1);
    }

    /// How often limits have changed the size.
    pub const fn resolution_changes(&self) -> u32 {
        self.resolution_changes
    }

    /// Seconds until now.
    pub fn durations(&self, now: Duration) -> Durations {
        let mut durations = self.past;
        let seconds = match self.limitation {
            Limitation::None => &mut durations.none,
            Limitation::Cpu => &mut durations.cpu,
            Limitation::Bandwidth => &mut durations.bandwidth,
            Limitation::Latency => &mut durations.latency,
        };
        *seconds += now.saturating_sub(self.since).as_secs_f64();
        durations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_counts_for_exactly_one_limit() {
        let s = Duration::from_secs;
        let mut ledger = Ledger::new(s(100));
        ledger.limited_by(Limitation::Cpu, s(110));
        ledger.limited_by(Limitation::Cpu, s(112));
        ledger.limited_by(Limitation::Bandwidth, s(115));
        ledger.limited_by(Limitation::None, s(122));
        ledger.limited_by(Limitation::Latency, s(123));
        let expected = Durations { none: 11.0, cpu: 5.0, bandwidth: 7.0, latency: 2.0 };
        assert_eq!(ledger.durations(s(125)), expected);
    }

    #[test]
    fn the_words_are_those_of_webrtc_stats() {
        let all = [Limitation::None, Limitation::Cpu, Limitation::Bandwidth, Limitation::Latency];
        assert_eq!(all.map(Limitation::as_str), ["none", "cpu", "bandwidth", "latency"]);
    }
}
