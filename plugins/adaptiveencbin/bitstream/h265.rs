//! Decision: what an H.265 access unit holds: the three parameter sets, pictures that a decoder can start with, and how
//! far the sequence parameter set lets it put pictures in order (ITU-T H.265, 7.3).

use super::{Contents, Stream, nal};
use h264_reader::rbsp::{BitRead, BitReaderError};
use std::num::NonZeroUsize;

const HEADER_BYTES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

const NAL_BLA_FIRST: u8 = 16;
const NAL_CRA: u8 = 21;
const NAL_LAST_TRAILING: u8 = 9;
const NAL_VPS: u8 = 32;
const NAL_SPS: u8 = 33;
const NAL_PPS: u8 = 34;

/// Looks through an access unit.
pub fn inspect(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let (mut sps, mut has_vps, mut has_pps) = (None, false, false);
    for unit in nal::units(bytes) {
        let Some(header) = unit.first().filter(|_| unit.len() > 2) else { continue };
        match (header >> 1) & 0x3f {
            NAL_VPS => has_vps = true,
            NAL_SPS => sps = sps.or_else(|| stream(unit).ok()),
            NAL_PPS => has_pps = true,
            NAL_BLA_FIRST..=NAL_CRA => {
                contents.slices += 1;
                contents.is_key = true;
            }
            0..=NAL_LAST_TRAILING => contents.slices += 1,
            _ => {}
        }
    }
    contents.stream = sps.filter(|_| has_vps && has_pps);
    contents
}

fn stream(unit: &[u8]) -> Result<Stream, BitReaderError> {
    let mut bits = nal::bits(unit, HEADER_BYTES);
    bits.skip(4, "sps_video_parameter_set_id")?;
    let sub_layers: u32 = bits.read::<3, u32>("sps_max_sub_layers_minus1")?;
    bits.skip(1, "sps_temporal_id_nesting_flag")?;

    // profile_tier_level
    bits.skip(3, "general_profile_space and general_tier_flag")?;
    let idc: u32 = bits.read::<5, u32>("general_profile_idc")?;
    let compatible: u32 = bits.read::<32, u32>("general_profile_compatibility_flags")?;
    bits.skip(48, "general constraint flags")?;
    bits.skip(8, "general_level_idc")?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.read_bit("sub_layer_profile")?, bits.read_bit("sub_layer_level")?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers), "reserved_zero_2bits")?;
    }
    for (has_profile, has_level) in present {
        bits.skip(if has_profile { 88 } else { 0 }, "sub_layer_profile")?;
        bits.skip(if has_level { 8 } else { 0 }, "sub_layer_level_idc")?;
    }

    bits.read_ue("sps_seq_parameter_set_id")?;
    let chroma_format = bits.read_ue("chroma_format_idc")?;
    if chroma_format == 3 {
        bits.skip(1, "separate_colour_plane_flag")?;
    }
    let width = bits.read_ue("pic_width_in_luma_samples")?;
    let height = bits.read_ue("pic_height_in_luma_samples")?;
    let (mut crop_x, mut crop_y) = (0u32, 0u32);
    if bits.read_bit("conformance_window_flag")? {
        let (sub_width, sub_height) = match chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let (left, right) = (bits.read_ue("left")?, bits.read_ue("right")?);
        let (top, bottom) = (bits.read_ue("top")?, bits.read_ue("bottom")?);
        crop_x = left.saturating_add(right).saturating_mul(sub_width);
        crop_y = top.saturating_add(bottom).saturating_mul(sub_height);
    }
    bits.read_ue("bit_depth_luma_minus8")?;
    bits.read_ue("bit_depth_chroma_minus8")?;
    bits.read_ue("log2_max_pic_order_cnt_lsb_minus4")?;
    // The last layer's numbers count for the whole stream.
    let first = if bits.read_bit("sps_sub_layer_ordering_info_present_flag")? { 0 } else { sub_layers };
    let mut max_reorder = 0;
    for _ in first..=sub_layers {
        bits.read_ue("sps_max_dec_pic_buffering_minus1")?;
        max_reorder = bits.read_ue("sps_max_num_reorder_pics")?;
        bits.read_ue("sps_max_latency_increase_plus1")?;
    }

    // A stream says itself which profiles' decoders can decode it; the first bit is profile 0.
    let profiles = [(1, "main"), (2, "main-10")];
    let is_one = |number: u32| idc == number || compatible & (0x8000_0000 >> number) != 0;
    Ok(Stream {
        width: width.saturating_sub(crop_x),
        height: height.saturating_sub(crop_y),
        profiles: profiles.into_iter().filter(|(n, _)| is_one(*n)).map(|(_, name)| name).collect(),
        profile: idc.to_string(),
        max_reorder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of x265enc's output at 320x240, tuned for zero latency.
    const X265: &[u8] = &[
        0, 0, 0, 1, 0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0,
        0x5d, 0xba, 0x02, 0x40, 0, 0, 0, 1, 0x42, 0x01, 0x01, 0x01, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3,
        0, 0x5d, 0xa0, 0x0a, 0x08, 0x0f, 0x16, 0x5b, 0xa4, 0xa4, 0xc2, 0xff, 0xf0, 0, 0x10, 0, 0x16, 0xa0,
        0xc0, 0xc0, 0xc0, 0x80, 0, 0, 3, 0, 0x80, 0, 0, 0x1e, 4, 0, 0, 1, 0x44, 0x01, 0xc0, 0x73, 0xc1, 0x89,
        0, 0, 1, 0x26, 0x01, 0xaf,
    ];

    #[test]
    fn a_real_access_unit_tells_size_profile_and_order() {
        let contents = inspect(X265);
        assert!(contents.is_key);
        assert_eq!(contents.slices, 1);
        let stream = contents.stream.unwrap();
        assert_eq!((stream.width, stream.height, stream.max_reorder), (320, 240, 0));
        assert_eq!((stream.profiles, stream.profile.as_str()), (vec!["main", "main-10"], "1"));
    }

    #[test]
    fn each_of_the_three_parameter_sets_is_needed() {
        for kind in [0x40, 0x42, 0x44] {
            let mut unit = X265.to_vec();
            let at = unit.windows(4).position(|window| window == [0, 0, 1, kind]).unwrap();
            // An end-of-bitstream unit instead.
            unit[at + 3] = 37 << 1;
            assert_eq!(inspect(&unit).stream, None, "{kind:#x}");
        }
    }

    #[test]
    fn a_trailing_picture_is_no_key_frame() {
        assert_eq!(inspect(&[0, 0, 1, 0x02, 0x01, 0xd0]), Contents { slices: 1, ..Contents::default() });
    }
}
