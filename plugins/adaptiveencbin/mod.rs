//! Setup: registers `adaptiveencbin`.
//!
//! SECTION:element-adaptiveencbin
//!
//! Raw video in, H.264 for browsers out (or VP8, VP9, AV1, H.265: `codec`), with the best encoder that works on this
//! machine. An encoder is taken only after it has encoded a few frames of the real size with the settings that it will
//! run with; the choice is made when the first caps arrive. Hardware comes first (NVENC, VA), then software: for H.264
//! x264enc, then openh264enc.
//!
//! An encoder that fails, stalls or loses its device while frames flow is replaced by the next one: whoever receives the
//! stream sees a key frame and nothing else. A better one that works again comes back. The element message
//! `vdi-encoder-selected` tells each choice, its `cause`, and why others were rejected. Falling back to software under
//! `encoder-policy=prefer-hardware` and every fail-over post a warning. If no encoder works, or three in a row fail,
//! there is one error, whose details `vdi-failure` hold the `reason`: `GPU_INIT_ERROR` or `ENCODER_UNAVAILABLE`.
//!
//! Bit rate, frame rate and size of a live source follow what consumers say (the upstream event
//! `application/x-vdi-feedback`), the latency and the load of the processors, within `bitrate`, `min-bitrate`,
//! `max-bitrate`, `max-framerate`, `max-latency` and `max-cpu`, which apply while frames flow. `stats` and the element message
//! `vdi-quality` say which limit holds.
//!
//! With `chroma-format=4:4:4` every pixel keeps a colour of its own (H.264 High 4:4:4 Predictive, VP9 profile 1) where the
//! encoder can, and as long as all consumers take that (the upstream event `application/x-vdi-chroma-format`); else it is
//! 4:2:0, and the encoder changes while frames flow. `vdi-encoder-selected` and `stats` say which it is.
//!
//! The source is told what is wanted: a force-key-unit event goes on to it, so that one that only wakes on damage gives
//! its present frame, and a limit of the frame rate goes to it as a QoS event of the type throttle.
//!
//! Force-key-unit events give an IDR picture with its parameter sets; there are no others than those asked for, except
//! with NVENC, VA and av1enc.
//!
//! ## Example pipeline
//! ```bash
//! gst-launch-1.0 -m xdamagesrc ! video/x-raw,framerate=60/1 ! adaptiveencbin bitrate=8000 \
//!     ! h264parse ! matroskamux ! filesink location=desktop.mkv
//! ```

use gst::{glib, prelude::*, subclass::prelude::*};
use std::sync::LazyLock;

#[doc(hidden)]
pub mod adapt;
mod bitstream;
mod cache;
mod chain;
mod codec;
#[doc(hidden)]
pub mod cpu;
mod failover;
#[doc(hidden)]
pub mod feedback;
mod guard;
mod imp;
mod input;
mod isolated;
mod journal;
mod nvidia;
mod nvidia_facts;
mod pacer;
#[doc(hidden)]
pub mod proof;
mod proof_file;
mod quality;
#[doc(hidden)]
pub mod rate;
mod rows;
#[doc(hidden)]
pub mod select;
mod settings;
mod supervisor;
mod switch;
#[doc(hidden)]
pub mod table;
#[doc(hidden)]
pub mod taken;
mod throttle;
mod timeline;
mod verdict;
mod watchdog;
mod worker;

pub use codec::{ChromaFormat, Codec, CodecChoice};
pub use select::EncoderPolicy;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "adaptiveencbin",
        gst::DebugColorFlags::empty(),
        Some("Encoder that proves itself"),
    )
});

glib::wrapper! {
    /// Encodes with the best encoder that works.
    pub struct AdaptiveEncBin(ObjectSubclass<imp::AdaptiveEncBin>)
        @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

impl AdaptiveEncBin {
    /// Replaces the encoder table of this instance, for tests that need encoders which fail.
    #[doc(hidden)]
    pub fn set_table(&self, table: &'static [table::Row]) {
        self.imp().set_table(table);
    }
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    EncoderPolicy::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    ChromaFormat::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    CodecChoice::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(Some(plugin), "adaptiveencbin", gst::Rank::NONE, AdaptiveEncBin::static_type())
}
