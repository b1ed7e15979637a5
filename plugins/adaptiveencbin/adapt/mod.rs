//! Decision: what to encode right now: bit rate, size and frame rate, out of what the operator allows, what consumers
//! say, and what the bin sees of itself. It combines the siblings, each of which is one idea, and refuses to know any
//! encoder, clock or element.
//!
//! ```text
//! feedback ─▶ peers ─┬─ estimate ─▶ bit rate ─┬─▶ ladder ─▶ rung ─┐
//!                    ├─ loss ──────────▲      │     ▲            ├─▶ Target
//!                    └─ latency ─▶ latency ───┼─────┼─ share ─────┤
//! observe ─┬─ encode time ─────────▲          │     │            │
//!          ├─ bytes ─▶ content ───────────────┼─────┘            │
//!          │     └───▶ filling ───────────────┼──────────────────┴─▶ what is asked of the encoder for it
//!          └─ cpu ─▶ load ────────────────────┼─ at most 30 fps ─┘
//! the operator's bounds ──────────────────────┘ have the last word
//! ```

mod content;
mod filling;
mod ladder;
mod lasting;
mod latency;
mod limitation;
mod load;
mod loss;
mod patience;
mod peers;
#[cfg(test)]
mod simulation;

pub use content::ContentHint;
pub use ladder::{Shape, Source};
pub use limitation::{Durations, Limitation};

use super::{
    feedback::Feedback,
    rate::{Bitrate, Request},
};
use content::Classifier;
use filling::Filling;
use ladder::Ladder;
use latency::Latency;
use limitation::Ledger;
use load::Load;
use loss::Loss;
use peers::Peers;
use std::time::Duration;

/// A rate that differs so much from the one at work is not left for the next look: what is too much stands in a queue.
const PROMPT: f64 = 0.1;

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The bit rate's goal and bounds.
    pub rate: Request,
    /// Above this latency quality goes down.
    pub max_latency: Option<Duration>,
    /// Above this load, 1 being all processors, the frame rate goes down.
    pub max_cpu: Option<f64>,
    /// What is given up first.
    pub content_hint: ContentHint,
    /// No more frames per second than this.
    pub max_framerate: Option<u32>,
}

/// What to encode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Bit rate, between the operator's bounds.
    pub bitrate: Bitrate,
    /// Size and frame rate.
    pub shape: Shape,
    /// Why it is not more.
    pub limitation: Limitation,
}

/// What the bin sees of itself. Counters run since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Observation {
    /// Frames that came.
    pub frames_in: u64,
    /// Frames that left.
    pub frames_out: u64,
    /// Bytes that left.
    pub bytes_out: u64,
    /// The slowest of twenty frames of the last second, from input to output of the bin.
    pub encode_time: Option<Duration>,
    /// Load of the processors, 1 being all that is allowed.
    pub cpu: Option<f64>,
}

/// The state of the adaptation. Times are durations since any fixed moment.
#[derive(Debug)]
pub struct Adaptation {
    limits: Limits,
    peers: Peers,
    loss: Loss,
    latency: Latency,
    load: Load,
    classifier: Classifier,
    filling: Filling,
    ladder: Ladder,
    ledger: Ledger,
    encode_time: Option<Duration>,
    target: Target,
}

impl Adaptation {
    /// Full quality, until something speaks against it.
    pub fn new(source: Source, limits: Limits, now: Duration) -> Self {
        let classifier = Classifier::new(now);
        let ladder = Ladder::new(source, classifier.content(limits.content_hint));
        let max_fps = limits.max_framerate.filter(|&max| f64::from(max) < ladder.source_fps());
        let shape = Shape { max_fps, ..ladder.top() };
        let target = Target { bitrate: limits.rate.granted(), shape, limitation: Limitation::None };
        Self {
            limits,
            peers: Peers::default(),
            loss: Loss::default(),
            latency: Latency::new(),
            load: Load::new(),
            classifier,
            filling: Filling::new(),
            ladder,
            ledger: Ledger::new(now),
            encode_time: None,
            target,
        }
    }

    /// Other frames come in. They begin at full size; what is known of consumers and processors stays.
    pub fn set_source(&mut self, source: Source, now: Duration) {
        // Caps that say the same again, or differ in colours only.
        if source == self.ladder.source() {
            return;
        }
        self.ladder = Ladder::new(source, self.classifier.content(self.limits.content_hint));
        self.latency.restart();
        self.encode_time = None;
        // A size that the source changed is no limit's doing.
        self.target.shape = self.ladder.top();
        let rate = self.allowed_rate(now);
        self.aim(rate, now);
    }

    /// The operator has changed something. Bounds count at once.
    pub fn set_limits(&mut self, limits: Limits, now: Duration) {
        self.limits = limits;
        let rate = self.allowed_rate(now);
        self.ladder.set_content(self.classifier.content(limits.content_hint), rate);
        if limits.max_latency.is_none() {
            self.latency.restart();
        }
        if limits.max_cpu.is_none() {
            self.load = Load::new();
        }
        self.aim(rate, now);
    }

    /// A consumer has spoken. A rate that matters is acted on at once, and true says so; all else with the next observation.
    pub fn feedback(&mut self, feedback: &Feedback, now: Duration) -> bool {
        self.peers.hear(feedback, now);
        if feedback.estimated_bitrate.is_none() {
            return false;
        }
        let before = self.target.bitrate;
        let rate = self.allowed_rate(now);
        let wanted = rate.scaled(self.latency.share());
        let is_prompt = f64::from(wanted.kbps().abs_diff(before.kbps())) >= PROMPT * f64::from(before.kbps());
        if is_prompt {
            self.aim(rate, now);
        }
        is_prompt && self.target.bitrate != before
    }

    /// Looks at everything; to be called about four times a second.
    pub fn observe(&mut self, observation: &Observation, now: Duration) {
        self.peers.expire(now);
        self.encode_time = observation.encode_time;
        self.classifier.observe(observation.bytes_out, f64::from(self.target.bitrate.bps()), now);
        self.filling.observe(observation.bytes_out, f64::from(self.target.bitrate.bps()), now);
        self.latency.observe(self.latency(), self.limits.max_latency, now);
        self.load.observe(observation.cpu, self.limits.max_cpu, now);

        let rate = self.allowed_rate(now);
        self.ladder.set_content(self.classifier.content(self.limits.content_hint), rate);
        self.ladder.observe(rate, now);
        self.aim(rate, now);
    }

    /// What to encode.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The bit rate to ask the encoder for. On a network that carries less than is wanted it is so much that about the target is
    /// made, but never above the operator's bound.
    pub fn asked(&self) -> Bitrate {
        let (request, target) = (self.limits.rate, self.target.bitrate);
        if target >= request.granted() {
            return target;
        }
        target.scaled(self.filling.gain()).min(request.granted())
    }

    /// How long each limit has held.
    pub fn durations(&self, now: Duration) -> Durations {
        self.ledger.durations(now)
    }

    /// How often limits have changed the size.
    pub fn resolution_changes(&self) -> u32 {
        self.ledger.resolution_changes()
    }

    /// The latency that counts: the worst consumer's without its way, or the bin's own if that is more.
    pub fn latency(&self) -> Option<Duration> {
        self.peers.avoidable_latency().max(self.encode_time)
    }

    /// The rate that the network allows, between the operator's bounds.
    fn allowed_rate(&mut self, now: Duration) -> Bitrate {
        let request = self.limits.rate;
        let goal = request.granted();
        let floor = Request { target: Bitrate::from_kbps(0), ..request }.granted();
        let estimated = self.peers.estimated_bitrate();
        let loss = self.peers.packet_loss();
        // Whoever has an estimate needs no second opinion; the others may need less still.
        let by_loss = match (loss, estimated) {
            (None, Some(_)) => {
                self.loss.forget();
                goal
            }
            _ => self.loss.observe(loss, floor, goal, now),
        };
        let target = estimated.map_or(goal, |estimated| estimated.min(goal)).min(by_loss);
        Request { target, ..request }.granted()
    }

    /// Puts the target together.
    fn aim(&mut self, rate: Bitrate, now: Duration) {
        let request = self.limits.rate;
        let share = self.latency.share();
        let bitrate = Request { target: rate.scaled(share), ..request }.granted();

        let mut shape = self.ladder.with_share(share);
        let mut fps = shape.max_fps.map_or(self.ladder.source_fps(), f64::from);
        // What is not wanted is no limitation.
        if let Some(max) = self.limits.max_framerate
            && fps > f64::from(max)
        {
            shape.max_fps = Some(max);
            fps = f64::from(max);
        }
        let mut limitation = Limitation::None;
        if rate < request.granted() || self.ladder.rung() != self.ladder.top() {
            limitation = Limitation::Bandwidth;
        }
        if let Some(max) = self.load.max_fps()
            && fps > f64::from(max)
        {
            shape.max_fps = Some(max);
            limitation = Limitation::Cpu;
        }
        if self.latency.is_limiting() {
            limitation = Limitation::Latency;
        }

        let before = self.target.shape;
        if (before.width, before.height) != (shape.width, shape.height) {
            self.ledger.resolution_changed();
        }
        self.ledger.limited_by(limitation, now);
        self.target = Target { bitrate, shape, limitation };
    }
}
