//! Setup: registers `wswebrtcsink`, and what it shows to Rust applications that link this crate.
//!
//! # The parts
//!
//! ```text
//! pads ─▶ producer (appsink, fan-out) ─▶ consumer/pipeline (appsrc ! payloader ! webrtcbin) ═══▶ browser
//!              ▲ key frames, debounced            ▲ actions
//!          keyframes                      consumer/negotiation (pure) ◀── messages ── host │ dial │ application
//! ```

mod consumer;
mod dial;
mod host;
mod hub;
mod ice_servers;
mod imp;
mod keyframes;
mod payload;
mod producer;
mod runtime;
mod settings;

use gst::{glib, prelude::*, subclass::prelude::*};
use warp::{Filter, Rejection, Reply};

/// An RTP header extension that is offered.
#[derive(Debug, Clone, Copy)]
struct HeaderExtension {
    id: u8,
    uri: &'static str,
}

impl HeaderExtension {
    /// Asks the browser to present at once. Ids 1 to 4 are left to congestion control and frame marking.
    const PLAYOUT_DELAY: Self =
        Self { id: 5, uri: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay" };
}

glib::wrapper! {
    /// The element `wswebrtcsink`.
    pub struct WsWebRtcSink(ObjectSubclass<imp::WsWebRtcSink>) @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "wswebrtcsink", gst::Rank::NONE, WsWebRtcSink::static_type())
}

/// The sink's HTTP routes, for a server of the application's own: the page at `/` and the signalling at `/ws`.
///
/// Set `listen` to an empty string then, so that the sink hosts nothing itself.
pub fn routes(
    sink: &WsWebRtcSink,
) -> impl Filter<Extract = (impl Reply + use<>,), Error = Rejection> + Clone + Send + Sync + use<> {
    host::routes(sink.imp().hub().clone())
}
