//! Decision: whether the processors are too busy for more than 30 frames a second. Refuses to know how load is measured.
//!
//! There is one step only. A machine that is too busy even so is late, and lateness has a policy of its own.

use super::{lasting::Lasting, patience::Patience};
use std::time::Duration;

/// The frame rate of a machine that is too busy.
pub const BUSY_FPS: u32 = 30;

/// Above the limit for so long.
const BUSY_AFTER: Duration = Duration::from_secs(2);

/// There is room below this share of the limit: with capture, conversion and encoding at twice the frame rate a good
/// half more would otherwise be above it again.
const ROOM_BELOW: f64 = 0.65;

/// The first wait before the full rate comes back.
const HOLD: Duration = Duration::from_secs(10);

/// Whether the frame rate is held down.
#[derive(Debug)]
pub struct Load {
    limiting: bool,
    busy: Lasting,
    room: Lasting,
    patience: Patience,
}

impl Load {
    /// Not busy.
    pub const fn new() -> Self {
        Self { limiting: false, busy: Lasting::new(), room: Lasting::new(), patience: Patience::new(HOLD) }
    }

    /// The most frames per second, if there is a limit.
    pub fn max_fps(&self) -> Option<u32> {
        self.limiting.then_some(BUSY_FPS)
    }

    /// The load now, 1 being all that is allowed; an unknown one is no reason to hold anything down.
    pub fn observe(&mut self, cpu: Option<f64>, max: Option<f64>, now: Duration) {
        let Some(max) = max else {
            *self = Self::new();
            return;
        };
        let busy = cpu.is_some_and(|cpu| cpu > max);
        let room = cpu.is_none_or(|cpu| cpu <= max * ROOM_BELOW);
        let is_busy = self.busy.observe(busy, BUSY_AFTER, now);
        let has_room = self.room.observe(room, self.patience.hold(), now);
        if !self.limiting && is_busy {
            self.room.restart();
            self.limiting = true;
            self.patience.stepped_down(now);
        } else if self.limiting && has_room {
            self.limiting = false;
            self.busy.restart();
            self.patience.returned(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Option<f64> = Some(0.8);

    /// Observes a load four times a second; tells when the limit changed, in milliseconds.
    fn changes(
        load: &mut Load,
        from_ms: u64,
        to_ms: u64,
        cpu: impl Fn(bool, u64) -> Option<f64>,
    ) -> Vec<u64> {
        let mut changes = Vec::new();
        for now in (from_ms..to_ms).step_by(250) {
            let before = load.limiting;
            load.observe(cpu(before, now), MAX, Duration::from_millis(now));
            if load.limiting != before {
                changes.push(now);
            }
        }
        changes
    }

    #[test]
    fn two_busy_seconds_give_30_frames_and_ten_with_room_give_60_again() {
        let mut load = Load::new();
        assert_eq!(changes(&mut load, 0, 5000, |_, _| Some(0.81)), [2000]);
        assert_eq!(load.max_fps(), Some(30));
        assert_eq!(changes(&mut load, 5000, 20_000, |_, _| Some(0.5)), [14_750]);
        assert_eq!(load.max_fps(), None);
    }

    #[test]
    fn neither_at_the_limit_nor_in_bursts_is_it_busy() {
        let mut load = Load::new();
        assert_eq!(changes(&mut load, 0, 600_000, |_, _| Some(0.8)), [0; 0]);
        let bursts = |_, now: u64| Some(if now % 2000 < 1000 { 1.0 } else { 0.3 });
        assert_eq!(changes(&mut load, 600_000, 1_200_000, bursts), [0; 0]);
    }

    #[test]
    fn without_room_the_rate_stays_down_for_good() {
        let mut load = Load::new();
        // Half the frames cost two thirds: 0.9 and 0.6, and 0.6 is above 0.65 times 0.8.
        let cpu = |limiting, _| Some(if limiting { 0.6 } else { 0.9 });
        assert_eq!(changes(&mut load, 0, 3_600_000, cpu), [2000]);
    }

    #[test]
    fn a_return_that_is_bounced_is_tried_ever_more_rarely() {
        let mut load = Load::new();
        let cpu = |limiting, _| Some(if limiting { 0.45 } else { 0.85 });
        let changes = changes(&mut load, 0, 3_600_000, cpu);
        assert_eq!(changes[..5], [2000, 12_000, 14_000, 34_000, 36_000]);
        assert!(changes.len() < 40, "{} changes in an hour", changes.len());
    }

    #[test]
    fn an_unknown_load_is_no_reason_and_no_limit_lifts_it_at_once() {
        let mut load = Load::new();
        assert_eq!(changes(&mut load, 0, 60_000, |_, _| None), [0; 0]);
        assert_eq!(changes(&mut load, 60_000, 120_000, |_, _| Some(f64::NAN)), [0; 0]);
        changes(&mut load, 120_000, 130_000, |_, _| Some(1.0));
        assert_eq!(load.max_fps(), Some(30));
        load.observe(Some(1.0), None, Duration::from_secs(131));
        assert_eq!(load.max_fps(), None);
    }
}
