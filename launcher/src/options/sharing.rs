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
    /// Whether files are shared with the page in control: `true`, `false`, `in` (to the desktop only) or `out` (from the desktop only).
    #[arg(long, env = "SELKIES_ENABLE_FILE_TRANSFERS", default_value = "true", value_name = "WAY", num_args = 0..=1, default_missing_value = "true")]
    pub enable_file_transfers: String,
    /// Folder of the desktop into which files are uploaded and from which they are downloaded; `Desktop` in the user's own folder if not given. Nothing outside of it is reached, and no link is followed.
    #[arg(long, env = "SELKIES_FILES_FOLDER", value_name = "FOLDER")]
    pub files_folder: Option<String>,
    /// Most bytes of one file that is uploaded.
    #[arg(long, env = "SELKIES_FILES_MAX_BYTES", default_value = "4294967296", value_name = "BYTES")]
    pub files_max_bytes: String,
    /// Whether the page in control may switch its microphone on, from which programs on the desktop then record: `true` or `false`.
    #[arg(long, env = "SELKIES_ENABLE_MICROPHONE", default_value = "true", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub enable_microphone: String,
    /// The v4l2loopback device in which programs on the desktop see the camera of the page in control: `auto` (the first that is free), `off`, or its path, such as `/dev/video10`.
    #[arg(long, env = "SELKIES_WEBCAM", default_value = "auto", value_name = "DEVICE")]
    pub webcam: String,
}
