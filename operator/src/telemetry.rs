//! Setup: where the log goes and in which form.
//!
//! error is a bug; warn is possible but bad; info is one line per life-cycle transition; debug is every write.

use crate::options::LogFormat;
use tracing_subscriber::EnvFilter;

/// Starts the log on stderr. A second start in one process is ignored.
pub fn start(format: LogFormat, debug: bool) {
    let ours = if debug { "debug" } else { "info" };
    // The client's own retries are told by what comes of them.
    let filter = EnvFilter::new(format!("warn,vdi_operator={ours},kube_runtime=error,kube_client=error"));
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
