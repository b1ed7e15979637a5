//! The wire: why a page got no connection, or lost it. One name each, at `/status`, in the metrics, in the log, in what a
//! page tells the server, and in the page.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a page got no connection, or lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionFailure {
    /// The server serves as many as it may.
    Full,
    /// The WebSocket was opened, and nothing was said on it.
    NoHello,
    /// Page and server speak different versions.
    UnsupportedVersion,
    /// The stream has nothing to send yet.
    NoMedia,
    /// The page did not answer the offer.
    NoAnswer,
    /// The answer cannot be used: no common codec, or no SDP.
    BadAnswer,
    /// One side offered no address at which it can be reached.
    NoCandidates,
    /// Only relayed addresses may be used, and no TURN server gave one.
    RelayRefused,
    /// There were addresses, and nothing came through between any two of them.
    PathBlocked,
    /// A path was found, and no encrypted connection came up on it.
    DtlsFailed,
    /// The path was up, and is no more.
    PathLost,
    /// The WebSocket was lost before the path was up.
    SignallingLost,
    /// Too much was sent that cannot be understood.
    BadMessages,
    /// The server failed.
    Internal,
}

impl ConnectionFailure {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Full,
        Self::NoHello,
        Self::UnsupportedVersion,
        Self::NoMedia,
        Self::NoAnswer,
        Self::BadAnswer,
        Self::NoCandidates,
        Self::RelayRefused,
        Self::PathBlocked,
        Self::DtlsFailed,
        Self::PathLost,
        Self::SignallingLost,
        Self::BadMessages,
        Self::Internal,
    ];

    /// Name on the wire, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoHello => "noHello",
            Self::UnsupportedVersion => "unsupportedVersion",
            Self::NoMedia => "noMedia",
            Self::NoAnswer => "noAnswer",
            Self::BadAnswer => "badAnswer",
            Self::NoCandidates => "noCandidates",
            Self::RelayRefused => "relayRefused",
            Self::PathBlocked => "pathBlocked",
            Self::DtlsFailed => "dtlsFailed",
            Self::PathLost => "pathLost",
            Self::SignallingLost => "signallingLost",
            Self::BadMessages => "badMessages",
            Self::Internal => "internal",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.as_str() == name)
    }
}

impl fmt::Display for ConnectionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_on_the_wire_is_the_name_in_text() {
        for failure in ConnectionFailure::ALL {
            assert_eq!(serde_json::to_value(failure).unwrap(), failure.as_str());
            assert_eq!(ConnectionFailure::from_name(failure.as_str()), Some(failure));
        }
    }
}
