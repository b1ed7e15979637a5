//! Decision: what of a player's offer (WHEP) is answered: which of its sections take our streams, in which of its formats and
//! with which of its numbers. It refuses an offer that cannot be answered, with words.

use super::sdp;
use crate::wswebrtcsink::{
    HeaderExtension,
    payload::{Kind, Payload, profile_level_id},
};
use gst_sdp::{SDPMediaRef, SDPMessage};
use vdi_protocol::signalling::IceCandidate;

/// Sections of an offer; a player has two.
const MAX_SECTIONS: u32 = 16;

/// Why an offer is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is none, or lacks what an answer needs.
    Bad(String),
    /// It takes nothing that is sent.
    Codec(String),
}

/// A section of the offer that takes one of our streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it carries.
    pub kind: Kind,
    /// Our row for it.
    pub encoding_name: &'static str,
    /// The player's number of the format.
    pub payload_type: i32,
    /// The player's number of the header extension by which frames are shown at once; it may have none.
    pub playout_delay_id: Option<u8>,
    /// The player's number of the header extension by which it tells when packets arrive; it may have none.
    pub transport_cc_id: Option<u8>,
    /// The format as the answer is to say it.
    pub caps: gst::Caps,
}

/// An offer that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its text, as webrtcbin may see it.
    pub sdp: String,
    /// Those of its sections that take a stream.
    pub sections: Vec<Section>,
}

impl Offered {
    /// Reads an offer for these streams: video has to be among what it takes, sound may be.
    pub fn read(text: &str, streams: &[(&'static Payload, gst::Caps)]) -> Result<Self, Refusal> {
        let bad = |why: String| Refusal::Bad(why);
        let message = sdp::parse(text).map_err(bad)?;
        check(&message).map_err(bad)?;
        let mut sections: Vec<Section> = Vec::new();
        for media in message.medias().filter(|media| takes_media(media)) {
            let fresh = |row: &Payload| {
                media.media() == Some(row.kind.as_str())
                    && sections.iter().all(|known| known.kind != row.kind)
            };
            let found = streams
                .iter()
                .filter(|(row, _)| fresh(row))
                .find_map(|(row, caps)| section(media, row, caps));
            sections.extend(found);
        }
        let video = streams.iter().find(|(row, _)| row.kind == Kind::Video);
        match video {
            Some((row, _)) if sections.iter().all(|section| section.kind != Kind::Video) => {
                Err(Refusal::Codec(format!(
                    "the video is {} here, and no section of the offer takes it{}",
                    row.encoding_name,
                    if row.encoding_name == "H264" {
                        " in its profile, with packetization-mode=1"
                    } else {
                        ""
                    }
                )))
            }
            _ if sections.is_empty() => Err(Refusal::Codec("the offer takes nothing of what is sent".into())),
            _ => Ok(Self { sdp: without_mdns(text), sections }),
        }
    }

    /// The section for a kind of stream.
    pub fn section(&self, kind: Kind) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }
}

fn check(message: &SDPMessage) -> Result<(), String> {
    if !(1..=MAX_SECTIONS).contains(&message.medias_len()) {
        return Err(format!(
            "the offer has {} media sections; 1 to {MAX_SECTIONS} are taken",
            message.medias_len()
        ));
    }
    for (index, media) in message.medias().enumerate() {
        for attribute in ["ice-ufrag", "ice-pwd", "fingerprint"] {
            if sdp::value(message, media, attribute).is_none_or(|value| value.trim().is_empty()) {
                return Err(format!("media section {index} of the offer lacks {attribute}"));
            }
        }
        if sdp::value(message, media, "setup") != Some("actpass") {
            return Err(format!(
                "media section {index} of the offer must say a=setup:actpass (RFC 8842, 5.3)"
            ));
        }
    }
    Ok(())
}

/// Whether the player receives in this section.
fn takes_media(media: &SDPMediaRef) -> bool {
    let way = |name| media.attributes().any(|attribute| attribute.key() == name);
    media.proto() == Some("UDP/TLS/RTP/SAVPF") && !way("sendonly") && !way("inactive")
}

/// The best of a section's formats for a stream.
fn section(media: &SDPMediaRef, row: &Payload, stream: &gst::Caps) -> Option<Section> {
    let profile = stream.structure(0).and_then(|s| s.get::<&str>("profile").ok());
    let fitting = media.formats().filter_map(|number| {
        let payload_type: i32 = number.parse().ok()?;
        let mut caps = media.caps_from_media(payload_type)?;
        let format = caps.make_mut().structure_mut(0)?;
        let name = format.get::<&str>("encoding-name").ok()?;
        let rate = format.get::<i32>("clock-rate").ok()?;
        if !name.eq_ignore_ascii_case(row.encoding_name) || rate != row.clock_rate {
            return None;
        }
        let distance = distance(row, |name| parameter(media, number, name), profile)?;
        format.set_name("application/x-rtp");
        // GStreamer makes two fields of its own of this one, and would not write it into the answer.
        if let Some(level) = parameter(media, number, "profile-level-id") {
            format.remove_fields(["profile", "level"]);
            format.set("profile-level-id", level);
        }
        Some((distance, payload_type, caps))
    });
    let (_, payload_type, mut caps) = fitting.min_by_key(|(distance, ..)| *distance)?;
    let playout_delay_id = extension_id(media, HeaderExtension::PLAYOUT_DELAY.uri);
    if let Some(id) = playout_delay_id {
        caps.make_mut().set(format!("extmap-{id}").as_str(), HeaderExtension::PLAYOUT_DELAY.uri);
    }
    let transport_cc_id = extension_id(media, HeaderExtension::TRANSPORT_CC.uri);
    if let Some(id) = transport_cc_id {
        caps.make_mut().set(format!("extmap-{id}").as_str(), HeaderExtension::TRANSPORT_CC.uri);
    }
    let encoding_name = crate::wswebrtcsink::payload::PAYLOADS
        .iter()
        .find(|known| known.encoding_name == row.encoding_name)
        .map(|known| known.encoding_name)?;
    Some(Section { kind: row.kind, encoding_name, payload_type, playout_delay_id, transport_cc_id, caps })
}

/// How well a format fits a stream, less being better; `None` if the player could not decode it.
fn distance<'a>(
    row: &Payload,
    parameter: impl Fn(&str) -> Option<&'a str>,
    profile: Option<&str>,
) -> Option<u8> {
    match row.encoding_name {
        "H264" if parameter("packetization-mode") != Some("1") => None,
        "H264" => {
            let ours = profile_level_id(profile).get(..4)?;
            // Without one it is plain baseline (RFC 6184, 8.1).
            let theirs = parameter("profile-level-id").unwrap_or("420010").get(..4)?.to_ascii_lowercase();
            match (ours, theirs.as_str()) {
                (ours, theirs) if ours == theirs => Some(0),
                // What decodes these decodes constrained baseline.
                ("42e0", "4200" | "42c0") => Some(1),
                ("42e0" | "4d00", "4d00") => Some(2),
                ("42e0" | "4d00", theirs) if theirs.starts_with("64") => Some(3),
                ("4200", "42e0" | "42c0") => Some(4),
                _ => None,
            }
        }
        "VP9" => matches!(parameter("profile-id"), None | Some("0")).then_some(0),
        "AV1" => matches!(parameter("profile"), None | Some("0")).then_some(0),
        _ => Some(0),
    }
}

/// A parameter in the `fmtp` line of a format.
fn parameter<'a>(media: &'a SDPMediaRef, format: &str, name: &str) -> Option<&'a str> {
    let mut lines = media.attributes().filter(|attribute| attribute.key() == "fmtp");
    let parameters = lines.find_map(|line| {
        let (of, parameters) = line.value()?.split_once(' ')?;
        (of == format).then_some(parameters)
    })?;
    let mut pairs = parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}

/// The number that a section of a description has for a header extension.
pub fn extension_id(media: &SDPMediaRef, uri: &str) -> Option<u8> {
    let mut extensions = media.attributes().filter(|attribute| attribute.key() == "extmap");
    extensions.find_map(|attribute| {
        let mut words = attribute.value()?.split_ascii_whitespace();
        // The number may be followed by a direction.
        let id = words.next()?.split('/').next()?.parse().ok()?;
        (words.next() == Some(uri) && (1..=14).contains(&id)).then_some(id)
    })
}

/// See [`sdp::is_mdns`]: webrtcbin must not see these.
fn without_mdns(text: &str) -> String {
    let hidden = |line: &&str| !line.strip_prefix("a=").is_some_and(sdp::is_mdns);
    text.lines().filter(hidden).map(|line| format!("{line}\r\n")).collect()
}

/// An answer with our candidates in it, as WHEP has no other way to tell them.
pub fn with_candidates(answer: &str, candidates: &[IceCandidate]) -> String {
    let mut text = String::new();
    let mut index: Option<u32> = None;
    let flush = |text: &mut String, index: Option<u32>| {
        for candidate in candidates.iter().filter(|one| index.is_some() && one.sdp_m_line_index == index) {
            if !candidate.candidate.is_empty() {
                text.push_str(&format!("a={}\r\n", candidate.candidate));
            }
        }
        if index.is_some() && !candidates.is_empty() {
            text.push_str("a=end-of-candidates\r\n");
        }
    };
    for line in
        answer.lines().filter(|line| !line.starts_with("a=candidate:") && *line != "a=end-of-candidates")
    {
        if line.starts_with("m=") {
            flush(&mut text, index);
            index = Some(index.map_or(0, |index| index + 1));
        }
        text.push_str(line);
        text.push_str("\r\n");
    }
    flush(&mut text, index);
    text
}

/// The candidates of a fragment (RFC 8840, 9), each with the section that it is for.
pub fn candidates_of(fragment: &str) -> Vec<IceCandidate> {
    let mut section = 0;
    let mut begun = false;
    let mut candidates = Vec::new();
    for line in fragment.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            section += u32::from(begun);
            begun = true;
        } else if let Some(candidate) = line.strip_prefix("a=").filter(|line| line.starts_with("candidate:"))
        {
            candidates.push(IceCandidate {
                candidate: candidate.to_owned(),
                sdp_m_line_index: Some(section),
                sdp_mid: None,
            });
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wswebrtcsink::payload::payload_for;

    const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n";
    const REST: &str = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\na=recvonly\r\na=rtcp-mux\r\n";
    const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 102 103 108\r\na=mid:0\r\n\
        a=extmap:7/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n\
        a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n\
        a=rtpmap:102 H264/90000\r\na=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\r\n\
        a=rtpmap:103 H264/90000\r\na=fmtp:103 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
        a=rtpmap:108 H264/90000\r\na=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";
    const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=rtpmap:111 opus/48000/2\r\n";

    fn offer() -> String {
        format!("{HEAD}{VIDEO}{REST}{AUDIO}{REST}")
    }

    fn stream(media_type: &str, profile: Option<&str>) -> (&'static Payload, gst::Caps) {
        gst::init().unwrap();
        let caps = gst::Caps::builder(media_type).field_if_some("profile", profile).build();
        (payload_for(media_type).unwrap(), caps)
    }

    #[test]
    fn format_with_the_streams_profile_is_taken_with_the_players_numbers() {
        let streams = [stream("video/x-h264", Some("constrained-baseline")), stream("audio/x-opus", None)];
        let offered = Offered::read(&offer(), &streams).unwrap();
        let video = offered.section(Kind::Video).unwrap();
        assert_eq!((video.payload_type, video.playout_delay_id), (108, Some(7)));
        let format = video.caps.structure(0).unwrap();
        assert_eq!(format.name(), "application/x-rtp");
        assert_eq!(format.get::<&str>("profile-level-id"), Ok("42e01f"));
        assert_eq!(video.transport_cc_id, Some(4));
        assert_eq!(format.get::<&str>("extmap-4"), Ok(HeaderExtension::TRANSPORT_CC.uri));
        let audio = offered.section(Kind::Audio).unwrap();
        assert_eq!(
            (audio.payload_type, audio.transport_cc_id),
            (111, None),
            "nothing is answered that was not offered"
        );
        let main = Offered::read(&offer(), &[stream("video/x-h264", Some("main"))]).unwrap();
        assert_eq!(main.section(Kind::Video).unwrap().payload_type, 102);
        let vp8 = Offered::read(&offer(), &[stream("video/x-vp8", None)]).unwrap();
        assert_eq!(vp8.section(Kind::Video).unwrap().payload_type, 96);
    }

    #[test]
    fn offer_without_our_codec_is_refused_with_its_name() {
        for (media_type, profile, words) in
            [("video/x-av1", None, "AV1"), ("video/x-h264", Some("high-4:4:4"), "H264")]
        {
            match Offered::read(&offer(), &[stream(media_type, profile)]) {
                Err(Refusal::Codec(why)) => assert!(why.contains(words), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        let streams = [stream("video/x-vp8", None)];
        for (text, words) in [
            ("hello".to_owned(), "no SDP"),
            (HEAD.to_owned(), "0 media sections"),
            (offer().replace("a=ice-ufrag:abcd\r\n", ""), "lacks ice-ufrag"),
            (offer().replace("actpass", "active"), "a=setup:actpass"),
        ] {
            match Offered::read(&text, &streams) {
                Err(Refusal::Bad(why)) => assert!(why.contains(words), "{why}"),
                other => panic!("{other:?}"),
            }
        }
        let sends = offer().replace("recvonly\r\na=rtcp", "sendonly\r\na=rtcp");
        assert!(matches!(Offered::read(&sends, &streams), Err(Refusal::Codec(_))));
    }

    #[test]
    fn hidden_addresses_are_kept_from_webrtcbin() {
        let hidden = "a=candidate:1 1 udp 2113937151 0a1b.local 50000 typ host\r\n";
        let plain = "a=candidate:2 1 udp 2113937151 192.0.2.1 50000 typ host\r\n";
        let text = format!("{}{hidden}{plain}", offer());
        let offered = Offered::read(&text, &[stream("video/x-vp8", None)]).unwrap();
        assert!(!offered.sdp.contains(".local") && offered.sdp.contains(plain));
    }

    #[test]
    fn candidates_are_written_into_their_sections_and_read_from_fragments() {
        let one = |index, text: &str| IceCandidate {
            candidate: format!("candidate:{text}"),
            sdp_m_line_index: Some(index),
            sdp_mid: None,
        };
        let answer = with_candidates(
            "v=0\r\nm=video\r\na=mid:0\r\nm=audio\r\na=mid:1\r\n",
            &[one(0, "a"), one(1, "b")],
        );
        assert_eq!(
            answer,
            "v=0\r\nm=video\r\na=mid:0\r\na=candidate:a\r\na=end-of-candidates\r\n\
             m=audio\r\na=mid:1\r\na=candidate:b\r\na=end-of-candidates\r\n"
        );
        let fragment = "a=ice-ufrag:x\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:a\r\nm=audio 9 RTP/AVP 0\r\na=candidate:b\r\n";
        assert_eq!(candidates_of(fragment), [one(0, "a"), one(1, "b")]);
        assert_eq!(candidates_of("a=candidate:a\r\n"), [one(0, "a")]);
    }
}
