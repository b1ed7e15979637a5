//! Shell: the encoder of the sound, and what it is asked for.

use crate::config;
use gst::glib;

/// What `opusenc` takes at most.
const MAX_BITRATE_BPS: u32 = 650_000;
/// Below this, short frames would have too little of the rate for themselves: stereo becomes one channel from 10 kHz on with 96 kbit/s,
/// from 6 kHz with 64, and with longer frames it does not.
const SHORT_FRAMES_FROM_BPS: u32 = 112_000;

/// An encoder of so many channels.
pub fn encoder(config: &config::Audio, channels: u32) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make("opusenc")
        .property_from_str("audio-type", "restricted-lowdelay")
        // Not `cbr`: up to 1.3.1, libopus takes the rate for a fraction of what it is where frames are shorter than 20 ms, so it
        // sends stereo as one channel, of which a part is missing (xiph/opus#251).
        .property_from_str("bitrate-type", "constrained-vbr")
        .property_from_str("frame-size", frame_ms(config.bitrate_bps))
        .property("bitrate", i32::try_from(bitrate_bps(config.bitrate_bps, channels)).unwrap_or(i32::MAX))
        .property("inband-fec", true)
        .property("packet-loss-percentage", i32::try_from(config.packet_loss_percent).unwrap_or(0))
        .build()
}

/// The bit rate is meant for stereo; more channels get as much more.
fn bitrate_bps(stereo_bps: u32, channels: u32) -> u32 {
    if channels <= 2 { stereo_bps } else { (stereo_bps / 2 * channels).min(MAX_BITRATE_BPS) }
}

/// How long a frame is, by the bit rate of stereo: heard earlier by as much as it is shorter. Its headers are the same, which are
/// 46 kbit/s more: too much for whoever has chosen a low rate, for a narrow network.
fn frame_ms(stereo_bps: u32) -> &'static str {
    if stereo_bps < SHORT_FRAMES_FROM_BPS { "10" } else { "5" }
}

#[cfg(test)]
mod tests {
    use super::{super::layout, *};
    use gst::prelude::*;

    fn config(bitrate_bps: u32, channels: u32) -> config::Audio {
        let server = config::SoundServer { name: None, own: String::new() };
        config::Audio { bitrate_bps, channels, packet_loss_percent: 0, server }
    }

    /// A second of sound, encoded and decoded: samples from -1 to 1, channel by channel, without the encoder's first tenth.
    fn heard(bitrate_bps: u32, channels: u32, sound: impl Fn(f64, u32) -> f64) -> Vec<Vec<f64>> {
        gst::init().unwrap();
        let bytes: Vec<u8> = (0..RATE)
            .flat_map(|at| (0..channels).map(move |channel| (f64::from(at) / f64::from(RATE), channel)))
            .flat_map(|(at, channel)| ((sound(at, channel) * 32_767.0) as i16).to_le_bytes())
            .collect();
        let mut form = layout::raw(channels);
        form.make_mut().set("format", "S16LE");
        form.make_mut().set("layout", "interleaved");
        let mut buffer = gst::Buffer::from_slice(bytes);
        buffer.make_mut().set_pts(gst::ClockTime::ZERO);
        let frames =
            through(&[encoder(&config(bitrate_bps, channels), channels).unwrap()], &form, vec![buffer]);
        let line = format!("opusdec ! audioconvert ! capsfilter caps=\"{form}\"");
        let back = gst::parse::bin_from_description(&line, true).unwrap();
        let mut samples = vec![Vec::new(); channels as usize];
        for decoded in through(&[back.upcast()], &layout::encoded(channels), frames) {
            for (at, sample) in decoded.map_readable().unwrap().chunks_exact(2).enumerate() {
                samples[at % channels as usize]
                    .push(f64::from(i16::from_le_bytes([sample[0], sample[1]])) / 32_767.0);
            }
        }
        for channel in &mut samples {
            channel.drain(..RATE as usize / 10);
        }
        samples
    }

    const RATE: u32 = 48_000;

    /// Runs what comes in through these elements.
    fn through(elements: &[gst::Element], caps: &gst::Caps, buffers: Vec<gst::Buffer>) -> Vec<gst::Buffer> {
        let pipeline = gst::Pipeline::new();
        let entry = gst_app::AppSrc::builder().format(gst::Format::Time).caps(caps).build();
        let end = gst_app::AppSink::builder().sync(false).build();
        let all: Vec<gst::Element> = [entry.clone().upcast()]
            .into_iter()
            .chain(elements.iter().cloned())
            .chain([end.clone().upcast()])
            .collect();
        pipeline.add_many(&all).unwrap();
        gst::Element::link_many(&all).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        for buffer in buffers {
            entry.push_buffer(buffer).unwrap();
        }
        entry.end_of_stream().unwrap();
        let out = std::iter::from_fn(|| end.pull_sample().ok()?.buffer_owned()).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        out
    }

    fn sine(hz: f64, at: f64) -> f64 {
        (std::f64::consts::TAU * hz * at).sin()
    }

    /// How loud a tone is.
    fn level(samples: &[f64], hz: f64) -> f64 {
        let (real, imaginary) =
            samples.iter().enumerate().fold((0.0, 0.0), |(real, imaginary), (at, sample)| {
                let (sine, cosine) = (std::f64::consts::TAU * hz * at as f64 / f64::from(RATE)).sin_cos();
                (real + sample * cosine, imaginary + sample * sine)
            });
        2.0 * f64::hypot(real, imaginary) / samples.len() as f64
    }

    #[test]
    fn by_what_is_said_of_them_each_channel_is_decoded_where_it_belongs() {
        for (channels, played) in [(1, 0), (2, 0), (2, 1)]
            .into_iter()
            .chain((0..6).map(|one| (6, one)))
            .chain((0..8).map(|one| (8, one)))
        {
            let sound = |at: f64, channel: u32| if channel == played { 0.25 * sine(380.0, at) } else { 0.0 };
            let loudness: Vec<f64> =
                heard(128_000, channels, sound).iter().map(|samples| level(samples, 380.0)).collect();
            let loudest = (0..channels)
                .max_by(|one, other| loudness[*one as usize].total_cmp(&loudness[*other as usize]));
            assert_eq!(loudest, Some(played), "of {channels}: {loudness:?}");
        }
    }

    #[test]
    fn two_sides_stay_two_though_their_tones_lie_side_by_side() {
        // Each pair lies in one of the codec's bands, where one channel may be sent for both.
        for (bitrate_bps, pairs) in [
            (64_000, &[(310.0, 470.0), (3010.0, 3090.0)][..]),
            (96_000, &[(310.0, 470.0), (3010.0, 3090.0), (6010.0, 6110.0), (10010.0, 10210.0)]),
            (128_000, &[(310.0, 470.0), (3010.0, 3090.0), (6010.0, 6110.0), (10010.0, 10210.0)]),
        ] {
            for tones in pairs {
                let tones: [f64; 2] = (*tones).into();
                let sides = heard(bitrate_bps, 2, |at, channel| 0.2 * sine(tones[channel as usize], at));
                for (side, other) in [(0, 1), (1, 0)] {
                    let (own, strange) =
                        (level(&sides[side], tones[side]), level(&sides[other], tones[side]));
                    let told = format!(
                        "{bitrate_bps} bit/s, {tones:?}, side {side}: {own:.4}, and {strange:.4} on the other"
                    );
                    assert!((0.19..0.21).contains(&own) && strange < 0.01, "{told}");
                }
            }
        }
    }

    #[test]
    fn sound_of_a_low_rate_has_longer_frames() {
        assert_eq!([6_000, 111_999, 112_000, 128_000].map(frame_ms), ["10", "10", "5", "5"]);
    }

    #[test]
    fn more_channels_get_as_much_more() {
        assert_eq!(bitrate_bps(128_000, 1), 128_000);
        assert_eq!(bitrate_bps(128_000, 2), 128_000);
        assert_eq!(bitrate_bps(128_000, 6), 384_000);
        assert_eq!(bitrate_bps(510_000, 8), 650_000);
    }
}
