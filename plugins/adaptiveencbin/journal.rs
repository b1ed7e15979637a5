//! Decision: when which frame came in and went out: how long encoding takes, how many are inside, how many come out.
//! Frames are known by their running time, which no encoder changes.

use gst::ClockTime;
use std::{collections::VecDeque, time::Duration};

/// Frames remembered inside. No encoder of a live stream holds more; the oldest is forgotten.
const MAX_INSIDE: usize = 64;

/// Frames remembered outside, a little more than a second's.
const MAX_DONE: usize = 256;

/// Figures are of the last second.
const WINDOW: Duration = Duration::from_secs(1);

/// One frame on its way.
#[derive(Debug, Clone, Copy)]
struct Frame {
    running_time: ClockTime,
    came_in: Duration,
    /// The encoder has it; before that it waits in the queue.
    is_taken: bool,
}

/// The frames of one bin. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct Journal {
    inside: VecDeque<Frame>,
    /// When each came out, and how long that took.
    done: VecDeque<(Duration, Duration)>,
    total: Duration,
}

impl Journal {
    /// A frame comes into the bin.
    pub fn came_in(&mut self, running_time: ClockTime, now: Duration) {
        if self.inside.len() >= MAX_INSIDE {
            self.inside.pop_front();
        }
        self.inside.push_back(Frame { running_time, came_in: now, is_taken: false });
    }

    /// The encoder takes a frame. Older ones that it has not taken were dropped on the way to it.
    pub fn taken(&mut self, running_time: ClockTime) {
        self.inside.retain(|frame| frame.is_taken || frame.running_time >= running_time);
        for frame in self.inside.iter_mut().filter(|frame| frame.running_time == running_time) {
            frame.is_taken = true;
        }
    }

    /// A frame comes out; how long it was inside. Encoders do not reorder, so older ones will not come any more.
    pub fn came_out(&mut self, running_time: ClockTime, now: Duration) -> Option<Duration> {
        let frame = self.inside.iter().find(|frame| frame.running_time == running_time).copied();
        self.inside.retain(|frame| frame.running_time > running_time);
        let took = now.saturating_sub(frame?.came_in);
        if self.done.len() >= MAX_DONE {
            self.done.pop_front();
        }
        self.done.push_back((now, took));
        self.total += took;
        Some(took)
    }

    /// Another encoder begins; what the one before had is lost.
    pub fn forget_inside(&mut self) {
        self.inside.clear();
    }

    /// Whether a frame has come in and not out.
    pub fn is_inside(&self, running_time: ClockTime) -> bool {
        self.inside.iter().any(|frame| frame.running_time == running_time)
    }

    /// Frames that have come in and not out.
    pub fn inside(&self) -> usize {
        self.inside.len()
    }

    /// Frames that the encoder has.
    pub fn in_flight(&self) -> usize {
        self.inside.iter().filter(|frame| frame.is_taken).count()
    }

    /// Time of all frames together.
    pub fn total(&self) -> Duration {
        self.total
    }

    fn recent(&self, now: Duration) -> impl Iterator<Item = Duration> {
        self.done.iter().filter(move |(at, _)| *at + WINDOW > now).map(|(_, took)| *took)
    }

    /// Frames that came out within the last second.
    pub fn frames_per_second(&self, now: Duration) -> usize {
        self.recent(now).count()
    }

    /// The time that 95 of 100 frames of the last second stayed below.
    pub fn p95(&self, now: Duration) -> Option<Duration> {
        let mut took: Vec<_> = self.recent(now).collect();
        took.sort_unstable();
        let rank = (took.len() * 95).div_ceil(100);
        took.get(rank.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ms: u64) -> ClockTime {
        ClockTime::from_mseconds(ms)
    }

    #[test]
    fn a_frame_is_timed_from_the_way_in_to_the_way_out() {
        let mut journal = Journal::default();
        for n in 0..100 {
            journal.came_in(at(n), ms(n * 10));
            journal.taken(at(n));
            let took = if n % 10 == 9 { 9 } else { 4 };
            assert_eq!(journal.came_out(at(n), ms(n * 10 + took)), Some(ms(took)));
        }
        assert_eq!(journal.p95(ms(999)), Some(ms(9)), "one in ten takes 9 ms");
        assert_eq!(journal.frames_per_second(ms(999)), 100);
        assert_eq!(journal.frames_per_second(ms(1499)), 50);
        assert_eq!(journal.p95(ms(5000)), None);
        assert_eq!(journal.total(), ms(450));
    }

    #[test]
    fn only_what_the_encoder_has_taken_is_in_flight() {
        let mut journal = Journal::default();
        for n in 0..4 {
            journal.came_in(at(n), ms(n));
        }
        assert_eq!(journal.in_flight(), 0);
        journal.taken(at(0));
        journal.taken(at(2));
        assert_eq!(journal.in_flight(), 2, "1 was dropped in the queue, 3 waits there");
        journal.came_out(at(0), ms(9));
        assert_eq!(journal.in_flight(), 1);
        journal.came_out(at(2), ms(9));
        assert_eq!(journal.in_flight(), 0);
        assert_eq!(journal.came_out(at(2), ms(9)), None, "it came out already");
    }

    #[test]
    fn it_remembers_only_so_much() {
        let mut journal = Journal::default();
        for n in 0..10_000 {
            journal.came_in(at(n), ms(n));
            journal.taken(at(n));
        }
        assert_eq!(journal.in_flight(), MAX_INSIDE);
        journal.forget_inside();
        assert_eq!(journal.in_flight(), 0);
    }
}
