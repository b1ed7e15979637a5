//! Setup: how video and sound are made, resolved from their options.

use super::checks::Checks;
use crate::options::Options;

/// Encoders that Selkies knows, with their codecs. Those without a row in our table stand for their codec.
const SELKIES_ENCODERS: [(&str, Codec); 15] = [
    ("nvh264enc", Codec::H264),
    ("nvh265enc", Codec::H265),
    ("nvav1enc", Codec::Av1),
    ("vah264enc", Codec::H264),
    ("vah265enc", Codec::H265),
    ("vavp9enc", Codec::Vp9),
    ("vaav1enc", Codec::Av1),
    ("x264enc", Codec::H264),
    ("openh264enc", Codec::H264),
    ("x265enc", Codec::H265),
    ("vp8enc", Codec::Vp8),
    ("vp9enc", Codec::Vp9),
    ("svtav1enc", Codec::Av1),
    ("av1enc", Codec::Av1),
    ("rav1enc", Codec::Av1),
];

/// How the video is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// That of a named encoder, else H.264.
    Auto,
    /// H.264.
    H264,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
    /// H.265.
    H265,
}

impl Codec {
    /// All of them, by the nick of `adaptiveencbin`'s property.
    const NICKS: [(&str, Self); 6] = [
        ("auto", Self::Auto),
        ("h264", Self::H264),
        ("vp8", Self::Vp8),
        ("vp9", Self::Vp9),
        ("av1", Self::Av1),
        ("h265", Self::H265),
    ];

    /// The nick of `adaptiveencbin`'s property.
    pub fn nick(self) -> &'static str {
        nick(&Self::NICKS, self)
    }
}

/// How many pixels share a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChromaFormat {
    /// Two by two.
    Half,
    /// None, where it can be had.
    Full,
}

impl ChromaFormat {
    const NICKS: [(&str, Self); 2] = [("4:2:0", Self::Half), ("4:4:4", Self::Full)];

    /// The nick of `adaptiveencbin`'s property.
    pub fn nick(self) -> &'static str {
        nick(&Self::NICKS, self)
    }
}

/// What is given up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentHint {
    /// What suits the stream.
    Auto,
    /// Resolution: it moves.
    Motion,
    /// Frame rate: it is read.
    Text,
}

impl ContentHint {
    const NICKS: [(&str, Self); 3] = [("auto", Self::Auto), ("motion", Self::Motion), ("text", Self::Text)];

    /// The nick of `adaptiveencbin`'s property.
    pub fn nick(self) -> &'static str {
        nick(&Self::NICKS, self)
    }
}

fn nick<T: PartialEq>(nicks: &[(&'static str, T)], value: T) -> &'static str {
    nicks.iter().find(|(_, one)| *one == value).map_or("auto", |(nick, _)| nick)
}

/// What estimates the network to each page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CongestionControl {
    /// Ours.
    Vdi,
    /// Google's.
    Gcc,
    /// Nothing.
    None,
}

impl CongestionControl {
    /// The nick of `wswebrtcsink`'s property.
    pub fn nick(self) -> &'static str {
        match self {
            Self::Vdi => "vdi",
            Self::Gcc => "gcc",
            Self::None => "none",
        }
    }
}

/// Whose network moves the bit rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitratePolicy {
    /// The controller's.
    Controller,
    /// The slowest page's.
    Slowest,
}

impl BitratePolicy {
    /// The nick of `wswebrtcsink`'s property.
    pub fn nick(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Slowest => "slowest",
        }
    }
}

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
    /// Codec.
    pub codec: Codec,
    /// How many colours it keeps.
    pub chroma_format: ChromaFormat,
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
    /// What estimates the network.
    pub congestion_control: CongestionControl,
    /// Whose network moves the bit rate.
    pub bitrate_policy: BitratePolicy,
    /// Latency above which quality goes down, in ms; 0 sets no limit.
    pub max_latency_ms: u32,
    /// Load above which the frame rate goes down, in per cent; 0 sets no limit.
    pub max_cpu_percent: u32,
    /// What is given up first.
    pub content_hint: ContentHint,
    /// Whether pages draw the pointer, or it is in the picture.
    pub enable_cursors: bool,
    /// After how long without a frame a hardware encoder is replaced, in ms.
    pub stall_timeout_ms: u32,
}

/// How the sound is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Target in bit/s.
    pub bitrate_bps: u32,
    /// 1, 2, 6 (5.1) or 8 (7.1).
    pub channels: u32,
    /// Loss that forward error correction prepares for.
    pub packet_loss_percent: u32,
    /// Where it is captured.
    pub server: SoundServer,
}

/// The PulseAudio, or PipeWire with pipewire-pulse, to which programs play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundServer {
    /// Its name, if it is not the user's own.
    pub name: Option<String>,
    /// Where the user's own is, as far as that is known, for people.
    pub own: String,
}

impl SoundServer {
    /// Where it is looked for, for people.
    pub fn place(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.own)
    }
}

/// The video, and what the user should know of it.
pub(super) fn video(checks: &mut Checks, options: &Options, encoders: &[&str]) -> (Video, Vec<String>) {
    let media = &options.media;
    let mut codec = checks.one_of("codec", &media.codec, &Codec::NICKS);
    let mut encoder = media.encoder.clone();
    let mut notes = Vec::new();
    if encoder != "auto" && !encoders.contains(&encoder.as_str()) {
        let known = SELKIES_ENCODERS.into_iter().find(|(name, _)| *name == encoder);
        match known {
            Some((_, its)) if codec == Codec::Auto || codec == its => {
                notes.push(format!(
                    "--encoder {encoder:?} is not in this version: the {} encoders that are take its place",
                    its.nick()
                ));
                (codec, encoder) = (its, "auto".into());
            }
            _ => checks.refuse("encoder", &encoder, &format!("auto, {}", encoders.join(", "))),
        }
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
    let video = Video {
        encoder,
        codec,
        chroma_format: checks.one_of("chroma-format", &media.chroma_format, &ChromaFormat::NICKS),
        policy,
        framerate: checks.number("framerate", &media.framerate, (1, 240)),
        // The bounds are the last word; the target's default may well lie outside, and is no error then.
        bitrate_kbps: bitrate_kbps.max(min_bitrate_kbps).min(max_bitrate_kbps),
        min_bitrate_kbps,
        max_bitrate_kbps,
        congestion_control: checks.one_of(
            "congestion-control",
            &media.congestion_control,
            &[
                ("vdi", CongestionControl::Vdi),
                ("gcc", CongestionControl::Gcc),
                ("none", CongestionControl::None),
                // Selkies' own words for it.
                ("true", CongestionControl::Vdi),
                ("false", CongestionControl::None),
            ],
        ),
        bitrate_policy: checks.one_of(
            "bitrate-policy",
            &media.bitrate_policy,
            &[("controller", BitratePolicy::Controller), ("slowest", BitratePolicy::Slowest)],
        ),
        max_latency_ms: checks.number("max-latency", &media.max_latency, (0, 10_000)),
        max_cpu_percent: checks.number("max-cpu", &media.max_cpu, (0, 100)),
        content_hint: checks.one_of("content-hint", &media.content_hint, &ContentHint::NICKS),
        enable_cursors: checks.boolean("enable-cursors", &media.enable_cursors),
        stall_timeout_ms: checks.number("stall-timeout", &media.stall_timeout, (50, 10_000)),
    };
    (video, notes)
}

pub(super) fn audio(checks: &mut Checks, options: &Options) -> Audio {
    let media = &options.media;
    Audio {
        bitrate_bps: checks.number("audio-bitrate", &media.audio_bitrate, (6_000, 510_000)),
        channels: checks.one_of(
            "audio-channels",
            &media.audio_channels,
            &[("1", 1), ("2", 2), ("6", 6), ("8", 8)],
        ),
        packet_loss_percent: checks.number(
            "audio-packetloss-percent",
            &media.audio_packetloss_percent,
            (0, 100),
        ),
        server: SoundServer {
            name: media.pulse_server.clone().filter(|server| !server.is_empty()),
            own: match &options.runtime_folder {
                Some(folder) if folder.starts_with('/') => format!("unix:{folder}/pulse/native"),
                _ => "~/.config/pulse (XDG_RUNTIME_DIR is not set)".into(),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    #[test]
    fn encoder_of_selkies_that_is_not_ours_stands_for_its_codec_and_the_user_is_told() {
        let config = resolve(&["--encoder=nvav1enc"]).unwrap();
        assert_eq!((config.video.encoder.as_str(), config.video.codec), ("auto", Codec::Av1));
        assert!(
            config.notes[0].contains("nvav1enc") && config.notes[0].contains("av1 encoders"),
            "{:?}",
            config.notes
        );

        let config = resolve(&["--encoder=x264enc"]).unwrap();
        assert_eq!((config.video.encoder.as_str(), config.video.codec), ("x264enc", Codec::Auto));
        assert!(config.notes.is_empty());

        let err = resolve(&["--encoder=nvav1enc", "--codec=vp8"]).unwrap_err();
        assert!(
            err.message.contains(r#"--encoder "nvav1enc": accepted is auto, nvh264enc, x264enc"#),
            "{err}"
        );
    }

    #[test]
    fn limits_can_be_set_and_lifted() {
        let limits = |words: &[&str]| {
            let video = resolve(words).unwrap().video;
            (video.max_latency_ms, video.max_cpu_percent, video.content_hint, video.stall_timeout_ms)
        };
        assert_eq!(limits(&[]), (100, 80, ContentHint::Auto, 100));
        let set = ["--max-latency=0", "--max-cpu=0", "--content-hint=text", "--stall-timeout=1000"];
        assert_eq!(limits(&set), (0, 0, ContentHint::Text, 1000));
        let err = resolve(&["--max-cpu=101", "--content-hint=film", "--codec=mpeg2"]).unwrap_err();
        assert_eq!(err.message.lines().count(), 3, "{err}");
    }

    #[test]
    fn the_target_is_held_between_the_bounds() {
        let target = |words: &[&str]| resolve(words).unwrap().video.bitrate_kbps;
        assert_eq!(target(&["--max-bitrate=1000"]), 1000);
        assert_eq!(target(&["--min-bitrate=9000"]), 9000);
        assert_eq!(target(&["--video-bitrate=4000"]), 4000);
    }

    #[test]
    fn congestion_control_is_ours_unless_another_is_named_and_selkies_words_are_understood() {
        let control = |words: &[&str]| resolve(words).unwrap().video.congestion_control.nick();
        assert_eq!(control(&[]), "vdi");
        for (word, nick) in [("gcc", "gcc"), ("none", "none"), ("true", "vdi"), ("false", "none")] {
            assert_eq!(control(&[&format!("--congestion-control={word}")]), nick);
        }
        assert_eq!(control(&["--congestion-control"]), "vdi");
        assert_eq!(resolve(&["--bitrate-policy=slowest"]).unwrap().video.bitrate_policy.nick(), "slowest");
        let err = resolve(&["--congestion-control=bbr", "--bitrate-policy=mine"]).unwrap_err();
        assert_eq!(err.message.lines().count(), 2, "{err}");
    }

    #[test]
    fn bounds_of_the_bit_rate_must_not_cross() {
        let err = resolve(&["--min-bitrate=9000", "--max-bitrate=3000"]).unwrap_err();
        assert!(err.message.contains("--min-bitrate \"9000\": accepted is at most --max-bitrate"), "{err}");
    }
}
