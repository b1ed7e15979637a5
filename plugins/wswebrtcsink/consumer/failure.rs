//! Decision: why a consumer got no connection, out of what was gathered and how far it came, and what can be done about it.
//! Refuses to guess where the page has told its own view: a browser knows which pairs it tried.

use std::fmt;
use vdi_protocol::connection::ConnectionFailure;

/// Longest sentence taken from a page, in characters.
const MAX_WORDS: usize = 300;

/// Why a consumer got no connection, or lost it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub reason: ConnectionFailure,
    /// For people: what was seen.
    pub message: String,
}

impl Failure {
    /// A failure in these words.
    pub fn new(reason: ConnectionFailure, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// As a page tells it, held to what fits into a line of the log.
    pub fn told(reason: ConnectionFailure, message: &str) -> Self {
        let words: String = message.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect();
        Self::new(reason, if words.is_empty() { "the page says so".to_owned() } else { words })
    }
}

/// What an administrator can do about it.
pub fn advice(reason: ConnectionFailure) -> &'static str {
    match reason {
        ConnectionFailure::Full => "close a page, or raise max-consumers",
        ConnectionFailure::NoHello => {
            "something opened the WebSocket that is no page of ours: a probe, or an old page"
        }
        ConnectionFailure::UnsupportedVersion => "reload the page: it is of another version",
        ConnectionFailure::NoMedia => "look at the source: it has sent nothing",
        ConnectionFailure::NoAnswer => "look at the browser's console: it did not answer the offer",
        ConnectionFailure::BadAnswer => "another browser, or another codec: these two found none in common",
        ConnectionFailure::NoCandidates => {
            "the browser's policy may forbid WebRTC's addresses, or TURN is needed and not configured"
        }
        ConnectionFailure::RelayRefused => "the TURN server gave no address: `vdi-launcher doctor` tells why",
        ConnectionFailure::PathBlocked => {
            "a firewall drops UDP: a TURN server over TCP or TLS gets through; `vdi-launcher doctor` tests it"
        }
        ConnectionFailure::DtlsFailed => {
            "something on the path changes or drops encrypted packets: try TURN over TLS"
        }
        ConnectionFailure::PathLost => {
            "the page's network is gone, or its machine sleeps; the page comes back by itself"
        }
        ConnectionFailure::SignallingLost => {
            "a proxy may cut WebSockets: look at its limits on time and on upgrades"
        }
        ConnectionFailure::BadMessages => "page and server may be of different versions: reload the page",
        ConnectionFailure::Internal => {
            "a defect of the server, or a plugin that is missing: the log says more"
        }
    }
}

/// Candidates of one side, by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gathered {
    host: u32,
    reflexive: u32,
    relay: u32,
}

impl Gathered {
    /// Counts a `candidate:` line; others are ignored.
    pub fn note(&mut self, candidate: &str) {
        let mut words = candidate.split_ascii_whitespace().skip_while(|word| *word != "typ").skip(1);
        match words.next() {
            Some("host") => self.host += 1,
            Some("srflx" | "prflx") => self.reflexive += 1,
            Some("relay") => self.relay += 1,
            _ => {}
        }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let kinds = [(self.host, "host"), (self.reflexive, "reflexive"), (self.relay, "relay")];
        let words: Vec<_> = kinds
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        f.write_str(&words.join(", "))
    }
}

/// What is known of a connection that is coming up.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Our candidates.
    pub local: Gathered,
    /// The page's.
    pub remote: Gathered,
    /// Only relayed addresses may be used.
    pub relay_only: bool,
    /// ICE has found a path.
    pub path_found: bool,
    /// The page's own view.
    pub told: Option<Failure>,
}

impl Evidence {
    /// Why there is no media path.
    pub fn no_path(&self) -> Failure {
        if let Some(told) = &self.told {
            return told.clone();
        }
        let Self { local, remote, .. } = self;
        let gathered = format!("the server's addresses: {local}; the page's: {remote}");
        if self.path_found {
            return Failure::new(
                ConnectionFailure::DtlsFailed,
                format!("a path was found, and no encrypted connection came up on it ({gathered})"),
            );
        }
        if self.relay_only && remote.relay == 0 {
            return Failure::new(
                ConnectionFailure::RelayRefused,
                format!("only relayed addresses may be used, and the page got none ({gathered})"),
            );
        }
        if local.is_empty() || remote.is_empty() {
            return Failure::new(
                ConnectionFailure::NoCandidates,
                format!("one side has no address to be reached at ({gathered})"),
            );
        }
        Failure::new(
            ConnectionFailure::PathBlocked,
            format!("nothing came through between any two addresses; a firewall may block UDP ({gathered})"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(local: &[&str], remote: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        for kind in local {
            evidence.local.note(&format!("candidate:1 1 UDP 2015363327 10.0.0.1 54321 typ {kind}"));
        }
        for kind in remote {
            evidence.remote.note(&format!("candidate:2 1 udp 2113937151 0.0.0.0 5 typ {kind} generation 0"));
        }
        evidence
    }

    #[test]
    fn the_reason_follows_from_what_was_gathered_and_how_far_it_came() {
        let reason = |evidence: &Evidence| evidence.no_path().reason;
        let both = evidence(&["host", "host"], &["host", "srflx"]);
        assert_eq!(reason(&both), ConnectionFailure::PathBlocked);
        assert!(
            both.no_path()
                .message
                .ends_with("(the server's addresses: 2 host; the page's: 1 host, 1 reflexive)"),
            "{}",
            both.no_path().message
        );
        assert_eq!(reason(&Evidence { path_found: true, ..both.clone() }), ConnectionFailure::DtlsFailed);
        assert_eq!(reason(&evidence(&["host"], &[])), ConnectionFailure::NoCandidates);
        assert_eq!(reason(&evidence(&[], &["host"])), ConnectionFailure::NoCandidates);
        let relay_only = |evidence| Evidence { relay_only: true, ..evidence };
        assert_eq!(reason(&relay_only(evidence(&["host"], &[]))), ConnectionFailure::RelayRefused);
        assert_eq!(reason(&relay_only(evidence(&["host"], &["relay"]))), ConnectionFailure::PathBlocked);
    }

    #[test]
    fn the_page_knows_better_and_is_held_to_a_line() {
        let told = Failure::told(ConnectionFailure::RelayRefused, &"word\n".repeat(200));
        assert_eq!(told.message.chars().count(), MAX_WORDS);
        assert!(!told.message.contains('\n'));
        let evidence = Evidence { told: Some(told.clone()), ..evidence(&["host"], &["host"]) };
        assert_eq!(evidence.no_path(), told);
        assert_eq!(Failure::told(ConnectionFailure::PathLost, "").message, "the page says so");
    }

    #[test]
    fn every_reason_comes_with_something_to_do() {
        let all: std::collections::HashSet<_> = ConnectionFailure::ALL.into_iter().map(advice).collect();
        assert_eq!(all.len(), ConnectionFailure::ALL.len());
    }
}
