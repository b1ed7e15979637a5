//! Decision: when a frame leaves, and why: damage that has settled, somebody's demand, sharpening, a sign of life. Refuses to
//! read a clock and to know what X is: times are arguments, on a scale of the caller's choice.
//!
//! ```text
//!              damaged               look                      quiet for `settle`, or 8 of them are over,
//!   ┌───────┐ ────────▶ ┌─────────┐ ─────▶ ┌──────────┐ ─────┐  and the frame rate allows it
//!   │ Quiet │           │ Damaged │        │ Settling │      ├───────▶ capture ─▶ Quiet, or Damaged
//!   └───────┘           └─────────┘        └──────────┘ ◀────┘                    if more has come meanwhile
//!       │  demand, sharpening, keep-alive      └─ look: damaged again within the window
//!       └──────────▶ repeat
//! ```
//! "Look" takes the list of what is damaged from the server, which tells of later damage only after that.

use super::pace::Pace;
use std::time::Duration;

/// Settling ends after so many windows, quiet or not: a video never falls quiet.
const MAX_SETTLE_WINDOWS: u32 = 8;

/// Least time between the frame before and one that somebody demands: a demand need not wait for the frame rate, but a storm of
/// them must not become a stream.
const DEMAND_SPACING: Duration = Duration::from_millis(8);

/// Repeats stand at least so far apart, and no closer than frames may. An encoder spends on each what its bit rate allows for
/// a frame, whatever the distance: the closer they stand, the sooner the picture is sharp.
const SHARPEN_SPACING: Duration = Duration::from_micros(16_667);

/// Quiet after a large change until it is sharpened: more than a frame of 24 a second.
const SHARPEN_DELAY: Duration = Duration::from_millis(50);

/// Quiet after a small change until it is sharpened: longer than between two keys of somebody who types, who would otherwise
/// cost two frames a key.
const SHARPEN_DELAY_SMALL: Duration = Duration::from_millis(200);

/// A change is small up to this part of the picture (one in so many). It has had bits enough in its own frame.
const SMALL_PART: u64 = 64;

/// From this part of the picture on (one in so many) a change is sharpened with all repeats.
const LARGE_PART: u64 = 4;

/// What the element's properties and caps say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Time of a frame at the negotiated rate.
    pub interval: Duration,
    /// Quiet after which damage has settled.
    pub settle: Duration,
    /// Most repeats after a change.
    pub sharpen_frames: u32,
    /// Longest silence; none is unlimited.
    pub keepalive: Option<Duration>,
    /// Nobody tells of damage: look for it at the frame rate.
    pub poll: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing, until then or until something is told; none: no time is set.
    Wait(Option<Duration>),
    /// Take the list of what is damaged.
    Look,
    /// Fetch what is damaged and let it leave.
    Capture,
    /// Let the same picture leave again.
    Repeat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Quiet,
    /// Damaged since then, and not looked at.
    Damaged(Duration),
    Settling {
        /// First damage.
        since: Duration,
        /// First look.
        began: Duration,
        /// Last look.
        window: Duration,
        /// Damage since the last look.
        again: Option<Duration>,
    },
}

#[derive(Debug, Clone, Copy)]
struct Sharpening {
    left: u32,
    next: Duration,
}

/// When frames leave.
#[derive(Debug)]
pub struct Schedule {
    rules: Rules,
    throttle: Duration,
    pace: Pace,
    phase: Phase,
    /// Somebody waits for a frame.
    demand: bool,
    sharpening: Option<Sharpening>,
    /// Pixels that have changed and were not made sharp since, as far as more of them take more repeats.
    unsharp_px: u64,
    last_frame: Option<Duration>,
    last_change: Option<Duration>,
    /// When to look unasked, if nobody tells of damage.
    poll_at: Duration,
}

impl Schedule {
    /// The first frame is demanded.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            throttle: Duration::ZERO,
            pace: Pace::default(),
            phase: Phase::Quiet,
            demand: true,
            sharpening: None,
            unsharp_px: 0,
            last_frame: None,
            last_change: None,
            poll_at: Duration::ZERO,
        }
    }

    /// The rules are others now.
    pub fn set_rules(&mut self, rules: Rules) {
        if rules.sharpen_frames < self.rules.sharpen_frames {
            let left = |sharpening: Sharpening| sharpening.left.min(rules.sharpen_frames);
            self.sharpening = self
                .sharpening
                .map(|now| Sharpening { left: left(now), ..now })
                .filter(|sharpening| sharpening.left > 0);
        }
        self.rules = rules;
    }

    /// At most one frame in this time, whatever the caps say; zero lifts it.
    pub fn set_throttle(&mut self, interval: Duration) {
        self.throttle = interval;
    }

    /// Somebody wants the current frame at once.
    pub fn demand(&mut self) {
        self.demand = true;
    }

    /// Whether somebody waits for a frame.
    pub fn is_demanded(&self) -> bool {
        self.demand
    }

    /// The picture has changed at this moment. One that is still to come puts off the look.
    pub fn damaged(&mut self, at: Duration) {
        match &mut self.phase {
            Phase::Quiet => self.phase = Phase::Damaged(at),
            Phase::Damaged(since) => *since = at.min(*since),
            Phase::Settling { again, .. } => *again = Some(again.map_or(at, |first| first.min(at))),
        }
    }

    /// The list of what is damaged was taken at this moment.
    pub fn looked(&mut self, now: Duration) {
        self.phase = match self.phase {
            Phase::Quiet => Phase::Quiet,
            Phase::Damaged(since) => Phase::Settling { since, began: now, window: now, again: None },
            Phase::Settling { since, began, .. } => {
                Phase::Settling { since, began, window: now, again: None }
            }
        }
    }

    /// Since when what the next capture shows has been on the screen.
    pub fn damage_since(&self) -> Option<Duration> {
        match self.phase {
            Phase::Quiet => None,
            Phase::Damaged(since) | Phase::Settling { since, .. } => Some(since),
        }
    }

    fn end_settling(&mut self, now: Duration) {
        if let Phase::Settling { again, .. } = self.phase {
            self.phase = again.map_or(Phase::Quiet, Phase::Damaged);
        }
        self.poll_at = (self.poll_at + self.rules.interval).max(now + self.rules.interval / 2);
    }

    /// A frame with `damaged_px` of `total_px` new pixels has left.
    pub fn captured(&mut self, now: Duration, damaged_px: u64, total_px: u64) {
        self.end_settling(now);
        let damaged_px = damaged_px.min(total_px);
        self.unsharp_px = (self.unsharp_px + damaged_px).min(most_unsharp(total_px));
        let delay = if damaged_px.saturating_mul(SMALL_PART) <= total_px {
            SHARPEN_DELAY_SMALL
        } else {
            // A slow animation is no change that has stopped.
            let gap = self.last_change.map_or(Duration::MAX, |last| now.saturating_sub(last));
            if gap > SHARPEN_DELAY_SMALL {
                SHARPEN_DELAY
            } else {
                (gap * 3 / 2).clamp(SHARPEN_DELAY, SHARPEN_DELAY_SMALL)
            }
        };
        self.last_change = Some(now);
        self.plan_sharpening(now + delay, total_px);
        self.left(now, total_px);
    }

    /// The capture has found the picture unchanged; no frame has left.
    pub fn found_nothing(&mut self, now: Duration) {
        self.end_settling(now);
    }

    /// The same picture, of `total_px`, has left again.
    pub fn repeated(&mut self, now: Duration, total_px: u64) {
        if let Some(Sharpening { left, .. }) = self.sharpening.filter(|sharpening| now >= sharpening.next) {
            // Its share is done, also where a change comes before the others: a clock that ticks puts them off for ever.
            self.unsharp_px -= self.unsharp_px.div_ceil(u64::from(left.max(1)));
            let next = now + SHARPEN_SPACING.max(self.rules.interval);
            self.sharpening = (left > 1).then(|| Sharpening { left: left - 1, next });
        }
        self.left(now, total_px);
    }

    fn left(&mut self, now: Duration, total_px: u64) {
        if std::mem::take(&mut self.demand) {
            // Who has come anew has seen nothing sharp yet.
            self.unsharp_px = most_unsharp(total_px);
            self.plan_sharpening(now + SHARPEN_DELAY, total_px);
        }
        self.last_frame = Some(now);
        self.pace.left(now, self.rules.interval);
    }

    fn plan_sharpening(&mut self, next: Duration, total_px: u64) {
        let most = self.rules.sharpen_frames;
        let unsharp = self.unsharp_px;
        let left = if unsharp.saturating_mul(SMALL_PART) <= total_px {
            most.min(1)
        } else {
            let wanted = (unsharp * LARGE_PART * u64::from(most)).div_ceil(total_px.max(1));
            u32::try_from(wanted).unwrap_or(most).max(2).min(most)
        };
        self.sharpening = (left > 0).then_some(Sharpening { left, next });
    }

    /// What to do at this moment.
    pub fn next(&self, now: Duration) -> Action {
        let mut wake = None;
        let mut due = |at: Duration| {
            if at > now {
                wake = Some(wake.map_or(at, |wake: Duration| wake.min(at)));
            }
            at <= now
        };
        if self.demand && due(self.last_frame.map_or(Duration::ZERO, |last| last + DEMAND_SPACING)) {
            return match self.phase {
                Phase::Damaged(_) => Action::Look,
                Phase::Settling { .. } => Action::Capture,
                Phase::Quiet if self.rules.poll => Action::Capture,
                Phase::Quiet => Action::Repeat,
            };
        }
        let throttled = |at: Duration| self.last_frame.map_or(at, |last| at.max(last + self.throttle));
        let allowed = throttled(self.pace.allowed(self.rules.interval));
        match self.phase {
            Phase::Quiet => {}
            // While the frame rate holds the frame back, it settles for nothing.
            Phase::Damaged(since) => {
                if due(allowed.saturating_sub(self.rules.settle).max(since)) {
                    return Action::Look;
                }
            }
            Phase::Settling { began, window, again, .. } => {
                if due((window + self.rules.settle).max(allowed)) {
                    let restless =
                        again.is_some() && now < began.max(allowed) + self.rules.settle * MAX_SETTLE_WINDOWS;
                    return if restless { Action::Look } else { Action::Capture };
                }
                // Damage goes on: do not wait for the repeats of what was before.
                return Action::Wait(wake);
            }
        }
        if self.rules.poll && due(self.poll_at.max(allowed)) {
            return Action::Capture;
        }
        if self.phase == Phase::Quiet {
            if let Some(sharpening) = self.sharpening
                && due(throttled(sharpening.next))
            {
                return Action::Repeat;
            }
            if let (Some(keepalive), Some(last)) = (self.rules.keepalive, self.last_frame)
                && due(throttled(last + keepalive))
            {
                return Action::Repeat;
            }
        }
        Action::Wait(wake)
    }
}

/// So many changed pixels take all repeats.
const fn most_unsharp(total_px: u64) -> u64 {
    total_px.div_ceil(LARGE_PART)
}

#[cfg(test)]
mod tests;
