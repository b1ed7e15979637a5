//! Setup: the options of how the session's longest time may be extended.

use clap::Args;

/// How the session's longest time may be extended.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Extensions of the session")]
pub struct LimitsOptions {
    /// How often whoever is in control may extend the session's longest time (`expiresAt` in `--session-limits`), 0 to 1000, by a click when its end is near. Whoever wrote that file ends the session, and finds the new time as `limits` at `/status`.
    #[arg(long, env = "SELKIES_SESSION_EXTENSIONS", default_value = "0", value_name = "COUNT")]
    pub session_extensions: String,
    /// How much one extension adds, in seconds, 600 to 86400.
    #[arg(long, env = "SELKIES_SESSION_EXTENSION", default_value = "1800", value_name = "SECONDS")]
    pub session_extension: String,
}
