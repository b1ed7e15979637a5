//! Decision: the STUN and TURN servers that are tested, read out of the URLs that browsers get. Refuses to repeat a
//! credential: what is shown of a server is its URL, which holds none.

use crate::config::Secret;
use vdi_protocol::{doctor::CheckName, signalling::IceServer};

/// Most servers that are tested: a list of more is a mistake, and all are asked side by side.
const MAX_SERVERS: usize = 16;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// A connection with TLS.
    Tls,
}

/// One STUN or TURN server, in one way of speaking to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As a browser has it, without credentials.
    pub url: String,
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub transport: Transport,
    /// Whether it relays.
    pub relays: bool,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
}

impl Server {
    /// The check that tests it.
    pub fn check(&self) -> CheckName {
        match (self.relays, self.transport) {
            (false, _) => CheckName::Stun,
            (true, Transport::Udp) => CheckName::TurnUdp,
            (true, Transport::Tcp) => CheckName::TurnTcp,
            (true, Transport::Tls) => CheckName::TurnTls,
        }
    }

    /// When its credentials expire, in seconds since 1970, if their user name says so (`expiry` or `expiry:name`, as of the
    /// TURN REST API).
    pub fn expires(&self) -> Option<u64> {
        let (user, _) = self.credentials.as_ref()?;
        let time = user.split(':').next()?;
        // Ten digits are the years 2001 to 2286: a user called "42" has no expiry.
        (time.len() == 10).then(|| time.parse().ok())?
    }
}

/// Every URL of the servers, as a server of its own; what is no URL of a STUN or TURN server comes back as it is.
pub fn servers(ice_servers: &[IceServer]) -> (Vec<Server>, Vec<String>) {
    let mut servers: Vec<Server> = Vec::new();
    let mut unknown = Vec::new();
    for ice_server in ice_servers {
        let credentials = ice_server.username.clone().zip(ice_server.credential.clone().map(Secret));
        for url in &ice_server.urls {
            match server(url, credentials.clone()) {
                Some(server) if servers.iter().any(|known| known.url == server.url) => {}
                Some(server) => servers.push(server),
                None => unknown.push(url.clone()),
            }
        }
    }
    servers.truncate(MAX_SERVERS);
    (servers, unknown)
}

fn server(url: &str, credentials: Option<(String, Secret)>) -> Option<Server> {
    let (scheme, rest) = url.split_once(':')?;
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port) = match address.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let tcp = query.split('&').any(|part| part == "transport=tcp");
    let (transport, relays, usual) = match scheme {
        "stun" => (Transport::Udp, false, 3478),
        "turn" if tcp => (Transport::Tcp, true, 3478),
        "turn" => (Transport::Udp, true, 3478),
        // DTLS, which `turns` over UDP would be, no browser speaks.
        "turns" => (Transport::Tls, true, 5349),
        _ => return None,
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None => usual,
    };
    let (url, host) = (url.to_owned(), host.to_owned());
    (!host.is_empty()).then_some(Server { url, host, port, transport, relays, credentials })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(urls: &[&str], user: &str) -> IceServer {
        IceServer {
            urls: urls.iter().map(ToString::to_string).collect(),
            username: Some(user.into()),
            credential: Some("hunter2".into()),
        }
    }

    #[test]
    fn every_url_is_a_server_of_its_own_with_its_usual_port_and_transport() {
        let urls = [
            "turn:turn.example.com",
            "turn:turn.example.com:443?transport=tcp",
            "turns:turn.example.com",
            "turns:[2001:db8::1]:443?transport=tcp",
            "stun:stun.example.com",
            "turn:turn.example.com",
        ];
        let (servers, unknown) = servers(&[turn(&urls, "me")]);
        let told: Vec<_> =
            servers.iter().map(|one| (one.check().as_str(), one.host.as_str(), one.port)).collect();
        assert_eq!(
            told,
            [
                ("turnUdp", "turn.example.com", 3478),
                ("turnTcp", "turn.example.com", 443),
                ("turnTls", "turn.example.com", 5349),
                ("turnTls", "2001:db8::1", 443),
                ("stun", "stun.example.com", 3478),
            ]
        );
        assert!(unknown.is_empty());
        assert!(!format!("{servers:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_url_of_such_a_server_is_told() {
        for url in ["http://turn.example.com", "turn:", "turn:host:0", "turn:host:port", "turn.example.com"] {
            let (servers, unknown) = servers(&[turn(&[url], "me")]);
            assert!(servers.is_empty(), "{url}");
            assert_eq!(unknown, [url]);
        }
    }

    #[test]
    fn expiry_is_read_from_the_user_name_where_it_is_one() {
        let expires = |user| servers(&[turn(&["turn:host"], user)]).0[0].expires();
        assert_eq!(expires("1700000000:c1"), Some(1_700_000_000));
        assert_eq!(expires("1700000000"), Some(1_700_000_000));
        assert_eq!(expires("42:c1"), None);
        assert_eq!(expires("selkies"), None);
    }
}
