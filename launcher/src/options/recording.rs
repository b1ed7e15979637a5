//! Setup: the options of recordings.

use clap::Args;

/// Recordings on the server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Recording")]
pub struct RecordingOptions {
    /// Folder on the server into which the session is recorded, as Matroska files of what pages see and hear; nothing is recorded if not given. While it is, every page says so.
    #[arg(long, env = "SELKIES_RECORDING_DIR", value_name = "FOLDER")]
    pub recording_dir: Option<String>,
    /// When the session is recorded: `on-request`, where the page in control starts and stops it, or `always`.
    #[arg(long, env = "SELKIES_RECORDING", default_value = "on-request", value_name = "WHEN")]
    pub recording: String,
    /// Most bytes that the recordings of one session may have together; then recording ends.
    #[arg(long, env = "SELKIES_RECORDING_MAX_BYTES", default_value = "68719476736", value_name = "BYTES")]
    pub recording_max_bytes: String,
}
