//! Setup: the addresses of STUN and TURN servers, resolved from their options into the URIs that webrtcbin takes.

use super::{Secret, checks::Checks};
use crate::options::Options;
use std::net::IpAddr;

pub(super) fn stun_server(checks: &mut Checks, options: &Options) -> Option<String> {
    let port: u16 = checks.number("stun-port", &options.network.stun_port, (1, u16::MAX));
    let host = options.network.stun_host.as_deref().filter(|host| !host.is_empty())?;
    Some(format!("stun://{}:{port}", host_for_uri(checks, "stun-host", host)))
}

pub(super) fn turn_server(checks: &mut Checks, options: &Options) -> Option<Secret> {
    let network = &options.network;
    let port: u16 = checks.number("turn-port", &network.turn_port, (1, u16::MAX));
    let transport =
        checks.one_of("turn-protocol", &network.turn_protocol, &[("udp", ""), ("tcp", "?transport=tcp")]);
    let scheme = if checks.boolean("turn-tls", &network.turn_tls) { "turns" } else { "turn" };
    let host = network.turn_host.as_deref().filter(|host| !host.is_empty())?;
    let host = host_for_uri(checks, "turn-host", host);
    let (Some(user), Some(password)) = (&network.turn_username, &network.turn_password) else {
        checks.refuse("turn-host", &host, "one together with --turn-username and --turn-password");
        return None;
    };
    let (user, password) = (percent_encoded(user), percent_encoded(password));
    Some(Secret(format!("{scheme}://{user}:{password}@{host}:{port}{transport}")))
}

/// An IPv6 address gets its brackets; anything that would change the URI's shape is refused.
fn host_for_uri(checks: &mut Checks, option: &str, host: &str) -> String {
    if let Ok(IpAddr::V6(address)) = host.parse() {
        return format!("[{address}]");
    }
    if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        checks.refuse(option, host, "a host name or an IP address");
    }
    host.to_owned()
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
    use crate::config::tests::resolve;

    #[test]
    fn turn_credentials_are_percent_encoded_and_never_shown() {
        let words = [
            "--turn-host=turn.example.com",
            "--turn-username=1700:me",
            "--turn-password=a/b=",
            "--turn-protocol=tcp",
        ];
        let config = resolve(&words).unwrap();
        let turn = config.turn_server.clone().unwrap();
        assert_eq!(turn.0, "turn://1700%3Ame:a%2Fb%3D@turn.example.com:3478?transport=tcp");
        assert!(!format!("{config:?}").contains("a%2Fb"));
    }
}
