//! Setup: registers `xdamagesrc`.
//!
//! SECTION:element-xdamagesrc
//!
//! Captures an X screen, a region of it or a window, and wakes only when something changes there. The X server tells what
//! has changed (DAMAGE), writes just that into shared memory (MIT-SHM), and only that is converted: into I420 or NV12 for
//! encoders on the processor, Y444 for those that make 4:4:4, or BGRx for those that convert themselves. A frame leaves as soon as the damage has settled
//! (`settle-time`), and not at a tick; the frame rate in the caps is an upper limit, 60 a second if they leave it open.
//!
//! While nothing changes, nothing leaves, except: a few repeats after a change has stopped, fewer after a small one, which
//! let an encoder sharpen the picture (`sharpen-frames`); a sign of life (`keepalive-interval`); and the current frame
//! at once for each force-key-unit event. A QoS event of type THROTTLE with a positive difference limits the source to one
//! frame per difference, one of zero lifts that.
//!
//! The PTS is the moment of capture. Buffers also carry when the change in them was on the screen, when it was captured and
//! when it was converted, as reference timestamps `timestamp/x-vdi-latency, stage=(string){damage, captured, converted}`;
//! a repeat has no `damage`.
//!
//! The pointer is drawn into the picture (`show-pointer`), or told as element message `vdi-cursor` (`cursor-messages`):
//! `serial` (uint64), `width`, `height`, `hotspot-x`, `hotspot-y` (uint), `pixels` (a GstBuffer: red, green, blue, alpha, not
//! multiplied); a width of 0 is an invisible pointer.
//!
//! Size changes of screen and window are followed with new caps. A server without MIT-SHM, DAMAGE or XFIXES works and
//! costs more; a warning says what. A server or window that is not there, or dies, is one error whose details
//! `vdi-failure` hold the `reason`, `DISPLAY_UNAVAILABLE`; the element starts afresh from NULL.
//!
//! ## Example pipeline
//! ```bash
//! gst-launch-1.0 xdamagesrc show-pointer=false ! video/x-raw,format=I420,framerate=60/1 ! adaptiveencbin \
//!     ! h264parse ! matroskamux ! filesink location=desktop.mkv
//! ```

use gst::{glib, prelude::*};

mod arrivals;
mod capture;
mod compare;
mod cursor;
mod error;
mod imp;
mod pace;
mod picture;
pub mod pixels;
mod requests;
mod schedule;
mod settings;
mod stats;
mod x11;

glib::wrapper! {
    /// Captures an X display when it changes.
    pub struct XDamageSrc(ObjectSubclass<imp::XDamageSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "xdamagesrc", gst::Rank::NONE, XDamageSrc::static_type())
}
