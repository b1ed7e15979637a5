//! The wire: everything of gst-vdi that crosses a process boundary, and nothing else.
//!
//! This crate is the specification. It holds types and their limits, no I/O and no decisions; the golden files under
//! `protocol/golden/` hold one example of every message and are read by the Rust and by the TypeScript tests, so the
//! two ends cannot drift apart.
//!
//! # One session, seen from the wire
//!
//! ```text
//! browser                                        server (wswebrtcsink)
//!    │ ── WebSocket /ws, sub-protocol "vdi.1" ──────▶ │
//!    │ ── hello {version, resume?} ─────────────────▶ │
//!    │ ◀──────── welcome {consumer, iceServers, …} ── │   the consumer's pipeline is being built
//!    │ ◀─────────────────────────── offer {sdp} ───── │   always the server offers
//!    │ ── answer {sdp} ─────────────────────────────▶ │
//!    │ ◀── ice {candidate} ── both ways ── ice ─────▶ │   trickle ICE, after the offer
//!    │                                                │
//!    │ ◀═══ SRTP video, audio ═══════════════════════ │
//!    │ ◀═══ data channel "control" (reliable) ══════▶ │   [`control`]
//!    │ ════ data channel "input" (reliable) ════════▶ │   [`input::Input`]
//!    │ ◀═══ data channel "pointer" (unreliable) ═══▶ │   [`input::Pointing`], [`people::ToPointer`]
//!    │ ◀═══ data channel "clipboard" (reliable) ════▶ │   [`clipboard`]
//! ```
//!
//! All messages are JSON objects with a `type`; names are in camelCase, unknown fields are ignored, unknown types are
//! an error that is answered and counted. [`signalling`] travels in WebSocket text frames, the others in data-channel
//! text messages.
//!
//! In dial-out mode the same messages travel inside [`broker`] envelopes, one WebSocket for all consumers.

pub mod broker;
pub mod clipboard;
pub mod connection;
pub mod control;
pub mod doctor;
pub mod environment;
pub mod files;
pub mod gamepad;
pub mod input;
pub mod invitations;
pub mod latency;
pub mod limits;
pub mod notice;
pub mod parse;
pub mod people;
pub mod phase;
pub mod reason;
pub mod recording;
pub mod screen;
pub mod session_limits;
pub mod settings;
pub mod signalling;
pub mod status;

/// Version of the signalling protocol; `hello` and `welcome` carry it.
pub const VERSION: u32 = 1;

/// WebSocket sub-protocol that both ends name when the connection is opened.
pub const SUBPROTOCOL: &str = "vdi.1";
