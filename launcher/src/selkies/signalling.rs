//! Decision: the signalling of the Selkies client, line by line, and what it means in ours.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;
use vdi_protocol::signalling::{Bye, FromConsumer, IceCandidate, ToConsumer};

/// For which of its two peer connections the client opens a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Picture and data.
    Video,
    /// Sound.
    Audio,
}

/// What the client tells of its window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Window {
    /// Columns and rows of the window in device pixels.
    pub size: Option<(u32, u32)>,
    /// Device pixel ratio.
    pub scale: Option<f64>,
}

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hello {
    /// Who asks.
    pub peer: Peer,
    /// Its window.
    pub window: Window,
}

/// Reads the first line: `HELLO`, the number of the peer, and base64 of JSON.
pub fn hello(text: &str) -> Result<Hello, String> {
    let mut words = text.split_ascii_whitespace();
    let form = "the first line has to be HELLO 1 or HELLO 3, and base64 of the window's size in JSON";
    if words.next() != Some("HELLO") {
        return Err(form.into());
    }
    let peer = match words.next() {
        Some("1") => Peer::Video,
        Some("3") => Peer::Audio,
        _ => return Err(form.into()),
    };
    // The window is a courtesy: one that cannot be read is one that was not told.
    let window = words.next().and_then(|text| BASE64_STANDARD.decode(text).ok());
    let window = window.and_then(|json| serde_json::from_slice::<Meta>(&json).ok()).unwrap_or_default();
    let size = window.res.as_deref().and_then(|size| size.split_once('x'));
    let size = size.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let scale = window.scale.filter(|scale| (0.25..=8.0).contains(scale));
    Ok(Hello { peer, window: Window { size, scale } })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    res: Option<String>,
    scale: Option<f64>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    sdp: Option<Description>,
    #[serde(default)]
    ice: Option<IceCandidate>,
}

#[derive(Deserialize)]
struct Description {
    r#type: String,
    sdp: String,
}

/// Every later line of the client.
pub fn said(text: &str) -> Result<FromConsumer, String> {
    let form = r#"accepted are {"sdp":{"type":"answer","sdp":…}} and {"ice":{"candidate":…}}"#;
    let message: Message = serde_json::from_str(text).map_err(|err| format!("{err}; {form}"))?;
    match message {
        Message { sdp: Some(description), .. } if description.r#type == "answer" => {
            Ok(FromConsumer::Answer { sdp: description.sdp })
        }
        Message { ice: Some(candidate), .. } => Ok(FromConsumer::Ice(candidate)),
        _ => Err(form.into()),
    }
}

/// What the client is told, if this is for it.
pub fn told(message: &ToConsumer) -> Option<String> {
    match message {
        ToConsumer::Offer { sdp } => Some(json!({ "sdp": { "type": "offer", "sdp": sdp } }).to_string()),
        ToConsumer::Ice(candidate) if !candidate.candidate.is_empty() => {
            let index = candidate.sdp_m_line_index.unwrap_or(0);
            Some(json!({ "ice": { "candidate": candidate.candidate, "sdpMLineIndex": index } }).to_string())
        }
        ToConsumer::Error { message, .. } => Some(format!("ERROR {message}")),
        ToConsumer::Bye(Bye { reason, .. }) => Some(format!("ERROR {reason}")),
        // It has its servers from `/turn`, and can neither go on with a session nor take other servers.
        ToConsumer::Welcome { .. } | ToConsumer::IceServers { .. } | ToConsumer::Ice(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vdi_protocol::signalling::ErrorCode;

    #[test]
    fn hello_names_the_peer_and_the_window() {
        let meta = BASE64_STANDARD.encode(r#"{"res":"1920x1080","scale":2}"#);
        let window = Window { size: Some((1920, 1080)), scale: Some(2.0) };
        assert_eq!(hello(&format!("HELLO 1 {meta}")), Ok(Hello { peer: Peer::Video, window }));
        assert_eq!(hello("HELLO 3"), Ok(Hello { peer: Peer::Audio, window: Window::default() }));
        assert_eq!(hello("HELLO 3 !!").unwrap().window, Window::default());
        for bad in ["", "HELLO", "HELLO 2 x", "SESSION 1", r#"{"type":"hello"}"#] {
            assert!(hello(bad).unwrap_err().contains("HELLO 1"), "{bad}");
        }
    }

    #[test]
    fn answers_and_candidates_are_ours_in_other_words() {
        let answer = said(r#"{"sdp":{"type":"answer","sdp":"v=0"}}"#);
        assert_eq!(answer, Ok(FromConsumer::Answer { sdp: "v=0".into() }));
        let ice = said(
            r#"{"ice":{"candidate":"candidate:1","sdpMid":"video0","sdpMLineIndex":0,"usernameFragment":"x"}}"#,
        );
        let Ok(FromConsumer::Ice(candidate)) = ice else { panic!("{ice:?}") };
        assert_eq!((candidate.candidate.as_str(), candidate.sdp_m_line_index), ("candidate:1", Some(0)));
        for bad in ["HELLO 1", "{}", r#"{"sdp":{"type":"offer","sdp":""}}"#] {
            assert!(said(bad).unwrap_err().contains("answer"), "{bad}");
        }
    }

    #[test]
    fn offers_candidates_and_errors_are_told_and_the_rest_is_not() {
        let offer = told(&ToConsumer::Offer { sdp: "v=0\r\n".into() });
        assert_eq!(offer.unwrap(), r#"{"sdp":{"sdp":"v=0\r\n","type":"offer"}}"#);
        let ice =
            |text: &str| IceCandidate { candidate: text.into(), sdp_m_line_index: Some(1), sdp_mid: None };
        let candidate = told(&ToConsumer::Ice(ice("candidate:1")));
        assert_eq!(candidate.unwrap(), r#"{"ice":{"candidate":"candidate:1","sdpMLineIndex":1}}"#);
        assert_eq!(told(&ToConsumer::Ice(ice(""))), None);
        let full = ToConsumer::Error { code: ErrorCode::TooManyConsumers, message: "full".into() };
        assert_eq!(told(&full).unwrap(), "ERROR full");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(HELLO [13] )?.{0,100}") {
            let _ = hello(&text);
            let _ = said(&text);
        }
    }
}
