//! Setup: registers `rtpcongestion`.
//!
//! SECTION:element-rtpcongestion
//!
//! Congestion control for a desktop that is streamed live: estimates from transport-wide feedback what the network carries,
//! lets packets leave at a pace that keeps the queues on the way empty, and asks with bursts of retransmissions whether
//! there is more. It stands between webrtcbin's retransmission sender and its RTP session, where an application puts it by
//! the signal `request-aux-sender`, in place of `rtpgccbwe`, whose properties it has.
//!
//! Sound leaves before retransmissions, these before pictures. As long as whoever fills the element holds frames back when
//! `pacer-delay` grows, nothing is dropped but what a key frame replaces on a link that has become too narrow for it: then
//! the element asks for one.
//!
//! It needs the RTP header extension
//! `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01` in every packet. Feedback
//! that stays away lowers the estimate to `min-bitrate`; where the packets have no such extension, since the other end has not
//! agreed to it, they are not throttled.
//!
//! ## Example
//! ```c
//! static GstElement *
//! on_request_aux_sender (GstElement * webrtcbin, GObject * transport, gpointer user_data)
//! {
//!   GstElement *congestion = gst_element_factory_make ("rtpcongestion", NULL);
//!   g_signal_connect (congestion, "notify::estimated-bitrate", G_CALLBACK (on_estimate), user_data);
//!   return congestion;
//! }
//! ```
//!
//! Since: plugin version 0.1.0

mod feedback;
mod imp;
#[doc(hidden)]
pub mod packet;
mod probing;
mod properties;
mod sender;
mod shares;
mod state;
mod twice;

use gst::{glib, prelude::*};

glib::wrapper! {
    /// The element `rtpcongestion`.
    pub struct RtpCongestion(ObjectSubclass<imp::RtpCongestion>) @extends gst::Element, gst::Object;
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "rtpcongestion", gst::Rank::NONE, RtpCongestion::static_type())
}
