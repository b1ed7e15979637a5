//! Another candidate: NADA (RFC 8698), with the values of its section 6.3; the receiver's part is played by the sender, from
//! transport-wide feedback, and its smoothing of the rate is left to the encoder.

use super::session::Candidate;
use std::{collections::VecDeque, time::Duration};
use vdi_congestion::{Bitrate, Bounds, DataSize, Output, Probe, Report};

/// Reference delay, and priority 1 (ms).
const X_REF: f64 = 10.0;
const KAPPA: f64 = 0.5;
const ETA: f64 = 2.0;
/// Upper bound of the round trip in the gradual update (ms).
const TAU: f64 = 500.0;
/// Below this queue, and without loss, it ramps up (ms).
const Q_EPS: f64 = 10.0;
/// Above this, with loss about, delay counts less (ms).
const Q_TH: f64 = 50.0;
const LAMBDA: f64 = 0.5;
/// What a ramp-up may queue (ms), and its largest step.
const Q_BOUND: f64 = 50.0;
const GAMMA_MAX: f64 = 0.5;
/// Interval of feedback and delay of the filter (ms).
const DELTA: f64 = 100.0;
const D_FILT: f64 = 120.0;
/// What a loss of 1 % counts (ms).
const D_LOSS: f64 = 10.0;
const PLR_REF: f64 = 0.01;
/// Looked at over so long (ms).
const LOG_WINDOW: f64 = 500.0;
/// Delays of so many packets are filtered by their minimum.
const MIN_OF: usize = 15;

/// Its state. Times are in ms, rates in bit/s.
#[derive(Debug)]
pub struct Nada {
    bounds: Bounds,
    rate: f64,
    base: f64,
    recent: VecDeque<f64>,
    log: VecDeque<(f64, f64, bool, u64)>,
    loss: f64,
    x_before: f64,
    last: f64,
    last_loss: f64,
    round_trip: f64,
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Nada {
    /// Begins with a rate.
    pub fn new(bounds: Bounds, start: Bitrate) -> Self {
        Self {
            bounds,
            rate: start.bps() as f64,
            base: f64::INFINITY,
            recent: VecDeque::new(),
            log: VecDeque::new(),
            loss: 0.0,
            x_before: 0.0,
            last: 0.0,
            last_loss: f64::NEG_INFINITY,
            round_trip: 100.0,
        }
    }

    fn queue(&self) -> f64 {
        self.recent.iter().copied().fold(f64::INFINITY, f64::min) - self.base
    }

    fn received(&self) -> f64 {
        let came = self.log.iter().filter(|(_, _, lost, _)| !lost);
        came.map(|(_, _, _, size)| *size as f64 * 8.0).sum::<f64>() / LOG_WINDOW * 1000.0
    }
}

impl Candidate for Nada {
    fn sent(&mut self, _: DataSize, _: Duration) {}

    fn feedback(&mut self, reports: &[Report], now: Duration) {
        let now = ms(now);
        for report in reports {
            let sent = ms(report.sent);
            let size = report.size.bytes();
            let Some(arrived) = report.arrived else {
                self.last_loss = now;
                self.log.push_back((now, f64::INFINITY, true, size));
                continue;
            };
            let delay = ms(arrived) - sent;
            self.base = self.base.min(delay);
            self.recent.push_back(delay);
            if self.recent.len() > MIN_OF {
                self.recent.pop_front();
            }
            self.round_trip = now - sent;
            self.log.push_back((now, self.queue(), false, size));
        }
        while self.log.front().is_some_and(|(at, ..)| at + LOG_WINDOW < now) {
            self.log.pop_front();
        }
        if now - self.last < DELTA || self.recent.is_empty() {
            return;
        }
        let delta = (now - self.last).min(TAU);
        self.last = now;
        let lost = self.log.iter().filter(|(_, _, lost, _)| *lost).count() as f64;
        self.loss += 0.1 * (lost / (self.log.len().max(1) as f64) - self.loss);
        let queue = self.queue();
        let has_lost = now - self.last_loss < 2000.0;
        let warped =
            if queue > Q_TH && has_lost { Q_TH * (-LAMBDA * (queue - Q_TH) / Q_TH).exp() } else { queue };
        let x = warped + D_LOSS * (self.loss / PLR_REF).powi(2).min(100.0);
        let is_calm = self.log.iter().all(|(_, queue, lost, _)| !lost && *queue < Q_EPS);
        if is_calm {
            let gamma = GAMMA_MAX.min(Q_BOUND / (self.round_trip + DELTA + D_FILT));
            self.rate = self.rate.max((1.0 + gamma) * self.received());
        } else {
            let max = self.bounds.max.bps() as f64;
            let offset = x - X_REF * max / self.rate;
            let change = x - self.x_before;
            self.rate -= KAPPA * (delta / TAU) * (offset / TAU) * self.rate;
            self.rate -= KAPPA * ETA * (change / TAU) * self.rate;
        }
        self.x_before = x;
        self.rate = self.rate.clamp(self.bounds.min.bps() as f64, self.bounds.max.bps() as f64);
    }

    fn poll(&mut self, _: Duration) -> Option<Probe> {
        None
    }

    fn output(&self) -> Output {
        let estimate = Bitrate::from_bps(self.rate as u64);
        Output {
            estimate,
            target: estimate,
            pacing_rate: estimate.scaled(1.5),
            queue_delay: None,
            round_trip_time: None,
            loss: self.loss,
            delivered: None,
        }
    }
}
