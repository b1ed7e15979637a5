//! Decision: which speakers so many channels are for, raw and as Opus has them, and what they cost.

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

/// What `opusenc` takes at most.
const MAX_BITRATE_BPS: u32 = 650_000;
/// Below this the headers of short frames would be more than half of the sound itself.
const SHORT_FRAMES_FROM_BPS: u32 = 64_000;

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

/// The bit rate is meant for stereo; more channels get as much more.
pub fn bitrate_bps(stereo_bps: u32, channels: u32) -> u32 {
    if channels <= 2 { stereo_bps } else { (stereo_bps / 2 * channels).min(MAX_BITRATE_BPS) }
}

/// How long a frame is, by the bit rate of stereo: heard earlier by as much as it is shorter. Its headers are the same, which are
/// 46 kbit/s more: too much for whoever has chosen a low rate, for a narrow network.
pub fn frame_ms(stereo_bps: u32) -> &'static str {
    if stereo_bps < SHORT_FRAMES_FROM_BPS { "10" } else { "5" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;

    /// Runs what comes in through a pipeline from `in` to `out`.
    fn through(line: &str, caps: &gst::Caps, buffers: Vec<gst::Buffer>) -> Vec<gst::Buffer> {
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let entry = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        let end = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        entry.set_caps(Some(caps));
        pipeline.set_state(gst::State::Playing).unwrap();
        for buffer in buffers {
            entry.push_buffer(buffer).unwrap();
        }
        entry.end_of_stream().unwrap();
        let out = std::iter::from_fn(|| end.pull_sample().ok()?.buffer_owned()).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        out
    }

    #[test]
    fn by_what_is_said_of_them_each_channel_is_decoded_where_it_belongs() {
        gst::init().unwrap();
        for (channels, played) in [(1, 0), (2, 0), (2, 1)]
            .into_iter()
            .chain((0..6).map(|one| (6, one)))
            .chain((0..8).map(|one| (8, one)))
        {
            let sample = |at: u32, channel: u32| match channel == played {
                true => ((f64::from(at) / 20.0).sin() * 8000.0) as i16,
                false => 0,
            };
            let bytes: Vec<u8> = (0..9600)
                .flat_map(|at| (0..channels).flat_map(move |channel| sample(at, channel).to_le_bytes()))
                .collect();
            let mut form = raw(channels);
            form.make_mut().set("format", "S16LE");
            form.make_mut().set("layout", "interleaved");
            let line = "appsrc name=in format=time ! opusenc bitrate=512000 frame-size=10 ! appsink name=out sync=false";
            let mut buffer = gst::Buffer::from_slice(bytes);
            buffer.make_mut().set_pts(gst::ClockTime::ZERO);
            let frames = through(line, &form, vec![buffer]);
            let line = format!(
                "appsrc name=in format=time ! opusdec ! audioconvert ! {form} ! appsink name=out sync=false"
            );
            let mut loudness = vec![0_u64; channels as usize];
            for decoded in through(&line, &encoded(channels), frames) {
                for (at, sample) in decoded.map_readable().unwrap().chunks_exact(2).enumerate() {
                    loudness[at % channels as usize] +=
                        u64::from(i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs());
                }
            }
            let loudest = (0..channels).max_by_key(|channel| loudness[*channel as usize]);
            assert_eq!(loudest, Some(played), "of {channels}: {loudness:?}");
        }
    }

    #[test]
    fn sound_of_a_low_rate_has_longer_frames() {
        assert_eq!([6_000, 63_999, 64_000, 128_000].map(frame_ms), ["10", "10", "5", "5"]);
    }

    #[test]
    fn more_channels_get_as_much_more() {
        assert_eq!(bitrate_bps(128_000, 1), 128_000);
        assert_eq!(bitrate_bps(128_000, 2), 128_000);
        assert_eq!(bitrate_bps(128_000, 6), 384_000);
        assert_eq!(bitrate_bps(510_000, 8), 650_000);
    }
}
