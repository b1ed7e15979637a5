//! Setup: registers `rtphdrextplayoutdelay`.
//!
//! SECTION:element-rtphdrextplayoutdelay
//!
//! The playout-delay RTP header extension of WebRTC: the sender tells the receiver, in every packet, how long it may
//! and must hold a frame before it shows it. With 0 and 0 a browser shows a frame as soon as it is decoded.
//!
//! On a payloader, `min-delay` and `max-delay` are what is sent, and may be changed at any time. On a depayloader they
//! are what the last packet said, and notify when that changes.
//!
//! ## Example pipeline
//! ```bash
//! gst-launch-1.0 -v videotestsrc ! x264enc tune=zerolatency ! rtph264pay \
//!     ! application/x-rtp,extmap-5=http://www.webrtc.org/experiments/rtp-hdrext/playout-delay ! fakesink dump=true
//! ```
//! A payloader that is asked for the extension's URI in caps creates it by itself. From code: create the element, set
//! its id, and give it to the payloader's `add-extension` action signal.

use gst::{glib, prelude::*};

pub mod delay;
mod imp;

glib::wrapper! {
    /// The playout-delay RTP header extension.
    pub struct RTPHeaderExtPlayoutDelay(ObjectSubclass<imp::RTPHeaderExtPlayoutDelay>)
        @extends gst_rtp::RTPHeaderExtension, gst::Element, gst::Object;
}

/// Registers the element with a plugin. Its rank is the least at which payloaders and depayloaders find an extension by
/// the URI in their caps; nobody else implements this URI, so nothing is displaced.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "rtphdrextplayoutdelay",
        gst::Rank::MARGINAL,
        RTPHeaderExtPlayoutDelay::static_type(),
    )
}
