//! Decision: the timestamps that leave the bin. Encoders count from where they like (x264enc and the NVENC elements from
//! a thousand hours), and a new one may be given a frame that the old one has sent already; whoever receives the stream
//! sees one clock that only goes forward.

use gst::ClockTime;

/// Least distance of two frames: two access units with one RTP timestamp are one picture to a receiver.
const STEP: ClockTime = ClockTime::from_mseconds(1);

/// Going back by more than this is another timeline (a seek, a source that starts again), not an overlap of encoders.
const OVERLAP: ClockTime = ClockTime::from_seconds(1);

/// Running times as they leave.
#[derive(Debug, Default)]
pub struct Timeline {
    last: Option<ClockTime>,
}

impl Timeline {
    /// The running time at which a frame of this running time leaves.
    pub fn place(&mut self, running_time: ClockTime) -> ClockTime {
        let placed = match self.last {
            Some(last) if running_time < last + STEP && running_time + OVERLAP > last => last + STEP,
            _ => running_time,
        };
        self.last = Some(placed);
        placed
    }

    /// Begins again, after a flush.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(times_ms: &[u64]) -> Vec<u64> {
        let mut timeline = Timeline::default();
        times_ms.iter().map(|&ms| timeline.place(ClockTime::from_mseconds(ms)).mseconds()).collect()
    }

    #[test]
    fn frames_keep_their_times() {
        assert_eq!(placed(&[0, 16, 33, 5000]), [0, 16, 33, 5000]);
    }

    #[test]
    fn a_frame_that_was_sent_before_comes_right_after_it() {
        assert_eq!(placed(&[100, 116, 116, 133]), [100, 116, 117, 133]);
        assert_eq!(placed(&[100, 116, 100, 116, 133]), [100, 116, 117, 118, 133]);
    }

    #[test]
    fn a_source_that_starts_again_is_followed() {
        assert_eq!(placed(&[60_000, 60_016, 0, 16]), [60_000, 60_016, 0, 16]);
    }

    #[test]
    fn after_a_flush_any_time_is_right() {
        let mut timeline = Timeline::default();
        timeline.place(ClockTime::from_mseconds(500));
        timeline.reset();
        assert_eq!(timeline.place(ClockTime::from_mseconds(400)).mseconds(), 400);
    }
}
