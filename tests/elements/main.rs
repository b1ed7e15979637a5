//! Behaviour of the plugin's elements from outside: one module per element, on harnesses and in pipelines.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and its waits are bounded by the clock"
)]

mod adaptiveencbin;
mod broker;
mod consumer;
mod continuity;
mod decodable;
mod dial;
mod ice;
mod incoming;
mod latency;
mod latencystats;
mod nvenc;
mod part;
mod rtpcongestion;
mod rtphdrextplayoutdelay;
mod sink;
mod stranded;
mod wswebrtcsink;
mod xdamagesrc;

/// Starts GStreamer and registers the plugin once per process.
fn init() {
    static INIT: std::sync::Once = std::sync::Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstvdi::plugin_register_static().unwrap();
    });
}
