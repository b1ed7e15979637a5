//! Setup: registers `latencystats`.
//!
//! SECTION:element-latencystats
//!
//! Passes everything through and measures how old each buffer is when it comes by: the pipeline's running time minus
//! the running time of the buffer's PTS, which for a live source is the time since capture. Percentiles are taken
//! over a sliding window. Buffers without PTS are passed and not counted; a buffer that comes before its time has age 0.
//!
//! Elements of this plugin stamp what passes them: `xdamagesrc` when a frame was damaged, captured and converted,
//! `adaptiveencbin` when it was encoded. Wherever `latencystats` stands, `stages` in `stats` and in the message has the
//! same figures for each leg between the stamps (`capture`, `convert`, `encode`), and for `here`, the leg from the last
//! stamp to the element. `stage` names the place, so that several can be told apart.
//!
//! Every `interval` the element posts the message `vdi-latency-stats` and, unless `silent`, notifies `last-message`.
//! What is left is reported at EOS.
//!
//! ## Example pipeline
//! ```bash
//! gst-launch-1.0 -v xdamagesrc ! adaptiveencbin ! latencystats silent=false ! fakesink
//! ```
//! ```bash
//! gst-launch-1.0 -v xdamagesrc ! latencystats stage=captured silent=false ! adaptiveencbin \
//!   ! latencystats stage=encoded silent=false ! wswebrtcsink
//! ```
//! What frames have behind them before and after the encoder.

use gst::{glib, prelude::*};

mod cadence;
mod imp;
mod legs;

glib::wrapper! {
    /// Measures the age of the buffers that pass.
    pub struct LatencyStats(ObjectSubclass<imp::LatencyStats>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element with a plugin.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "latencystats", gst::Rank::NONE, LatencyStats::static_type())
}
