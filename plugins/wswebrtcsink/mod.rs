//! Setup: registers `wswebrtcsink`, and what it shows to Rust applications that link this crate.
//!
//! SECTION:element-wswebrtcsink
//!
//! Sends encoded video and audio to any number of browsers over WebRTC. Every consumer has a pipeline of its own with
//! payloader and webrtcbin, fed from one encoder, so none can stop another. The signalling is WebSocket messages of
//! JSON (the crate `vdi-protocol` is their specification) in one of three ways:
//!
//! - `listen`: the sink hosts page and signalling itself. This is the default, on 127.0.0.1:8080. There is no password:
//!   on any other address, put a server with authentication in front, as `vdi-launcher` does.
//! - `uri`: the sink dials a broker, and dials again while media lives on.
//! - Neither: the application carries the messages (signals `open-consumer`, `receive-signalling`, `send-signalling`).
//!
//! ## Example pipelines
//! ```bash
//! gst-launch-1.0 videotestsrc is-live=true ! adaptiveencbin ! latencystats ! wswebrtcsink
//! ```
//! Open http://127.0.0.1:8080/ in a browser: the test picture, and nothing else was needed.
//! ```bash
//! gst-launch-1.0 xdamagesrc ! video/x-raw,framerate=60/1 ! adaptiveencbin ! wswebrtcsink name=sink \
//!   pulsesrc ! audioconvert ! opusenc frame-size=10 ! sink.
//! ```
//! The desktop with sound.
//!
//! Since: plugin version 0.1.0
//!
//! # The parts
//!
//! ```text
//! pads ─▶ producer (appsink, fan-out) ─▶ consumer/pipeline (appsrc ! payloader ! webrtcbin) ═══▶ browser
//!              ▲ key frames, debounced            ▲ actions
//!          keyframes                      consumer/negotiation (pure) ◀── messages ── host │ dial │ application
//! ```

mod admission;
mod application;
mod bystanders;
mod chroma;
#[doc(hidden)]
pub mod consumer;
mod continuity;
mod decodable;
mod dial;
#[doc(hidden)]
pub mod direct;
#[doc(hidden)]
pub mod frames;
#[doc(hidden)]
pub mod host;
mod hub;
pub mod ice_servers;
mod imp;
mod keyframes;
#[doc(hidden)]
pub mod mdns;
#[doc(hidden)]
pub mod payload;
mod policy;
mod producer;
mod properties;
mod resolve;
mod runtime;
mod settings;
mod stranded;
mod surround;

pub use direct::check_interface;
use gst::{glib, prelude::*, subclass::prelude::*};
use warp::{Filter, Rejection, Reply};

/// An RTP header extension that is offered.
#[derive(Debug, Clone, Copy)]
struct HeaderExtension {
    id: u8,
    uri: &'static str,
}

impl HeaderExtension {
    /// Asks the browser to present at once. Ids 2 to 4 are left to frame marking.
    const PLAYOUT_DELAY: Self =
        Self { id: 5, uri: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay" };
    /// Numbers all packets of a connection, so that the browser can tell when each arrived.
    const TRANSPORT_CC: Self =
        Self { id: 1, uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" };
}

glib::wrapper! {
    /// The element `wswebrtcsink`.
    pub struct WsWebRtcSink(ObjectSubclass<imp::WsWebRtcSink>) @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

/// Registers the element with a plugin, and the payloader and Google's congestion control, which it needs and GStreamer 1.22
/// lacks, unless they are installed.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    if ["rtpav1pay", "rtpgccbwe"].into_iter().any(|name| gst::ElementFactory::find(name).is_none()) {
        gstrsrtp::plugin_register_static()?;
    }
    gst::Element::register(Some(plugin), "wswebrtcsink", gst::Rank::NONE, WsWebRtcSink::static_type())
}

/// What a server in front has found out about whoever asks. Put into the extensions of a request, it stands at the end of the
/// names of all consumers that come with it, where no page can change it.
#[derive(Debug, Clone)]
pub struct Mark(std::sync::Arc<str>);

impl Mark {
    /// A mark of these characters.
    pub fn new(mark: impl Into<std::sync::Arc<str>>) -> Self {
        Self(mark.into())
    }

    /// The name with the mark, if there is one.
    pub fn on(mark: Option<&Self>, name: &str) -> String {
        format!("{name}{}", mark.map_or("", |mark| &mark.0))
    }
}

/// Whether a WebSocket may be opened by whoever sends these headers: a program, or the page of this server (RFC 6455, 10.2).
/// For servers with sockets of their own beside [`routes`].
pub fn may_open_socket(origin: Option<&str>, host: Option<&str>, forwarded_host: Option<&str>) -> bool {
    host::is_allowed_behind(origin, host, forwarded_host)
}

/// The sink's HTTP routes, for a server of the application's own: the page at `/` and the signalling at `/ws`.
///
/// Set `listen` to an empty string then, so that the sink hosts nothing itself.
pub fn routes(
    sink: &WsWebRtcSink,
) -> impl Filter<Extract = (impl Reply + use<>,), Error = Rejection> + Clone + Send + Sync + use<> {
    host::routes(sink.imp().hub().clone(), host::Reach::Anyone)
}
