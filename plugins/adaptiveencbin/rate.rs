//! Decision: bit rates: their bounds, the buffer that follows them, and whether a change is worth writing. Refuses to
//! know any encoder.

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

/// Whether to write `wanted` to an encoder that runs at `written`. Where it costs a key frame, changes below 5 % cost
/// more than they bring.
pub fn worth_writing(cost: WriteCost, written: Bitrate, wanted: Bitrate) -> bool {
    match cost {
        WriteCost::Soft => wanted != written,
        WriteCost::KeyFrame => wanted.kbps().abs_diff(written.kbps()) > written.kbps() / 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_change_that_costs_a_key_frame_must_be_worth_it() {
        let [from, near, far] = [8000, 8400, 8401].map(Bitrate::from_kbps);
        assert!(worth_writing(WriteCost::Soft, from, near));
        assert!(!worth_writing(WriteCost::Soft, from, from));
        assert!(!worth_writing(WriteCost::KeyFrame, from, near));
        assert!(worth_writing(WriteCost::KeyFrame, from, far));
        assert!(worth_writing(WriteCost::KeyFrame, far, Bitrate::from_kbps(7900)));
    }
}
