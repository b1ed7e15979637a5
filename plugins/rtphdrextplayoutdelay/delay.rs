//! Decision: the 24 bits of the playout-delay extension, from milliseconds and back. Refuses every other length.
//!
//! ```text
//!  0                   1                   2
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |       MIN delay       |       MAX delay       |   each in units of 10 ms
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

/// Granularity of the extension in milliseconds.
pub const STEP_MS: u32 = 10;

/// Largest delay that twelve bits can say, in milliseconds.
pub const MAX_MS: u32 = 0xfff * STEP_MS;

/// Length of the extension's data in bytes.
pub const LENGTH_BYTES: usize = 3;

/// A pair of bounds on the receiver's delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlayoutDelay {
    /// Least delay in milliseconds, a multiple of [`STEP_MS`].
    pub min_ms: u32,
    /// Largest delay in milliseconds, a multiple of [`STEP_MS`].
    pub max_ms: u32,
}

/// The nearest delay at or below `ms` that the extension can say.
pub fn representable(ms: u32) -> u32 {
    ms.min(MAX_MS) / STEP_MS * STEP_MS
}

impl PlayoutDelay {
    /// The bytes on the wire. Receivers ignore a pair whose minimum is above its maximum, so then the minimum, which is
    /// the promise that somebody asked for, is sent as both.
    pub fn to_bytes(self) -> [u8; LENGTH_BYTES] {
        let min = representable(self.min_ms) / STEP_MS;
        let max = (representable(self.max_ms) / STEP_MS).max(min);
        let [_, bytes @ ..] = (min << 12 | max).to_be_bytes();
        bytes
    }

    /// What the bytes say, or none if there are not exactly three.
    pub fn from_bytes(data: &[u8]) -> Option<Self> {
        let &[a, b, c] = data else { return None };
        let bits = u32::from_be_bytes([0, a, b, c]);
        Some(Self { min_ms: (bits >> 12) * STEP_MS, max_ms: (bits & 0xfff) * STEP_MS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(min_ms: u32, max_ms: u32) -> PlayoutDelay {
        PlayoutDelay { min_ms, max_ms }
    }

    #[test]
    fn twelve_bits_each_in_units_of_ten_milliseconds() {
        assert_eq!(delay(0, 0).to_bytes(), [0, 0, 0]);
        assert_eq!(delay(100, 400).to_bytes(), [0x00, 0xa0, 0x28]);
        assert_eq!(delay(0xabc * 10, 0xdef * 10).to_bytes(), [0xab, 0xcd, 0xef]);
        assert_eq!(delay(MAX_MS, MAX_MS).to_bytes(), [0xff, 0xff, 0xff]);
    }

    #[test]
    fn every_representable_pair_survives_the_way_there_and_back() {
        for min in (0..=MAX_MS).step_by(370) {
            for max in (min..=MAX_MS).step_by(410) {
                let said = delay(min, max);
                assert_eq!(PlayoutDelay::from_bytes(&said.to_bytes()), Some(said));
            }
        }
    }

    #[test]
    fn a_maximum_below_the_minimum_is_sent_as_the_minimum() {
        assert_eq!(delay(200, 50).to_bytes(), delay(200, 200).to_bytes());
    }

    #[test]
    fn milliseconds_are_rounded_down_to_a_step_and_held_to_the_range() {
        assert_eq!(representable(19), 10);
        assert_eq!(representable(u32::MAX), 40_950);
    }

    #[test]
    fn other_lengths_are_refused() {
        assert_eq!(PlayoutDelay::from_bytes(&[]), None);
        assert_eq!(PlayoutDelay::from_bytes(&[1, 2]), None);
        assert_eq!(PlayoutDelay::from_bytes(&[1, 2, 3, 4]), None);
    }
}
