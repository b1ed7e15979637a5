//! Setup: the plugin's own threads for sockets and consumers, shared by all its sinks in a process.

use once_cell::sync::Lazy;
use tokio::runtime::{Builder, Runtime};

/// Two threads carry every socket and consumer: they only pass messages on, media has threads of its own.
const WORKERS: usize = 2;

static RUNTIME: Lazy<Runtime> = Lazy::new(|| {
    #[expect(clippy::expect_used, reason = "fails only when the process can have no threads at all")]
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("vdi-signalling")
        .enable_all()
        .build()
        .expect("threads for the signalling runtime")
});

/// The runtime.
pub fn runtime() -> &'static Runtime {
    &RUNTIME
}
