//! Setup: on which terms a connection is opened.

use super::token::Token;
use std::time::Duration;
use vdi_protocol::signalling::{IceServer, IceTransportPolicy};

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
