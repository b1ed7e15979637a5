//! Decision: everything that is known about encoders, a row each, in order of preference. A new encoder is a new row
//! and nothing else. Refuses to look at the machine: whether a row works is for the proof to find out.

use super::{codec::Codec, rate::WriteCost};

/// What is known about one encoder.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Factory name, which is also the name on the bus and in `encoder=`.
    pub factory: &'static str,
    /// What it makes.
    pub codec: Codec,
    /// Whether it runs on a device of its own.
    pub hardware: bool,
    /// Whether versions of it are known to end the whole process, so that it is proven in a child process.
    pub isolated: bool,
    /// What it is fed.
    pub input: Input,
    /// Elements between the conversion and the encoder.
    pub front: &'static [Helper],
    /// Elements between the encoder and the source pad.
    pub behind: &'static [Helper],
    /// Profiles to ask for, as caps name them; none where the element's caps have none.
    pub profiles: &'static [&'static str],
    /// Properties, with the values that were found good for live desktops.
    pub settings: &'static [(&'static str, Value)],
    /// Frames from one key frame to the next that nobody asked for; [`ON_REQUEST`] where there are none.
    pub key_interval: u32,
    /// The most slices per picture that these settings make; none where the codec's slices mean nothing to browsers.
    pub max_slices: Option<u32>,
    /// How the target bit rate is written.
    pub rate: RateProperty,
    /// How the size of the rate control's buffer is written.
    pub vbv: Option<VbvProperty>,
}

/// What an encoder is fed.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Caps feature of the memory.
    pub memory: &'static str,
    /// Formats in order of preference.
    pub formats: &'static [&'static str],
}

/// An element beside the encoder.
#[derive(Debug, Clone, Copy)]
pub struct Helper {
    /// Factory name.
    pub factory: &'static str,
    /// Its properties.
    pub settings: &'static [(&'static str, Value)],
}

/// A property's value as `gst-launch-1.0` would write it: enumerations and flags by nick.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// This value.
    Fixed(&'static str),
    /// The first of these that the installed version knows, the newest first.
    FirstOf(&'static [&'static str]),
    /// The number of encoding threads.
    Threads,
    /// The row's `key_interval`.
    KeyInterval,
    /// The row's `max_slices`.
    MaxSlices,
}

/// Key frames come on request only; a periodic one is a periodic hiccup. It is the most that any such property takes.
pub const ON_REQUEST: u32 = i32::MAX as u32;

/// More slices per picture trouble Chromium.
const BROWSERS_MAX_SLICES: u32 = 4;

/// How the target bit rate is written.
#[derive(Debug, Clone, Copy)]
pub struct RateProperty {
    /// Property.
    pub name: &'static str,
    /// Its unit.
    pub unit: RateUnit,
    /// What writing it while frames flow costs.
    pub cost: WriteCost,
}

/// Unit of a rate property.
#[derive(Debug, Clone, Copy)]
pub enum RateUnit {
    /// kbit/s.
    KbitPerSecond,
    /// bit/s.
    BitPerSecond,
}

/// How the size of the rate control's buffer is written.
#[derive(Debug, Clone, Copy)]
pub struct VbvProperty {
    /// Properties; all get the same value.
    pub names: &'static [&'static str],
    /// Their unit.
    pub unit: VbvUnit,
    /// Whether they act while frames flow, although the element's property flags do not say so.
    pub live: bool,
}

/// Unit of a buffer property.
#[derive(Debug, Clone, Copy)]
pub enum VbvUnit {
    /// Milliseconds at the target bit rate.
    Milliseconds,
    /// kbit.
    Kbit,
}

use RateUnit::{BitPerSecond, KbitPerSecond};
use Value::{FirstOf, Fixed, KeyInterval, MaxSlices, Threads};

const SYSTEM: &str = "memory:SystemMemory";

const NV12: Input = Input { memory: SYSTEM, formats: &["NV12"] };

/// Encoders that send parameter sets only once get this behind them: whoever joins later needs them with the IDR.
const REPEAT_PARAMETER_SETS: &[Helper] =
    &[Helper { factory: "h264parse", settings: &[("config-interval", Fixed("-1"))] }];

const CONSTRAINED_BASELINE: &[&str] = &["constrained-baseline"];

/// NVENC has a baseline without the tools that constrained baseline forbids; which name it goes by depends on the version.
const NVENC_PROFILES: &[&str] = &["constrained-baseline", "baseline"];

/// The rewritten NVENC elements. `preset` has no effect in 1.22 and p1 to p7 come with 1.24.
const NVENC_SETTINGS: &[(&str, Value)] = &[
    ("preset", FirstOf(&["p4", "low-latency-hq"])),
    ("tune", Fixed("ultra-low-latency")),
    ("multi-pass", Fixed("two-pass-quarter")),
    ("rate-control", Fixed("cbr")),
    ("gop-size", KeyInterval),
    ("b-frames", Fixed("0")),
    ("bframes", Fixed("0")),
    ("rc-lookahead", Fixed("0")),
    ("zero-reorder-delay", Fixed("true")),
    ("repeat-sequence-header", Fixed("true")),
    ("aud", Fixed("false")),
];

/// The requirement's; NVENC knows no key frames on request alone that would survive every driver.
const NVENC_KEY_INTERVAL: u32 = 30;

const NVENC_VBV: Option<VbvProperty> =
    Some(VbvProperty { names: &["vbv-buffer-size"], unit: VbvUnit::Kbit, live: false });

const KBITRATE: RateProperty = RateProperty { name: "bitrate", unit: KbitPerSecond, cost: WriteCost::Soft };

const VA_SETTINGS: &[(&str, Value)] = &[
    ("rate-control", Fixed("cbr")),
    ("target-usage", Fixed("6")),
    ("ref-frames", Fixed("1")),
    ("b-frames", Fixed("0")),
    ("key-int-max", KeyInterval),
    ("aud", Fixed("false")),
];

/// The most that the elements take.
const VA_KEY_INTERVAL: u32 = 1024;

const VA_VBV: Option<VbvProperty> =
    Some(VbvProperty { names: &["cpb-size"], unit: VbvUnit::Kbit, live: false });

/// The encoders, the most wanted first.
pub static ENCODERS: &[Row] = &[
    Row {
        factory: "nvautogpuh264enc",
        codec: Codec::H264,
        hardware: true,
        isolated: false,
        input: NV12,
        front: &[],
        behind: REPEAT_PARAMETER_SETS,
        profiles: NVENC_PROFILES,
        settings: NVENC_SETTINGS,
        key_interval: NVENC_KEY_INTERVAL,
        max_slices: Some(BROWSERS_MAX_SLICES),
        rate: KBITRATE,
        vbv: NVENC_VBV,
    },
    Row {
        factory: "nvcudah264enc",
        codec: Codec::H264,
        hardware: true,
        isolated: false,
        input: NV12,
        front: &[],
        behind: REPEAT_PARAMETER_SETS,
        profiles: NVENC_PROFILES,
        settings: NVENC_SETTINGS,
        key_interval: NVENC_KEY_INTERVAL,
        max_slices: Some(BROWSERS_MAX_SLICES),
        rate: KBITRATE,
        vbv: NVENC_VBV,
    },
    // The legacy element: every property that is written while it runs resets it, so it comes after its successors.
    Row {
        factory: "nvh264enc",
        codec: Codec::H264,
        hardware: true,
        isolated: false,
        input: Input { memory: SYSTEM, formats: &["NV12", "I420"] },
        front: &[],
        behind: REPEAT_PARAMETER_SETS,
        profiles: NVENC_PROFILES,
        settings: &[
            ("preset", FirstOf(&["p4", "low-latency-hq"])),
            ("tune", Fixed("ultra-low-latency")),
            ("multi-pass", Fixed("two-pass-quarter")),
            ("rc-mode", Fixed("cbr")),
            ("gop-size", KeyInterval),
            ("bframes", Fixed("0")),
            ("rc-lookahead", Fixed("0")),
            ("zerolatency", Fixed("true")),
            ("strict-gop", Fixed("true")),
            ("aud", Fixed("false")),
        ],
        key_interval: NVENC_KEY_INTERVAL,
        max_slices: Some(BROWSERS_MAX_SLICES),
        rate: RateProperty { name: "bitrate", unit: KbitPerSecond, cost: WriteCost::KeyFrame },
        vbv: NVENC_VBV,
    },
    Row {
        factory: "vah264lpenc",
        codec: Codec::H264,
        hardware: true,
        isolated: false,
        input: NV12,
        front: &[],
        behind: REPEAT_PARAMETER_SETS,
        profiles: CONSTRAINED_BASELINE,
        settings: VA_SETTINGS,
        key_interval: VA_KEY_INTERVAL,
        max_slices: Some(BROWSERS_MAX_SLICES),
        rate: KBITRATE,
        vbv: VA_VBV,
    },
    Row {
        factory: "vah264enc",
        codec: Codec::H264,
        hardware: true,
        isolated: false,
        input: NV12,
        front: &[],
        behind: REPEAT_PARAMETER_SETS,
        profiles: CONSTRAINED_BASELINE,
        settings: VA_SETTINGS,
        key_interval: VA_KEY_INTERVAL,
        max_slices: Some(BROWSERS_MAX_SLICES),
        rate: KBITRATE,
        vbv: VA_VBV,
    },
    Row {
        factory: "x264enc",
        codec: Codec::H264,
        hardware: false,
        isolated: false,
        input: Input { memory: SYSTEM, formats: &["I420", "NV12"] },
        front: &[],
        behind: &[],
        profiles: CONSTRAINED_BASELINE,
        settings: &[
            ("tune", Fixed("zerolatency")),
            ("speed-preset", Fixed("ultrafast")),
            ("sliced-threads", Fixed("true")),
            ("threads", Threads),
            ("pass", Fixed("cbr")),
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
        vbv: Some(VbvProperty { names: &["vbv-buf-capacity"], unit: VbvUnit::Milliseconds, live: false }),
    },
    Row {
        factory: "openh264enc",
        codec: Codec::H264,
        hardware: false,
        isolated: false,
        input: Input { memory: SYSTEM, formats: &["I420"] },
        front: &[],
        behind: &[],
        profiles: CONSTRAINED_BASELINE,
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
        key_interval: ON_REQUEST,
        max_slices: Some(BROWSERS_MAX_SLICES),
        rate: RateProperty { name: "bitrate", unit: BitPerSecond, cost: WriteCost::Soft },
        vbv: None,
    },
];

/// A setting's value as text, on so many cores; of several the newest.
pub fn text(row: &Row, value: &Value, cores: usize) -> String {
    match value {
        Fixed(text) => (*text).to_owned(),
        FirstOf(texts) => texts.first().copied().unwrap_or_default().to_owned(),
        Threads => encoding_threads(cores).to_string(),
        KeyInterval => row.key_interval.to_string(),
        MaxSlices => row.max_slices.unwrap_or(BROWSERS_MAX_SLICES).to_string(),
    }
}

/// Threads for encoding on so many cores: one core stays free for capture and network, and more than four slices per
/// picture trouble browsers.
pub fn encoding_threads(cores: usize) -> usize {
    cores.saturating_sub(1).clamp(1, 4)
}

/// Threads for colour conversion: it saves latency, not work, so half of the cores at most.
pub fn conversion_threads(cores: usize) -> usize {
    cores.div_ceil(2).clamp(1, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn hardware_comes_first_and_every_name_once() {
        let order: Vec<_> = ENCODERS.iter().map(|row| row.factory).collect();
        assert_eq!(
            order,
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
        assert!(ENCODERS.is_sorted_by_key(|row| !row.hardware));
        for row in ENCODERS {
            let names: HashSet<_> = row.settings.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), row.settings.len(), "{} sets a property twice", row.factory);
            assert!(!names.contains(&row.rate.name), "{}: the rate is written elsewhere", row.factory);
        }
    }

    #[test]
    fn one_core_stays_free_and_slices_stay_few() {
        assert_eq!([1, 2, 3, 4, 8, 64].map(encoding_threads), [1, 1, 2, 3, 4, 4]);
        assert_eq!([1, 2, 4, 8, 64].map(conversion_threads), [1, 1, 2, 4, 4]);
    }
}
