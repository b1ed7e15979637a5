//! Decision: how the built-in TURN server appears to a page: at the address by which the page has reached us, whatever port
//! we listen on, so that it works through `kubectl port-forward`, `ssh -L` and proxies without any configuration.

use super::list::authority;
use vdi_protocol::signalling::IceServer;

/// Where the built-in server can be reached, beside the address of the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ways {
    /// Port of the UDP listener, if it is up.
    pub udp_port: Option<u16>,
    /// Whether browsers refuse our certificate, because we have signed it ourselves.
    pub self_signed: bool,
}

/// The built-in server for a page that has reached us at this authority; nothing if that is unknown or no authority.
///
/// Plain TCP is offered to secure pages too: the media is encrypted by itself, and TLS may end at a proxy that carries
/// HTTP only, or have a certificate that the browser takes for pages but not for TURN.
pub fn servers(at: &str, secure: bool, ways: Ways, username: &str, credential: &str) -> Vec<IceServer> {
    let Some((host, port)) = authority(at) else { return Vec::new() };
    let port = port.unwrap_or(if secure { 443 } else { 80 });
    let udp = ways.udp_port.map(|udp| format!("turn:{host}:{udp}?transport=udp"));
    let tcp = Some(format!("turn:{host}:{port}?transport=tcp"));
    let tls = secure.then(|| format!("turns:{host}:{port}?transport=tcp"));
    // What is refused for sure is asked last.
    let order = if ways.self_signed { [udp, tcp, tls] } else { [udp, tls, tcp] };
    vec![IceServer {
        urls: order.into_iter().flatten().collect(),
        username: Some(username.to_owned()),
        credential: Some(credential.to_owned()),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(at: &str, secure: bool, ways: Ways) -> Vec<String> {
        servers(at, secure, ways, "u", "p").into_iter().flat_map(|server| server.urls).collect()
    }

    #[test]
    fn page_behind_a_forwarded_port_gets_that_port_and_not_ours() {
        assert_eq!(urls("localhost:9000", false, Ways::default()), ["turn:localhost:9000?transport=tcp"]);
        assert_eq!(urls("[::1]:9000", false, Ways::default()), ["turn:[::1]:9000?transport=tcp"]);
        assert_eq!(
            urls("desk.example.com", false, Ways::default()),
            ["turn:desk.example.com:80?transport=tcp"]
        );
    }

    #[test]
    fn secure_page_gets_both_and_what_its_browser_refuses_last() {
        let ways = Ways { udp_port: Some(3478), self_signed: false };
        let all = ["turn:d:3478?transport=udp", "turns:d:443?transport=tcp", "turn:d:443?transport=tcp"];
        assert_eq!(urls("d", true, ways), all);
        assert_eq!(urls("d", true, Ways { self_signed: true, ..ways }), [all[0], all[2], all[1]]);
    }

    #[test]
    fn what_is_no_authority_gets_nothing() {
        for at in ["", "a b", "user@host", "host:port", "host:1/path", "[host]:1", "2001:db8::1", "h\"x"] {
            assert_eq!(urls(at, true, Ways::default()), [""; 0], "{at}");
        }
    }
}
