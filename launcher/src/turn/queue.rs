//! Decision: what waits for a stream whose socket is full. Media that has waited too long, or too much of it, is dropped,
//! the oldest first, since its frame is late already; answers of the protocol are never dropped.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Longest that a relayed packet waits. A router's queue keeps as much; the sender sees the delay long before and acts.
pub const MAX_AGE: Duration = Duration::from_millis(500);
/// Most relayed bytes that wait. A large key frame comes as one burst of some 300 kB, and must not be cut by the queue.
pub const MAX_BYTES: usize = 512 * 1024;
/// Answers that wait before no more requests are read from the stream.
pub const MAX_ANSWERS: usize = 32;

/// What waits for one stream.
#[derive(Debug, Default)]
pub struct Queue {
    answers: VecDeque<Vec<u8>>,
    packets: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Queue {
    /// An answer of the protocol.
    pub fn answer(&mut self, answer: Vec<u8>) {
        self.answers.push_back(answer);
    }

    /// Whether requests may be read: what they are answered must have room.
    pub fn takes_requests(&self) -> bool {
        self.answers.len() < MAX_ANSWERS
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.packets.is_empty()
    }

    /// A relayed packet. Returns how many were dropped for it.
    pub fn packet(&mut self, packet: Vec<u8>, now: Instant) -> usize {
        self.bytes += packet.len();
        self.packets.push_back((now, packet));
        let mut dropped = 0;
        while self.bytes > MAX_BYTES && self.packets.len() > 1 && self.drop_oldest() {
            dropped += 1;
        }
        dropped
    }

    /// Moves up to about `room` bytes to the end of `out`: answers first, then packets that are fresh enough. Returns how
    /// many were not.
    pub fn fill(&mut self, out: &mut Vec<u8>, room: usize, now: Instant) -> usize {
        let (start, mut dropped) = (out.len(), 0);
        while out.len() - start < room
            && let Some(answer) = self.answers.pop_front()
        {
            out.extend(answer);
        }
        while out.len() - start < room
            && let Some((since, packet)) = self.packets.pop_front()
        {
            self.bytes -= packet.len();
            if now.saturating_duration_since(since) > MAX_AGE {
                dropped += 1;
            } else {
                out.extend(packet);
            }
        }
        dropped
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = self.packets.pop_front();
        self.bytes -= oldest.as_ref().map_or(0, |(_, packet)| packet.len());
        oldest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        Instant::now()
    }

    #[test]
    fn answers_go_first_and_packets_in_order() {
        let (mut queue, now, mut out) = (Queue::default(), start(), Vec::new());
        queue.packet(vec![1], now);
        queue.packet(vec![2], now);
        queue.answer(vec![9]);
        assert_eq!(queue.fill(&mut out, 100, now), 0);
        assert_eq!(out, [9, 1, 2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_too_much_costs_the_oldest_packets_and_no_answer() {
        let (mut queue, now, mut out) = (Queue::default(), start(), Vec::new());
        queue.answer(vec![9]);
        let dropped: usize = (0..1000u32).map(|n| queue.packet(vec![(n % 251) as u8; 1024], now)).sum();
        assert_eq!(dropped, 1000 - MAX_BYTES / 1024);
        queue.fill(&mut out, usize::MAX, now);
        assert_eq!(out.len(), 1 + MAX_BYTES);
        assert_eq!((out[0], out[1]), (9, (488 % 251) as u8), "the answer, and then the oldest that was kept");
    }

    #[test]
    fn a_packet_that_has_waited_too_long_is_not_sent() {
        let (mut queue, now, mut out) = (Queue::default(), start(), Vec::new());
        queue.packet(vec![1], now);
        queue.packet(vec![2], now + MAX_AGE);
        assert_eq!(queue.fill(&mut out, 100, now + MAX_AGE + Duration::from_millis(1)), 1);
        assert_eq!(out, [2]);
    }

    #[test]
    fn a_client_that_only_asks_is_read_no_further() {
        let mut queue = Queue::default();
        for _ in 0..MAX_ANSWERS {
            assert!(queue.takes_requests());
            queue.answer(vec![0; 100]);
        }
        assert!(!queue.takes_requests());
        queue.fill(&mut Vec::new(), 1, start());
        assert!(queue.takes_requests());
    }
}
