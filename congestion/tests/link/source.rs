//! The desktop and its encoder: frames of about the size that the rate allows, or next to nothing.

use super::trace::normal;
use std::time::Duration;
use vdi_congestion::{Bitrate, DataSize};

/// Payload of a packet, and what is around it.
pub const PAYLOAD: u64 = 1200;
/// Headers of IP, UDP, RTP with extensions, and SRTP's tag.
pub const OVERHEAD: u64 = 58;

/// What is on the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content {
    /// Everything moves: all bits are used.
    Motion,
    /// Nothing, but for a sign of life each two seconds; and a whole new picture of so many bytes each so many seconds.
    Still {
        /// Of a picture.
        bytes: u64,
        /// Between two.
        every: Duration,
    },
    /// Everything moves up to a time, then nothing, and then comes one whole new picture.
    Rest {
        /// When it stops.
        from: Duration,
        /// When the picture comes.
        picture_at: Duration,
        /// Its size.
        bytes: u64,
    },
    /// Text that scrolls: so much of the rate, and no more.
    Part(f64),
    /// Text that scrolls: such a rate, or less if there is no more.
    Upto(Bitrate),
    /// The machine sleeps between these times, and everything moves before and after.
    Sleep(Duration, Duration),
}

/// A frame to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// Bytes.
    pub bytes: u64,
    /// Whether it needs none before it.
    pub is_key: bool,
}

/// The encoder.
#[derive(Debug)]
pub struct Source {
    content: Content,
    /// From one frame to the next.
    frame: Duration,
    random: fastrand::Rng,
    next: Duration,
    next_picture: Duration,
    next_sign: Duration,
    wants_key: bool,
    /// Nothing is sent until one is wanted.
    waits_for_key: bool,
}

impl Source {
    /// Begins with a key frame.
    pub fn new(content: Content, fps: u32, seed: u64) -> Self {
        let first = match content {
            Content::Still { every, .. } => every,
            _ => Duration::MAX,
        };
        Self {
            content,
            frame: Duration::from_secs(1) / fps,
            random: fastrand::Rng::with_seed(seed),
            next: Duration::ZERO,
            next_picture: first,
            next_sign: Duration::ZERO,
            wants_key: true,
            waits_for_key: false,
        }
    }

    /// The next frame shall be a key frame.
    pub fn key_frame(&mut self) {
        self.wants_key = true;
        self.waits_for_key = false;
    }

    /// Nothing more before a key frame is wanted.
    pub fn wait_for_key_frame(&mut self) {
        self.waits_for_key = true;
    }

    /// A frame, if one is due. `held` says that there is no room for it: then it is not made, and the one after it is a key
    /// frame.
    pub fn make(&mut self, target: Bitrate, held: bool, now: Duration) -> Option<Made> {
        if now < self.next {
            return None;
        }
        self.next += self.frame;
        let usual = target.over(self.frame).bytes() as f64;
        // A coder at constant bit rate makes frames of nearly one size; its model errs by a fifth or so.
        let noise = (0.15 * normal(&mut self.random)).exp();
        let bytes = match self.content {
            Content::Motion => usual * noise,
            Content::Part(share) => usual * share * noise,
            Content::Upto(rate) => usual.min(rate.over(self.frame).bytes() as f64) * noise,
            Content::Sleep(from, to) if now >= from && now < to => return None,
            Content::Sleep(..) => usual * noise,
            Content::Rest { from, .. } if now < from => usual * noise,
            Content::Rest { picture_at, bytes, .. }
                if now >= picture_at && self.next_picture == Duration::MAX =>
            {
                self.next_picture = picture_at;
                bytes as f64
            }
            Content::Still { bytes, every } if now >= self.next_picture => {
                self.next_picture += every;
                bytes as f64
            }
            Content::Still { .. } | Content::Rest { .. } if now >= self.next_sign || self.wants_key => {
                self.next_sign = now + Duration::from_secs(2);
                800.0
            }
            Content::Still { .. } | Content::Rest { .. } => return None,
        };
        if self.waits_for_key {
            return None;
        }
        if held {
            self.wants_key = true;
            return None;
        }
        let is_key = std::mem::take(&mut self.wants_key);
        let bytes = if is_key { (bytes * 2.0).max(4000.0) } else { bytes };
        Some(Made { bytes: (bytes as u64).max(200), is_key })
    }
}

/// Sizes of a frame's packets.
pub fn packets(bytes: u64) -> impl Iterator<Item = DataSize> {
    let count = bytes.div_ceil(PAYLOAD);
    (0..count).map(move |n| DataSize::from_bytes((bytes - n * PAYLOAD).min(PAYLOAD) + OVERHEAD))
}
