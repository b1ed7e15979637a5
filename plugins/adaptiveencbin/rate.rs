//! Decision: bit rates: their bounds, the buffer that follows them, and when a change is worth writing. Refuses to know
//! any encoder.

use std::time::Duration;

/// A bit rate. Encoders disagree about the unit, so nothing passes one as a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bitrate {
    kbps: u32,
}

impl Bitrate {
    /// A rate in kbit/s.
    pub const fn from_kbps(kbps: u32) -> Self {
        Self { kbps }
    }

    /// In kbit/s, 1000 bits.
    pub const fn kbps(self) -> u32 {
        self.kbps
    }

    /// Times a factor; what is no number or negative makes nothing.
    pub fn scaled(self, factor: f64) -> Self {
        Self { kbps: (f64::from(self.kbps) * factor).round() as u32 }
    }

    /// In bit/s.
    pub const fn bps(self) -> u32 {
        self.kbps.saturating_mul(1000)
    }
}

/// What the application asked for, and between which bounds it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The goal.
    pub target: Bitrate,
    /// Lower bound.
    pub min: Bitrate,
    /// Upper bound; it wins where it lies below the lower one, because it is the operator's cost.
    pub max: Bitrate,
}

impl Request {
    /// The rate the encoder gets.
    pub fn granted(self) -> Bitrate {
        self.target.max(self.min).min(self.max)
    }
}

/// A frame rate as caps say it; 0/1 is a variable one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    /// Frames.
    pub numerator: u32,
    /// Per so many seconds.
    pub denominator: u32,
}

/// What a variable frame rate is taken for where a number is needed: the most that browsers show.
const ASSUMED_FPS: u64 = 60;

impl FrameRate {
    fn fraction(self) -> (u64, u64) {
        match (self.numerator, self.denominator) {
            (0, _) | (_, 0) => (ASSUMED_FPS, 1),
            (numerator, denominator) => (numerator.into(), denominator.into()),
        }
    }

    /// This, or `max_fps` if that is less. A variable rate stays variable.
    pub fn at_most(self, max_fps: Option<u32>) -> Self {
        match max_fps {
            Some(max) if self.numerator > 0 && self.numerator > max.saturating_mul(self.denominator) => {
                Self { numerator: max, denominator: 1 }
            }
            _ => self,
        }
    }

    /// Frames per second.
    pub fn per_second(self) -> f64 {
        let (numerator, denominator) = self.fraction();
        numerator as f64 / denominator as f64
    }

    /// Nanoseconds from one frame to the next.
    pub fn frame_ns(self) -> u64 {
        let (numerator, denominator) = self.fraction();
        1_000_000_000 * denominator / numerator
    }

    /// One and a half frame times in whole milliseconds: the VBV size that keeps a frame from being late because of its
    /// own size, with room for a key frame.
    pub fn vbv_ms(self) -> u32 {
        let (numerator, denominator) = self.fraction();
        u32::try_from((1500 * denominator).div_ceil(numerator)).unwrap_or(u32::MAX)
    }

    /// The same buffer in kbit at a bit rate.
    pub fn vbv_kbit(self, rate: Bitrate) -> u32 {
        let (numerator, denominator) = self.fraction();
        let kbit = u64::from(rate.kbps()) * 3 * denominator / (2 * numerator);
        u32::try_from(kbit).unwrap_or(u32::MAX).max(1)
    }
}

/// What a live rate change costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteCost {
    /// Nothing: the next frames have the new size.
    Soft,
    /// The encoder starts again with a key frame, even for the same value.
    KeyFrame,
}

/// When a wanted rate is written. Asked again and again, it forgets nothing: what is not worth it now is written when it
/// has stood for a while.
#[derive(Debug, Clone)]
pub struct Writer {
    cost: WriteCost,
    written: Option<(Bitrate, Duration)>,
    /// Since when less is wanted, or more, than is written.
    differs: Option<(std::cmp::Ordering, Duration)>,
}

/// What is small, and how long anything waits, by cost.
struct Reluctance {
    /// A change of this share is written as soon as the time is right; a smaller one waits.
    notable: f64,
    /// How long a smaller one must have stood.
    settled: Duration,
    /// Least time since the write before, for more.
    up: Duration,
    /// And for less: a rate that is too high loses packets.
    down: Duration,
}

impl WriteCost {
    const fn reluctance(self) -> Reluctance {
        match self {
            Self::Soft => Reluctance {
                notable: 0.02,
                settled: Duration::from_secs(1),
                up: Duration::ZERO,
                down: Duration::ZERO,
            },
            // An IDR picture is a hiccup: as late as it is large.
            Self::KeyFrame => Reluctance {
                notable: 0.1,
                settled: Duration::from_secs(10),
                up: Duration::from_secs(2),
                down: Duration::from_secs(1),
            },
        }
    }
}

impl Writer {
    /// For an encoder that has no rate yet: the first one is due at once, unless [`Writer::wrote`] comes before.
    pub const fn new(cost: WriteCost) -> Self {
        Self { cost, written: None, differs: None }
    }

    /// The encoder has this rate from now on, by whatever way.
    pub fn wrote(&mut self, rate: Bitrate, now: Duration) {
        self.written = Some((rate, now));
        self.differs = None;
    }

    /// Whether to write a rate now. If so, it counts as written.
    pub fn due(&mut self, wanted: Bitrate, now: Duration) -> bool {
        let due = match self.written {
            None => true,
            Some((written, at)) => self.is_worth_it(wanted, written, now.saturating_sub(at), now),
        };
        if due {
            self.wrote(wanted, now);
        }
        due
    }

    fn is_worth_it(&mut self, wanted: Bitrate, written: Bitrate, age: Duration, now: Duration) -> bool {
        let direction = wanted.cmp(&written);
        if direction.is_eq() {
            self.differs = None;
            return false;
        }
        let since = match self.differs {
            Some((before, since)) if before == direction => since,
            _ => now,
        };
        self.differs = Some((direction, since));

        let reluctance = self.cost.reluctance();
        let difference = f64::from(wanted.kbps().abs_diff(written.kbps()));
        let is_notable = difference >= reluctance.notable * f64::from(written.kbps());
        let has_settled = now.saturating_sub(since) >= reluctance.settled;
        let pause = if direction.is_gt() { reluctance.up } else { reluctance.down };
        (is_notable || has_settled) && age >= pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When, in ms, a writer that runs at 8000 kbit/s writes, asked every 250 ms for what is wanted then.
    fn writes(cost: WriteCost, until_ms: u64, wanted: impl Fn(u64) -> u32) -> Vec<(u64, u32)> {
        let mut writer = Writer::new(cost);
        writer.wrote(Bitrate::from_kbps(8000), Duration::ZERO);
        let due = |ms: u64| {
            writer.due(Bitrate::from_kbps(wanted(ms)), Duration::from_millis(ms)).then(|| (ms, wanted(ms)))
        };
        (250..=until_ms).step_by(250).filter_map(due).collect()
    }

    #[test]
    fn a_soft_rate_is_written_from_two_per_cent_on_and_exactly_after_a_second() {
        assert_eq!(writes(WriteCost::Soft, 5000, |_| 8160), [(250, 8160)]);
        assert_eq!(writes(WriteCost::Soft, 5000, |_| 8159), [(1250, 8159)]);
        assert_eq!(writes(WriteCost::Soft, 60_000, |_| 8000), []);
        // Noise of one per cent around the goal crosses it and is left alone.
        let noise = |ms: u64| if (ms / 250).is_multiple_of(2) { 8080 } else { 7920 };
        assert_eq!(writes(WriteCost::Soft, 60_000, noise), []);
    }

    #[test]
    fn a_rate_that_costs_a_key_frame_is_written_rarely_and_never_forgotten() {
        assert_eq!(writes(WriteCost::KeyFrame, 60_000, |_| 8800), [(2000, 8800)]);
        assert_eq!(writes(WriteCost::KeyFrame, 60_000, |_| 7200), [(1000, 7200)]);
        assert_eq!(writes(WriteCost::KeyFrame, 60_000, |_| 7900), [(10_250, 7900)]);
        // An estimate that falls by a fifth every quarter second.
        let falling = |ms: u64| (8000.0 * 0.8_f64.powf(ms as f64 / 250.0)) as u32;
        let at: Vec<_> = writes(WriteCost::KeyFrame, 4000, falling).iter().map(|(ms, _)| *ms).collect();
        assert_eq!(at, [1000, 2000, 3000, 4000]);
        // Steps of one per cent a second upwards add up to ten per cent, or stand for ten seconds.
        let rising = writes(WriteCost::KeyFrame, 60_000, |ms| 8000 + (ms / 1000) as u32 * 80);
        assert!((5..=7).contains(&rising.len()), "{rising:?}");
    }

    #[test]
    fn the_first_rate_is_due_at_once() {
        let mut writer = Writer::new(WriteCost::KeyFrame);
        assert!(writer.due(Bitrate::from_kbps(8000), Duration::ZERO));
        assert!(!writer.due(Bitrate::from_kbps(8000), Duration::from_secs(60)));
    }

    fn granted(target: u32, min: u32, max: u32) -> u32 {
        let [target, min, max] = [target, min, max].map(Bitrate::from_kbps);
        Request { target, min, max }.granted().kbps()
    }

    #[test]
    fn the_target_is_held_between_the_bounds_and_the_upper_bound_is_the_last_word() {
        assert_eq!(granted(8000, 500, 20_000), 8000);
        assert_eq!(granted(100, 500, 20_000), 500);
        assert_eq!(granted(90_000, 500, 20_000), 20_000);
        assert_eq!(granted(8000, 10_000, 5_000), 5_000);
    }

    #[test]
    fn units() {
        assert_eq!(Bitrate::from_kbps(8000).bps(), 8_000_000);
        assert_eq!(Bitrate::from_kbps(u32::MAX).bps(), u32::MAX);
    }

    #[test]
    fn the_vbv_holds_one_and_a_half_frames() {
        let at = |numerator, denominator| FrameRate { numerator, denominator };
        assert_eq!(at(60, 1).vbv_ms(), 25);
        assert_eq!(at(30, 1).vbv_ms(), 50);
        assert_eq!(at(60_000, 1001).vbv_ms(), 26);
        assert_eq!(at(0, 1).vbv_ms(), 25, "variable is taken for 60");
        assert_eq!(at(60, 1).vbv_kbit(Bitrate::from_kbps(8000)), 200);
        assert_eq!(at(30, 1).vbv_kbit(Bitrate::from_kbps(8000)), 400);
        assert_eq!(at(25, 1).frame_ns(), 40_000_000);
        assert_eq!(at(60, 1).at_most(Some(30)), at(30, 1));
        assert_eq!(at(60_000, 1001).at_most(Some(60)), at(60_000, 1001));
        assert_eq!(at(60_000, 1001).at_most(Some(30)), at(30, 1));
        assert_eq!(at(0, 1).at_most(Some(30)), at(0, 1));
        assert_eq!(at(25, 1).at_most(None), at(25, 1));
    }
}
