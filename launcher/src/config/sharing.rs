//! Setup: what is shared between desktop and page, resolved from its options.

use super::checks::Checks;
use crate::options::Options;
use std::path::PathBuf;

/// Largest that may be allowed to be copied at once: desktop, launcher and browser each hold it in memory.
const MAX_CLIPBOARD_BYTES: u64 = 256 * 1024 * 1024;

/// Largest file that may be allowed: what common file systems hold.
const MAX_FILE_BYTES: u64 = 16 << 40;
/// Where people see what was uploaded, and put what is to be downloaded.
const DEFAULT_FOLDER: &str = "Desktop";

/// In which directions something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// From the page to the desktop.
    pub into: bool,
    /// From the desktop to the page.
    pub out: bool,
}

impl Way {
    const NAMES: [(&str, Self); 4] = [
        ("true", Self { into: true, out: true }),
        ("false", Self { into: false, out: false }),
        ("in", Self { into: true, out: false }),
        ("out", Self { into: false, out: true }),
    ];
}

/// Where programs on the desktop see a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Webcam {
    /// Nowhere.
    Off,
    /// In the first v4l2loopback device that is free.
    Auto,
    /// In this one.
    Device(PathBuf),
}

/// What is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// What was copied.
    pub clipboard: Way,
    /// Most bytes of that at once.
    pub clipboard_max_bytes: u64,
    /// Files.
    pub files: Way,
    /// Where they are on the desktop; empty where there is no such place.
    pub files_folder: PathBuf,
    /// Most bytes of one that is uploaded.
    pub files_max_bytes: u64,
    /// Whether the desktop has a microphone.
    pub microphone: bool,
    /// Where it has a webcam.
    pub webcam: Webcam,
}

pub(super) fn sharing(checks: &mut Checks, options: &Options) -> Sharing {
    let home = options.home_folder.as_ref().filter(|home| home.starts_with('/'));
    let options = &options.sharing;
    let given = options.files_folder.as_ref().filter(|folder| !folder.is_empty());
    let files = checks.one_of("enable-file-transfers", &options.enable_file_transfers, &Way::NAMES);
    let files_folder = match (given, home) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(home)) => PathBuf::from(home).join(DEFAULT_FOLDER),
        (None, None) => PathBuf::new(),
    };
    if given.is_some() && !files_folder.is_absolute() {
        checks.refuse("files-folder", &files_folder.to_string_lossy(), "an absolute path");
    }
    Sharing {
        files,
        files_folder,
        files_max_bytes: checks.number("files-max-bytes", &options.files_max_bytes, (1, MAX_FILE_BYTES)),
        microphone: checks.boolean("enable-microphone", &options.enable_microphone),
        webcam: webcam(checks, &options.webcam),
        clipboard: checks.one_of("enable-clipboard", &options.enable_clipboard, &Way::NAMES),
        clipboard_max_bytes: checks.number(
            "clipboard-max-bytes",
            &options.clipboard_max_bytes,
            (1, MAX_CLIPBOARD_BYTES),
        ),
    }
}

fn webcam(checks: &mut Checks, given: &str) -> Webcam {
    match given {
        "off" => Webcam::Off,
        "auto" => Webcam::Auto,
        path if path.starts_with("/dev/") => Webcam::Device(PathBuf::from(path)),
        other => {
            checks.refuse("webcam", other, "auto, off or the path of a device, such as /dev/video10");
            Webcam::Off
        }
    }
}
