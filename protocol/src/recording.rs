//! The wire: the recording of a session to a file of the operator's: what all pages are told of it.

use serde::{Deserialize, Serialize};

/// Whether the session is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recording {
    /// Whether the page in control may start and stop it.
    pub on_request: bool,
    /// What is to be seen and heard is being written to a file.
    pub running: bool,
}

/// Why a recording has ended, or has not begun, although that was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordingFailure {
    /// The disk is full, or nearly so.
    DiskFull,
    /// There are as many bytes of recordings as the operator allows a session.
    TooLarge,
    /// The operator's folder cannot be written to.
    NotWritable,
    /// What the encoder makes could not be put into a file.
    Failed,
}

impl RecordingFailure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DiskFull, Self::TooLarge, Self::NotWritable, Self::Failed];

    /// Name on the wire, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiskFull => "diskFull",
            Self::TooLarge => "tooLarge",
            Self::NotWritable => "notWritable",
            Self::Failed => "failed",
        }
    }
}
