//! Setup: on which terms a connection is opened: how it came, what carries its messages, and in which states it may be.

use super::{offered::Offered, token::Token};
use std::{sync::Arc, time::Duration};
use vdi_protocol::signalling::{IceServer, IceTransportPolicy, ToConsumer};

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

/// Sends a message to the consumer, whatever carries it. Must not block.
pub type Outgoing = Box<dyn Fn(ToConsumer) + Send + Sync>;

/// Which of the ways that have carried a consumer's messages, one after the other.
pub type Carrier = u64;

/// By which address a consumer's page has reached this machine, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    /// Host, and port if it is not the scheme's own; empty when unknown.
    pub authority: String,
    /// Through TLS.
    pub secure: bool,
    /// The offer that it came with; without one it gets ours.
    pub offered: Option<Arc<Offered>>,
}

/// Where the consumer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was said yet.
    AwaitingHello,
    /// The pipeline is being built.
    Building,
    /// The offer is out.
    AwaitingAnswer,
    /// ICE and DTLS are at work.
    Connecting,
    /// Media flows.
    Connected,
    /// Over.
    Closed,
}
