//! Decision: what can be known about an encoder: the columns of the table whose rows are in `rows.rs`. Refuses to know
//! any encoder by name.

use super::{
    codec::{ChromaFormat, Codec},
    rate::WriteCost,
};

use std::borrow::Cow;

pub use super::rows::ENCODERS;

/// What is known about one encoder.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Factory name, which is also the name on the bus and in `encoder=`.
    pub factory: &'static str,
    /// What it makes.
    pub codec: Codec,
    /// Whether it runs on a device of its own.
    pub hardware: bool,
    /// The driver that hardware needs: whom to ask why it does not work.
    pub driver: Option<Driver>,
    /// Whether versions of it are known to end the whole process, so that it is proven in a child process.
    pub isolated: bool,
    /// What it is fed.
    pub input: Input,
    /// Of what it makes.
    pub chroma_format: ChromaFormat,
    /// The same encoder with all its colours, where it can and browsers can.
    pub full_chroma: Option<&'static Row>,
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

impl Row {
    /// What it is called where its kinds must be told apart.
    pub fn name(&self) -> Cow<'static, str> {
        match self.chroma_format {
            ChromaFormat::Half => self.factory.into(),
            ChromaFormat::Full => format!("{}:4:4:4", self.factory).into(),
        }
    }

    /// Whether this is the other one, of the same kind.
    pub fn is(&self, other: &Self) -> bool {
        self.factory == other.factory && self.chroma_format == other.chroma_format
    }
}

/// A driver that hardware encoders need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// NVIDIA's: CUDA and NVENC.
    Nvidia,
    /// A VA-API driver on a render node.
    Va,
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
    /// The first of these that the installed version knows.
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
pub const BROWSERS_MAX_SLICES: u32 = 4;

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
    /// Whether they are written while frames flow.
    pub live: Live,
}

/// Whether a property is written while frames flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// If the element's property flags say that it may be.
    AsFlagged,
    /// Yes, although the flags do not say so.
    Yes,
    /// No, although the flags say so: the element would begin anew.
    No,
}

/// Unit of a buffer property.
#[derive(Debug, Clone, Copy)]
pub enum VbvUnit {
    /// Milliseconds at the target bit rate.
    Milliseconds,
    /// kbit.
    Kbit,
    /// An option string with this text, in which `{kbps}` is the bit rate and `{kbit}` the buffer's size.
    Options(&'static str),
}

/// A setting's value as text, on so many cores; of several the first.
pub fn text(row: &Row, value: &Value, cores: usize) -> String {
    match value {
        Value::Fixed(text) => (*text).to_owned(),
        Value::FirstOf(texts) => texts.first().copied().unwrap_or_default().to_owned(),
        Value::Threads => encoding_threads(cores).to_string(),
        Value::KeyInterval => row.key_interval.to_string(),
        Value::MaxSlices => row.max_slices.unwrap_or(BROWSERS_MAX_SLICES).to_string(),
    }
}

/// Threads for encoding on so many cores: one core stays free for capture and network, except of two, where a second slice
/// saves more than it takes (docs/latency.md). More than four slices per picture trouble browsers.
pub fn encoding_threads(cores: usize) -> usize {
    cores.saturating_sub(1).clamp(cores.clamp(1, 2), 4)
}

/// Threads for colour conversion: it saves latency, not work, so half of the cores at most.
pub fn conversion_threads(cores: usize) -> usize {
    cores.div_ceil(2).clamp(1, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_than_two_cores_one_stays_free_and_slices_stay_few() {
        assert_eq!([1, 2, 3, 4, 8, 64].map(encoding_threads), [1, 2, 2, 3, 4, 4]);
        assert_eq!([1, 2, 4, 8, 64].map(conversion_threads), [1, 1, 2, 4, 4]);
    }
}
