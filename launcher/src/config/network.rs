//! Setup: which STUN and TURN servers are used and which direct paths are offered, resolved from their options.

use super::{Secret, checks::Checks};
use crate::{ice::list::authority, options::Options};
use std::{net::IpAddr, path::PathBuf, time::Duration};
use vdi_protocol::signalling::IceTransportPolicy;

/// Where STUN and TURN servers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ice {
    /// File that overrides all else while it exists.
    pub rtc_config_json: PathBuf,
    /// A service that gives servers.
    pub turn_rest: Option<TurnRest>,
    /// Who that service, and the shared secret's credentials, are told that we are.
    pub turn_user: Option<String>,
    /// TURN servers as browsers take them.
    pub turn_urls: Vec<String>,
    /// How one is let in there; always given with `turn_urls`.
    pub turn_login: Option<TurnLogin>,
    /// Life of credentials made from a shared secret.
    pub credential_life: Duration,
    /// STUN servers as browsers take them.
    pub stun_urls: Vec<String>,
    /// Whether only relayed paths may be used.
    pub policy: IceTransportPolicy,
}

impl Default for Ice {
    fn default() -> Self {
        Self {
            rtc_config_json: "/tmp/rtc.json".into(),
            turn_rest: None,
            turn_user: None,
            turn_urls: Vec::new(),
            turn_login: None,
            credential_life: Duration::from_secs(600),
            stun_urls: Vec::new(),
            policy: IceTransportPolicy::All,
        }
    }
}

/// A TURN REST service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRest {
    /// Its address, which may hold a key.
    pub uri: Secret,
    /// What it is told beside the user, by the names of the headers. The first is the user's, with an empty value.
    pub headers: Vec<(String, String)>,
}

/// How one is let in at TURN servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnLogin {
    /// A user of the server's.
    Static {
        /// Its name.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// A secret of which short-lived credentials are made.
    SharedSecret(Secret),
}

/// Which direct paths are offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectPaths {
    /// First and last port; any if none.
    pub ports: Option<(u16, u16)>,
    /// Addresses of ours that only others see.
    pub announced: Vec<IpAddr>,
    /// Names of interfaces, or networks; all if empty.
    pub interfaces: Vec<String>,
}

/// What is wrong with options by which no page can connect, unless the file or the service names a server.
pub(super) fn no_way(ice: &Ice, builtin_turn: bool) -> Option<String> {
    let relayed = builtin_turn || !ice.turn_urls.is_empty() || ice.turn_rest.is_some();
    (ice.policy == IceTransportPolicy::Relay && !relayed).then(|| {
        format!(
            "only relayed paths may be used (--ice-transport-policy=relay), and there is no TURN server: no page can connect \
             until {} names one",
            ice.rtc_config_json.display()
        )
    })
}

pub(super) fn ice(checks: &mut Checks, options: &Options) -> Ice {
    let network = &options.network;
    let stun_port: u16 = checks.number("stun-port", &network.stun_port, (1, u16::MAX));
    let stun_urls = hosts(checks, "stun-host", network.stun_host.as_deref(), stun_port);
    let tls = checks.boolean("turn-tls", &network.turn_tls);
    let transports = checks.one_of(
        "turn-protocol",
        &network.turn_protocol,
        &[
            ("udp", &["udp"][..]),
            ("tcp", &["tcp"]),
            ("udp,tcp", &["udp", "tcp"]),
            ("tcp,udp", &["udp", "tcp"]),
        ],
    );
    // No browser speaks TURN through DTLS.
    let (scheme, transports) = if tls { ("turns", &["tcp"][..]) } else { ("turn", transports) };
    let turn_port: u16 = checks.number("turn-port", &network.turn_port, (1, u16::MAX));
    let turn_hosts = hosts(checks, "turn-host", network.turn_host.as_deref(), turn_port);
    let turn_rest = turn_rest(checks, options, scheme, transports);
    let turn_login = login(options);
    if !turn_hosts.is_empty() && turn_login.is_none() && turn_rest.is_none() {
        checks.refuse(
            "turn-host",
            network.turn_host.as_deref().unwrap_or_default(),
            "one together with --turn-username and --turn-password, or with --turn-shared-secret",
        );
    }
    let turn_urls: Vec<_> = turn_hosts
        .iter()
        .flat_map(|host| {
            transports.iter().map(move |transport| format!("{scheme}:{host}?transport={transport}"))
        })
        .collect();
    Ice {
        rtc_config_json: PathBuf::from(&network.rtc_config_json),
        turn_rest,
        turn_user: network.turn_rest_username.clone().filter(|user| !user.is_empty()),
        turn_login: turn_login.filter(|_| !turn_urls.is_empty()),
        turn_urls,
        credential_life: Duration::from_secs(checks.number(
            "turn-credential-lifetime",
            &network.turn_credential_lifetime,
            (10, 86_400),
        )),
        stun_urls: stun_urls.into_iter().map(|host| format!("stun:{host}")).collect(),
        policy: checks.one_of(
            "ice-transport-policy",
            &network.ice_transport_policy,
            &[("all", IceTransportPolicy::All), ("relay", IceTransportPolicy::Relay)],
        ),
    }
}

/// As Selkies does, a user with a password comes before the secret.
fn login(options: &Options) -> Option<TurnLogin> {
    let network = &options.network;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&network.turn_username), given(&network.turn_password)) {
        (Some(user), Some(password)) => Some(TurnLogin::Static { user, password: Secret(password) }),
        _ => given(&network.turn_shared_secret).map(|secret| TurnLogin::SharedSecret(Secret(secret))),
    }
}

fn turn_rest(checks: &mut Checks, options: &Options, scheme: &str, transports: &[&str]) -> Option<TurnRest> {
    let network = &options.network;
    let tls = (scheme == "turns").to_string();
    let headers = [
        ("turn-rest-username-auth-header", &network.turn_rest_username_auth_header, String::new()),
        ("turn-rest-protocol-header", &network.turn_rest_protocol_header, transports.join(",")),
        ("turn-rest-tls-header", &network.turn_rest_tls_header, tls),
    ];
    let mut known = Vec::with_capacity(headers.len());
    for (option, name, value) in headers {
        if warp::http::HeaderName::try_from(name.as_str()).is_err() {
            checks.refuse(option, name, "the name of an HTTP header, such as x-auth-user");
        }
        known.push((name.clone(), value));
    }
    let uri = network.turn_rest_uri.clone().filter(|uri| !uri.is_empty())?;
    let parsed = uri.parse::<warp::http::Uri>().ok();
    let fits =
        parsed.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if !fits {
        // It may hold a key, so it is not repeated.
        checks.refuse("turn-rest-uri", "…", "an address that begins with http:// or https://");
    }
    Some(TurnRest { uri: Secret(uri), headers: known })
}

/// Hosts with their ports, as they stand in a URL.
fn hosts(checks: &mut Checks, option: &str, list: Option<&str>, port: u16) -> Vec<String> {
    let mut hosts = Vec::new();
    for host in words(list) {
        // A bare IPv6 address gets its brackets.
        let bracketed = match host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.to_owned(),
        };
        match authority(&bracketed) {
            Some((_, Some(_))) => hosts.push(bracketed),
            Some((host, None)) => hosts.push(format!("{host}:{port}")),
            None => checks.refuse(option, host, "a host name or an IP address, with :port or without"),
        }
    }
    hosts
}

fn words(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty())
}

pub(super) fn direct_paths(checks: &mut Checks, options: &Options) -> DirectPaths {
    let network = &options.network;
    let ports = network.udp_port_range.as_deref().filter(|range| !range.is_empty()).and_then(|range| {
        let ports = range.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?))
        });
        let ports = ports.filter(|(first, last)| *first > 0 && first <= last);
        if ports.is_none() {
            checks.refuse(
                "udp-port-range",
                range,
                "FIRST-LAST such as 50000-50100, from 1 to 65535, the first not above the last",
            );
        }
        ports
    });
    let mut announced = Vec::new();
    for address in words(network.announced_address.as_deref()) {
        match address.parse::<IpAddr>() {
            Ok(address) if !address.is_unspecified() && !address.is_multicast() => announced.push(address),
            _ => checks.refuse("announced-address", address, "IP addresses, separated by commas"),
        }
    }
    let mut interfaces = Vec::new();
    for interface in words(network.ice_interfaces.as_deref()) {
        if let Err(why) = gstvdi::wswebrtcsink::check_interface(interface) {
            checks.refuse("ice-interfaces", interface, &why);
        }
        interfaces.push(interface.to_owned());
    }
    DirectPaths { ports, announced, interfaces }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    #[test]
    fn several_hosts_each_get_a_port_and_each_transport() {
        let words = [
            "--turn-host=turn.example.com, 2001:db8::1,[2001:db8::2]:443,t:80",
            "--turn-username=1700:me",
            "--turn-password=a/b=",
            "--turn-protocol=udp,tcp",
            "--stun-host=s1,s2:19302",
        ];
        let ice = resolve(&words).unwrap().ice;
        assert_eq!(ice.turn_urls.len(), 8);
        assert_eq!(ice.turn_urls[1], "turn:turn.example.com:3478?transport=tcp");
        assert_eq!(ice.turn_urls[2], "turn:[2001:db8::1]:3478?transport=udp");
        assert_eq!(ice.turn_urls[4], "turn:[2001:db8::2]:443?transport=udp");
        assert_eq!(ice.stun_urls, ["stun:s1:3478", "stun:s2:19302"]);
        assert!(!format!("{ice:?}").contains("a/b="));
    }

    #[test]
    fn a_user_comes_before_the_secret_and_tls_is_always_tcp() {
        let secret = resolve(&["--turn-host=t", "--turn-shared-secret=s", "--turn-tls=true"]).unwrap().ice;
        assert_eq!(secret.turn_login, Some(TurnLogin::SharedSecret(Secret("s".into()))));
        assert_eq!(secret.turn_urls, ["turns:t:3478?transport=tcp"]);
        let words = ["--turn-host=t", "--turn-shared-secret=s", "--turn-username=u", "--turn-password=p"];
        assert!(matches!(resolve(&words).unwrap().ice.turn_login, Some(TurnLogin::Static { .. })));
    }

    #[test]
    fn rest_service_is_told_what_selkies_tells_it() {
        let words = ["--turn-rest-uri=https://u:hunter2@turn.example.com/?key=hunter2", "--turn-tls=true"];
        let ice = resolve(&words).unwrap().ice;
        let headers = ice.turn_rest.clone().unwrap().headers;
        let told: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, [("x-auth-user", ""), ("x-turn-protocol", "tcp"), ("x-turn-tls", "true")]);
        assert!(!format!("{ice:?}").contains("hunter2"));
    }

    #[test]
    fn bad_values_are_refused_each_with_what_is_accepted() {
        let err = resolve(&[
            "--turn-host=a/b",
            "--stun-host=s:0",
            "--turn-protocol=sctp",
            "--turn-rest-uri=ftp://key@h",
            "--turn-rest-tls-header=a b",
            "--turn-credential-lifetime=5",
            "--ice-transport-policy=none",
            "--udp-port-range=5000-4000",
            "--announced-address=example.com",
            "--ice-interfaces=10.0.0.0/33",
        ])
        .unwrap_err();
        for option in [
            "turn-host",
            "stun-host",
            "turn-protocol",
            "turn-rest-uri",
            "turn-rest-tls-header",
            "turn-credential-lifetime",
            "ice-transport-policy",
            "udp-port-range",
            "announced-address",
            "ice-interfaces",
        ] {
            assert!(
                err.message.lines().any(|line| line.starts_with(&format!("--{option} "))),
                "{option}:\n{err}"
            );
        }
        assert!(!err.message.contains("key@h"), "{err}");
        let err = resolve(&["--turn-host=t"]).unwrap_err();
        assert!(
            err.message.contains("--turn-username and --turn-password, or with --turn-shared-secret"),
            "{err}"
        );
    }

    #[test]
    fn direct_paths_are_read() {
        let words = [
            "--udp-port-range=50000-50100",
            "--announced-address=192.0.2.1,2001:db8::1",
            "--ice-interfaces=eth0,10.0.0.0/8",
        ];
        let direct = resolve(&words).unwrap().direct_paths;
        assert_eq!((direct.ports, direct.announced.len()), (Some((50_000, 50_100)), 2));
        assert_eq!(direct.interfaces, ["eth0", "10.0.0.0/8"]);
    }
}
