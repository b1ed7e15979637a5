//! Decision: whether a WebSocket may be opened from a page of this origin.
//!
//! Browsers let any page open a WebSocket to any server and send along the credentials they remember, so the server
//! must look at `Origin` itself (RFC 6455, 10.2). Programs that are no browsers send none; they are let through, since
//! they hold no user's credentials by accident.

/// Whether `origin` (scheme://host[:port]) is the server that `host` (the `Host` header) names.
///
/// The scheme is not compared: a proxy in front may speak TLS where we do not.
fn is_allowed(origin: Option<&str>, host: Option<&str>) -> bool {
    let Some(origin) = origin else { return true };
    let Some((scheme, origin_host)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return false,
    };
    let Some(host) = host else { return false };
    with_port(origin_host, default_port).eq_ignore_ascii_case(&with_port(host, default_port))
}

/// The same behind a proxy, which may put another name into `Host` and the page's into `X-Forwarded-Host`. No page of another
/// site can set that header: scripts cannot give a WebSocket any.
pub fn is_allowed_behind(origin: Option<&str>, host: Option<&str>, forwarded_host: Option<&str>) -> bool {
    // Several proxies make a list, of which the first is what the browser asked for.
    let first = forwarded_host.and_then(|hosts| hosts.split(',').next()).map(str::trim);
    is_allowed(origin, host) || first.is_some_and(|host| is_allowed(origin, Some(host)))
}

/// Whether the `Host` header names this machine itself: an address of its loopback, or `localhost`.
///
/// A sink that listens on loopback has no password, and trusts whoever is on this machine. A page from elsewhere could
/// make its own name point here (DNS rebinding); then `Origin` and `Host` agree, but the name is not one of these.
pub fn names_this_machine(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let name = match (host.strip_prefix('['), host.split_once(':')) {
        (Some(v6), _) => v6.split(']').next().unwrap_or_default(),
        (None, Some((name, _))) => name,
        (None, None) => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn with_port(host: &str, default_port: &str) -> String {
    let has_port = match host.rfind(']') {
        Some(end) => host[end..].contains(':'),
        None => host.contains(':'),
    };
    if has_port { host.to_owned() } else { format!("{host}:{default_port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_this_server_may_connect() {
        assert!(is_allowed(Some("http://127.0.0.1:8080"), Some("127.0.0.1:8080")));
        assert!(is_allowed(Some("http://desk.example.com"), Some("desk.example.com:80")));
        assert!(is_allowed(Some("https://Desk.example.com"), Some("desk.example.com")));
        assert!(is_allowed(Some("http://[::1]:8080"), Some("[::1]:8080")));
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        assert!(!is_allowed(Some("https://evil.example"), Some("desk.example.com")));
        assert!(!is_allowed(Some("http://127.0.0.1:9999"), Some("127.0.0.1:8080")));
        assert!(!is_allowed(Some("https://desk.example.com.evil.example"), Some("desk.example.com")));
        assert!(!is_allowed(Some("null"), Some("desk.example.com")));
        assert!(!is_allowed(Some("file://desk.example.com"), Some("desk.example.com")));
        assert!(!is_allowed(Some("http://desk.example.com"), None));
    }

    #[test]
    fn behind_a_proxy_the_name_that_it_was_reached_by_counts_as_well() {
        let page = Some("https://desk.example.com");
        assert!(is_allowed_behind(page, Some("10.0.0.7:8080"), Some("desk.example.com")));
        assert!(is_allowed_behind(page, Some("10.0.0.7:8080"), Some("desk.example.com:443, inner.example")));
        assert!(is_allowed_behind(page, Some("desk.example.com"), Some("other.example")));
        assert!(!is_allowed_behind(page, Some("10.0.0.7:8080"), Some("inner.example, desk.example.com")));
        assert!(!is_allowed_behind(page, Some("10.0.0.7:8080"), None));
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_not_this_machine() {
        for host in ["127.0.0.1:8080", "localhost", "LocalHost:8080", "[::1]:8080", "[::1]"] {
            assert!(names_this_machine(Some(host)), "{host}");
        }
        for host in ["evil.example:8080", "127.0.0.1.evil.example", "192.0.2.1", "[2001:db8::1]:80", ""] {
            assert!(!names_this_machine(Some(host)), "{host}");
        }
    }

    #[test]
    fn a_program_without_origin_may() {
        assert!(is_allowed(None, Some("desk.example.com")));
    }
}
