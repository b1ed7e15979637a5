//! Shell: who may act with gamepads. They take no way through the X server, so the thread has no part in it.

use super::{Input, Report};
use std::sync::{PoisonError, atomic::Ordering::Relaxed};
use tokio::time::Instant;

impl Input {
    /// A report of a gamepad. Returns whether the page may act, or `None` if it is of something else.
    pub(super) fn gamepad(&self, page: &str, report: &Report) -> Option<bool> {
        if !matches!(
            report,
            Report::GamepadConnected { .. }
                | Report::GamepadState { .. }
                | Report::GamepadDisconnected { .. }
        ) {
            return None;
        }
        // Held until the report is done, so that none comes after the release by who has control then.
        let controller = self.shared.controller.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = &self.shared.counters;
        if controller.as_deref() != Some(page) {
            counters.from_viewers.fetch_add(1, Relaxed);
            return Some(false);
        }
        counters.accepted.fetch_add(1, Relaxed);
        if self.gamepads.report(page, report) {
            *self.shared.last_input.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Some(true)
    }

    /// This page, or nobody, acts from now on; what the one before it held is let go.
    pub(super) fn take_gamepads(&self, page: Option<&str>) {
        let mut controller = self.shared.controller.lock().unwrap_or_else(PoisonError::into_inner);
        *controller = page.map(str::to_owned);
        self.gamepads.release();
    }
}
