//! Decision: lists of STUN and TURN servers in the forms in which they come and go: the JSON of `RTCConfiguration` that
//! Selkies' files, its REST services and `GET /turn` have, the answer of draft-uberti-behave-turn-rest, and the URIs that
//! the sink takes. It refuses what no browser would take, and says why without a password.

use serde::Deserialize;
use std::time::Duration;
use vdi_protocol::signalling::{IceServer, IceTransportPolicy};

/// Addresses in one list. Browsers warn from five on, since each is asked by each page.
const MAX_URLS: usize = 32;

/// Bytes of an address, a user name or a password; HMAC and OAuth tokens have a few hundred.
const MAX_TEXT_BYTES: usize = 2048;

/// How long a list is good, and what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// The servers, as browsers take them. `urls` is never empty.
    pub servers: Vec<IceServer>,
    /// Whether only relayed paths may be used.
    pub policy: IceTransportPolicy,
    /// For how long, if the list says so.
    pub life: Option<Duration>,
}

/// Either form. Fields of both are optional, so that what is missing can be said in words.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "iceServers")]
    ice_servers: Option<Vec<Server>>,
    #[serde(rename = "iceTransportPolicy", default)]
    policy: Option<String>,
    #[serde(rename = "lifetimeDuration", default)]
    lifetime: Option<String>,
    // draft-uberti-behave-turn-rest, 2.2.
    uris: Option<Vec<String>>,
    username: Option<String>,
    password: Option<String>,
    ttl: Option<u64>,
}

#[derive(Deserialize)]
struct Server {
    urls: Option<Urls>,
    url: Option<Urls>,
    username: Option<String>,
    credential: Option<String>,
}

/// A list, or a single one, as in W3C.
#[derive(Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl List {
    /// Reads a document of either form.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        // The error of serde_json quotes no values of strings, only places and types.
        let document: Document = serde_json::from_slice(bytes).map_err(|err| match err.classify() {
            serde_json::error::Category::Data => {
                format!("a field is of the wrong kind (line {}, column {})", err.line(), err.column())
            }
            _ => format!("it is no JSON (line {}, column {})", err.line(), err.column()),
        })?;
        let policy = match document.policy.as_deref() {
            None | Some("all") => IceTransportPolicy::All,
            Some("relay") => IceTransportPolicy::Relay,
            Some(other) => return Err(format!("iceTransportPolicy is {other:?}, and must be all or relay")),
        };
        let (servers, life) = match (document.ice_servers, document.uris) {
            (Some(servers), _) => (servers, document.lifetime.as_deref().map(seconds).transpose()?),
            (None, Some(uris)) => {
                let server = Server {
                    urls: Some(Urls::Many(uris)),
                    url: None,
                    username: document.username,
                    credential: document.password,
                };
                (vec![server], document.ttl.map(Duration::from_secs))
            }
            (None, None) => {
                return Err("it has neither iceServers nor uris (with username, password and ttl)".into());
            }
        };
        let servers: Vec<_> = servers.into_iter().map(checked).collect::<Result<_, _>>()?;
        let servers: Vec<_> = servers.into_iter().filter(|server| !server.urls.is_empty()).collect();
        let count: usize = servers.iter().map(|server| server.urls.len()).sum();
        if count > MAX_URLS {
            return Err(format!("it has {count} addresses, and at most {MAX_URLS} are taken"));
        }
        Ok(Self { servers, policy, life })
    }

    /// When the first of the credentials expire by what their names say (`expiry:…`), in time since 1970.
    pub fn expires(&self) -> Option<Duration> {
        let names = self.servers.iter().filter_map(|server| server.username.as_deref());
        names.filter_map(|name| name.split_once(':')?.0.parse().ok().map(Duration::from_secs)).min()
    }
}

fn checked(server: Server) -> Result<IceServer, String> {
    let urls = match server.urls.or(server.url) {
        Some(Urls::One(url)) => vec![url],
        Some(Urls::Many(urls)) => urls,
        None => return Err("an entry of iceServers has no urls".into()),
    };
    let texts = urls.iter().chain(&server.username).chain(&server.credential);
    if texts.clone().any(|text| text.len() > MAX_TEXT_BYTES || text.contains(char::is_control)) {
        return Err(format!(
            "an address, user name or password has control characters or over {MAX_TEXT_BYTES} bytes"
        ));
    }
    let mut kept = Vec::with_capacity(urls.len());
    for url in urls {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        match scheme {
            "stun" => {}
            "turn" | "turns" if server.username.is_some() && server.credential.is_some() => {}
            "turn" | "turns" => return Err(format!("{url:?} needs a username and a credential")),
            // STUN through TLS: in the standard, and in no browser.
            "stuns" => continue,
            _ => return Err(format!("{url:?} must begin with stun:, turn: or turns:")),
        }
        if let Err(why) = check_address(rest) {
            return Err(format!("{url:?}: {why}"));
        }
        kept.push(url);
    }
    let needs_login = kept.iter().any(|url| url.starts_with("turn"));
    Ok(IceServer {
        urls: kept,
        username: server.username.filter(|_| needs_login),
        credential: server.credential.filter(|_| needs_login),
    })
}

/// `host[:port][?transport=udp|tcp]` (RFC 7064 and 7065, 3.1).
fn check_address(rest: &str) -> Result<(), &'static str> {
    let (address, query) = match rest.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (rest, None),
    };
    if !matches!(query, None | Some("transport=udp" | "transport=tcp")) {
        return Err("after ? only transport=udp or transport=tcp is taken");
    }
    match authority(address) {
        Some(_) => Ok(()),
        None => Err("the form is host[:port], an IPv6 address in brackets"),
    }
}

/// A host, an IPv6 address in its brackets, and the port if there is one. `None` for what is no such thing.
pub fn authority(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.rfind(']') {
        Some(end) => {
            text.get(1..end)?.parse::<std::net::Ipv6Addr>().ok().filter(|_| text.starts_with('['))?;
            (&text[..=end], &text[end + 1..])
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let fits =
                !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
            (fits.then_some(host)?, port)
        }
    };
    match port {
        "" => Some((host, None)),
        port => Some((host, Some(port.strip_prefix(':')?.parse().ok().filter(|port| *port > 0)?))),
    }
}

/// Google's form of a duration: `86400s`.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').and_then(|number| number.parse::<f64>().ok());
    number
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("lifetimeDuration is {text:?}, and must be seconds such as 86400s"))
}

/// The servers as the sink takes them: `stun://…`, `turn://user:password@…`, percent-encoded.
pub fn uris(servers: &[IceServer]) -> Vec<String> {
    let uris = servers.iter().flat_map(|server| {
        server.urls.iter().filter_map(|url| {
            let (scheme, rest) = url.split_once(':')?;
            Some(match (&server.username, &server.credential) {
                (Some(user), Some(password)) if scheme != "stun" => {
                    format!("{scheme}://{}:{}@{rest}", percent_encoded(user), percent_encoded(password))
                }
                _ => format!("{scheme}://{}", rest.split('?').next().unwrap_or(rest)),
            })
        })
    });
    uris.collect()
}

/// Percent-encodes all but the unreserved characters of RFC 3986; webrtcbin wants user and password so.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<List, String> {
        List::parse(text.as_bytes())
    }

    #[test]
    fn selkies_form_is_read_whether_urls_is_a_list_or_one() {
        let read = list(
            r#"{"lifetimeDuration":"86400s","blockStatus":"NOT_BLOCKED","iceTransportPolicy":"relay","iceServers":[
                {"urls":["stun:stun.example.com:3478"]},
                {"urls":"turn:[2001:db8::1]:3478?transport=udp","username":"1700000000:me","credential":"a/b="}]}"#,
        )
        .unwrap();
        assert_eq!((read.policy, read.life), (IceTransportPolicy::Relay, Some(Duration::from_secs(86_400))));
        assert_eq!(read.expires(), Some(Duration::from_secs(1_700_000_000)));
        assert_eq!(
            uris(&read.servers),
            [
                "stun://stun.example.com:3478",
                "turn://1700000000%3Ame:a%2Fb%3D@[2001:db8::1]:3478?transport=udp"
            ]
        );
    }

    #[test]
    fn answer_of_a_turn_rest_service_is_read_as_its_draft_has_it() {
        let read = list(
            r#"{"username":"12334939:mbzrxpgjys","password":"adfsaflsjfldssia","ttl":86400,
                "uris":["turn:1.2.3.4:9991?transport=udp","turn:1.2.3.4:9992?transport=tcp","turns:1.2.3.4:443?transport=tcp"]}"#,
        )
        .unwrap();
        assert_eq!(read.life, Some(Duration::from_secs(86_400)));
        assert_eq!(read.servers[0].urls.len(), 3);
        assert_eq!(
            uris(&read.servers)[2],
            "turns://12334939%3Ambzrxpgjys:adfsaflsjfldssia@1.2.3.4:443?transport=tcp"
        );
    }

    #[test]
    fn what_is_wrong_is_said_and_no_password_with_it() {
        let server = |fields: &str| format!(r#"{{"iceServers":[{{{fields},"credential":"hunter2"}}]}}"#);
        for (text, wanted) in [
            ("not JSON hunter2", "it is no JSON (line 1"),
            (r#"{"iceServers":"hunter2"}"#, "a field is of the wrong kind"),
            ("{}", "neither iceServers nor uris"),
            (r#"{"iceTransportPolicy":"some","iceServers":[]}"#, "must be all or relay"),
            (r#"{"lifetimeDuration":"long","iceServers":[]}"#, "seconds such as 86400s"),
            (&server(r#""username":"u""#), "has no urls"),
            (&server(r#""urls":["turn:h"]"#), "needs a username and a credential"),
            (&server(r#""urls":["http://h"],"username":"u""#), "must begin with stun:, turn: or turns:"),
            (&server(r#""urls":["turn:u@h"],"username":"u""#), "the form is host[:port]"),
            (&server(r#""urls":["turn:h:0"],"username":"u""#), "the form is host[:port]"),
            (&server(r#""urls":["turn:2001:db8::1"],"username":"u""#), "the form is host[:port]"),
            (&server(r#""urls":["turn:h?x=y"],"username":"u""#), "only transport="),
            (&server(&format!(r#""urls":["turn:h"],"username":"{}""#, "u".repeat(3000))), "over 2048 bytes"),
        ] {
            let err = list(text).unwrap_err();
            assert!(err.contains(wanted), "{text}: {err}");
            assert!(!err.contains("hunter2"), "{err}");
        }
        let many: Vec<_> = (1..=40).map(|port| format!("\"stun:h:{port}\"")).collect();
        assert!(
            list(&server(&format!("\"urls\":[{}]", many.join(",")))).unwrap_err().contains("40 addresses")
        );
    }

    #[test]
    fn schemes_that_no_browser_takes_are_left_out() {
        let read = list(r#"{"iceServers":[{"urls":["stuns:h"]},{"urls":["stun:h","stuns:h"]}]}"#).unwrap();
        assert_eq!(uris(&read.servers), ["stun://h"]);
    }
}
