//! Shell: the properties of `rtpcongestion` as GObject has them, and its figures.

use super::state::{State, now};
use gst::{glib, prelude::*};
use std::time::Duration;
use vdi_congestion::{Bitrate, State as Limit};

pub const DEFAULT_MIN: Bitrate = Bitrate::from_kbps(100);
pub const DEFAULT_MAX: Bitrate = Bitrate::from_kbps(20_000);

/// Little enough for most links, and enough for a first picture within a blink.
pub const DEFAULT_START: Bitrate = Bitrate::from_kbps(4_000);

/// All of them.
pub fn specs() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecUInt::builder("estimated-bitrate")
            .nick("Estimated bit rate")
            .blurb("What the network is believed to carry, all streams together, in bit/s; notifies at most every 50 ms")
            .default_value(bps(DEFAULT_START))
            .read_only()
            .build(),
        glib::ParamSpecUInt::builder("min-bitrate")
            .nick("Minimum bit rate")
            .blurb("The estimate never goes below, in bit/s")
            .minimum(1)
            .default_value(bps(DEFAULT_MIN))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-bitrate")
            .nick("Maximum bit rate")
            .blurb("More is not wanted, in bit/s, all streams together")
            .minimum(1)
            .default_value(bps(DEFAULT_MAX))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("start-bitrate")
            .nick("Start bit rate")
            .blurb("The estimate before the first feedback, in bit/s")
            .minimum(1)
            .default_value(bps(DEFAULT_START))
            .mutable_ready()
            .build(),
        glib::ParamSpecInt::builder("audio-payload-type")
            .nick("Audio payload type")
            .blurb("Packets of this RTP payload type are sound, which never waits; -1: what caps say")
            .minimum(-1)
            .maximum(127)
            .default_value(-1)
            .mutable_ready()
            .build(),
        glib::ParamSpecUInt64::builder("pacer-delay")
            .nick("Pacer delay")
            .blurb("How long a packet that comes now will wait, in ns")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("What is known of the network, what waits, and counters")
            .read_only()
            .build(),
    ]
}

/// The figures.
pub fn stats(state: &mut State) -> gst::Structure {
    let (output, totals) = (state.sender.output(), state.sender.totals());
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    gst::Structure::builder("application/x-vdi-congestion-stats")
        .field("available-outgoing-bitrate", output.estimate.bps())
        .field("available-video-bitrate", state.sender.for_video(now()).bps())
        .field("target-bitrate", output.target.bps())
        .field("pacing-rate", output.pacing_rate.bps())
        .field_if_some("queue-delay", output.queue_delay.map(ns))
        .field_if_some("round-trip-time", output.round_trip_time.map(ns))
        .field("packet-loss", output.loss)
        .field_if_some("delivered-bitrate", output.delivered.map(Bitrate::bps))
        .field("state", name(state.sender.state()))
        .field("pacer-queued-bytes", totals.queued.bytes())
        .field("pacer-delay", ns(state.sender.delay()))
        .field("packets-dropped", totals.dropped)
        .field("packets-replaced", totals.replaced)
        .field("probes-sent", totals.probes)
        .field("padding-bytes", totals.padding.bytes())
        .build()
}

fn name(limit: Limit) -> &'static str {
    match limit {
        Limit::Increase => "increase",
        Limit::Hold => "hold",
        Limit::Drain => "drain",
        Limit::Compete => "compete",
        Limit::Silent => "silent",
    }
}

/// As properties have it.
pub fn bps(rate: Bitrate) -> u32 {
    u32::try_from(rate.bps()).unwrap_or(u32::MAX)
}
