//! The GStreamer plugin `vdi`: the media path of gst-vdi, from the X display to the browser.
//!
//! ```text
//! xdamagesrc ─▶ adaptiveencbin ─▶ latencystats ─▶ wswebrtcsink ═══ SRTP ═══▶ browser
//! wakes on  ▲        ▲                               │ one encoder, one webrtcbin per consumer;
//! damage    └────────┴──── force-key-unit, feedback ─┘ hosts page and signalling, or dials out, or is carried by the
//!                                                      application
//! ```
//!
//! Elements meet only through caps, events, properties and signals, so each works alone. The crate is built twice: as
//! `libgstvdi.so` for everyone who loads GStreamer plugins, and as an rlib for the launcher, which registers it
//! statically with [`plugin_register_static`] and mounts the same HTTP routes.

pub mod adaptiveencbin;
pub mod latency;
pub mod latencystats;
pub mod on_demand;
pub mod rtpcongestion;
pub mod rtphdrextplayoutdelay;
pub mod stage;
pub mod wswebrtcsink;
pub mod xdamagesrc;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    adaptiveencbin::register(plugin)?;
    latencystats::register(plugin)?;
    rtpcongestion::register(plugin)?;
    rtphdrextplayoutdelay::register(plugin)?;
    wswebrtcsink::register(plugin)?;
    xdamagesrc::register(plugin)
}

/// What the macro defines needs no words of ours: the plugin's entry points.
#[allow(missing_docs, reason = "the macro writes public items without documentation")]
mod entry {
    use super::plugin_init;

    gst::plugin_define!(
        vdi,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MPL-2.0",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_REPOSITORY"),
        env!("BUILD_REL_DATE")
    );
}

pub use entry::plugin_register_static;
