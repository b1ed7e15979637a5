//! Decision: what an AV1 temporal unit in the low-overhead format holds (AV1 bitstream specification, 5.3, 5.5 and
//! 5.9).

use super::{Contents, Stream};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError};

const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_FRAME_HEADER: u8 = 3;
const OBU_FRAME: u8 = 6;
const KEY_FRAME: u32 = 0;

/// Looks through a temporal unit.
pub fn inspect(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    for (kind, payload) in units(bytes) {
        match kind {
            OBU_SEQUENCE_HEADER => contents.stream = contents.stream.or_else(|| stream(payload).ok()),
            OBU_FRAME_HEADER | OBU_FRAME => {
                contents.slices += 1;
                contents.is_key |= is_key(payload);
            }
            _ => {}
        }
    }
    contents
}

/// The units as type and payload. One without a size reaches to the end.
fn units(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&header, mut body) = rest.split_first()?;
        let (kind, has_extension, has_size) = ((header >> 3) & 0xf, header & 4 != 0, header & 2 != 0);
        if has_extension {
            body = body.get(1..)?;
        }
        if has_size {
            let (size, length) = leb128(body)?;
            body = body.get(length..)?;
            rest = body.get(size..)?;
            body = &body[..size];
        } else {
            rest = &[];
        }
        Some((kind, body))
    })
}

/// A number, and the bytes it takes (4.10.5).
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, at + 1));
        }
    }
    None
}

fn is_key(payload: &[u8]) -> bool {
    let mut bits = BitReader::new(payload);
    let shows_old_frame = bits.read_bit("show_existing_frame").unwrap_or(true);
    !shows_old_frame && bits.read::<2, u32>("frame_type").is_ok_and(|kind| kind == KEY_FRAME)
}

fn stream(payload: &[u8]) -> Result<Stream, BitReaderError> {
    let mut bits = BitReader::new(payload);
    let profile: u32 = bits.read::<3, u32>("seq_profile")?;
    bits.skip(1, "still_picture")?;
    if bits.read_bit("reduced_still_picture_header")? {
        bits.skip(5, "seq_level_idx")?;
    } else {
        operating_points(&mut bits)?;
    }
    let width_bits = 1 + bits.read::<4, u32>("frame_width_bits_minus_1")?;
    let height_bits = 1 + bits.read::<4, u32>("frame_height_bits_minus_1")?;
    let width = 1 + bits.read_var::<u32>(width_bits, "max_frame_width_minus_1")?;
    let height = 1 + bits.read_var::<u32>(height_bits, "max_frame_height_minus_1")?;
    let profiles = ["main", "high", "professional"].get(profile as usize).copied().into_iter().collect();
    Ok(Stream { width, height, profiles, profile: profile.to_string(), max_reorder: 0 })
}

/// What stands between the flags and the size; none of it is of interest but its length.
fn operating_points(bits: &mut impl BitRead) -> Result<(), BitReaderError> {
    let mut delay_bits = None;
    if bits.read_bit("timing_info_present_flag")? {
        bits.skip(64, "num_units_in_display_tick and time_scale")?;
        if bits.read_bit("equal_picture_interval")? {
            // uvlc() is written as ue(v) is.
            bits.read_ue("num_ticks_per_picture_minus_1")?;
        }
        if bits.read_bit("decoder_model_info_present_flag")? {
            delay_bits = Some(1 + bits.read::<5, u32>("buffer_delay_length_minus_1")?);
            bits.skip(32 + 5 + 5, "decoder_model_info")?;
        }
    }
    let has_display_delay = bits.read_bit("initial_display_delay_present_flag")?;
    let points = 1 + bits.read::<5, u32>("operating_points_cnt_minus_1")?;
    for _ in 0..points {
        bits.skip(12, "operating_point_idc")?;
        if bits.read::<5, u32>("seq_level_idx")? > 7 {
            bits.skip(1, "seq_tier")?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.read_bit("decoder_model_present_for_this_op")?
        {
            bits.skip(2 * delay_bits + 1, "operating_parameters_info")?;
        }
        if has_display_delay && bits.read_bit("initial_display_delay_present_for_this_op")? {
            bits.skip(4, "initial_display_delay_minus_1")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Temporal delimiter, sequence header and the first bytes of a key frame of av1enc at 320x240.
    const KEY: &[u8] = &[
        0x12, 0, 0x0a, 0x0c, 0, 0, 0, 0x0c, 0x3c, 0xff, 0xbf, 0x81, 0xb5, 0xf2, 0, 0x80, 0x32, 3, 0x13, 0x5f,
        0x58,
    ];

    #[test]
    fn a_key_frame_comes_with_its_sequence_header() {
        let contents = inspect(KEY);
        assert!(contents.is_key);
        assert_eq!(contents.slices, 1);
        let stream = contents.stream.unwrap();
        assert_eq!((stream.width, stream.height, stream.profiles), (320, 240, vec!["main"]));
    }

    #[test]
    fn an_inter_frame_is_no_key_frame() {
        assert_eq!(inspect(&[0x12, 0, 0x32, 1, 0x30]), Contents { slices: 1, ..Contents::default() });
    }

    #[test]
    fn sizes_that_reach_beyond_the_end_hold_nothing() {
        assert_eq!(inspect(&[0x0a, 0x7f, 0]), Contents::default());
        assert_eq!(
            inspect(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Contents::default()
        );
    }
}
