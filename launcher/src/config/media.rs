//! Setup: how video and sound are made, resolved from their options.

use super::checks::Checks;
use crate::options::Options;

/// Encoder names that Selkies knows and that have no row in our table: they make other formats than H.264.
const OTHER_FORMATS: [&str; 11] = [
    "nvh265enc",
    "nvav1enc",
    "vah265enc",
    "vavp9enc",
    "vaav1enc",
    "x265enc",
    "vp8enc",
    "vp9enc",
    "svtav1enc",
    "av1enc",
    "rav1enc",
];

/// What happens when no hardware encoder works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderPolicy {
    /// Warn and use software.
    PreferHardware,
    /// Fail.
    RequireHardware,
    /// Do not look for hardware.
    Software,
}

impl EncoderPolicy {
    /// The nick of `adaptiveencbin`'s property.
    pub fn nick(self) -> &'static str {
        match self {
            Self::PreferHardware => "prefer-hardware",
            Self::RequireHardware => "require-hardware",
            Self::Software => "software",
        }
    }
}

/// How the video is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// `auto` or a factory name.
    pub encoder: String,
    /// What happens without hardware.
    pub policy: EncoderPolicy,
    /// Frames per second.
    pub framerate: u32,
    /// Target in kbit/s.
    pub bitrate_kbps: u32,
    /// Lower bound in kbit/s.
    pub min_bitrate_kbps: u32,
    /// Upper bound in kbit/s.
    pub max_bitrate_kbps: u32,
}

/// How the sound is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Target in bit/s.
    pub bitrate_bps: u32,
    /// 1 or 2.
    pub channels: u32,
    /// Loss that forward error correction prepares for.
    pub packet_loss_percent: u32,
    /// PulseAudio server, if not the user's own.
    pub server: Option<String>,
}

pub(super) fn video(checks: &mut Checks, options: &Options, encoders: &[&str]) -> Video {
    let media = &options.media;
    if media.encoder != "auto" && !encoders.contains(&media.encoder.as_str()) {
        let note =
            if OTHER_FORMATS.contains(&media.encoder.as_str()) { " (not yet in this version)" } else { "" };
        let accepted = format!("auto, {}{note}", encoders.join(", "));
        checks.refuse("encoder", &media.encoder, &accepted);
    }
    let policy = checks.one_of(
        "encoder-policy",
        &media.encoder_policy,
        &[
            ("prefer-hardware", EncoderPolicy::PreferHardware),
            ("require-hardware", EncoderPolicy::RequireHardware),
            ("software", EncoderPolicy::Software),
        ],
    );
    const RANGE_KBPS: (u32, u32) = (100, 1_000_000);
    let min_bitrate_kbps = checks.number("min-bitrate", &media.min_bitrate, RANGE_KBPS);
    let max_bitrate_kbps = checks.number("max-bitrate", &media.max_bitrate, RANGE_KBPS);
    if min_bitrate_kbps > max_bitrate_kbps {
        checks.refuse(
            "min-bitrate",
            &media.min_bitrate,
            &format!("at most --max-bitrate, which is {max_bitrate_kbps}"),
        );
    }
    let bitrate_kbps = checks.number("video-bitrate", &media.video_bitrate, RANGE_KBPS);
    Video {
        encoder: media.encoder.clone(),
        policy,
        framerate: checks.number("framerate", &media.framerate, (1, 240)),
        // The bounds are the last word; the target's default may well lie outside, and is no error then.
        bitrate_kbps: bitrate_kbps.max(min_bitrate_kbps).min(max_bitrate_kbps),
        min_bitrate_kbps,
        max_bitrate_kbps,
    }
}

pub(super) fn audio(checks: &mut Checks, options: &Options) -> Audio {
    let media = &options.media;
    Audio {
        bitrate_bps: checks.number("audio-bitrate", &media.audio_bitrate, (6_000, 510_000)),
        channels: checks.number("audio-channels", &media.audio_channels, (1, 2)),
        packet_loss_percent: checks.number(
            "audio-packetloss-percent",
            &media.audio_packetloss_percent,
            (0, 100),
        ),
        server: media.pulse_server.clone().filter(|server| !server.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::resolve;

    #[test]
    fn the_target_is_held_between_the_bounds() {
        let target = |words: &[&str]| resolve(words).unwrap().video.bitrate_kbps;
        assert_eq!(target(&["--max-bitrate=1000"]), 1000);
        assert_eq!(target(&["--min-bitrate=9000"]), 9000);
        assert_eq!(target(&["--video-bitrate=4000"]), 4000);
    }

    #[test]
    fn bounds_of_the_bit_rate_must_not_cross() {
        let err = resolve(&["--min-bitrate=9000", "--max-bitrate=3000"]).unwrap_err();
        assert!(err.message.contains("--min-bitrate \"9000\": accepted is at most --max-bitrate"), "{err}");
    }
}
