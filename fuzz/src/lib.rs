//! Decision: what must hold of everything that reads bytes from outside, as a function for each reader, from any bytes to a panic or
//! none. `make fuzz` looks for bytes that break one (`main.rs`); `tests/corpus.rs` holds them to what was found before.
//!
//! A target asserts what its reader promises: what was read is written to the same, what is refused is refused in few words, what
//! leaves stays where it may go. A reader that must only not panic says so by asserting nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a target that is surprised panics: that is what it is for"
)]

pub mod corpus;
mod desktop;
mod http;
mod messages;
mod sdp;
mod selkies;
mod settings;
mod turn;
mod wire;

/// A target: its name, which is that of its corpus as well, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("answer", sdp::answer),
    ("candidate", sdp::candidate),
    ("certificate", settings::certificate),
    ("clipboard", desktop::clipboard),
    ("first_bytes", wire::first_bytes),
    ("gamepad", desktop::gamepad),
    ("guard", http::guard),
    ("headers", http::headers),
    ("ice_servers", settings::ice_servers),
    ("limits", settings::limits),
    ("mdns", wire::mdns),
    ("messages", messages::messages),
    ("offer", sdp::offer),
    ("options", settings::options),
    ("origin", http::origin),
    ("paths", http::paths),
    ("reports", messages::reports),
    ("resources", desktop::resources),
    ("rtp", wire::rtp),
    ("selection", desktop::selection),
    ("selkies", selkies::lines),
    ("selkies_signalling", selkies::signalling),
    ("turn", turn::client),
    ("turn_stream", turn::stream),
];

/// The target of this name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// The input as text, for readers that are given nothing else.
fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}
