//! Decision: session descriptions and candidates of the other end, before webrtcbin sees them.

use crate::text;
use gst_sdp::SDPMessage;
use gstvdi::wswebrtcsink::{
    consumer::{offered, sdp},
    direct,
    payload::{Kind, Payload, payload_for},
};
use std::{net::Ipv4Addr, sync::LazyLock};
use vdi_launcher::turn::Peers;
use vdi_protocol::signalling::IceCandidate;

/// What we offer.
const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE video0 application1\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:video0\r\na=setup:actpass\r\na=sendonly\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=rtpmap:96 H264/90000\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:application1\r\na=setup:actpass\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=sctp-port:5000\r\n";

/// What we send.
static STREAMS: LazyLock<Vec<(&'static Payload, gst::Caps)>> = LazyLock::new(|| {
    gst::init().unwrap();
    let stream = |media_type, profile: Option<&str>| {
        let caps = gst::Caps::builder(media_type).field_if_some("profile", profile).build();
        (payload_for(media_type).unwrap(), caps)
    };
    vec![stream("video/x-h264", Some("constrained-baseline")), stream("audio/x-opus", None)]
});

/// An answer to our offer.
pub fn answer(data: &[u8]) {
    LazyLock::force(&STREAMS);
    let text = text(data);
    if sdp::check_answer(OFFER, text).is_ok() {
        let answer = sdp::parse(text).unwrap();
        assert_eq!(answer.medias_len(), 2);
        for media in answer.medias().filter(|media| media.port() != 0) {
            assert!(sdp::value(&answer, media, "fingerprint").is_some());
        }
    }
    let lite = sdp::offer_lite(text);
    assert!(lite == text || lite.replacen("a=ice-lite\r\n", "", 1).len() <= text.len());
}

/// A player's offer, and the fragments that it trickles.
pub fn offer(data: &[u8]) {
    let streams = &*STREAMS;
    let text = text(data);
    if let Ok(offered) = offered::Offered::read(text, streams) {
        assert!(offered.section(Kind::Video).is_some(), "no picture");
        let kinds: Vec<_> = offered.sections.iter().map(|section| section.kind).collect();
        assert!(kinds.len() < 3 && kinds.first() != kinds.get(1), "{kinds:?}");
        for section in &offered.sections {
            assert!((0..128).contains(&section.payload_type), "{}", section.payload_type);
        }
        assert!(sdp::parse(&offered.sdp).is_ok());
        assert!(!offered.sdp.lines().any(|line| line.strip_prefix("a=").is_some_and(sdp::is_mdns)));
    }
    let candidates = offered::candidates_of(text);
    let sections = text.lines().filter(|line| line.starts_with("m=")).count() as u32;
    for candidate in &candidates {
        assert!(candidate.sdp_m_line_index.unwrap() < sections.max(1));
        assert!(!candidate.candidate.contains('\n'), "a candidate is a line");
    }
    let with = offered::with_candidates(text, &candidates);
    let count = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
    assert_eq!(count(&with), count(text), "a candidate is no section");
    if let Ok(message) = SDPMessage::parse_buffer(with.as_bytes()) {
        for media in message.medias() {
            assert!(offered::extension_id(media, "urn:x").is_none_or(|id| (1..=14).contains(&id)));
        }
    }
}

/// One candidate.
pub fn candidate(data: &[u8]) {
    let text = text(data);
    let candidate = IceCandidate { candidate: text.into(), sdp_m_line_index: Some(0), sdp_mid: None };
    let good = sdp::check_candidate(&candidate, 1).is_ok();
    assert!(!good || !text.contains(char::is_control), "one line, whoever reads it");
    if good && !text.is_empty() {
        let read = sdp::address(text).expect("a candidate has an address");
        assert!(
            sdp::is_mdns(text) || read.parse::<std::net::IpAddr>().is_ok(),
            "{read}: webrtcbin must not see a name"
        );
    }
    let here = std::net::IpAddr::from(Ipv4Addr::LOCALHOST);
    let moved = sdp::with_address(text, here);
    if good && !text.is_empty() {
        assert_eq!(sdp::address(&moved), Some("127.0.0.1"));
        let moved = IceCandidate { candidate: moved, ..candidate };
        assert!(sdp::check_candidate(&moved, 1).is_ok(), "{moved:?}");
        assert!(!sdp::is_mdns(&moved.candidate));
    }
    let direct = direct::DirectPaths {
        announced: vec!["192.0.2.1".into(), "2001:db8::1".into()],
        ..Default::default()
    };
    for announced in direct.announced_for(text) {
        let announced = IceCandidate { candidate: announced, sdp_m_line_index: None, sdp_mid: None };
        assert!(!good || sdp::check_candidate(&announced, 1).is_ok(), "{announced:?}");
    }
    let _ = direct::check_interface(text);
    let peers = Peers::default();
    peers.add_candidate("c1", text);
    assert!(!peers.allows("c1", "169.254.169.254:80".parse().unwrap()), "nobody receives there");
    assert!(!peers.allows("c2", "192.0.2.1:1".parse().unwrap()), "another consumer");
}
