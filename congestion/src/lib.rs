//! Congestion control for a desktop that is streamed live, as pure decisions: no clock, no I/O, no randomness. Time is an
//! argument, a duration since any fixed moment of the sender's clock.
//!
//! ```text
//!                 ┌───────────────────────── Controller ─────────────────────────┐
//! Report ────────▶│ queue delay ─▶ overuse ──┐                                    │
//! (transport-wide │ delivered rate ──────────┼─▶ estimate ─▶ pacing rate ─────────┼─▶ Output
//!  feedback)      │ loss: random or our own ─┤        ▲                           │
//! Sent ──────────▶│ what the sender used ────┴─▶ probes ─▶ Probe ─────────────────┼─▶ packets that ask for more
//!                 └──────────────────────────────────────────────────────────────┘
//! packets ───────▶ Pacer ─▶ packets at their time: audio, retransmissions, video, padding
//! ```

mod controller;
mod delay;
mod delivery;
mod loss;
mod pacer;
mod probing;
mod recovery;
mod rivals;
mod round_trips;
mod sequence;
mod silence;
mod units;
mod usage;

pub use controller::Controller;
pub use pacer::{Class, Next, Pacer};
pub use units::{Bitrate, DataSize};

use std::time::Duration;

/// Between which rates the controller decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The estimate never goes below.
    pub min: Bitrate,
    /// Nor above: more is not wanted.
    pub max: Bitrate,
}

/// One packet as transport-wide feedback tells of it (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Its transport-wide number; wraps.
    pub sequence: u16,
    /// When it left, by the sender's clock.
    pub sent: Duration,
    /// When it came, by the receiver's clock, whose zero nobody knows; `None` if it did not.
    pub arrived: Option<Duration>,
    /// Its size on the wire.
    pub size: DataSize,
    /// It was a part of a picture, sent for the first time: without it there is a hole.
    pub is_picture: bool,
}

/// A burst of packets that finds out whether the link carries more. Retransmissions of what was sent will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// To be sent at this rate, whatever the pacing rate is.
    pub rate: Bitrate,
    /// So much, in packets of usual size.
    pub size: DataSize,
}

/// What the controller has come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Output {
    /// What the link is believed to carry without a queue: all streams together.
    pub estimate: Bitrate,
    /// What all streams together may make now: less than the estimate while a queue is being emptied.
    pub target: Bitrate,
    /// At which rate the pacer lets packets go.
    pub pacing_rate: Bitrate,
    /// Time that packets stand in a queue of the network, beyond the shortest way.
    pub queue_delay: Option<Duration>,
    /// Shortest time from sending a packet to its feedback, of the last seconds; with the wait for the feedback in it.
    pub round_trip_time: Option<Duration>,
    /// Share of packets that were lost, of the last second or so.
    pub loss: f64,
    /// Rate at which packets arrived.
    pub delivered: Option<Bitrate>,
}

/// What limits the estimate at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It grows, or is at its bound.
    Increase,
    /// It has found the link's rate, and feels for more slowly.
    Hold,
    /// A queue of ours is being emptied.
    Drain,
    /// Others fill the queue; the share is defended.
    Compete,
    /// Feedback stays away.
    Silent,
}
