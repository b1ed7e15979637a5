//! Decision: the encoders themselves, a row each, per codec in order of preference. A new encoder is a new row and
//! nothing else. Refuses to look at the machine: whether a row works is for the proof to find out.

use super::{
    codec::{ChromaFormat, Codec},
    rate::WriteCost,
    table::{
        BROWSERS_MAX_SLICES, Driver, Helper, Input, Live, ON_REQUEST, RateProperty,
        RateUnit::{BitPerSecond, KbitPerSecond},
        Row,
        Value::{self, FirstOf, Fixed, KeyInterval, MaxSlices, Threads},
        VbvProperty, VbvUnit,
    },
};

const SYSTEM: &str = "memory:SystemMemory";
const NV12: Input = Input { memory: SYSTEM, formats: &["NV12"] };
const I420: Input = Input { memory: SYSTEM, formats: &["I420"] };
const Y444: Input = Input { memory: SYSTEM, formats: &["Y444"] };

/// Encoders that send parameter sets only once get these behind them: whoever joins later needs them with the key frame.
const REPEAT_H264: &[Helper] =
    &[Helper { factory: "h264parse", settings: &[("config-interval", Fixed("-1"))] }];
const REPEAT_H265: &[Helper] =
    &[Helper { factory: "h265parse", settings: &[("config-interval", Fixed("-1"))] }];

/// Says which form the stream has, which payloaders want to know and encoders do not tell.
const PARSE_AV1: &[Helper] = &[Helper { factory: "av1parse", settings: &[] }];

const CONSTRAINED_BASELINE: &[&str] = &["constrained-baseline"];
const MAIN: &[&str] = &["main"];
const HIGH_444: &[&str] = &["high-4:4:4"];
const PROFILE_0: &[&str] = &["0"];
const PROFILE_1: &[&str] = &["1"];

const KBITRATE: RateProperty = RateProperty { name: "bitrate", unit: KbitPerSecond, cost: WriteCost::Soft };

/// The rewritten NVENC elements: the requirement's settings where they have them, and their successors. In 1.22
/// `preset` has no effect; p1 to p7 come with 1.24.
const NVENC: Row = Row {
    factory: "nvautogpuh264enc",
    codec: Codec::H264,
    hardware: true,
    driver: Some(Driver::Nvidia),
    isolated: false,
    input: NV12,
    chroma_format: ChromaFormat::Half,
    full_chroma: None,
    front: &[],
    behind: REPEAT_H264,
    // Its baseline has none of the tools that constrained baseline forbids; the name depends on the version.
    profiles: &["constrained-baseline", "baseline"],
    settings: &[
        ("preset", FirstOf(&["p4", "low-latency-hq"])),
        ("tune", Fixed("ultra-low-latency")),
        ("multi-pass", Fixed("two-pass-quarter")),
        ("rate-control", Fixed("cbr")),
        ("gop-size", KeyInterval),
        ("strict-gop", Fixed("true")),
        ("b-frames", Fixed("0")),
        ("bframes", Fixed("0")),
        ("rc-lookahead", Fixed("0")),
        ("zero-reorder-delay", Fixed("true")),
        ("repeat-sequence-header", Fixed("true")),
        ("aud", Fixed("false")),
    ],
    key_interval: 30,
    max_slices: Some(BROWSERS_MAX_SLICES),
    rate: KBITRATE,
    // Another buffer size closes the session and opens a new one, which costs a key frame and time, and fails where
    // sessions are scarce. The driver keeps the buffer of the start, in bits.
    vbv: Some(VbvProperty { names: &["vbv-buffer-size"], unit: VbvUnit::Kbit, live: Live::No }),
};

const NVENC_H265: Row = Row { codec: Codec::H265, behind: REPEAT_H265, profiles: MAIN, ..NVENC };

/// The legacy NVENC elements: every property that is written while they run resets them.
const NVENC_LEGACY: Row = Row { full_chroma: Some(&NVENC_LEGACY_444), ..NVENC_LEGACY_420 };

/// The rewritten elements of 1.22 take NV12 only.
const NVENC_LEGACY_444: Row =
    Row { input: Y444, chroma_format: ChromaFormat::Full, profiles: HIGH_444, ..NVENC_LEGACY_420 };

const NVENC_LEGACY_420: Row = Row {
    factory: "nvh264enc",
    input: Input { memory: SYSTEM, formats: &["NV12", "I420"] },
    settings: &[
        ("preset", FirstOf(&["low-latency-hq", "p4"])),
        ("tune", Fixed("ultra-low-latency")),
        ("multi-pass", Fixed("two-pass-quarter")),
        ("rc-mode", Fixed("cbr")),
        ("gop-size", KeyInterval),
        ("strict-gop", Fixed("true")),
        ("bframes", Fixed("0")),
        ("rc-lookahead", Fixed("0")),
        ("zerolatency", Fixed("true")),
        ("aud", Fixed("false")),
    ],
    rate: RateProperty { name: "bitrate", unit: KbitPerSecond, cost: WriteCost::KeyFrame },
    ..NVENC
};

const VA_COMMON: &[(&str, Value)] = &[
    ("rate-control", Fixed("cbr")),
    ("target-usage", Fixed("6")),
    ("ref-frames", Fixed("1")),
    ("b-frames", Fixed("0")),
    ("key-int-max", KeyInterval),
    ("aud", Fixed("false")),
    // VP9 and AV1: 1 is the level without references to frames that come later.
    ("hierarchical-level", Fixed("1")),
];

const VA: Row = Row {
    factory: "vah264enc",
    codec: Codec::H264,
    hardware: true,
    driver: Some(Driver::Va),
    isolated: false,
    input: NV12,
    chroma_format: ChromaFormat::Half,
    full_chroma: None,
    front: &[],
    behind: REPEAT_H264,
    profiles: CONSTRAINED_BASELINE,
    settings: VA_COMMON,
    // The most that the elements take.
    key_interval: 1024,
    max_slices: Some(BROWSERS_MAX_SLICES),
    rate: KBITRATE,
    vbv: Some(VbvProperty { names: &["cpb-size"], unit: VbvUnit::Kbit, live: Live::AsFlagged }),
};

const VA_H265: Row = Row { codec: Codec::H265, behind: REPEAT_H265, profiles: MAIN, ..VA };
const VA_VP8: Row =
    Row { factory: "vavp8enc", codec: Codec::Vp8, behind: &[], profiles: &[], max_slices: None, ..VA };
const VA_VP9: Row = Row { factory: "vavp9enc", codec: Codec::Vp9, ..VA_VP8 };
const VA_AV1: Row = Row { factory: "vaav1enc", codec: Codec::Av1, behind: PARSE_AV1, ..VA_VP8 };

const X264: Row = Row { full_chroma: Some(&X264_444), ..X264_420 };

const X264_444: Row = Row { input: Y444, chroma_format: ChromaFormat::Full, profiles: HIGH_444, ..X264_420 };

const X264_420: Row = Row {
    factory: "x264enc",
    codec: Codec::H264,
    hardware: false,
    driver: None,
    isolated: false,
    input: Input { memory: SYSTEM, formats: &["I420", "NV12"] },
    chroma_format: ChromaFormat::Half,
    full_chroma: None,
    front: &[],
    behind: &[],
    profiles: CONSTRAINED_BASELINE,
    settings: &[
        ("tune", Fixed("zerolatency")),
        ("speed-preset", Fixed("ultrafast")),
        // A slice per thread.
        ("sliced-threads", Fixed("true")),
        ("threads", Threads),
        // Constant quality as far as the bit rate allows, which is the buffer's: with `cbr` a still desktop is refined
        // without end at full rate, and motion gets less than it may have (docs/latency.md).
        ("pass", Fixed("qual")),
        ("quantizer", Fixed("20")),
        ("key-int-max", KeyInterval),
        ("bframes", Fixed("0")),
        ("b-adapt", Fixed("false")),
        ("rc-lookahead", Fixed("0")),
        ("sync-lookahead", Fixed("0")),
        ("mb-tree", Fixed("false")),
        ("dct8x8", Fixed("false")),
        ("cabac", Fixed("false")),
        // Says max_num_reorder_frames=0, without which a decoder may hold frames back.
        ("insert-vui", Fixed("true")),
        ("aud", Fixed("false")),
        ("byte-stream", Fixed("true")),
    ],
    key_interval: ON_REQUEST,
    max_slices: Some(BROWSERS_MAX_SLICES),
    rate: KBITRATE,
    vbv: Some(VbvProperty {
        names: &["vbv-buf-capacity"],
        unit: VbvUnit::Milliseconds,
        live: Live::AsFlagged,
    }),
};

const OPENH264: Row = Row {
    factory: "openh264enc",
    input: I420,
    settings: &[
        // `screen` costs half as much again, and this encoder is the last resort of slow machines.
        ("usage-type", Fixed("camera")),
        ("complexity", Fixed("low")),
        ("rate-control", Fixed("bitrate")),
        ("enable-frame-skip", Fixed("false")),
        ("slice-mode", Fixed("n-slices")),
        // With a single slice a frame of noise overflows its bitstream buffer, and that ends the stream.
        ("num-slices", MaxSlices),
        ("multi-thread", Threads),
        ("gop-size", KeyInterval),
    ],
    rate: RateProperty { name: "bitrate", unit: BitPerSecond, cost: WriteCost::Soft },
    vbv: None,
    ..X264_420
};

/// libvpx takes new rates and buffers with the next frame; the elements' property flags do not say so.
const VPX_RATE: RateProperty =
    RateProperty { name: "target-bitrate", unit: BitPerSecond, cost: WriteCost::Soft };

const VP8: Row = Row {
    factory: "vp8enc",
    codec: Codec::Vp8,
    profiles: PROFILE_0,
    settings: &[
        ("deadline", Fixed("1")),
        // A fixed speed; positive numbers let it vary with the time that frames take.
        ("cpu-used", Fixed("-16")),
        ("end-usage", Fixed("cbr")),
        ("lag-in-frames", Fixed("0")),
        ("error-resilient", Fixed("default")),
        ("keyframe-mode", Fixed("disabled")),
        ("keyframe-max-dist", KeyInterval),
        ("threads", Threads),
    ],
    max_slices: None,
    rate: VPX_RATE,
    vbv: Some(VbvProperty {
        names: &["buffer-size", "buffer-initial-size", "buffer-optimal-size"],
        unit: VbvUnit::Milliseconds,
        live: Live::Yes,
    }),
    ..OPENH264
};

const VP9: Row = Row { full_chroma: Some(&VP9_444), ..VP9_420 };

const VP9_444: Row = Row { input: Y444, chroma_format: ChromaFormat::Full, profiles: PROFILE_1, ..VP9_420 };

const VP9_420: Row = Row {
    factory: "vp9enc",
    codec: Codec::Vp9,
    settings: &[
        ("deadline", Fixed("1")),
        ("cpu-used", Fixed("9")),
        ("end-usage", Fixed("cbr")),
        ("lag-in-frames", Fixed("0")),
        ("error-resilient", Fixed("default")),
        ("keyframe-mode", Fixed("disabled")),
        ("keyframe-max-dist", KeyInterval),
        ("row-mt", Fixed("true")),
        ("threads", Threads),
    ],
    ..VP8
};

const AV1: Row = Row {
    factory: "av1enc",
    codec: Codec::Av1,
    isolated: true,
    behind: PARSE_AV1,
    profiles: &[],
    settings: &[
        ("usage-profile", Fixed("realtime")),
        ("cpu-used", Fixed("10")),
        ("end-usage", Fixed("cbr")),
        ("lag-in-frames", Fixed("0")),
        // 1.22 leaves both at 0, so that its rate control has nowhere to go and ends the process.
        ("min-quantizer", Fixed("2")),
        ("max-quantizer", Fixed("56")),
        ("keyframe-mode", Fixed("auto")),
        ("keyframe-max-dist", KeyInterval),
        ("row-mt", Fixed("true")),
        ("threads", Threads),
    ],
    // 1.22 does not hear requests for key frames: whoever joins waits for the next one.
    key_interval: 60,
    rate: RateProperty { name: "target-bitrate", unit: KbitPerSecond, cost: WriteCost::Soft },
    vbv: Some(VbvProperty {
        names: &["buf-sz", "buf-initial-sz", "buf-optimal-sz"],
        unit: VbvUnit::Milliseconds,
        live: Live::Yes,
    }),
    ..VP9_420
};

const X265: Row = Row {
    factory: "x265enc",
    codec: Codec::H265,
    input: I420,
    behind: REPEAT_H265,
    profiles: MAIN,
    settings: &[
        ("tune", Fixed("zerolatency")),
        ("speed-preset", Fixed("ultrafast")),
        ("key-int-max", KeyInterval),
    ],
    vbv: Some(VbvProperty {
        names: &["option-string"],
        unit: VbvUnit::Options("vbv-maxrate={kbps}:vbv-bufsize={kbit}:open-gop=0:bframes=0:aud=0"),
        live: Live::AsFlagged,
    }),
    ..X264_420
};

/// The encoders of each codec, the most wanted first.
pub static ENCODERS: &[Row] = &[
    NVENC,
    Row { factory: "nvcudah264enc", ..NVENC },
    NVENC_LEGACY,
    Row { factory: "vah264lpenc", ..VA },
    VA,
    X264,
    OPENH264,
    VA_VP8,
    VP8,
    Row { factory: "vavp9lpenc", ..VA_VP9 },
    VA_VP9,
    VP9,
    Row { factory: "vaav1lpenc", ..VA_AV1 },
    VA_AV1,
    AV1,
    Row { factory: "nvautogpuh265enc", ..NVENC_H265 },
    Row { factory: "nvcudah265enc", ..NVENC_H265 },
    Row { factory: "nvh265enc", codec: Codec::H265, behind: REPEAT_H265, profiles: MAIN, ..NVENC_LEGACY_420 },
    Row { factory: "vah265lpenc", ..VA_H265 },
    Row { factory: "vah265enc", ..VA_H265 },
    X265,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn hardware_comes_first_in_each_codec_and_every_name_once() {
        let order = |codec: Codec| -> Vec<_> {
            ENCODERS.iter().filter(|row| row.codec == codec).map(|row| row.factory).collect()
        };
        assert_eq!(
            order(Codec::H264),
            [
                "nvautogpuh264enc",
                "nvcudah264enc",
                "nvh264enc",
                "vah264lpenc",
                "vah264enc",
                "x264enc",
                "openh264enc"
            ]
        );
        assert_eq!(order(Codec::Vp8), ["vavp8enc", "vp8enc"]);
        assert_eq!(order(Codec::Vp9), ["vavp9lpenc", "vavp9enc", "vp9enc"]);
        assert_eq!(order(Codec::Av1), ["vaav1lpenc", "vaav1enc", "av1enc"]);
        assert_eq!(
            order(Codec::H265),
            ["nvautogpuh265enc", "nvcudah265enc", "nvh265enc", "vah265lpenc", "vah265enc", "x265enc"]
        );
        for codec in Codec::ALL {
            let rows: Vec<_> = ENCODERS.iter().filter(|row| row.codec == codec).collect();
            assert!(rows.is_sorted_by_key(|row| !row.hardware), "{codec}");
            assert!(rows.iter().any(|row| !row.hardware), "{codec} has something to fall back to");
        }
        let names: HashSet<_> = ENCODERS.iter().map(|row| row.factory).collect();
        assert_eq!(names.len(), ENCODERS.len());
    }

    #[test]
    fn all_colours_are_another_input_and_profile_of_the_same_encoder() {
        let full: Vec<_> = ENCODERS.iter().filter_map(|row| Some((row, row.full_chroma?))).collect();
        assert_eq!(
            full.iter().map(|(row, _)| row.factory).collect::<Vec<_>>(),
            ["nvh264enc", "x264enc", "vp9enc"]
        );
        for (row, full) in full {
            assert_eq!((row.factory, row.codec, row.hardware), (full.factory, full.codec, full.hardware));
            assert_eq!((row.chroma_format, full.chroma_format), (ChromaFormat::Half, ChromaFormat::Full));
            assert_ne!((row.input.formats, row.profiles), (full.input.formats, full.profiles));
            assert!(full.full_chroma.is_none());
        }
    }

    #[test]
    fn every_property_has_one_place() {
        for row in ENCODERS {
            let names: HashSet<_> = row.settings.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), row.settings.len(), "{} sets a property twice", row.factory);
            assert!(!names.contains(&row.rate.name), "{}: the rate is written elsewhere", row.factory);
            let vbv = row.vbv.map_or(&[][..], |vbv| vbv.names);
            assert!(vbv.iter().all(|name| !names.contains(name)), "{}: so is the buffer", row.factory);
            assert_eq!(row.hardware, row.driver.is_some(), "{}", row.factory);
            let is_h26x = matches!(row.codec, Codec::H264 | Codec::H265);
            assert_eq!(is_h26x, row.max_slices.is_some(), "{}: slices are of H.26x", row.factory);
        }
    }

    #[test]
    fn the_requirements_settings_are_on_nvh264enc() {
        let row = ENCODERS.iter().find(|row| row.factory == "nvh264enc").unwrap();
        let value = |name: &str| {
            let (_, value) = row.settings.iter().find(|(setting, _)| *setting == name).unwrap();
            super::super::table::text(row, value, 8)
        };
        let texts = ["preset", "rc-mode", "gop-size", "bframes", "aud"].map(value);
        assert_eq!(texts, ["low-latency-hq", "cbr", "30", "0", "false"]);
        assert_eq!((row.rate.name, row.rate.cost), ("bitrate", WriteCost::KeyFrame));
    }
}
