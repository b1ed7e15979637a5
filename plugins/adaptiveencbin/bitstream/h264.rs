//! Decision: what an H.264 access unit holds: parameter sets, IDR slices, and how far the sequence parameter set lets a
//! decoder put pictures in order (ITU-T H.264, 7.3 and annex E).

use super::{Contents, Stream, nal};
use h264_reader::{
    nal::sps::{ChromaFormat, PicOrderCntType, SeqParameterSet},
    rbsp::BitRead,
};
use std::num::NonZeroUsize;

const HEADER_BYTES: NonZeroUsize = NonZeroUsize::MIN;

/// `profile_idc` (A.2.11).
const HIGH_444_PREDICTIVE: u8 = 244;

const NAL_SLICE: u8 = 1;
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;

/// The most pictures that a decoder of any level keeps (A.3.1).
const MAX_DPB_FRAMES: u32 = 16;

/// Macroblocks along an edge of the largest picture of any level (table A-1: `Sqrt(MaxFS * 8)`).
const MAX_EDGE_MACROBLOCKS: u32 = 1056;

/// Looks through an access unit.
pub fn inspect(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let (mut sps, mut has_pps) = (None, false);
    for unit in nal::units(bytes) {
        let Some(header) = unit.first().filter(|_| unit.len() > 1) else { continue };
        match header & 0x1f {
            NAL_SPS => sps = sps.or_else(|| stream(unit)),
            NAL_PPS => has_pps = true,
            kind @ (NAL_SLICE | NAL_IDR) => {
                contents.slices += 1;
                contents.is_key |= kind == NAL_IDR;
                contents.is_bidirectional |= is_b_slice(unit);
            }
            _ => {}
        }
    }
    contents.stream = sps.filter(|_| has_pps);
    contents
}

/// `slice_type` is 1 or 6 (table 7-6).
fn is_b_slice(unit: &[u8]) -> bool {
    let mut bits = nal::bits(unit, HEADER_BYTES);
    let slice_type = bits.read_ue("first_mb_in_slice").and_then(|_| bits.read_ue("slice_type"));
    slice_type.is_ok_and(|slice_type| slice_type % 5 == 1)
}

fn stream(unit: &[u8]) -> Option<Stream> {
    let sps = SeqParameterSet::from_bits(nal::bits(unit, HEADER_BYTES)).ok()?;
    if sps.pic_width_in_mbs_minus1.max(sps.pic_height_in_map_units_minus1) >= MAX_EDGE_MACROBLOCKS {
        return None;
    }
    let (width, height) = sps.pixel_dimensions().ok()?;
    let idc = u8::from(sps.profile_idc);
    let flags = sps.constraint_flags;
    let profile = format!("{idc} with constraints {:#04x}", u8::from(flags));
    let mut profiles = profiles(idc, flags.flag0(), flags.flag1());
    // Its decoders take the others too (A.2.11), but whoever asks for it asks for all colours.
    if idc == HIGH_444_PREDICTIVE && sps.chroma_info.chroma_format == ChromaFormat::YUV444 {
        profiles.push("high-4:4:4");
    }
    Some(Stream { width, height, profiles, profile, max_reorder: max_reorder(&sps, idc) })
}

/// The profiles whose decoders can all decode it.
fn profiles(idc: u8, constraint_0: bool, constraint_1: bool) -> Vec<&'static str> {
    let is_constrained = (idc == 66 && constraint_1) || (idc == 77 && constraint_0);
    let all = [
        ("constrained-baseline", is_constrained),
        ("baseline", idc == 66 || is_constrained),
        ("main", idc == 77 || is_constrained),
        ("high", matches!(idc, 77 | 100) || is_constrained),
    ];
    all.into_iter().filter(|(_, is_one)| *is_one).map(|(name, _)| name).collect()
}

/// What the VUI says; without it, what follows from the rest: pictures come in order where their order is not even coded
/// (`pic_order_cnt_type` 2), and where no slice may look ahead (baseline).
fn max_reorder(sps: &SeqParameterSet, idc: u8) -> u32 {
    let restrictions = sps.vui_parameters.as_ref().and_then(|vui| vui.bitstream_restrictions.as_ref());
    match (restrictions, &sps.pic_order_cnt) {
        (Some(restrictions), _) => restrictions.max_num_reorder_frames,
        (None, PicOrderCntType::TypeTwo) => 0,
        (None, _) if idc == 66 => 0,
        // E.2.1: an intra profile has nothing to wait for; else all that the decoder can hold.
        (None, _) if matches!(idc, 44 | 86 | 100 | 110 | 122 | 244) && sps.constraint_flags.flag3() => 0,
        (None, _) => MAX_DPB_FRAMES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use h264_reader::rbsp::{BitWrite, BitWriter};

    /// Of x264enc with our settings at 640x360, and of openh264enc at 320x240.
    const X264: &str = "6742c01fda0280bfe5c05a8303035280000003008000003c478c1950";
    const OPENH264: &str = "6742c0158c8d40a0f900f08846a0";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn unit(sps: &str) -> Vec<u8> {
        [&[0, 0, 0, 1][..], &bytes(sps), &[0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 0x88, 0x84]].concat()
    }

    #[test]
    fn real_parameter_sets_tell_size_profile_and_order() {
        let x264 = inspect(&unit(X264));
        assert!(x264.is_key && !x264.is_bidirectional);
        assert_eq!(x264.slices, 1);
        let stream = x264.stream.unwrap();
        assert_eq!((stream.width, stream.height, stream.max_reorder), (640, 360, 0));
        assert_eq!(stream.profiles, ["constrained-baseline", "baseline", "main", "high"]);
        let stream = inspect(&unit(OPENH264)).stream.unwrap();
        assert_eq!((stream.width, stream.height, stream.max_reorder), (320, 240, 0));
    }

    #[test]
    fn the_set_is_worth_nothing_without_its_other_half() {
        let unit = unit(X264);
        let pps = unit.windows(4).position(|window| window == [0, 0, 1, 0x68]).unwrap();
        assert_eq!(inspect(&unit[..pps]).stream, None);
        assert_eq!(inspect(&unit[pps..]).stream, None);
        assert!(inspect(&unit[pps..]).is_key);
    }

    #[test]
    fn high_profile_without_a_word_about_order_lets_a_decoder_wait() {
        let mut bits = BitWriter::new(vec![0u8, 0, 1, 0x67, 100, 0, 30]);
        // Id, 4:2:0, 8 bits, 8 bits.
        [0, 1, 0, 0].into_iter().for_each(|n| bits.write_ue(n).unwrap());
        // No bypass and no matrix.
        [false, false].into_iter().for_each(|bit| bits.write_bit(bit).unwrap());
        // Frame number, order of type 0 and its bits, one reference.
        [0, 0, 0, 1].into_iter().for_each(|n| bits.write_ue(n).unwrap());
        bits.write_bit(false).unwrap();
        [39, 22].into_iter().for_each(|n| bits.write_ue(n).unwrap());
        // Frames only, direct 8x8, and eight lines cropped at the bottom.
        [true, true, true].into_iter().for_each(|bit| bits.write_bit(bit).unwrap());
        [0, 0, 0, 4].into_iter().for_each(|n| bits.write_ue(n).unwrap());
        // No VUI.
        bits.write_bit(false).unwrap();
        bits.write_rbsp_trailing_bits().unwrap();
        let unit = [&bits.into_writer()[..], &[0, 0, 1, 0x68, 0xce]].concat();
        let stream = inspect(&unit).stream.expect("it can be read");
        assert_eq!((stream.width, stream.height), (640, 360));
        assert_eq!(stream.max_reorder, MAX_DPB_FRAMES);
        assert_eq!(stream.profiles, ["high"]);
    }

    #[test]
    fn slices_of_type_b_are_seen() {
        // first_mb_in_slice 0, slice_type 1 and 0.
        assert!(inspect(&[0, 0, 1, 0x01, 0b1010_0000, 0x80]).is_bidirectional);
        assert!(!inspect(&[0, 0, 1, 0x41, 0b1100_0000, 0x80]).is_bidirectional);
    }

    #[test]
    fn constrained_baseline_needs_the_constraint_flag() {
        let is = |idc, flag0, flag1, name: &str| profiles(idc, flag0, flag1).contains(&name);
        assert!(is(66, true, true, "constrained-baseline"));
        assert!(!is(66, false, false, "constrained-baseline"));
        assert!(is(66, false, false, "baseline"));
        assert!(!is(100, false, false, "constrained-baseline"));
        assert!(is(77, true, false, "constrained-baseline"));
        assert!(is(100, false, false, "high"));
        assert!(!is(66, false, false, "high"));
    }
}
