//! Decision: what a VP9 frame is (VP9 bitstream specification 0.6, 6.2).

use super::{Contents, Stream};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError};

const FRAME_MARKER: u32 = 2;
const SYNC_CODE: u32 = 0x49_83_42;
const CS_RGB: u32 = 7;

/// Looks at the header of a frame, or of a superframe's first one.
pub fn inspect(bytes: &[u8]) -> Contents {
    read(bytes).unwrap_or_default()
}

fn read(bytes: &[u8]) -> Result<Contents, BitReaderError> {
    let mut bits = BitReader::new(bytes);
    if bits.read::<2, u32>("frame_marker")? != FRAME_MARKER {
        return Ok(Contents::default());
    }
    let low: u32 = bits.read::<1, u32>("profile_low_bit")?;
    let profile = low + 2 * bits.read::<1, u32>("profile_high_bit")?;
    if profile == 3 {
        bits.skip(1, "reserved_zero")?;
    }
    let delta = Contents { slices: 1, ..Contents::default() };
    let is_old_frame = bits.read_bit("show_existing_frame")?;
    if is_old_frame || bits.read_bit("frame_type")? {
        return Ok(delta);
    }
    bits.skip(2, "show_frame and error_resilient_mode")?;
    if bits.read::<24, u32>("frame_sync_code")? != SYNC_CODE {
        return Ok(delta);
    }

    // color_config
    if profile >= 2 {
        bits.skip(1, "ten_or_twelve_bit")?;
    }
    let has_subsampling = profile & 1 == 1;
    if bits.read::<3, u32>("color_space")? == CS_RGB {
        bits.skip(u32::from(has_subsampling), "reserved_zero")?;
    } else {
        bits.skip(1 + if has_subsampling { 3 } else { 0 }, "color_range and subsampling")?;
    }

    let width = 1 + bits.read::<16, u32>("frame_width_minus_1")?;
    let height = 1 + bits.read::<16, u32>("frame_height_minus_1")?;
    let profiles = ["0", "1", "2", "3"].get(profile as usize).copied().into_iter().collect();
    let stream = Stream { width, height, profiles, profile: profile.to_string(), max_reorder: 0 };
    Ok(Contents { is_key: true, stream: Some(stream), ..delta })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_says_its_size() {
        // Profile 0, BT.601, 320x240: 10 0 0 0 0 1 0, sync code, 001 0, 319, 239.
        let bytes = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0];
        let contents = inspect(&bytes);
        assert!(contents.is_key);
        let stream = contents.stream.unwrap();
        assert_eq!((stream.width, stream.height, stream.profiles), (320, 240, vec!["0"]));
    }

    #[test]
    fn other_frames_and_garbage_are_no_key_frames() {
        assert_eq!(inspect(&[0x86, 0, 0]), Contents { slices: 1, ..Contents::default() });
        assert_eq!(inspect(&[0x42, 0, 0]), Contents::default());
        assert_eq!(inspect(&[]), Contents::default());
        assert!(!inspect(&[0x82, 1, 2, 3, 0x20, 0x13, 0xf0, 0x0e, 0xf0]).is_key);
    }
}
