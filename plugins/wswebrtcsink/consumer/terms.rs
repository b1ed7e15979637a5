//! Setup: on which terms a connection is opened, and for how long its silence is borne.

use super::token::Token;
use std::time::Duration;
use vdi_protocol::signalling::{IceServer, IceTransportPolicy};

/// A connected consumer from which neither RTCP nor data came for so long is gone. RFC 3550, 6.3.1 lets 6.2 s pass
/// between two reports, and one may be lost.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(15);

/// The same for a consumer that pings, since it does so every second; a busy machine may delay that, a closed lid does
/// not last.
pub const PINGING_SILENCE_LIMIT: Duration = Duration::from_secs(6);

/// How the consumer may find its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Servers {
    /// For the consumer's `RTCPeerConnection`.
    pub ice_servers: Vec<IceServer>,
    /// For the consumer's `RTCPeerConnection`.
    pub ice_transport_policy: IceTransportPolicy,
}

/// What `welcome` says, and the limits.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The consumer's name.
    pub consumer: String,
    /// Its servers, until others are told.
    pub servers: Servers,
    /// From opening to connected.
    pub negotiation_timeout: Duration,
    /// The secret by which the consumer goes on with its session.
    pub token: Token,
    /// Whether this goes on with a session, in place of a connection that is lost or about to be.
    pub succeeds: bool,
}
