//! Setup: what the administrator has told the operator, resolved once; every part reads it from here.

use std::{collections::BTreeMap, time::Duration};

/// Pods of another part of the stack, as a network policy picks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their namespace.
    pub namespace: String,
    /// Labels that they have.
    pub labels: BTreeMap<String, String>,
}

/// The TURN servers in front of the sessions.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    /// Hosts, as browsers and pods reach them. Without any, others give the desktops servers and credentials, and the
    /// policies open the way to them.
    pub hosts: Vec<String>,
    /// Their port.
    pub port: u16,
    /// Their port for TLS, where they have one.
    pub tls_port: Option<u16>,
    /// coturn's `static-auth-secret`.
    pub shared_secret: String,
    /// Life of a session's credentials; they are renewed at half of it.
    pub lifetime: Duration,
    /// coturn's pods, where they run in this cluster and not on the hosts' network.
    pub peer: Option<Peer>,
    /// coturn's addresses, where it runs on the hosts' network or outside, as networks.
    pub networks: Vec<String>,
}

/// What the administrator has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Domain under which each desktop has its name: `vdi.example.com`.
    pub domain: String,
    /// Traefik's entry point.
    pub entry_point: String,
    /// Secret with the certificate of the domain's wildcard, in each session's namespace; Traefik's default
    /// certificate if absent.
    pub tls_secret: Option<String>,
    /// Traefik's certificate resolver.
    pub cert_resolver: Option<String>,
    /// Traefik middlewares that each route passes, as `namespace/name`.
    pub middlewares: Vec<(String, String)>,
    /// Traefik's pods.
    pub traefik: Peer,
    /// Networks that Traefik's requests come from where it runs on the hosts' network.
    pub traefik_networks: Vec<String>,
    /// The operator's own pods, which ask the launchers for their state.
    pub operator: Peer,
    /// TURN servers; the launcher's built-in one if absent.
    pub turn: Option<Turn>,
    /// Networks that no desktop may reach whatever its template says: the API server, the metadata address.
    pub forbidden_networks: Vec<String>,
}

impl Settings {
    /// The TURN servers that the operator makes credentials for.
    pub fn turn_with_credentials(&self) -> Option<&Turn> {
        self.turn.as_ref().filter(|turn| !turn.hosts.is_empty())
    }
}

/// The secret stays out of logs.
impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("hosts", &self.hosts).field("port", &self.port).finish_non_exhaustive()
    }
}
