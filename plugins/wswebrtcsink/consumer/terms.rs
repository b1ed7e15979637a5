//! Setup: on which terms a connection is opened: how it came, what carries its messages, in which states it may be, and for
//! how long its silence is borne.

use super::{offered::Offered, token::Token};
use crate::wswebrtcsink::payload::Kind;
use std::{sync::Arc, time::Duration};
use vdi_protocol::signalling::{IceServer, IceTransportPolicy, ToConsumer};

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
    /// What its way carries, if it is known before anything has been sent over this connection.
    pub known_bitrate: Option<vdi_congestion::Bitrate>,
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
    /// What it gets of all that there is.
    pub part: Part,
}

/// What a consumer gets of all that there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Streams of this kind only.
    pub kind: Option<Kind>,
    /// The one data channel that it gets in place of ours, reliable and ordered.
    pub channel: Option<String>,
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
