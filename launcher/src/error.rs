//! Decision: why a session fails, as one enum; each variant is a [`FailureReason`] with the sentence that belongs to it.

use vdi_protocol::reason::FailureReason;

/// Why the launcher ended other than as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The stable reason.
    pub reason: FailureReason,
    /// What was tried and what went wrong, for people.
    pub message: String,
}

impl Error {
    /// An error for this reason.
    pub fn new(reason: FailureReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The display cannot be reached, or has died.
    pub fn display(message: impl Into<String>) -> Self {
        Self::new(FailureReason::DisplayUnavailable, message)
    }

    /// The desktop's command cannot be started, or keeps failing.
    pub fn desktop(message: impl Into<String>) -> Self {
        Self::new(FailureReason::DesktopFailed, message)
    }

    /// The pipeline failed for a reason without a name of its own.
    pub fn pipeline(message: impl Into<String>) -> Self {
        Self::new(FailureReason::PipelineError, message)
    }
}
