//! Shell: the gate behind the capture: while nobody watches, nothing is captured, converted or encoded.

use gst::prelude::*;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Stops the capturing thread in its push, so that it captures nothing more.
pub struct Gate {
    pad: gst::Pad,
    block: Mutex<Option<gst::PadProbeId>>,
    /// The frame that waited at the gate is as old as the wait was long: it is not let through.
    stale: Arc<AtomicBool>,
}

impl Gate {
    /// Of the pad that captured frames leave by; open.
    pub fn new(pad: gst::Pad) -> Self {
        let stale = Arc::new(AtomicBool::new(false));
        let drop_stale = stale.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| match drop_stale.swap(false, Relaxed) {
            true => gst::PadProbeReturn::Drop,
            false => gst::PadProbeReturn::Ok,
        });
        Self { pad, block: Mutex::new(None), stale }
    }

    /// No frame passes from now on.
    pub fn close(&self) {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.is_none() {
            let kind = gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER;
            *block = self.pad.add_probe(kind, |_, _| gst::PadProbeReturn::Ok);
        }
    }

    /// Frames pass again.
    pub fn open(&self) {
        if let Some(block) = self.block.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.stale.store(true, Relaxed);
            self.pad.remove_probe(block);
        }
    }
}
