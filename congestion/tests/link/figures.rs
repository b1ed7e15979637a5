//! What came of a session, in figures.

use super::{receiver::Shown, session::BIN, trace::Trace};
use std::time::Duration;
use vdi_congestion::{Bitrate, DataSize, Output};

/// One tenth of a second.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Bytes that left, probes and all.
    pub sent: u64,
    /// Bytes that came.
    pub delivered: u64,
    /// Bytes of the others.
    pub rival: u64,
    /// How long each packet has waited in the network.
    pub waited: Vec<Duration>,
    /// Packets that were lost.
    pub lost: u64,
    /// Probes.
    pub probes: u64,
    /// What the pacer holds.
    pub pacer: Duration,
    /// What the controller says.
    pub output: Option<Output>,
}

/// Of a whole session.
#[derive(Debug)]
pub struct Figures {
    trace: Trace,
    ceiling: Bitrate,
    /// Each tenth of a second, by its end.
    pub samples: Vec<(Duration, Sample)>,
    /// Frames that were shown.
    pub shown: Vec<Shown>,
}

/// Seconds as a duration.
pub fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

impl Figures {
    /// None yet.
    pub fn new(trace: Trace, ceiling: Bitrate) -> Self {
        Self { trace, ceiling, samples: Vec::new(), shown: Vec::new() }
    }

    /// One more.
    pub fn add(&mut self, end: Duration, sample: Sample) {
        self.samples.push((end, sample));
    }

    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &(Duration, Sample)> {
        self.samples.iter().filter(move |(end, _)| *end > s(from) && *end <= s(to))
    }

    /// Rate at which our packets came between two seconds.
    pub fn delivered(&self, from: f64, to: f64) -> Bitrate {
        let bytes = self.between(from, to).map(|(_, sample)| sample.delivered).sum();
        DataSize::from_bytes(bytes).per(s(to - from)).unwrap()
    }

    /// The same of the others.
    pub fn rival(&self, from: f64, to: f64) -> Bitrate {
        let bytes = self.between(from, to).map(|(_, sample)| sample.rival).sum();
        DataSize::from_bytes(bytes).per(s(to - from)).unwrap()
    }

    /// What the link would have carried, up to the ceiling.
    pub fn possible(&self, from: f64, to: f64) -> Bitrate {
        let rates =
            self.between(from, to).map(|(end, _)| self.trace.mean(*end - BIN, *end).min(self.ceiling).bps());
        let rates: Vec<_> = rates.collect();
        Bitrate::from_bps(rates.iter().sum::<u64>() / rates.len().max(1) as u64)
    }

    /// Share of that which was used.
    pub fn used(&self, from: f64, to: f64) -> f64 {
        self.delivered(from, to).bps() as f64 / self.possible(from, to).bps().max(1) as f64
    }

    /// A percentile of the time that packets have waited in the network.
    pub fn waited(&self, percent: f64, from: f64, to: f64) -> Duration {
        let all = self.between(from, to).flat_map(|(_, sample)| sample.waited.iter().copied());
        percentile(all.collect(), percent)
    }

    /// The least and the mean estimate.
    pub fn estimate(&self, from: f64, to: f64) -> (Bitrate, Bitrate) {
        let all = self.between(from, to).filter_map(|(_, sample)| Some(sample.output?.estimate.bps()));
        let all: Vec<_> = all.collect();
        let mean = all.iter().sum::<u64>() / all.len().max(1) as u64;
        (Bitrate::from_bps(all.iter().copied().min().unwrap_or(0)), Bitrate::from_bps(mean))
    }

    /// What the controller says at the end.
    pub fn last_output(&self) -> Output {
        self.samples.iter().rev().find_map(|(_, sample)| sample.output).unwrap()
    }

    /// The least share that the estimate had of what came in the three tenths of a second before.
    pub fn least_of_arriving(&self, from: f64, to: f64) -> f64 {
        self.between(from, to)
            .filter_map(|(end, sample)| {
                let end = end.as_secs_f64();
                let arriving = self.delivered(end - 0.3, end).bps().min(self.ceiling.bps()) as f64;
                Some(sample.output?.estimate.bps() as f64 / arriving.max(1.0))
            })
            .fold(f64::INFINITY, f64::min)
    }

    /// When the estimate first reached a rate after a second.
    pub fn reached(&self, rate: Bitrate, from: f64) -> Option<f64> {
        let first = self
            .between(from, f64::from(u32::MAX))
            .find(|(_, sample)| sample.output.is_some_and(|output| output.estimate >= rate))?;
        Some(first.0.as_secs_f64() - from)
    }

    /// Times without a new picture that lasted longer than this, while pictures were made.
    pub fn freezes(&self, longer: Duration, from: f64, to: f64) -> Vec<Duration> {
        let shown = self.shown.iter().map(|shown| shown.at).filter(|at| *at > s(from) && *at <= s(to));
        // Nothing at all, or nothing any more, is a freeze as well.
        let times: Vec<_> = [s(from)].into_iter().chain(shown).chain([s(to)]).collect();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.filter(|gap| *gap > longer).collect()
    }

    /// A percentile of the time from capture to screen.
    pub fn late(&self, percent: f64, from: f64, to: f64) -> Duration {
        let shown = self.shown.iter().filter(|shown| shown.captured >= s(from) && shown.captured < s(to));
        percentile(shown.map(|shown| shown.at - shown.captured).collect(), percent)
    }

    /// Share of packets that were lost.
    pub fn lost(&self, from: f64, to: f64) -> f64 {
        let lost: u64 = self.between(from, to).map(|(_, sample)| sample.lost).sum();
        let came: usize = self.between(from, to).map(|(_, sample)| sample.waited.len()).sum();
        lost as f64 / (lost as f64 + came as f64).max(1.0)
    }

    /// What it was worth to who looked at it: each doubling of what came is one, and so is each 50 ms in which the slowest of
    /// twenty pictures came earlier.
    pub fn utility(&self, from: f64, to: f64) -> f64 {
        let rate = self.delivered(from, to).bps().max(1000) as f64 / 1e6;
        rate.log2() - self.late(95.0, from, to).as_secs_f64() / 0.05
    }
}

fn percentile(mut all: Vec<Duration>, percent: f64) -> Duration {
    all.sort_unstable();
    let rank = (percent / 100.0 * all.len() as f64).ceil() as usize;
    all.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
