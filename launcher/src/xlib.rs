//! Shell: keeps Xlib from ending the process. When the X server dies, Xlib calls `exit(1)` from whatever thread notices,
//! which here is the one of ximagesrc; nobody would be told why. With our handler that thread stops where it is, and the
//! session ends in order with its reason.

use libloading::{Library, Symbol};
use std::{
    ffi::{c_int, c_void},
    sync::OnceLock,
};

type Handler = extern "C" fn(*mut c_void) -> c_int;

static LOST: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// From now on `lost` is called when Xlib loses a display. Returns what stood in the way, if anything did; without
/// Xlib there is nothing to guard.
pub fn on_display_lost(lost: impl Fn() + Send + Sync + 'static) -> Result<(), libloading::Error> {
    // A second caller in one process would be a test; the first stays in force.
    let _ = LOST.set(Box::new(lost));
    #[expect(
        unsafe_code,
        reason = "Xlib is C, and GStreamer's X11 elements use it; this is its documented way"
    )]
    // SAFETY: XSetIOErrorHandler takes a function of this form, and any thread may call it. The library stays loaded for
    // ever, so the symbol does too.
    unsafe {
        let xlib = Library::new("libX11.so.6")?;
        {
            let set: Symbol<unsafe extern "C" fn(Handler) -> Option<Handler>> =
                xlib.get(b"XSetIOErrorHandler\0")?;
            set(display_lost);
        }
        std::mem::forget(xlib);
    }
    Ok(())
}

/// Must not return: Xlib exits after it.
extern "C" fn display_lost(_display: *mut c_void) -> c_int {
    if let Some(lost) = LOST.get() {
        lost();
    }
    loop {
        std::thread::park();
    }
}
