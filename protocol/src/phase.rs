//! The wire: where a session stands.
//!
//! ```text
//! Starting ─▶ Ready ─▶ Streaming ⇄ Idle ─▶ Draining ─▶ Ended
//!     └──────────┴──────────┴────────┴─▶ Failed{reason}
//! ```

use serde::{Deserialize, Serialize};

/// Phase of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Display, encoder or pipeline are not up yet.
    #[default]
    Starting,
    /// Everything is up and nobody watches.
    Ready,
    /// At least one page is connected.
    Streaming,
    /// Pages are connected, but there was no input for long.
    Idle,
    /// Ending: no new pages, the present ones are told.
    Draining,
    /// Ended as asked.
    Ended,
    /// Ended for a [`crate::reason::FailureReason`].
    Failed,
}

impl Phase {
    /// Every phase, in order of a life.
    pub const ALL: [Phase; 7] = [
        Phase::Starting,
        Phase::Ready,
        Phase::Streaming,
        Phase::Idle,
        Phase::Draining,
        Phase::Ended,
        Phase::Failed,
    ];

    /// Name on the wire, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "Starting",
            Phase::Ready => "Ready",
            Phase::Streaming => "Streaming",
            Phase::Idle => "Idle",
            Phase::Draining => "Draining",
            Phase::Ended => "Ended",
            Phase::Failed => "Failed",
        }
    }
}
