//! The wire: why a session failed. One name each, in the log, on the bus, at `/status`, in the exit code and the
//! termination message, in Kubernetes conditions and in the page. And why one ended that did not fail, for the page.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Begins the termination message of a process that ended because somebody asked it to: the node, the operator.
pub const STOPPED: &str = "STOPPED";
/// Begins the termination message of a process whose desktop was left by its user.
pub const LOGGED_OUT: &str = "LOGGED_OUT";

/// Why a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureReason {
    /// An option or environment variable is wrong.
    ConfigInvalid,
    /// The policy requires a hardware encoder and none works.
    GpuInitError,
    /// No encoder works at all.
    EncoderUnavailable,
    /// The X display cannot be reached, or has died.
    DisplayUnavailable,
    /// The desktop's command cannot be started, or keeps failing.
    DesktopFailed,
    /// The address to listen on is taken or not ours.
    PortUnavailable,
    /// The media pipeline failed for another reason.
    PipelineError,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: [FailureReason; 7] = [
        FailureReason::ConfigInvalid,
        FailureReason::GpuInitError,
        FailureReason::EncoderUnavailable,
        FailureReason::DisplayUnavailable,
        FailureReason::DesktopFailed,
        FailureReason::PortUnavailable,
        FailureReason::PipelineError,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::ConfigInvalid => "CONFIG_INVALID",
            FailureReason::GpuInitError => "GPU_INIT_ERROR",
            FailureReason::EncoderUnavailable => "ENCODER_UNAVAILABLE",
            FailureReason::DisplayUnavailable => "DISPLAY_UNAVAILABLE",
            FailureReason::DesktopFailed => "DESKTOP_FAILED",
            FailureReason::PortUnavailable => "PORT_UNAVAILABLE",
            FailureReason::PipelineError => "PIPELINE_ERROR",
        }
    }

    /// The process's exit code. 2 is what clap uses for bad options; the others are ours, below the 64 of sysexits.
    pub fn exit_code(self) -> u8 {
        match self {
            FailureReason::ConfigInvalid => 2,
            FailureReason::GpuInitError => 10,
            FailureReason::EncoderUnavailable => 11,
            FailureReason::DisplayUnavailable => 12,
            FailureReason::DesktopFailed => 13,
            FailureReason::PortUnavailable => 14,
            FailureReason::PipelineError => 15,
        }
    }

    /// The reason with this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a page is told good-bye by a session that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EndCause {
    /// Somebody asked for it: an operator, a node, a terminal.
    Stopped,
    /// The desktop's own program has ended.
    LoggedOut,
    /// The session has reached its longest time.
    Timeout,
    /// Nobody used it for long.
    Idle,
    /// Nobody was connected for long.
    Disconnected,
    /// The invitation holds no more with which this page has come.
    InvitationExpired,
    /// It was taken back.
    InvitationRevoked,
    /// This page has sent too much, or too much that cannot be read.
    Flooded,
}

impl EndCause {
    /// Every cause.
    pub const ALL: [EndCause; 8] = [
        EndCause::Stopped,
        EndCause::LoggedOut,
        EndCause::Timeout,
        EndCause::Idle,
        EndCause::Disconnected,
        EndCause::InvitationExpired,
        EndCause::InvitationRevoked,
        EndCause::Flooded,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            EndCause::Stopped => "stopped",
            EndCause::LoggedOut => "loggedOut",
            EndCause::Timeout => "timeout",
            EndCause::Idle => "idle",
            EndCause::Disconnected => "disconnected",
            EndCause::InvitationExpired => "invitationExpired",
            EndCause::InvitationRevoked => "invitationRevoked",
            EndCause::Flooded => "flooded",
        }
    }

    /// The cause with this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn name_of_an_end_on_the_wire_is_its_name_in_text() {
        for cause in EndCause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
            assert_eq!(EndCause::from_name(cause.as_str()), Some(cause));
        }
    }

    #[test]
    fn name_on_the_wire_is_the_name_in_text_and_exit_codes_differ() {
        for reason in FailureReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(FailureReason::from_name(reason.as_str()), Some(reason));
        }
        let codes: HashSet<_> = FailureReason::ALL.into_iter().map(FailureReason::exit_code).collect();
        assert_eq!(codes.len(), FailureReason::ALL.len());
    }
}
