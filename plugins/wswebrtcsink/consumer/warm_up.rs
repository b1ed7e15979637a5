//! Shell: does once, before the first consumer comes, what only the first one would wait for. GStreamer's DTLS element makes
//! the RSA key of the process when it is first made, which takes half a second and more, and plugins are read from disk.

use std::sync::Once;

/// What webrtcbin makes once it negotiates, with the payloaders' neighbours; one that is missing is told of when it is
/// wanted.
const ELEMENTS: [&str; 7] =
    ["webrtcbin", "dtlssrtpdec", "dtlssrtpenc", "nicesrc", "nicesink", "sctpdec", "sctpenc"];

/// Begins, on a thread of its own; a process does it once.
pub fn warm_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let making = || ELEMENTS.iter().for_each(|name| drop(super::pipeline::make(name)));
        // A process that can have no further thread has other worries; its first consumer waits.
        let _ = std::thread::Builder::new().name("vdi-warm-up".into()).spawn(making);
    });
}
