//! The wire: signalling between one consumer (a browser) and the sink, in WebSocket text frames.

use crate::{connection::ConnectionFailure, reason::EndCause};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What a consumer sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromConsumer {
    /// First message: asks for a session.
    Hello {
        /// Protocol version the consumer speaks ([`crate::VERSION`]).
        version: u32,
        /// A random name that a browser keeps for itself: pages of one profile have one user. At most
        /// [`crate::limits::MAX_CLIENT_BYTES`] letters, digits, `-` and `_`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<String>,
        /// It only watched before, and comes back by itself as one that watches: it takes control from nobody.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        watches: bool,
        /// The session that goes on; without it a new one begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Continued>,
        /// Video codecs that the consumer decodes, as SDP names them; none where it does not say.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        decodes: Vec<String>,
        /// Codecs that the consumer decodes in 4:4:4 too, as SDP names them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        full_chroma: Vec<String>,
        /// It decodes sound of more than two channels (`multiopus`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        surround: bool,
    },
    /// The answer to the server's offer.
    Answer {
        /// SDP text.
        sdp: String,
    },
    /// One of the consumer's ICE candidates, in the form of `RTCIceCandidate.toJSON()`. An empty candidate ends them.
    Ice(IceCandidate),
    /// The consumer cannot connect, or has lost the media path: its own view of why, told before it leaves.
    Failure {
        /// Stable name, for programs.
        reason: ConnectionFailure,
        /// A sentence, for people.
        #[serde(default)]
        message: String,
    },
    /// The consumer leaves.
    Bye,
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToConsumer {
    /// The answer to `hello`.
    Welcome {
        /// Protocol version the server speaks.
        version: u32,
        /// The server's name for this consumer; it stands in logs, `/status` and metrics.
        consumer: String,
        /// Handed to `RTCPeerConnection` as they are.
        ice_servers: Vec<IceServer>,
        /// `all` or `relay`.
        ice_transport_policy: IceTransportPolicy,
        /// The secret by which this session is continued, over another WebSocket or another network.
        token: String,
        /// Whether this goes on with the session that `hello` named.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    /// Other servers from now on, because credentials were renewed: for `RTCPeerConnection.setConfiguration`, and for
    /// the peer connections that follow.
    IceServers {
        /// Handed to `RTCPeerConnection` as they are.
        ice_servers: Vec<IceServer>,
        /// `all` or `relay`.
        ice_transport_policy: IceTransportPolicy,
    },
    /// The server's offer.
    Offer {
        /// SDP text.
        sdp: String,
    },
    /// One of the server's ICE candidates.
    Ice(IceCandidate),
    /// Something the consumer sent was refused, or the session cannot go on.
    Error {
        /// Stable name, for programs.
        code: ErrorCode,
        /// A sentence, for people: what was wrong and what is accepted.
        message: String,
    },
    /// The server ends the session; the WebSocket closes next.
    Bye(Bye),
}

/// With what the server ends a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    /// A sentence, for people.
    pub reason: String,
    /// The same for programs; absent where it has no name, or one that this end does not know.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub cause: Option<EndCause>,
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EndCause>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.and_then(|name| EndCause::from_name(&name)))
}

impl<S: Into<String>> From<S> for Bye {
    fn from(reason: S) -> Self {
        Self { reason: reason.into(), cause: None }
    }
}

/// A session that a consumer goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Continued {
    /// Its name, as `welcome` told it.
    pub consumer: String,
    /// Its secret, as `welcome` told it.
    pub token: String,
    /// What becomes of the peer connection.
    pub media: MediaPath,
}

/// What becomes of the peer connection of a session that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MediaPath {
    /// It lives: only the way of the messages was lost, and this one carries them from now on.
    Keep,
    /// It is lost, or about to be: another one follows under the same name. The old one lives until that one is up.
    Replace,
}

/// An ICE candidate as `RTCIceCandidate.toJSON()` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The `candidate:` line, without `a=`.
    pub candidate: String,
    /// Index of the media section. Browsers send both this and `sdpMid`.
    #[serde(rename = "sdpMLineIndex", default)]
    pub sdp_m_line_index: Option<u32>,
    /// Identifier of the media section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
}

/// One entry of `RTCConfiguration.iceServers`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URLs.
    pub urls: Vec<String>,
    /// TURN user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// TURN password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Without the password, which must not reach a log.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credential = self.credential.as_ref().map(|_| "(secret)");
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .field("credential", &credential)
            .finish()
    }
}

/// `RTCConfiguration.iceTransportPolicy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceTransportPolicy {
    /// Any candidate.
    #[default]
    All,
    /// Relayed candidates only.
    Relay,
}

/// Why a message was refused or a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// No JSON, unknown type, missing field, or over the size limit.
    MalformedMessage,
    /// A known message at the wrong time (an answer before the offer, a second hello).
    UnexpectedMessage,
    /// `hello` names a version that this server does not speak.
    UnsupportedVersion,
    /// The SDP is no SDP, or does not answer the offer.
    BadSdp,
    /// The candidate cannot be used, or there are too many.
    BadCandidate,
    /// The server is full.
    TooManyConsumers,
    /// The stream has no media yet: the source has sent nothing.
    NoMedia,
    /// The consumer did not answer, or the media path did not come up in time.
    Timeout,
    /// No session of this name and secret is there to go on with: it has ended, or never was.
    UnknownConsumer,
    /// The server failed.
    Internal,
}
