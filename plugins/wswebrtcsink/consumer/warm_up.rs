//! Shell: does once, before the first consumer comes, what only the first one would wait for. GStreamer's DTLS element makes
//! the RSA key of the process when it is first made, which takes half a second and more, and plugins are read from disk.

use gst::prelude::*;
use std::{
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// What webrtcbin makes once it negotiates, with the payloaders' neighbours; one that is missing is told of when it is
/// wanted.
const ELEMENTS: [&str; 7] =
    ["webrtcbin", "dtlssrtpdec", "dtlssrtpenc", "nicesrc", "nicesink", "sctpdec", "sctpenc"];
/// What else it is made of. Plugins are loaded before anything is made, which takes longer: GStreamer loads one at a time, and an
/// encoder's may hang in its driver.
const NEIGHBOURS: [&str; 3] = ["rtpbin", "rtph264pay", "srtpenc"];

/// How long [`settle`] waits, in steps.
const SETTLE_STEPS: u32 = 1000;
const SETTLE_STEP: Duration = Duration::from_millis(10);

/// The thread at work, until somebody has waited for it.
static AT_WORK: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);

/// Begins, on a thread of its own; a process does it once.
pub fn warm_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let making = || {
            let plugins = ELEMENTS.iter().chain(&NEIGHBOURS);
            plugins.for_each(|name| drop(gst::ElementFactory::find(name).map(|found| found.load())));
            ELEMENTS.iter().for_each(|name| drop(super::pipeline::make(name)));
        };
        // A process that can have no further thread has other worries; its first consumer waits.
        *at_work() = std::thread::Builder::new().name("vdi-warm-up".into()).spawn(making).ok();
    });
}

/// Waits until it is done: a process that ends while OpenSSL makes a key is ended by a fault in it, since OpenSSL takes
/// itself down in `exit`. Nothing can cut the making short; it takes a second or two, and one that hangs is left behind.
pub fn settle() {
    let Some(thread) = at_work().take() else { return };
    for _ in 0..SETTLE_STEPS {
        if thread.is_finished() {
            return;
        }
        std::thread::sleep(SETTLE_STEP);
    }
}

fn at_work() -> MutexGuard<'static, Option<JoinHandle<()>>> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}
