//! Setup: the built-in TURN server (RFC 8656, UDP relays only): a page that reaches nothing but this process's one port, or
//! its UDP port 3478, gets its media through it, without any configuration.
//!
//! ```text
//!                    ┌ udp.rs ────┐                        ┌ relay socket, one per allocation, on loopback
//! page ══ UDP 3478 ══▶ by 5-tuple │   client.rs            │
//!      ══ the port ══▶ stream.rs  ├─▶ one client: may he? ─┼──▶ own ICE agent (peers.rs: exactly its addresses)
//!         (TCP, TLS) └ framing.rs ┘   what to do?          │
//!                      queue.rs ◀──── wrapped by wire.rs ◀─┘
//! ```
//!
//! It is no open relay: credentials ([`Minter`]) live for minutes and only as long as the session they were minted for, and
//! data goes to the UDP addresses of that session's own ICE agent and nowhere else ([`Peers`]). `client`, `credentials`,
//! `peers`, `nonce`, `framing`, `queue` and `limits` decide and are pure; `udp`, `stream` and `socket` are the shells.

mod allocation;
#[doc(hidden)]
pub mod client;
mod counters;
mod credentials;
#[doc(hidden)]
pub mod framing;
mod limits;
#[doc(hidden)]
pub mod nonce;
mod peers;
mod queue;
mod server;
mod socket;
mod stream;
mod udp;
mod wire;
pub mod wiring;

pub use credentials::{CREDENTIAL_LIFE, Credentials, Minter, REALM, Secret};
pub use limits::Limits;
pub use peers::Peers;
pub use server::Relay;

/// How a client reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream in plain text.
    Tcp,
    /// A stream through TLS.
    Tls,
}

impl Transport {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// Stable name, for status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials have expired.
    Expired,
    /// The credentials are not ours, or the message was not signed with them.
    Forged,
    /// The session that the credentials were minted for is over.
    Ended,
    /// The peer is not this session's ICE agent.
    Peer,
    /// There are too many allocations, permissions or channels.
    Quota,
    /// It is no message, or one that cannot be answered as it stands.
    Malformed,
    /// It came too fast.
    Rate,
}

impl Refusal {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 7] =
        [Self::Expired, Self::Forged, Self::Ended, Self::Peer, Self::Quota, Self::Malformed, Self::Rate];

    /// Stable name, for status and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Forged => "forged",
            Self::Ended => "ended",
            Self::Peer => "peer",
            Self::Quota => "quota",
            Self::Malformed => "malformed",
            Self::Rate => "rate",
        }
    }
}
