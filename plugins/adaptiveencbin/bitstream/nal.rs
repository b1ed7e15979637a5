//! Decision: the NAL units of a byte stream (ITU-T H.264 and H.265, annex B), and bits inside them. Refuses length
//! prefixes.

use h264_reader::rbsp::{BitReader, ByteReader};
use std::num::NonZeroUsize;

/// The NAL units between start codes, without them.
pub fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let mut end = start_code(unit).unwrap_or(unit.len());
        rest = after_start_code(&unit[end..]);
        // Zeros at the end belong to the next start code, or pad.
        while end > 0 && unit[end - 1] == 0 {
            end -= 1;
        }
        Some(&unit[..end])
    })
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code(bytes).map(|at| &bytes[at + 3..])
}

/// The bits behind a unit's header, without emulation prevention.
pub fn bits(unit: &[u8], header_bytes: NonZeroUsize) -> BitReader<ByteReader<&[u8]>> {
    BitReader::new(ByteReader::skipping_bytes(unit, header_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_behind_start_codes_of_either_length() {
        let bytes = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 0x88, 0, 0, 1];
        let found: Vec<_> = units(&bytes).collect();
        assert_eq!(found, [&[9, 0xf0][..], &[0x65, 0x88], &[]]);
    }

    #[test]
    fn length_prefixes_and_garbage_hold_nothing() {
        for bytes in [&b""[..], &[0, 0, 0, 2, 0x65, 0x88], &[0xff; 64]] {
            assert_eq!(units(bytes).count(), 0, "{bytes:?}");
        }
    }
}
