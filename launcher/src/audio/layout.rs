//! Decision: which speakers so many channels are for, raw and as Opus has them.

/// More than two channels: a row for each number that there may be.
struct Surround {
    channels: u32,
    /// GStreamer's mask: front left, right, centre, LFE, rear left, right; then side left, right.
    mask: u64,
    /// How the encoder pairs them (RFC 7845, 5.1.1): streams, coupled ones among them, and for each channel in Vorbis' order
    /// (5.1.1.2) which of the decoded ones it is.
    streams: i32,
    coupled: i32,
    mapping: &'static [i32],
}

const SURROUND: &[Surround] = &[
    Surround { channels: 6, mask: 0x3f, streams: 4, coupled: 2, mapping: &[0, 4, 1, 2, 3, 5] },
    // Not what `opusenc` says (0, 6, 1, 4, 5, 2, 3, 7), but what it does: seen in 1.22, it mistakes the way there for the way
    // back, which are the same with six channels.
    Surround { channels: 8, mask: 0xc3f, streams: 5, coupled: 3, mapping: &[0, 4, 1, 2, 3, 6, 7, 5] },
];

fn surround(channels: u32) -> Option<&'static Surround> {
    SURROUND.iter().find(|row| row.channels == channels)
}

/// Samples of so many channels.
pub fn raw(channels: u32) -> gst::Caps {
    let caps = gst::Caps::builder("audio/x-raw")
        .field("rate", 48_000)
        .field("channels", i32::try_from(channels).unwrap_or(2));
    match surround(channels) {
        Some(row) => caps.field("channel-mask", gst::Bitmask::new(row.mask)).build(),
        None => caps.build(),
    }
}

/// The same, encoded.
pub fn encoded(channels: u32) -> gst::Caps {
    let caps = gst::Caps::builder("audio/x-opus")
        .field("rate", 48_000)
        .field("channels", i32::try_from(channels).unwrap_or(2));
    match surround(channels) {
        Some(row) => caps
            .field("channel-mapping-family", 1)
            .field("stream-count", row.streams)
            .field("coupled-count", row.coupled)
            .field("channel-mapping", gst::Array::new(row.mapping))
            .build(),
        None => caps
            .field("channel-mapping-family", 0)
            .field("stream-count", 1)
            .field("coupled-count", i32::from(channels == 2))
            .build(),
    }
}
