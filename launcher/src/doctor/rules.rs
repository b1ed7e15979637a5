//! Decision: what was met with STUN and TURN servers, names and clocks, as checks in plain words. Refuses to look at
//! anything itself.

use super::{
    exchange::Met,
    servers::{Server, Transport},
};
use crate::ice::keeper::Current;
use std::{net::IpAddr, time::Duration};
use vdi_protocol::{
    doctor::{Check, CheckName, Outcome},
    signalling::IceTransportPolicy,
    status::IceSource,
};

/// Clocks further apart than this make credentials that live for minutes fail.
const MAX_SKEW_SECONDS: f64 = 30.0;
/// Credentials that expire within this time may be gone before a page uses them.
const SOON_SECONDS: f64 = 60.0;

/// A check; its sentence begins with a capital and ends with a full stop.
pub fn check(name: CheckName, outcome: Outcome, message: impl Into<String>) -> Check {
    Check { name, outcome, target: None, reason: None, message: message.into(), advice: None }
}

/// Short ways to complete a check.
pub trait With {
    /// Names what was looked at.
    fn of(self, target: &str) -> Self;
    /// Names what is wrong.
    fn because(self, reason: &str) -> Self;
    /// Says what to change.
    fn advise(self, advice: impl Into<String>) -> Self;
}

impl With for Check {
    fn of(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// What came of a STUN or TURN server.
pub fn server(server: &Server, met: &Met, took: Duration) -> Check {
    let name = server.check();
    let done = |outcome, message: String| check(name, outcome, message).of(&server.url);
    let failed = |reason: &str, message: String| done(Outcome::Failed, message).because(reason);
    let ms = took.as_millis();
    let (host, port) = (&server.host, server.port);
    let protocol = if server.transport == Transport::Udp { "UDP" } else { "TCP" };
    match met {
        Met::Bound { seen, own } => {
            let behind = if same_address(seen.ip(), own.ip()) {
                format!("It sees this machine as {}, which is its own address", seen.ip())
            } else {
                format!("It sees this machine as {}, which is behind a router (NAT)", seen.ip())
            };
            done(Outcome::Passed, format!("The STUN server answers in {ms} ms. {behind}."))
        }
        Met::Allocated { relayed } => done(
            Outcome::Passed,
            format!("The TURN server gave the address {relayed} in {ms} ms, and took it back."),
        ),
        Met::NoAddress(why) => failed("NO_ADDRESS", format!("{host} has no address: {why}."))
            .advise("Check the spelling of the host, and the DNS server of this machine."),
        Met::Refused => failed(
            "REFUSED",
            format!("{host} is there, and nothing listens on {protocol} port {port}."),
        )
        .advise(format!("Start the server, or correct the port; it must listen on {protocol}.")),
        Met::Unreachable(why) => failed("UNREACHABLE", format!("{host} cannot be reached: {why}."))
            .advise("Check the host, and the route from this machine to it."),
        Met::Silent => failed(
            "UNREACHABLE",
            format!("Nothing came back from {host} on {protocol} port {port} within {} s.", took.as_secs()),
        )
        .advise(match server.transport {
            Transport::Udp => {
                format!("Open UDP port {port} in the firewalls on the way, or use the server over TCP or TLS.")
            }
            Transport::Tcp | Transport::Tls => {
                format!("Open TCP port {port} in the firewalls on the way, and check that the server is up.")
            }
        }),
        Met::Untrusted(why) => failed("CERTIFICATE", format!("The certificate of {host} is not trusted: {why}."))
            .advise(
                "Give the server a certificate of a public authority with its full chain; browsers refuse this one as well.",
            ),
        Met::NoTls(why) => failed("TLS", format!("No TLS connection to {host} came up: {why}."))
            .advise(format!("Check that the server speaks TLS on port {port}, and that it has certificate and key.")),
        Met::Stranger => failed(
            "NOT_A_TURN_SERVER",
            format!("What answers on {protocol} port {port} of {host} is no STUN or TURN server."),
        )
        .advise("Correct host or port: another service listens there, or a proxy that does not pass this through."),
        Met::NoCredentials => failed("NO_CREDENTIALS", "The TURN server has no user and password here.".into())
            .advise("Give user and password, a shared secret, or a REST service that makes them."),
        Met::Rejected { code, words, authenticated } => rejected(server, *code, words, *authenticated, &failed),
    }
}

fn rejected(
    server: &Server,
    code: u16,
    words: &str,
    authenticated: bool,
    failed: &dyn Fn(&str, String) -> Check,
) -> Check {
    match code {
        401 | 441 if authenticated && server.expires().is_some() => {
            failed("WRONG_CREDENTIALS", format!("The TURN server refuses the credentials ({code} {words})."))
                .advise(
                    "These credentials expire: either the shared secret is not the server's, or its clock and this machine's \
                     differ. Compare `static-auth-secret` and the output of `date -u` on both.",
                )
        }
        401 | 441 => {
            failed("WRONG_CREDENTIALS", format!("The TURN server refuses user or password ({code} {words})."))
                .advise("Correct user and password; the server may also expect credentials made with a shared secret.")
        }
        403 => failed("FORBIDDEN", format!("The TURN server forbids it ({code} {words})."))
            .advise("The server's rules exclude this machine or this user: look at its allowed and denied addresses."),
        437 => failed("MISMATCH", format!("The TURN server is confused about this connection ({code} {words})."))
            .advise("Try again in a minute; a load balancer in front of it must keep a client on one server."),
        442 => failed("NO_UDP_RELAY", format!("The TURN server does not relay UDP ({code} {words})."))
            .advise("Allow UDP relaying on the server (coturn: remove `no-udp-relay`); media need it."),
        486 => failed("QUOTA", format!("The user has as many allocations as the server allows ({code} {words})."))
            .advise("Raise the server's `user-quota`, or give each session credentials of its own."),
        508 => failed("NO_CAPACITY", format!("The TURN server has no address left to give ({code} {words})."))
            .advise("Widen the server's range of relay ports (coturn: `min-port`, `max-port`), and check its relay address."),
        300 => failed("REDIRECTED", format!("The TURN server sends its clients to another one ({code} {words})."))
            .advise("Configure that server; browsers do not all follow."),
        _ => failed("REJECTED", format!("The TURN server refuses: {code} {words}."))
            .advise("Look at the server's log."),
    }
}

fn same_address(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}

/// Makes one story of all servers: a way that does not work is a failure only if no other gets through. Wrong credentials
/// and strangers are mistakes whatever else works.
pub fn weigh(mut checks: Vec<Check>) -> Vec<Check> {
    let relays =
        |check: &Check| matches!(check.name, CheckName::TurnUdp | CheckName::TurnTcp | CheckName::TurnTls);
    let passes =
        |name: CheckName| checks.iter().any(|check| check.name == name && check.outcome == Outcome::Passed);
    let through = passes(CheckName::TurnTcp) || passes(CheckName::TurnTls);
    let any = through || passes(CheckName::TurnUdp);
    for check in &mut checks {
        let blocked = matches!(check.reason.as_deref(), Some("UNREACHABLE" | "REFUSED"));
        let spare = match check.name {
            // Media get through, only slower where packets are lost.
            CheckName::TurnUdp | CheckName::Stun => through,
            _ => relays(check) && any,
        };
        if check.outcome == Outcome::Failed && blocked && spare {
            check.outcome = Outcome::Warning;
            check.message += " Another TURN server, or another way to it, works.";
        }
    }
    checks
}

/// What came of the list of servers itself; `built_in` says whether the launcher is a TURN server too.
pub fn list(ice: &Current, built_in: bool) -> Check {
    let done = |outcome, message: String| check(CheckName::Servers, outcome, message);
    let source = match ice.source {
        IceSource::None => "none are configured",
        IceSource::File => "from the file of --rtc-config-json",
        IceSource::Rest => "from the service of --turn-rest-uri",
        IceSource::Static => "from --turn-username and --turn-password",
        IceSource::SharedSecret => "from --turn-shared-secret",
        IceSource::Stun => "from --stun-host",
    };
    let count = ice.servers.iter().map(|server| server.urls.len()).sum::<usize>();
    if let Some(error) = &ice.error {
        let outcome = if count == 0 { Outcome::Failed } else { Outcome::Warning };
        let error = capital(error.trim_end_matches('.'));
        return done(outcome, format!("{error}. STUN and TURN servers in use: {count}, {source}."))
            .because("NO_LIST")
            .advise("Correct the file, or the address, the user and the state of the service.");
    }
    let relayed =
        built_in || ice.servers.iter().flat_map(|server| &server.urls).any(|url| url.starts_with("turn"));
    if ice.policy == IceTransportPolicy::Relay && !relayed {
        let words = "Only relayed paths may be used, and there is no TURN server: no page can connect.";
        return done(Outcome::Failed, words.into()).because("NO_TURN").advise(
            "Configure a TURN server, switch the built-in one on, or allow --ice-transport-policy=all.",
        );
    }
    if count == 0 {
        let advice = if built_in {
            "The built-in TURN server serves pages that reach this machine's port; for all others configure one."
        } else {
            "Without a TURN server only pages connect that reach this machine by UDP: configure one, or --builtin-turn=true."
        };
        return done(Outcome::Skipped, "No STUN or TURN server is configured.".into()).advise(advice);
    }
    done(Outcome::Passed, format!("STUN and TURN servers: {count}, {source}."))
}

/// The same text as the beginning of a sentence.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// That there is no TURN server of a kind; or none but a session's own, which only that session can try.
pub fn no_turn_server(built_in_is_untried: bool) -> Vec<Check> {
    let words = if built_in_is_untried {
        "No TURN server of this kind is configured; the built-in one is tried by its session's own doctor, at /doctor and in the page."
    } else {
        "No TURN server of this kind is configured."
    };
    [CheckName::TurnUdp, CheckName::TurnTcp, CheckName::TurnTls]
        .map(|name| check(name, Outcome::Skipped, words))
        .into()
}

/// What came of the names of servers.
pub fn name(host: &str, found: Result<Vec<IpAddr>, String>) -> Check {
    match found {
        Ok(addresses) if !addresses.is_empty() => {
            let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            check(CheckName::Dns, Outcome::Passed, format!("{host} is {}.", list.join(", "))).of(host)
        }
        found => {
            let why = found.err().unwrap_or_else(|| "the answer is empty".into());
            check(CheckName::Dns, Outcome::Failed, format!("{host} has no address: {why}."))
                .of(host)
                .because("NO_ADDRESS")
                .advise("Check the spelling of the host, and the DNS server of this machine.")
        }
    }
}

/// A URL that is none.
pub fn no_url(url: &str) -> Check {
    check(CheckName::Dns, Outcome::Failed, format!("\"{url}\" is no URL of a STUN or TURN server."))
        .because("CONFIG_INVALID")
        .advise("The form is stun:host:port, turn:host:port?transport=tcp or turns:host:port.")
}

/// What depends on the clock: credentials that expire, and the service that makes them (seconds by which its clock is ahead
/// of ours).
pub fn clock(servers: &[Server], now_unix: f64, service_ahead: Option<f64>) -> Check {
    let done = |outcome, message: String| check(CheckName::Clock, outcome, message);
    if let Some(ahead) = service_ahead.filter(|ahead| ahead.abs() > MAX_SKEW_SECONDS) {
        let way = if ahead > 0.0 { "behind" } else { "ahead of" };
        return done(
            Outcome::Failed,
            format!(
                "This machine's clock is {:.0} s {way} that of the service that makes credentials.",
                ahead.abs()
            ),
        )
        .because("CLOCK_SKEW")
        .advise("Set both clocks by NTP: credentials that live for minutes fail otherwise.");
    }
    let left: Vec<f64> =
        servers.iter().filter_map(Server::expires).map(|expiry| expiry as f64 - now_unix).collect();
    let Some(least) = left.into_iter().reduce(f64::min) else {
        return match service_ahead {
            Some(ahead) => done(
                Outcome::Passed,
                format!(
                    "This machine's clock and that of the credentials' service differ by {:.0} s.",
                    ahead.abs()
                ),
            ),
            None => done(Outcome::Skipped, "No credentials here depend on the clock.".into()),
        };
    };
    if least <= 0.0 {
        return done(Outcome::Failed, format!("TURN credentials expired {:.0} s ago.", -least))
            .because("CREDENTIALS_EXPIRED")
            .advise("Have them made anew, and check this machine's clock with `date -u`.");
    }
    if least < SOON_SECONDS {
        return done(Outcome::Warning, format!("TURN credentials expire in {least:.0} s."))
            .because("CREDENTIALS_EXPIRE_SOON")
            .advise(
                "Let them live for some minutes, or check whether the clock of what makes them is behind.",
            );
    }
    done(Outcome::Passed, format!("TURN credentials are good for another {}.", span(least)))
}

fn span(seconds: f64) -> String {
    if seconds < 7200.0 { format!("{:.0} min", seconds / 60.0) } else { format!("{:.0} h", seconds / 3600.0) }
}

#[cfg(test)]
mod tests {
    use super::{super::servers::servers, *};
    use vdi_protocol::signalling::IceServer;

    fn one(url: &str, user: &str) -> Server {
        let ice_server = IceServer {
            urls: vec![url.into()],
            username: Some(user.into()),
            credential: Some("hunter2".into()),
        };
        servers(&[ice_server]).0.remove(0)
    }

    fn judged(url: &str, user: &str, met: &Met) -> Check {
        server(&one(url, user), met, Duration::from_millis(8000))
    }

    fn rejection(code: u16) -> Met {
        Met::Rejected { code, words: "No".into(), authenticated: true }
    }

    #[test]
    fn each_way_of_failing_has_a_name_of_its_own_and_something_to_do() {
        let mets = [
            (Met::NoAddress("NXDOMAIN".into()), "NO_ADDRESS"),
            (Met::Refused, "REFUSED"),
            (Met::Silent, "UNREACHABLE"),
            (Met::Untrusted("it has expired".into()), "CERTIFICATE"),
            (Met::NoTls("x".into()), "TLS"),
            (Met::Stranger, "NOT_A_TURN_SERVER"),
            (Met::NoCredentials, "NO_CREDENTIALS"),
            (rejection(401), "WRONG_CREDENTIALS"),
            (rejection(403), "FORBIDDEN"),
            (rejection(486), "QUOTA"),
            (rejection(508), "NO_CAPACITY"),
            (rejection(600), "REJECTED"),
        ];
        for (met, reason) in mets {
            let check = judged("turns:turn.example.com", "me", &met);
            assert_eq!((check.outcome, check.reason.as_deref()), (Outcome::Failed, Some(reason)), "{met:?}");
            assert_eq!(check.target.as_deref(), Some("turns:turn.example.com"));
            assert!(check.message.ends_with('.') && check.advice.unwrap().ends_with('.'), "{met:?}");
        }
    }

    #[test]
    fn a_list_that_could_not_be_had_fails_only_where_there_is_no_other() {
        let ice = |count: usize, error: Option<&str>| Current {
            servers: (0..count)
                .map(|_| IceServer { urls: vec!["stun:h".into()], username: None, credential: None })
                .collect(),
            error: error.map(Into::into),
            source: IceSource::Rest,
            ..Current::default()
        };
        assert_eq!(list(&ice(0, None), true).outcome, Outcome::Skipped);
        assert_eq!(list(&ice(1, None), true).outcome, Outcome::Passed);
        let relay_only = Current { policy: IceTransportPolicy::Relay, ..ice(0, None) };
        assert_eq!(list(&relay_only, true).outcome, Outcome::Skipped);
        assert_eq!(list(&relay_only, false).reason.as_deref(), Some("NO_TURN"));
        let late = list(&ice(1, Some("the service gave no servers")), true);
        assert_eq!((late.outcome, late.reason.as_deref()), (Outcome::Warning, Some("NO_LIST")));
        assert!(late.message.starts_with("The service gave no servers. "), "{}", late.message);
        assert_eq!(list(&ice(0, Some("x")), true).outcome, Outcome::Failed);
    }

    #[test]
    fn silence_over_udp_names_the_port_to_open() {
        let advice = judged("turn:turn.example.com", "me", &Met::Silent).advice.unwrap();
        assert!(advice.contains("UDP port 3478"), "{advice}");
        let advice = judged("turns:turn.example.com", "me", &Met::Silent).advice.unwrap();
        assert!(advice.contains("TCP port 5349"), "{advice}");
    }

    #[test]
    fn refused_credentials_that_expire_point_to_secret_and_clock() {
        let advice = judged("turn:h", "1700000000:me", &rejection(401)).advice.unwrap();
        assert!(advice.contains("clock") && advice.contains("secret"), "{advice}");
        let advice = judged("turn:h", "me", &rejection(401)).advice.unwrap();
        assert!(!advice.contains("clock"), "{advice}");
    }

    #[test]
    fn a_blocked_way_is_a_warning_where_another_gets_through_and_a_wrong_password_never_is() {
        let passed =
            judged("turn:h?transport=tcp", "me", &Met::Allocated { relayed: "10.0.0.1:5".parse().unwrap() });
        let blocked = judged("turn:h", "me", &Met::Silent);
        let wrong = judged("turn:h", "me", &rejection(401));
        let outcomes =
            |checks: Vec<Check>| -> Vec<_> { weigh(checks).iter().map(|one| one.outcome).collect() };
        assert_eq!(outcomes(vec![blocked.clone(), passed.clone()]), [Outcome::Warning, Outcome::Passed]);
        assert_eq!(outcomes(vec![blocked]), [Outcome::Failed]);
        assert_eq!(outcomes(vec![wrong, passed]), [Outcome::Failed, Outcome::Passed]);
    }

    #[test]
    fn a_server_that_sees_another_address_tells_of_a_router() {
        let met = |seen: &str| Met::Bound { seen: seen.parse().unwrap(), own: "10.0.0.1:5".parse().unwrap() };
        let message = |seen| server(&one("stun:h", "me"), &met(seen), Duration::ZERO).message;
        assert!(message("198.51.100.1:9").contains("NAT"));
        assert!(message("[::ffff:10.0.0.1]:9").contains("its own address"));
    }

    #[test]
    fn credentials_are_held_against_the_clock() {
        let reason = |user: &str, now: f64, ahead| {
            let check = clock(&[one("turn:h", user)], now, ahead);
            (check.outcome, check.reason)
        };
        let at = 1_700_000_000.0;
        assert_eq!(reason("1700000000:me", at - 600.0, None), (Outcome::Passed, None));
        assert_eq!(
            reason("1700000000:me", at - 30.0, None),
            (Outcome::Warning, Some("CREDENTIALS_EXPIRE_SOON".into()))
        );
        assert_eq!(
            reason("1700000000:me", at + 1.0, None),
            (Outcome::Failed, Some("CREDENTIALS_EXPIRED".into()))
        );
        assert_eq!(reason("me", at, None), (Outcome::Skipped, None));
        assert_eq!(reason("me", at, Some(-2.0)), (Outcome::Passed, None));
        assert_eq!(reason("me", at, Some(-90.0)), (Outcome::Failed, Some("CLOCK_SKEW".into())));
    }
}
