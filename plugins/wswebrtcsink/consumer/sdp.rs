//! Decision: whether a consumer's answer and candidates may be handed to webrtcbin.
//!
//! webrtcbin trusts what it is given; an answer with a missing section or without a fingerprint ends in assertions or
//! in a connection that never comes up. What is refused here is refused with words.

use gst_sdp::{SDPMediaRef, SDPMessage};
use vdi_protocol::signalling::IceCandidate;

/// Checks an answer against the offer it is for.
pub fn check_answer(offer: &str, answer: &str) -> Result<(), String> {
    let answer = parse(answer)?;
    let offer = parse(offer)?;
    if answer.medias_len() != offer.medias_len() {
        return Err(format!(
            "the answer has {} media sections, the offer has {}",
            answer.medias_len(),
            offer.medias_len()
        ));
    }
    for (index, (offered, answered)) in offer.medias().zip(answer.medias()).enumerate() {
        let wrong = |what: &str| Err(format!("media section {index} of the answer {what}"));
        if answered.media() != offered.media() {
            return wrong("is of another kind than the offer's");
        }
        if answered.proto() != offered.proto() {
            return wrong("has another transport than the offer's");
        }
        if answered.port() == 0 {
            continue;
        }
        if let (Some(theirs), Some(ours)) = (answered.attribute_val("mid"), offered.attribute_val("mid"))
            && theirs != ours
        {
            return wrong("has another mid than the offer's");
        }
        if !answered.formats().any(|format| offered.formats().any(|ours| ours == format)) {
            return wrong("accepts none of the offered formats");
        }
        for attribute in ["ice-ufrag", "ice-pwd", "fingerprint"] {
            if value(&answer, answered, attribute).is_none_or(|value| value.trim().is_empty()) {
                return wrong(&format!("lacks {attribute}"));
            }
        }
        if !matches!(value(&answer, answered, "setup"), Some("active" | "passive")) {
            return wrong("must say a=setup:active or a=setup:passive");
        }
    }
    Ok(())
}

/// The offer as that of an ICE lite agent (RFC 8839, 5.3), which leaves it to the other side to choose the pair.
pub fn offer_lite(offer: &str) -> String {
    // Attributes of the session stand before the first media section.
    match offer.find("\nm=") {
        Some(end) => format!("{}a=ice-lite\r\n{}", &offer[..=end], &offer[end + 1..]),
        None => offer.to_owned(),
    }
}

pub fn parse(text: &str) -> Result<SDPMessage, String> {
    if !text.starts_with("v=0") {
        return Err("this is no SDP: it must begin with v=0".into());
    }
    if text.contains('\0') {
        return Err("this is no SDP: it has a NUL byte".into());
    }
    SDPMessage::parse_buffer(text.as_bytes()).map_err(|_| "this is no SDP: it cannot be parsed".into())
}

/// An attribute of a media section, or else of the session.
pub fn value<'a>(message: &'a SDPMessage, media: &'a SDPMediaRef, name: &str) -> Option<&'a str> {
    media.attribute_val(name).or_else(|| message.attribute_val(name))
}

/// Whether a candidate hides its address behind a name of multicast DNS (draft-ietf-mmusic-mdns-ice-candidates).
///
/// webrtcbin must not see such a candidate: libnice cannot resolve it, and webrtcbin (seen in 1.22) waits for the answer
/// on the default main context. Where nobody runs that, as in the launcher, it never hears of the failure and never
/// frees its ICE agent, sockets and thread. The name is resolved for it (`mdns`), and where that fails the consumer's own
/// checks make the pair known without it.
pub fn is_mdns(candidate: &str) -> bool {
    address(candidate).is_some_and(|address| address.to_ascii_lowercase().ends_with(".local"))
}

/// The address of a candidate, or the name in its place.
pub fn address(candidate: &str) -> Option<&str> {
    fields(candidate).nth(4)
}

/// The words of a candidate, the foundation first, wherever there are blanks: all who read one read the same.
fn fields(candidate: &str) -> impl Iterator<Item = &str> {
    candidate.strip_prefix(PREFIX).unwrap_or(candidate).split_ascii_whitespace()
}

const PREFIX: &str = "candidate:";

/// The candidate with this address in place of its own.
pub fn with_address(candidate: &str, address: std::net::IpAddr) -> String {
    let address = address.to_string();
    let prefix = if candidate.starts_with(PREFIX) { PREFIX } else { "" };
    let fields = fields(candidate).enumerate();
    let fields: Vec<_> = fields.map(|(at, field)| if at == 4 { address.as_str() } else { field }).collect();
    format!("{prefix}{}", fields.join(" "))
}

/// Checks one candidate (RFC 8839, 5.1). An empty one ends the candidates and is fine.
pub fn check_candidate(candidate: &IceCandidate, media_sections: u32) -> Result<(), String> {
    let index = candidate.sdp_m_line_index.unwrap_or(0);
    if index >= media_sections {
        return Err(format!(
            "sdpMLineIndex {index} is out of range: there are {media_sections} media sections"
        ));
    }
    let text = candidate.candidate.as_str();
    if text.is_empty() {
        return Ok(());
    }
    // They would end it early, or begin another line, for whoever reads it next.
    if text.contains(char::is_control) {
        return Err("a candidate has no control characters".into());
    }
    if !text.starts_with(PREFIX) {
        return Err("a candidate must begin with \"candidate:\"".into());
    }
    let fields: Vec<&str> = fields(text).collect();
    let [_foundation, component, transport, priority, address, port, typ, kind, ..] = fields[..] else {
        return Err("a candidate has at least 8 fields (RFC 8839, 5.1)".into());
    };
    if !matches!(component, "1" | "2") {
        return Err(format!("component must be 1 or 2, not {}", short(component)));
    }
    if !["udp", "tcp"].iter().any(|known| transport.eq_ignore_ascii_case(known)) {
        return Err(format!("transport must be udp or tcp, not {}", short(transport)));
    }
    if priority.parse::<u32>().is_err() {
        return Err(format!("priority must be a 32-bit number, not {}", short(priority)));
    }
    if address.parse::<std::net::IpAddr>().is_err() && !address.ends_with(".local") {
        return Err(format!("address must be an IP address or a .local name, not {}", short(address)));
    }
    if port.parse::<u16>().is_err() {
        return Err(format!("port must be a 16-bit number, not {}", short(port)));
    }
    if typ != "typ" || !matches!(kind, "host" | "srflx" | "prflx" | "relay") {
        return Err("the type must be host, srflx, prflx or relay".into());
    }
    Ok(())
}

/// As much of a peer's text as an answer to it may quote.
fn short(text: &str) -> String {
    format!("{:?}", text.chars().take(32).collect::<String>())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn offer_leaves_the_choice_of_the_pair_to_the_browser_and_is_otherwise_the_same() {
        let offer = "v=0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\nm=audio 0 x 97\r\n";
        assert_eq!(
            offer_lite(offer),
            "v=0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\nm=audio 0 x 97\r\n"
        );
        assert_eq!(offer_lite("v=0\r\n"), "v=0\r\n");
    }

    pub const OFFER: &str = "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE video0 application1\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:video0\r\na=setup:actpass\r\na=sendonly\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=rtpmap:96 H264/90000\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:application1\r\na=setup:actpass\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\n";

    pub fn answer() -> String {
        OFFER.replace("actpass", "active").replace("sendonly", "recvonly")
    }

    #[test]
    fn an_answer_to_the_offer_is_taken() {
        gst::init().unwrap();
        assert_eq!(check_answer(OFFER, &answer()), Ok(()));
        assert_eq!(check_answer(OFFER, &answer().replace("m=video 9 ", "m=video 0 ")), Ok(()));
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wrong() {
        gst::init().unwrap();
        let one_section = answer().split("m=application").next().unwrap().to_owned();
        for (answer, wanted) in [
            (String::new(), "must begin with v=0"),
            ("hello".into(), "must begin with v=0"),
            ("v=0\r\n\0".into(), "NUL"),
            (one_section, "has 1 media sections, the offer has 2"),
            (answer().replace("m=video", "m=audio"), "another kind"),
            (answer().replace("mid:video0", "mid:other"), "another mid"),
            (answer().replace("SAVPF 96", "SAVPF 97"), "none of the offered formats"),
            (answer().replace("a=ice-pwd:0123456789012345678901\r\n", ""), "lacks ice-pwd"),
            (answer().replace("a=fingerprint:sha-256 AA:BB\r\n", ""), "lacks fingerprint"),
            (answer().replace("setup:active", "setup:actpass"), "a=setup"),
        ] {
            let err = check_answer(OFFER, &answer).unwrap_err();
            assert!(err.contains(wanted), "wanted {wanted:?}, got {err:?}");
        }
    }

    fn candidate(text: &str, index: u32) -> IceCandidate {
        IceCandidate { candidate: text.into(), sdp_m_line_index: Some(index), sdp_mid: None }
    }

    #[test]
    fn real_candidates_are_taken() {
        for text in [
            "",
            "candidate:1 1 UDP 2015363327 127.0.0.1 54321 typ host",
            "candidate:3 1 udp 2122260223 6b1c1d5e-6f2c-4d1e-8a54-000000000000.local 60000 typ host generation 0",
            "candidate:4 1 tcp 1518280447 2001:db8::1 9 typ host tcptype active",
            "candidate:5 1 udp 1686052607 203.0.113.7 40000 typ srflx raddr 0.0.0.0 rport 0",
        ] {
            assert_eq!(check_candidate(&candidate(text, 1), 2), Ok(()), "{text}");
        }
    }

    #[test]
    fn only_names_of_multicast_dns_are_kept_from_webrtcbin() {
        assert!(is_mdns(
            "candidate:3 1 udp 2122260223 6b1c1d5e-6f2c-4d1e-8a54-000000000000.local 60000 typ host"
        ));
        assert!(!is_mdns("candidate:1 1 UDP 2015363327 127.0.0.1 54321 typ host"));
        assert!(!is_mdns(""));
        let named = "candidate:3 1 udp 2122260223 6b1c1d5e-6f2c-4d1e-8a54-000000000000.local 60000 typ host generation 0";
        assert_eq!(
            with_address(named, [192, 0, 2, 7].into()),
            "candidate:3 1 udp 2122260223 192.0.2.7 60000 typ host generation 0"
        );
    }

    #[test]
    fn nonsense_candidates_are_refused_with_what_is_wrong() {
        for (text, wanted) in [
            ("hello", "must begin with"),
            ("candidate:1 1 UDP", "at least 8 fields"),
            ("candidate:1 7 UDP 1 127.0.0.1 1 typ host", "component"),
            ("candidate:1 1 SCTP 1 127.0.0.1 1 typ host", "transport"),
            ("candidate:1 1 UDP x 127.0.0.1 1 typ host", "priority"),
            ("candidate:1 1 UDP 1 nowhere 1 typ host", "address"),
            ("candidate:1 1 UDP 1 127.0.0.1 70000 typ host", "port"),
            ("candidate:1 1 UDP 1 127.0.0.1 1 typ magic", "type"),
        ] {
            let err = check_candidate(&candidate(text, 0), 2).unwrap_err();
            assert!(err.contains(wanted), "{text}: {err}");
        }
        assert!(check_candidate(&candidate("", 2), 2).unwrap_err().contains("out of range"));
    }
}
