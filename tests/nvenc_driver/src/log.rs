//! Shell: the driver's log, a line per event, for tests to read back what really reached the driver. Says nothing per
//! frame, and refuses to be a reason to fail: a line that cannot be written is left out.

use std::{fmt::Arguments, fs::OpenOptions, io::Write};

/// Appends one line. Each line is one write, so that lines of several processes never mix.
pub fn line(event: Arguments<'_>) {
    let Some(path) = std::env::var_os("NVENC_SIM_LOG") else { return };
    let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) else { return };
    let _ = file.write_all(format!("pid={} {event}\n", std::process::id()).as_bytes());
}
