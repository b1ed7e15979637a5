//! Setup: where the log goes and in which form. Stdout is not the log's: it carries only the block with URL and password.
//!
//! error is a bug; warn is possible but bad; info is one line per life-cycle transition; debug is the rest.

use crate::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// Starts the log on stderr. A second start in one process is ignored.
pub fn start(format: LogFormat, debug: bool) {
    let ours = if debug { "debug" } else { "info" };
    // What strangers send to the TURN server is no fault of ours, and must not fill the log.
    let filter =
        EnvFilter::new(format!("warn,vdi_launcher={ours},gstvdi={ours},stun_types=error,stun_proto=error"));
    // Its own errors would go to the same stderr, and panic there: whoever read the log may be gone.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // The only error is that a subscriber is set already, which is what is wanted.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
