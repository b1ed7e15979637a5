//! Setup: what is shared between desktop and page, resolved from its options.

use super::checks::Checks;
use crate::options::Options;

/// Largest that may be allowed to be copied at once: desktop, launcher and browser each hold it in memory.
const MAX_CLIPBOARD_BYTES: u64 = 256 * 1024 * 1024;

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

/// What is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// What was copied.
    pub clipboard: Way,
    /// Most bytes of that at once.
    pub clipboard_max_bytes: u64,
}

pub(super) fn sharing(checks: &mut Checks, options: &Options) -> Sharing {
    let options = &options.sharing;
    Sharing {
        clipboard: checks.one_of("enable-clipboard", &options.enable_clipboard, &Way::NAMES),
        clipboard_max_bytes: checks.number(
            "clipboard-max-bytes",
            &options.clipboard_max_bytes,
            (1, MAX_CLIPBOARD_BYTES),
        ),
    }
}
