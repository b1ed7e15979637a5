//! The controller of this crate, as the simulation plays it.

use super::session::{Candidate, Setup};
use std::time::Duration;
use vdi_congestion::{Controller, DataSize, Output, Probe, Report};

/// Ours.
#[derive(Debug)]
pub struct Ours(Controller);

impl Ours {
    /// At the beginning of a session.
    pub fn new(setup: &Setup) -> Self {
        Self(Controller::new(setup.bounds, setup.start, Duration::ZERO))
    }
}

impl Candidate for Ours {
    fn sent(&mut self, size: DataSize, at: Duration) {
        self.0.sent(size, at);
    }

    fn feedback(&mut self, reports: &[Report], now: Duration) {
        self.0.feedback(reports, now);
    }

    fn poll(&mut self, now: Duration) -> Option<Probe> {
        self.0.poll(now)
    }

    fn wants_key_frame(&mut self, now: Duration) -> bool {
        self.0.wants_key_frame(now)
    }

    fn is_replacing(&self) -> bool {
        self.0.is_replacing()
    }

    fn output(&self) -> Output {
        self.0.output()
    }
}
