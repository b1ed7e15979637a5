//! Wire: bit rates and amounts of data, with their units in the type.

use std::{
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// A bit rate in bit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than any link has.
    pub const MAX: Self = Self(100_000_000_000);

    /// In bit/s.
    pub const fn from_bps(bps: u64) -> Self {
        Self(if bps > Self::MAX.0 { Self::MAX.0 } else { bps })
    }

    /// In kbit/s, 1000 bits.
    pub const fn from_kbps(kbps: u64) -> Self {
        Self::from_bps(kbps.saturating_mul(1000))
    }

    /// In bit/s.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// Times a factor; what is no number or negative makes nothing.
    pub fn scaled(self, factor: f64) -> Self {
        Self::from_bps((self.0 as f64 * factor) as u64)
    }

    /// What this rate carries in a time.
    pub fn over(self, time: Duration) -> DataSize {
        DataSize((self.0 as f64 / 8.0 * time.as_secs_f64()) as u64)
    }

    /// Less another; nothing if that is more.
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Bitrate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::from_bps(self.0.saturating_add(other.0))
    }
}

/// An amount of data in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct DataSize(u64);

impl DataSize {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// In bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// How long a rate needs for it; `MAX` for a rate of nothing.
    pub fn at(self, rate: Bitrate) -> Duration {
        if rate == Bitrate::ZERO {
            return Duration::MAX;
        }
        Duration::try_from_secs_f64(self.0 as f64 * 8.0 / rate.bps() as f64).unwrap_or(Duration::MAX)
    }

    /// The rate that carries it in a time; `None` for no time.
    pub fn per(self, time: Duration) -> Option<Bitrate> {
        (time > Duration::ZERO).then(|| Bitrate::from_bps((self.0 as f64 * 8.0 / time.as_secs_f64()) as u64))
    }
}

impl Add for DataSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for DataSize {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for DataSize {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
