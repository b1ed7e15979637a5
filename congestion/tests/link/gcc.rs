//! The controller to be held against: draft-ietf-rmcat-gcc-02, as it stands there, without probes, with the pacing factor 1.0 of
//! the element `rtpgccbwe`.

use super::session::Candidate;
use std::{collections::VecDeque, time::Duration};
use vdi_congestion::{Bitrate, Bounds, DataSize, Output, Probe, Report};

/// Packets that left within so long are one group (table 1).
const BURST: Duration = Duration::from_millis(5);
/// Of the filter (5.3): process noise, and the smoothing of the measurement's.
const PROCESS_NOISE: f64 = 1e-3;
const CHI: f64 = 0.01;
/// Overuse lasts so long (table 1).
const OVERUSE_MS: f64 = 10.0;
/// Of the adaptive threshold (5.4), per ms.
const THRESHOLD_UP: f64 = 0.01;
const THRESHOLD_DOWN: f64 = 0.000_18;
/// What is left after a decrease (5.5).
const BETA: f64 = 0.85;

#[derive(Debug, Clone, Copy, Default)]
struct Group {
    first_sent: f64,
    last_sent: f64,
    arrived: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Signal {
    Normal,
    Over,
    Under,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Increase,
    Decrease,
    Hold,
}

/// Its state. Times are in ms.
#[derive(Debug)]
pub struct Gcc {
    bounds: Bounds,
    by_delay: f64,
    by_loss: f64,
    group: Option<Group>,
    before: Option<Group>,
    offset: f64,
    covariance: f64,
    noise: f64,
    threshold: f64,
    over_for: f64,
    last_offset: f64,
    last_group_at: f64,
    mode: Mode,
    arrivals: VecDeque<(f64, u64)>,
    mean: Option<(f64, f64)>,
    round_trip: f64,
    last_update: f64,
    last_decrease: f64,
    told: VecDeque<(Duration, bool)>,
    last_loss: f64,
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Gcc {
    /// Begins with an estimate.
    pub fn new(bounds: Bounds, start: Bitrate) -> Self {
        let start = start.bps() as f64;
        Self {
            bounds,
            by_delay: start,
            by_loss: start,
            group: None,
            before: None,
            offset: 0.0,
            covariance: 0.1,
            noise: 0.0,
            threshold: 12.5,
            over_for: 0.0,
            last_offset: 0.0,
            last_group_at: 0.0,
            mode: Mode::Increase,
            arrivals: VecDeque::new(),
            mean: None,
            round_trip: 100.0,
            last_update: 0.0,
            last_decrease: -1e9,
            told: VecDeque::new(),
            last_loss: 0.0,
        }
    }

    fn packet(&mut self, sent: f64, arrived: f64) -> Signal {
        let Some(group) = &mut self.group else {
            self.group = Some(Group { first_sent: sent, last_sent: sent, arrived });
            return Signal::Normal;
        };
        if sent - group.first_sent <= ms(BURST) {
            (group.last_sent, group.arrived) = (sent, arrived.max(group.arrived));
            return Signal::Normal;
        }
        let done = *group;
        self.group = Some(Group { first_sent: sent, last_sent: sent, arrived });
        let Some(before) = self.before.replace(done) else { return Signal::Normal };
        let variation = (done.arrived - before.arrived) - (done.last_sent - before.last_sent);
        self.filter(variation);
        self.detect(done.arrived)
    }

    fn filter(&mut self, variation: f64) {
        let z = variation - self.offset;
        let z = z.clamp(-3.0 * self.noise.sqrt().max(1.0), 3.0 * self.noise.sqrt().max(1.0));
        let alpha = (1.0 - CHI).powf(30.0 / (1000.0 * 60.0));
        self.noise = (alpha * self.noise + (1.0 - alpha) * z * z).max(1.0);
        let gain = (self.covariance + PROCESS_NOISE) / (self.noise + self.covariance + PROCESS_NOISE);
        self.offset += z * gain;
        self.covariance = (1.0 - gain) * (self.covariance + PROCESS_NOISE);
    }

    fn detect(&mut self, at: f64) -> Signal {
        let elapsed = (at - self.last_group_at).clamp(0.0, 100.0);
        self.last_group_at = at;
        // As implementations do, the offset counts as often as groups have told of it, 60 at most.
        let offset = self.offset * 60.0;
        let factor = if offset.abs() < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
        let signal = if offset > self.threshold {
            self.over_for += elapsed;
            if self.over_for > OVERUSE_MS && offset >= self.last_offset {
                self.over_for = 0.0;
                Signal::Over
            } else {
                Signal::Normal
            }
        } else {
            self.over_for = 0.0;
            if offset < -self.threshold { Signal::Under } else { Signal::Normal }
        };
        self.last_offset = offset;
        if (offset.abs() - self.threshold) <= 15.0 {
            self.threshold += elapsed * factor * (offset.abs() - self.threshold);
            self.threshold = self.threshold.clamp(6.0, 600.0);
        }
        signal
    }

    fn received(&self) -> f64 {
        let (Some(first), Some(last)) = (self.arrivals.front(), self.arrivals.back()) else { return 0.0 };
        let span = (last.0 - first.0).max(100.0);
        self.arrivals.iter().map(|(_, size)| *size as f64 * 8.0).sum::<f64>() / span * 1000.0
    }

    fn control(&mut self, signal: Signal, now: f64) {
        self.mode = match (signal, self.mode) {
            (Signal::Over, _) => Mode::Decrease,
            (Signal::Under, _) => Mode::Hold,
            (Signal::Normal, Mode::Hold | Mode::Increase) => Mode::Increase,
            (Signal::Normal, Mode::Decrease) => Mode::Hold,
        };
        let received = self.received();
        let elapsed = (now - self.last_update).clamp(0.0, 1000.0);
        self.last_update = now;
        match self.mode {
            Mode::Hold => {}
            Mode::Decrease if now - self.last_decrease > 100.0 => {
                self.last_decrease = now;
                let (mean, spread) = self.mean.unwrap_or((received, received * 0.1));
                let mean = mean + 0.5 * (received - mean);
                self.mean = Some((mean, spread + 0.5 * ((received - mean).abs() - spread)));
                self.by_delay = (BETA * received).min(self.by_delay);
            }
            Mode::Decrease => {}
            Mode::Increase => {
                let is_close = self
                    .mean
                    .is_some_and(|(mean, spread)| (received - mean).abs() < 3.0 * spread.max(0.02 * mean));
                let grown = if is_close {
                    let response = 100.0 + self.round_trip;
                    self.by_delay
                        + (0.5 * (elapsed / response).min(1.0) * 9600.0).max(1000.0 * elapsed / 1000.0)
                } else {
                    self.mean = None;
                    self.by_delay * 1.08_f64.powf(elapsed / 1000.0)
                };
                self.by_delay = grown.min((1.5 * received).max(self.by_delay));
            }
        }
    }

    fn lost(&mut self, now: f64) {
        if now - self.last_loss < 200.0 || self.told.len() < 20 {
            return;
        }
        self.last_loss = now;
        let share = self.told.iter().filter(|(_, lost)| *lost).count() as f64 / self.told.len() as f64;
        if share > 0.1 {
            self.by_loss *= 1.0 - 0.5 * share;
        } else if share < 0.02 {
            self.by_loss *= 1.05;
        }
    }

    fn clamp(&self, rate: f64) -> f64 {
        rate.clamp(self.bounds.min.bps() as f64, self.bounds.max.bps() as f64)
    }
}

impl Candidate for Gcc {
    fn sent(&mut self, _: DataSize, _: Duration) {}

    fn feedback(&mut self, reports: &[Report], now: Duration) {
        let mut worst = Signal::Normal;
        for report in reports {
            self.told.push_back((report.sent, report.arrived.is_none()));
            let Some(arrived) = report.arrived else { continue };
            self.arrivals.push_back((ms(arrived), report.size.bytes()));
            while self.arrivals.front().is_some_and(|(at, _)| *at + 500.0 < ms(arrived)) {
                self.arrivals.pop_front();
            }
            self.round_trip = ms(now - report.sent);
            let signal = self.packet(ms(report.sent), ms(arrived));
            worst = match (worst, signal) {
                (Signal::Over, _) | (_, Signal::Over) => Signal::Over,
                (Signal::Under, _) | (_, Signal::Under) => Signal::Under,
                _ => Signal::Normal,
            };
        }
        while self.told.front().is_some_and(|(at, _)| *at + Duration::from_secs(1) < now) {
            self.told.pop_front();
        }
        self.control(worst, ms(now));
        self.lost(ms(now));
        self.by_delay = self.clamp(self.by_delay);
        self.by_loss = self.clamp(self.by_loss);
    }

    fn poll(&mut self, _: Duration) -> Option<Probe> {
        None
    }

    fn output(&self) -> Output {
        let estimate = Bitrate::from_bps(self.clamp(self.by_delay.min(self.by_loss)) as u64);
        Output {
            estimate,
            target: estimate,
            pacing_rate: estimate,
            queue_delay: None,
            round_trip_time: None,
            loss: 0.0,
            delivered: None,
        }
    }
}
