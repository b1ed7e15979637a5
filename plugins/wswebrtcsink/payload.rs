//! Decision: how each codec travels in RTP. One row per codec; a new codec is a new row.

use super::{HeaderExtension, chroma, surround};

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl Kind {
    /// As in SDP.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
        }
    }
}

/// A row: one codec's way into RTP.
#[derive(Debug)]
pub struct Payload {
    /// Video or audio.
    pub kind: Kind,
    /// Media type of the encoded stream.
    pub media_type: &'static str,
    /// The sink's pad template, as caps.
    pub caps: &'static str,
    /// Factory of the payloader.
    pub payloader: &'static str,
    /// Properties of the payloader, as text.
    pub settings: &'static [(&'static str, &'static str)],
    /// Name in SDP.
    pub encoding_name: &'static str,
    /// RTP clock.
    pub clock_rate: i32,
    /// RTP payload type.
    pub payload_type: i32,
    /// Parameters of the `fmtp` line that do not depend on the stream.
    pub format_parameters: &'static [(&'static str, &'static str)],
}

/// Every codec that the sink sends. RTP packets stay below 1200 bytes of payload, which passes every tunnel.
pub const PAYLOADS: &[Payload] = &[
    Payload {
        kind: Kind::Video,
        media_type: "video/x-h264",
        caps: "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au",
        payloader: "rtph264pay",
        settings: &[("mtu", "1200"), ("aggregate-mode", "zero-latency"), ("config-interval", "-1")],
        encoding_name: "H264",
        clock_rate: 90_000,
        payload_type: 96,
        format_parameters: &[("packetization-mode", "1"), ("level-asymmetry-allowed", "1")],
    },
    Payload {
        kind: Kind::Video,
        media_type: "video/x-vp8",
        caps: "video/x-vp8",
        payloader: "rtpvp8pay",
        settings: &[("mtu", "1200"), ("picture-id-mode", "15-bit")],
        encoding_name: "VP8",
        clock_rate: 90_000,
        payload_type: 97,
        format_parameters: &[],
    },
    Payload {
        kind: Kind::Video,
        media_type: "video/x-vp9",
        caps: "video/x-vp9",
        payloader: "rtpvp9pay",
        settings: &[("mtu", "1200"), ("picture-id-mode", "15-bit")],
        encoding_name: "VP9",
        clock_rate: 90_000,
        payload_type: 98,
        format_parameters: &[],
    },
    // GStreamer 1.22 has no such payloader; registering the sink brings one.
    Payload {
        kind: Kind::Video,
        media_type: "video/x-av1",
        caps: "video/x-av1, parsed=(boolean)true, stream-format=(string)obu-stream, alignment=(string){ tu, frame, obu }",
        payloader: "rtpav1pay",
        settings: &[("mtu", "1200")],
        encoding_name: "AV1",
        clock_rate: 90_000,
        payload_type: 99,
        format_parameters: &[],
    },
    Payload {
        kind: Kind::Video,
        media_type: "video/x-h265",
        caps: "video/x-h265, stream-format=(string)byte-stream, alignment=(string)au",
        payloader: "rtph265pay",
        settings: &[("mtu", "1200"), ("aggregate-mode", "zero-latency"), ("config-interval", "-1")],
        encoding_name: "H265",
        clock_rate: 90_000,
        payload_type: 100,
        format_parameters: &[],
    },
    Payload {
        kind: Kind::Audio,
        media_type: "audio/x-opus",
        caps: "audio/x-opus",
        payloader: "rtpopuspay",
        settings: &[("mtu", "1200")],
        encoding_name: "OPUS",
        clock_rate: 48_000,
        payload_type: 111,
        format_parameters: &[("minptime", "10"), ("useinbandfec", "1")],
    },
    surround::PAYLOAD,
];

/// The row of an encoded stream of at most two channels.
pub fn payload_for(media_type: &str) -> Option<&'static Payload> {
    PAYLOADS.iter().find(|row| row.media_type == media_type)
}

/// H.264's `profile-level-id` (RFC 6184, 8.1) for the `profile` field of the stream's caps.
///
/// The level is 3.1 whatever the stream's: browsers offer that themselves, take more, and Firefox knows no other;
/// `level-asymmetry-allowed` covers the difference.
pub fn profile_level_id(profile: Option<&str>) -> &'static str {
    match profile {
        Some("baseline") => "42001f",
        Some("main") => "4d001f",
        Some("high" | "constrained-high" | "progressive-high") => "64001f",
        Some("high-4:4:4") => "f4001f",
        _ => "42e01f",
    }
}

/// The caps of one media section: what is offered, complete with header extensions and feedback.
///
/// No data flows before the offer, so everything that the SDP shall say must stand here; the SSRC too, since webrtcbin
/// names the track's stream (msid) only beside it.
///
/// `full` offers a stream that may be 4:4:4; else none is, whatever it is at the moment.
pub(super) fn offer_caps(
    row: &Payload,
    stream: &gst::Caps,
    full: bool,
    extensions: &[HeaderExtension],
    ssrc: u32,
) -> gst::Caps {
    let mut caps = gst::Structure::builder("application/x-rtp")
        .field("media", row.kind.as_str())
        .field("encoding-name", row.encoding_name)
        .field("clock-rate", row.clock_rate)
        .field("payload", row.payload_type)
        .field("ssrc", ssrc);
    for (name, value) in row.format_parameters {
        caps = caps.field(*name, *value);
    }
    match row.kind {
        Kind::Video => {
            let profile = stream.structure(0).and_then(|s| s.get::<&str>("profile").ok());
            let profile = profile.filter(|_| full || !chroma::is_full(row, profile));
            match row.encoding_name {
                "H264" if full => caps = caps.field("profile-level-id", profile_level_id(Some("high-4:4:4"))),
                "H264" => caps = caps.field("profile-level-id", profile_level_id(profile)),
                "VP9" if full => caps = caps.field("profile-id", "1"),
                _ => {}
            }
            caps = caps
                .field("rtcp-fb-nack", true)
                .field("rtcp-fb-nack-pli", true)
                .field("rtcp-fb-ccm-fir", true);
        }
        Kind::Audio if row.encoding_name == surround::PAYLOAD.encoding_name => {
            for (name, value) in surround::parameters(stream) {
                caps = caps.field(name, value);
            }
        }
        Kind::Audio => {
            // The payloader says the same of a mono stream; an offer that says otherwise would not negotiate with it.
            let mono = stream.structure(0).and_then(|s| s.get::<i32>("channels").ok()) == Some(1);
            let stereo = if mono { "0" } else { "1" };
            caps = caps.field("encoding-params", "2").field("stereo", stereo).field("sprop-stereo", stereo);
        }
    }
    // What a browser tells of packets concerns all of a connection, so that every section says it.
    if extensions.iter().any(|extension| extension.uri == HeaderExtension::TRANSPORT_CC.uri) {
        caps = caps.field("rtcp-fb-transport-cc", true);
    }
    for extension in extensions {
        caps = caps.field(format!("extmap-{}", extension.id).as_str(), extension.uri);
    }
    gst::Caps::builder_full().structure(caps.build()).build()
}

/// RTP payload type of what consumers say: no codec of ours has it, so that a number tells what a packet is.
const INCOMING_PAYLOAD_TYPE: i32 = 110;

/// The same of what consumers show.
const INCOMING_VIDEO_PAYLOAD_TYPE: i32 = 109;

/// The caps of the section by which consumers may send sound: Opus, one voice, mended where packets are lost.
pub fn incoming_caps() -> gst::Caps {
    gst::Caps::builder("application/x-rtp")
        .field("media", Kind::Audio.as_str())
        .field("encoding-name", "OPUS")
        .field("encoding-params", "2")
        .field("clock-rate", 48_000)
        .field("payload", INCOMING_PAYLOAD_TYPE)
        .field("minptime", "10")
        .field("useinbandfec", "1")
        // Attributes of the section. Browsers make frames of 20 ms unless they are asked for others.
        .field("a-ptime", "10")
        .build()
}

/// The caps of the section by which consumers may send pictures: VP8, which every browser has. What is lost is asked for again, and
/// the numbers of packets tell the browser what its own network carries.
pub fn incoming_video_caps() -> gst::Caps {
    let HeaderExtension { id, uri } = HeaderExtension::TRANSPORT_CC;
    gst::Caps::builder("application/x-rtp")
        .field("media", Kind::Video.as_str())
        .field("encoding-name", "VP8")
        .field("clock-rate", 90_000)
        .field("payload", INCOMING_VIDEO_PAYLOAD_TYPE)
        .field("rtcp-fb-nack", true)
        .field("rtcp-fb-nack-pli", true)
        .field("rtcp-fb-transport-cc", true)
        .field(format!("extmap-{id}"), uri)
        .build()
}

/// Whether a packet is of what a consumer shows.
pub fn is_incoming_video(payload_type: u8) -> bool {
    i32::from(payload_type) == INCOMING_VIDEO_PAYLOAD_TYPE
}

/// The caps of a section that answers one of the consumer's: its format with our SSRC.
pub fn answer_caps(format: &gst::Caps, ssrc: u32) -> gst::Caps {
    let mut caps = format.clone();
    caps.make_mut().set("ssrc", ssrc);
    caps
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn payload_types_differ_and_are_dynamic() {
        let types: HashSet<_> = PAYLOADS.iter().map(|row| row.payload_type).collect();
        assert_eq!(types.len(), PAYLOADS.len());
        assert!(!types.contains(&INCOMING_PAYLOAD_TYPE) && !types.contains(&INCOMING_VIDEO_PAYLOAD_TYPE));
        assert!(types.iter().all(|pt| (96..=127).contains(pt)));
    }

    #[test]
    fn offer_of_a_constrained_baseline_stream_says_42e01f_and_every_extension() {
        gst::init().unwrap();
        let stream = gst::Caps::builder("video/x-h264").field("profile", "constrained-baseline").build();
        let extension = HeaderExtension { id: 5, uri: "urn:example" };
        let caps = offer_caps(payload_for("video/x-h264").unwrap(), &stream, false, &[extension], 7);
        let s = caps.structure(0).unwrap();
        assert_eq!(s.get::<&str>("profile-level-id"), Ok("42e01f"));
        assert_eq!(s.get::<&str>("packetization-mode"), Ok("1"));
        assert_eq!(s.get::<&str>("extmap-5"), Ok("urn:example"));
        assert_eq!(s.get::<bool>("rtcp-fb-nack-pli"), Ok(true));
    }

    #[test]
    fn a_section_whose_packets_are_numbered_asks_for_feedback_on_them() {
        gst::init().unwrap();
        for media_type in ["video/x-h264", "audio/x-opus"] {
            let row = payload_for(media_type).unwrap();
            let stream: gst::Caps = row.caps.parse().unwrap();
            let asks = |extensions: &[HeaderExtension]| {
                offer_caps(row, &stream, false, extensions, 7)
                    .structure(0)
                    .unwrap()
                    .has_field("rtcp-fb-transport-cc")
            };
            assert!(asks(&[HeaderExtension::TRANSPORT_CC]));
            assert!(!asks(&[HeaderExtension::PLAYOUT_DELAY]));
        }
    }

    /// The media section that this codec's caps become.
    fn section(row: &Payload) -> String {
        gst::init().unwrap();
        let stream: gst::Caps = row.caps.parse().unwrap();
        let caps = offer_caps(row, &stream, false, &[], 7);
        let mut media = gst_sdp::SDPMedia::new();
        media.set_media("video");
        media.set_proto("UDP/TLS/RTP/SAVPF");
        media.set_media_from_caps(&caps).unwrap();
        media.as_text().unwrap()
    }

    #[test]
    fn each_video_codec_has_its_line_in_sdp() {
        for (media_type, line) in [
            ("video/x-h264", "a=rtpmap:96 H264/90000"),
            ("video/x-vp8", "a=rtpmap:97 VP8/90000"),
            ("video/x-vp9", "a=rtpmap:98 VP9/90000"),
            ("video/x-av1", "a=rtpmap:99 AV1/90000"),
            ("video/x-h265", "a=rtpmap:100 H265/90000"),
        ] {
            let row = payload_for(media_type).unwrap();
            let section = section(row);
            assert!(section.contains(line), "{section}");
            for feedback in ["nack", "nack pli", "ccm fir"] {
                let wanted = format!("a=rtcp-fb:{} {feedback}", row.payload_type);
                assert!(section.contains(&wanted), "{wanted} in {section}");
            }
        }
    }

    #[test]
    fn what_the_encoder_bin_makes_can_be_sent() {
        gst::init().unwrap();
        for codec in crate::adaptiveencbin::Codec::ALL {
            let row = payload_for(codec.media_type()).unwrap();
            assert_eq!(row.encoding_name, codec.name());
            let sent: gst::Caps = row.caps.parse().unwrap();
            assert!(sent.can_intersect(&codec.caps(&[])), "{codec}");
        }
    }

    #[test]
    fn offer_of_opus_says_whether_it_is_stereo() {
        gst::init().unwrap();
        for (channels, said) in [(1, "0"), (2, "1")] {
            let stream = gst::Caps::builder("audio/x-opus").field("channels", channels).build();
            let caps = offer_caps(payload_for("audio/x-opus").unwrap(), &stream, false, &[], 7);
            let s = caps.structure(0).unwrap();
            assert_eq!(s.get::<&str>("sprop-stereo"), Ok(said), "{channels} channels");
            assert_eq!(s.get::<&str>("encoding-params"), Ok("2"));
        }
    }

    #[test]
    fn all_colours_are_offered_to_those_who_take_them_whatever_the_stream_is_at_the_moment() {
        gst::init().unwrap();
        let offered = |media_type: &str, profile: &str, full: bool, field: &str| {
            let stream = gst::Caps::builder(media_type).field("profile", profile).build();
            let caps = offer_caps(payload_for(media_type).unwrap(), &stream, full, &[], 7);
            caps.structure(0).unwrap().get::<String>(field).ok()
        };
        for (profile, full, level) in [
            ("high-4:4:4", true, "f4001f"),
            ("constrained-baseline", true, "f4001f"),
            ("high-4:4:4", false, "42e01f"),
            ("main", false, "4d001f"),
        ] {
            assert_eq!(offered("video/x-h264", profile, full, "profile-level-id").as_deref(), Some(level));
        }
        assert_eq!(offered("video/x-vp9", "0", true, "profile-id").as_deref(), Some("1"));
        assert_eq!(offered("video/x-vp9", "1", false, "profile-id"), None);
    }

    #[test]
    fn profile_level_id_follows_the_profile() {
        assert_eq!(profile_level_id(Some("main")), "4d001f");
        assert_eq!(profile_level_id(Some("high-4:4:4")), "f4001f");
        assert_eq!(profile_level_id(None), "42e01f");
    }
}
