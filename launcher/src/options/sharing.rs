//! Setup: the options of what is shared between desktop and page.

use clap::Args;

/// What is shared between desktop and page.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sharing")]
pub struct SharingOptions {
    /// Whether what was copied is shared with the page in control: `true`, `false`, `in` (to the desktop only) or `out` (from the desktop only).
    #[arg(long, env = "SELKIES_ENABLE_CLIPBOARD", default_value = "true", value_name = "WAY", num_args = 0..=1, default_missing_value = "true")]
    pub enable_clipboard: String,
    /// Most bytes that are copied at once, all forms (text, HTML, picture) together, 1 to 268435456. What has more is not copied, and the page says so.
    #[arg(long, env = "SELKIES_CLIPBOARD_MAX_BYTES", default_value = "16777216", value_name = "BYTES")]
    pub clipboard_max_bytes: String,
}
