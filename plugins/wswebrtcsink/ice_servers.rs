//! Decision: one STUN or TURN server, in webrtcbin's form and in the browser's.
//!
//! webrtcbin takes `turn://user:password@host:port?transport=tcp`, percent-encoded; a browser takes
//! `turn:host:port?transport=tcp` with user and password beside it. A server that cannot be used is refused with words
//! when the property is set, not when the first consumer fails.

use vdi_protocol::signalling::IceServer;

/// Why a server is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The scheme is none of those accepted here.
    #[error("\"{uri}\": the scheme must be one of {accepted}")]
    Scheme {
        /// What was given, without its password.
        uri: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// There is no host.
    #[error("\"{uri}\": the host is missing; the form is scheme://[user:password@]host[:port]")]
    Host {
        /// What was given, without its password.
        uri: String,
    },
    /// The port is no number from 1 to 65535.
    #[error("\"{uri}\": the port must be a number from 1 to 65535")]
    Port {
        /// What was given, without its password.
        uri: String,
    },
    /// A TURN server without user or password.
    #[error("\"{uri}\": a TURN server needs user:password@ before the host, percent-encoded")]
    Credentials {
        /// What was given, without its password.
        uri: String,
    },
}

/// What the parts of a server's URI are.
struct Parts<'a> {
    scheme: &'a str,
    credentials: Option<(String, String)>,
    host_port: &'a str,
    query: Option<&'a str>,
}

/// The browser's form of `stun://host[:port]`.
pub fn stun(uri: &str) -> Result<IceServer, ServerError> {
    let parts = split(uri, &["stun"], "stun://")?;
    Ok(IceServer { urls: vec![format!("stun:{}", parts.host_port)], username: None, credential: None })
}

/// The browser's form of `turn(s)://user:password@host[:port][?transport=tcp]`.
pub fn turn(uri: &str) -> Result<IceServer, ServerError> {
    let parts = split(uri, &["turn", "turns"], "turn://, turns://")?;
    let (username, credential) =
        parts.credentials.ok_or_else(|| ServerError::Credentials { uri: without_password(uri) })?;
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(IceServer {
        urls: vec![format!("{}:{}{query}", parts.scheme, parts.host_port)],
        username: Some(username),
        credential: Some(credential),
    })
}

fn split<'a>(uri: &'a str, schemes: &[&str], accepted: &'static str) -> Result<Parts<'a>, ServerError> {
    let scheme_error = || ServerError::Scheme { uri: without_password(uri), accepted };
    let (scheme, rest) = uri.split_once("://").ok_or_else(scheme_error)?;
    if !schemes.contains(&scheme) {
        return Err(scheme_error());
    }
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (credentials, host_port) = match rest.rsplit_once('@') {
        Some((user_info, host_port)) => {
            let (user, password) = user_info
                .split_once(':')
                .filter(|(user, password)| !user.is_empty() && !password.is_empty())
                .ok_or_else(|| ServerError::Credentials { uri: without_password(uri) })?;
            (Some((percent_decode(user), percent_decode(password))), host_port)
        }
        None => (None, rest),
    };

    // An IPv6 address stands in brackets, so the last colon outside them is the port's.
    let (host, port) = match host_port.rfind(']') {
        Some(end) => (&host_port[..=end], host_port[end + 1..].strip_prefix(':')),
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    if host.is_empty() || host == "[]" {
        return Err(ServerError::Host { uri: without_password(uri) });
    }
    if let Some(port) = port
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Err(ServerError::Port { uri: without_password(uri) });
    }
    Ok(Parts { scheme, credentials, host_port, query })
}

/// Where a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Name or address; an IPv6 address in brackets.
    pub host: &'a str,
    /// Port, by default that of STUN and TURN (RFC 8489, 8; RFC 8656, 3).
    pub port: u16,
    /// Where host and port begin in the URI.
    pub start: usize,
    /// Where they end.
    pub end: usize,
}

/// Where the server of this URI is, which [`stun`] or [`turn`] take.
pub fn place(uri: &str) -> Option<Place<'_>> {
    let scheme_end = uri.find("://")? + 3;
    let end = uri.find('?').unwrap_or(uri.len());
    let start = uri.get(scheme_end..end)?.rfind('@').map_or(scheme_end, |at| scheme_end + at + 1);
    let host_port = &uri[start..end];
    let (host, port) = match host_port.rfind(']') {
        Some(bracket) => (&host_port[..=bracket], host_port[bracket + 1..].strip_prefix(':')),
        None => match host_port.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        },
    };
    let default = if uri.starts_with("turns:") { 5349 } else { 3478 };
    Some(Place { host, port: port.map_or(Some(default), |port| port.parse().ok())?, start, end })
}

/// The URI as it may be logged.
pub fn without_password(uri: &str) -> String {
    match (uri.split_once("://"), uri.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => uri.to_owned(),
    }
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_uri_becomes_the_browsers_form_with_decoded_credentials() {
        let server = turn("turn://1700000000%3Ac1:a%2Fb%3D@turn.example.com:3478?transport=tcp").unwrap();
        assert_eq!(server.urls, ["turn:turn.example.com:3478?transport=tcp"]);
        assert_eq!(server.username.as_deref(), Some("1700000000:c1"));
        assert_eq!(server.credential.as_deref(), Some("a/b="));
        assert_eq!(turn("turns://u:p@[2001:db8::1]:5349").unwrap().urls, ["turns:[2001:db8::1]:5349"]);
        assert_eq!(stun("stun://stun.example.com").unwrap().urls, ["stun:stun.example.com"]);
    }

    #[test]
    fn unusable_servers_are_refused_with_what_is_wrong() {
        for (uri, wanted) in [
            ("http://u:p@h", "the scheme must be one of turn://, turns://"),
            ("turn.example.com", "the scheme"),
            ("turn://host:3478", "needs user:password@"),
            ("turn://user@host", "needs user:password@"),
            ("turn://u:p@", "the host is missing"),
            ("turn://u:p@host:99999", "the port must be"),
            ("turn://u:p@host:x", "the port must be"),
        ] {
            let err = turn(uri).unwrap_err().to_string();
            assert!(err.contains(wanted), "{uri}: {err}");
        }
    }

    #[test]
    fn place_is_found_beside_credentials_and_query() {
        let found = |uri| place(uri).map(|place| (place.host, place.port, &uri[place.start..place.end]));
        assert_eq!(found("turn://u:p@h?transport=tcp"), Some(("h", 3478, "h")));
        assert_eq!(found("turns://u:p@h:1"), Some(("h", 1, "h:1")));
        assert_eq!(found("turns://u:p@h"), Some(("h", 5349, "h")));
        assert_eq!(found("stun://[::1]:9"), Some(("[::1]", 9, "[::1]:9")));
        assert_eq!(found("stun:h"), None);
    }

    #[test]
    fn a_password_never_stands_in_an_error() {
        let err = turn("turn://user:hunter2@host:0").unwrap_err().to_string();
        assert!(!err.contains("hunter2"), "{err}");
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz%41"), "%zzA");
    }
}
