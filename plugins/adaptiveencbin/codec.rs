//! Decision: the codecs that can leave the bin: their names, and the caps in which payloaders take them. Refuses to know
//! any encoder: who makes which codec stands in the table.

use gst::glib;
use std::fmt;

/// A video codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// RFC 6386.
    Vp8,
    /// VP9, profile 0.
    Vp9,
    /// AV1, main profile.
    Av1,
    /// ITU-T H.265.
    H265,
}

impl Codec {
    /// All of them, the default first.
    pub const ALL: [Self; 5] = [Self::H264, Self::Vp8, Self::Vp9, Self::Av1, Self::H265];

    /// The name that SDP and webrtc-stats have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::H265 => "H265",
        }
    }

    /// The name of its caps.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::H264 => "video/x-h264",
            Self::Vp8 => "video/x-vp8",
            Self::Vp9 => "video/x-vp9",
            Self::Av1 => "video/x-av1",
            Self::H265 => "video/x-h265",
        }
    }

    /// The first that is among these caps.
    pub fn first_in(caps: &gst::Caps) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| caps.can_intersect(&codec.caps(&[])))
    }

    /// Everything that can leave the bin.
    pub fn any_caps() -> gst::Caps {
        let mut caps = gst::Caps::new_empty();
        Self::ALL.into_iter().for_each(|codec| caps.merge(codec.caps(&[])));
        caps
    }

    /// What leaves the bin: one picture per buffer, in one of these profiles; any, if there are none.
    pub fn caps(self, profiles: &[&str]) -> gst::Caps {
        let mut caps = gst::Structure::builder(self.media_type());
        let form = match self {
            Self::H264 | Self::H265 => Some(("byte-stream", "au")),
            Self::Av1 => Some(("obu-stream", "tu")),
            Self::Vp8 | Self::Vp9 => None,
        };
        if let Some((stream_format, alignment)) = form {
            caps = caps.field("stream-format", stream_format).field("alignment", alignment);
        }
        if !profiles.is_empty() {
            caps = caps.field("profile", gst::List::new(profiles.iter().copied()));
        }
        gst::Caps::builder_full().structure(caps.build()).build()
    }
}

impl fmt::Display for Codec {
    /// As people write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            other => other.name(),
        })
    }
}

/// What the application asks for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVdiCodec")]
pub enum CodecChoice {
    /// That of the named encoder, else H.264, or the first that downstream takes if it takes no H.264.
    #[default]
    #[enum_value(
        name = "The codec of a named encoder, else the first that downstream takes, H.264 before others",
        nick = "auto"
    )]
    Auto,
    /// H.264.
    #[enum_value(name = "H.264", nick = "h264")]
    H264,
    /// VP8.
    #[enum_value(name = "VP8", nick = "vp8")]
    Vp8,
    /// VP9.
    #[enum_value(name = "VP9", nick = "vp9")]
    Vp9,
    /// AV1.
    #[enum_value(name = "AV1", nick = "av1")]
    Av1,
    /// H.265.
    #[enum_value(name = "H.265", nick = "h265")]
    H265,
}

impl From<Codec> for CodecChoice {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264,
            Codec::Vp8 => Self::Vp8,
            Codec::Vp9 => Self::Vp9,
            Codec::Av1 => Self::Av1,
            Codec::H265 => Self::H265,
        }
    }
}

impl CodecChoice {
    /// The codec that was named, if one was.
    pub fn codec(self) -> Option<Codec> {
        match self {
            Self::Auto => None,
            Self::H264 => Some(Codec::H264),
            Self::Vp8 => Some(Codec::Vp8),
            Self::Vp9 => Some(Codec::Vp9),
            Self::Av1 => Some(Codec::Av1),
            Self::H265 => Some(Codec::H265),
        }
    }
}

/// How many pixels share a colour.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, glib::Enum)]
#[enum_type(name = "GstVdiChromaFormat")]
pub enum ChromaFormat {
    /// Two by two.
    #[default]
    #[enum_value(name = "4:2:0, which every browser decodes", nick = "4:2:0")]
    Half,
    /// None does.
    #[enum_value(
        name = "4:4:4 where the encoder and all consumers can: coloured text as sharp as black; else 4:2:0",
        nick = "4:4:4"
    )]
    Full,
}

impl ChromaFormat {
    /// The one with fewer colours.
    pub fn least(self, other: Self) -> Self {
        if self == Self::Full { other } else { self }
    }

    /// As caps write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Half => "4:2:0",
            Self::Full => "4:4:4",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_say_the_form_that_payloaders_take_and_the_profiles_that_were_asked_for() {
        gst::init().unwrap();
        let text = |codec: Codec, profiles: &[&str]| codec.caps(profiles).to_string();
        assert_eq!(text(Codec::Vp8, &[]), "video/x-vp8");
        assert_eq!(
            text(Codec::Av1, &[]),
            "video/x-av1, stream-format=(string)obu-stream, alignment=(string)tu"
        );
        assert_eq!(
            text(Codec::H264, &["baseline", "main"]),
            "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, \
             profile=(string){ baseline, main }"
        );
    }

    #[test]
    fn every_codec_can_be_asked_for_by_its_lower_case_name() {
        use gst::prelude::*;
        gst::init().unwrap();
        let class = glib::EnumClass::with_type(CodecChoice::static_type()).unwrap();
        for codec in Codec::ALL {
            let value = class.to_value_by_nick(&codec.name().to_lowercase()).unwrap();
            assert_eq!(value.get::<CodecChoice>().unwrap().codec(), Some(codec));
        }
        assert_eq!(CodecChoice::default().codec(), None);
    }
}
