//! Shell: what `rtpcongestion` holds under its lock, and the clock by which it goes.

use super::{
    packet::Extensions,
    properties::{DEFAULT_MAX, DEFAULT_MIN, DEFAULT_START},
    sender::Sender,
};
use gst::prelude::*;
use std::time::Duration;
use vdi_congestion::{Bitrate, Bounds};

/// A segment, numbered in the order in which they came, from 1.
#[derive(Debug, Clone)]
pub struct Segment {
    pub number: u64,
    pub event: gst::Event,
}

/// A packet, and the segment that its timestamps belong to: pictures and sound have different ones.
#[derive(Debug)]
pub struct Item {
    pub buffer: gst::Buffer,
    pub segment: Option<Segment>,
}

impl Item {
    pub fn segment_number(&self) -> u64 {
        self.segment.as_ref().map_or(0, |segment| segment.number)
    }
}

/// What the thread on the source pad does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: the pad is not active.
    Stopped,
    /// Waits for the end of a flush.
    Flushing,
    /// Lets packets leave.
    Running,
}

pub struct State {
    pub mode: Mode,
    pub sender: Sender<Item>,
    pub bounds: Bounds,
    pub start: Bitrate,
    /// The segment of the packets that come.
    pub segment: Option<Segment>,
    /// The number of the last segment that came, and of the one that was passed on.
    pub segments: (u64, u64),
    /// The stream's end, once it is on its way and as long as packets are before it.
    pub eos: Option<gst::Event>,
    /// What became of the last packet.
    pub flow: Result<gst::FlowSuccess, gst::FlowError>,
    /// The format of sound, where the application tells it.
    pub audio_payload_type: Option<u8>,
    /// The header extensions that a transport-wide number is in, as the streams' caps say.
    pub numbering: Extensions,
    /// What packets of a format are, as far as some have come; by payload type.
    pub kinds: [Option<Format>; 128],
}

/// What packets of a payload type are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Audio,
    Video,
    Retransmission,
}

impl State {
    pub fn new() -> Self {
        let bounds = Bounds { min: DEFAULT_MIN, max: DEFAULT_MAX };
        Self {
            mode: Mode::Stopped,
            sender: Sender::new(bounds, DEFAULT_START, now()),
            bounds,
            start: DEFAULT_START,
            segment: None,
            segments: (0, 0),
            eos: None,
            flow: Err(gst::FlowError::Flushing),
            audio_payload_type: None,
            numbering: 0,
            kinds: [None; 128],
        }
    }

    /// Begins with an unknown link.
    pub fn restart(&mut self) {
        self.sender = Sender::new(self.valid_bounds(), self.start, now());
        self.segment = None;
        self.segments = (0, 0);
        self.eos = None;
        self.kinds = [None; 128];
        self.numbering = 0;
    }

    /// Set one after the other, they may cross for a moment; the upper one is the last word.
    pub fn valid_bounds(&self) -> Bounds {
        Bounds { min: self.bounds.min.min(self.bounds.max), max: self.bounds.max }
    }

    pub fn forget(&mut self) {
        self.sender.clear();
        self.eos = None;
    }
}

/// Time by the clock with which GStreamer's RTP session stamps the packets that it sends.
pub fn now() -> Duration {
    gst::SystemClock::obtain().time().into()
}
