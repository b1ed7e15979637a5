//! Decision: a burst that asks whether the link carries more. Pictures that wait will do for it; what is missing is made of
//! packets that were sent before, which the retransmission's sender gives again when it is asked. Every number is bounded,
//! and what comes too late for its burst is not sent.

use std::{collections::VecDeque, time::Duration};
use vdi_congestion::{DataSize, Probe};

/// Packets that can be asked for again; webrtcbin's retransmission sender keeps 500.
const RECENT: usize = 256;

/// Packets that one burst asks for at most.
const MAX_ASKED: usize = 160;

/// A packet smaller than this is no help, as long as there are others.
const USEFUL: DataSize = DataSize::from_bytes(500);

/// A burst is over after twice its time and this, finished or not: the one who answers requests is another thread.
const SLACK: Duration = Duration::from_millis(30);

/// Requests are answered within milliseconds. What comes later was asked for by the other end, which has lost it.
const ANSWERED_WITHIN: Duration = Duration::from_millis(100);

/// A request for a packet that was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Its stream.
    pub ssrc: u32,
    /// Its number.
    pub sequence: u16,
}

#[derive(Debug, Clone, Copy)]
struct Burst {
    left: DataSize,
    until: Duration,
}

/// The bursts, and what they can be made of.
#[derive(Debug)]
pub struct Probing<T> {
    burst: Option<Burst>,
    recent: VecDeque<(Ask, DataSize)>,
    /// Numbers that were asked for and have not come.
    asked: VecDeque<u16>,
    /// Until when they may come.
    asked_until: Duration,
    /// What has come and waits for its place in the burst.
    reserve: VecDeque<(DataSize, T)>,
    begun: u64,
}

impl<T> Default for Probing<T> {
    fn default() -> Self {
        Self {
            burst: None,
            recent: VecDeque::new(),
            asked: VecDeque::new(),
            asked_until: Duration::ZERO,
            reserve: VecDeque::new(),
            begun: 0,
        }
    }
}

impl<T> Probing<T> {
    /// A picture's packet leaves; it can be asked for from now on.
    pub fn note(&mut self, packet: Ask, size: DataSize) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((packet, size));
    }

    /// A burst begins, while so much waits anyway. What is to be asked for.
    pub fn begin(&mut self, probe: Probe, waiting: DataSize, now: Duration) -> Vec<Ask> {
        self.end();
        let until = now.saturating_add(probe.size.at(probe.rate).saturating_mul(2)).saturating_add(SLACK);
        self.burst = Some(Burst { left: probe.size, until });
        self.begun += 1;
        let mut missing = probe.size - waiting;
        let useful = self.recent.iter().any(|(_, size)| *size >= USEFUL);
        let fitting = |(_, size): &&(Ask, DataSize)| !useful || *size >= USEFUL;
        // The newest first, and again from the newest where there are too few.
        let mut asks = Vec::new();
        while missing > DataSize::ZERO && asks.len() < MAX_ASKED {
            let before = asks.len();
            for (packet, size) in self.recent.iter().rev().filter(fitting) {
                if missing == DataSize::ZERO || asks.len() >= MAX_ASKED {
                    break;
                }
                missing = missing - *size;
                asks.push(*packet);
            }
            if asks.len() == before {
                break;
            }
        }
        self.asked = asks.iter().map(|ask| ask.sequence).collect();
        self.asked_until = now.saturating_add(ANSWERED_WITHIN);
        asks
    }

    /// A retransmission comes: whether a burst has asked for it. It counts as come then.
    pub fn is_asked(&mut self, sequence: u16, now: Duration) -> bool {
        if now > self.asked_until {
            self.asked.clear();
        }
        let at = self.asked.iter().position(|asked| *asked == sequence);
        at.is_some_and(|at| self.asked.remove(at).is_some())
    }

    /// What was asked for has come.
    pub fn keep(&mut self, size: DataSize, packet: T) {
        if self.burst.is_some() && self.reserve.len() < MAX_ASKED {
            self.reserve.push_back((size, packet));
        }
    }

    /// The next packet for the burst, when nothing else waits.
    pub fn fill(&mut self, now: Duration) -> Option<(DataSize, T)> {
        if self.is_under_way(now) { self.reserve.pop_front() } else { None }
    }

    /// Something has left, whatever it was.
    pub fn left(&mut self, size: DataSize) {
        let Some(burst) = &mut self.burst else { return };
        burst.left = burst.left - size;
        if burst.left == DataSize::ZERO {
            self.end();
        }
    }

    /// Whether a burst is under way.
    fn is_under_way(&mut self, now: Duration) -> bool {
        if self.burst.is_some_and(|burst| now >= burst.until) {
            self.end();
        }
        self.burst.is_some()
    }

    /// Bursts so far.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    fn end(&mut self) {
        self.burst = None;
        self.reserve.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vdi_congestion::Bitrate;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn bytes(bytes: u64) -> DataSize {
        DataSize::from_bytes(bytes)
    }

    fn probe(rate_kbps: u64, size: u64) -> Probe {
        Probe { rate: Bitrate::from_kbps(rate_kbps), size: bytes(size) }
    }

    /// After packets with these numbers and sizes.
    fn after(packets: &[(u16, u64)]) -> Probing<u16> {
        let mut probing = Probing::default();
        for (sequence, size) in packets {
            probing.note(Ask { ssrc: 7, sequence: *sequence }, bytes(*size));
        }
        probing
    }

    fn numbers(asks: &[Ask]) -> Vec<u16> {
        asks.iter().map(|ask| ask.sequence).collect()
    }

    #[test]
    fn what_is_missing_is_asked_for_the_newest_first() {
        let mut probing = after(&[(1, 1000), (2, 1000), (3, 60), (4, 1000)]);
        let asks = probing.begin(probe(8000, 2500), bytes(1000), ms(0));
        assert_eq!(numbers(&asks), [4, 2], "and nothing small");
        assert!(asks.iter().all(|ask| ask.ssrc == 7));
        assert_eq!(
            numbers(&probing.begin(probe(8000, 2500), bytes(9000), ms(0))),
            Vec::<u16>::new(),
            "enough waits"
        );
        assert_eq!(probing.begun(), 2);
    }

    #[test]
    fn few_packets_are_asked_for_again_and_again_within_bounds() {
        let mut probing = after(&[(1, 100), (2, 100)]);
        assert_eq!(numbers(&probing.begin(probe(8000, 450), DataSize::ZERO, ms(0))), [2, 1, 2, 1, 2]);
        let all = probing.begin(probe(8000, u64::MAX), DataSize::ZERO, ms(0));
        assert_eq!(all.len(), MAX_ASKED);
        assert_eq!(Probing::<()>::default().begin(probe(8000, 9000), DataSize::ZERO, ms(0)), []);
    }

    #[test]
    fn the_burst_ends_with_its_size_or_its_time_and_nothing_is_sent_after_it() {
        let mut probing = after(&[(1, 1000)]);
        probing.begin(probe(8000, 3000), DataSize::ZERO, ms(0));
        assert!(probing.is_under_way(ms(1)));
        assert!(probing.is_asked(1, ms(1)));
        probing.keep(bytes(1000), 1);
        probing.keep(bytes(1000), 1);
        assert_eq!(probing.fill(ms(2)), Some((bytes(1000), 1)));
        for _ in 0..3 {
            probing.left(bytes(1000));
        }
        assert_eq!(probing.fill(ms(3)), None);
        // 3000 bytes at 8 Mbit/s take 3 ms.
        probing.begin(probe(8000, 3000), DataSize::ZERO, ms(100));
        probing.keep(bytes(1000), 1);
        assert!(probing.is_under_way(ms(135)));
        assert_eq!(probing.fill(ms(136)), None);
        probing.keep(bytes(1000), 1);
        assert!(probing.reserve.is_empty());
    }

    #[test]
    fn what_the_other_end_asked_for_is_told_from_what_a_burst_asked_for() {
        let mut probing = after(&[(1, 1000), (2, 1000)]);
        probing.begin(probe(8000, 1000), DataSize::ZERO, ms(0));
        assert!(!probing.is_asked(1, ms(1)));
        assert!(probing.is_asked(2, ms(1)));
        assert!(!probing.is_asked(2, ms(1)), "once was asked, once it came");
        probing.begin(probe(8000, 1000), DataSize::ZERO, ms(0));
        assert!(!probing.is_asked(2, ms(200)), "nobody answers so late");
    }

    #[test]
    fn requests_that_are_never_answered_are_forgotten() {
        let mut probing = after(&[(1, 1000)]);
        for n in 0..100 {
            probing.begin(probe(8000, 200_000), DataSize::ZERO, ms(1000 * n));
        }
        assert!(probing.asked.len() <= MAX_ASKED);
        for sequence in 0..10_000 {
            probing.note(Ask { ssrc: 7, sequence }, bytes(1));
        }
        assert_eq!(probing.recent.len(), RECENT);
    }
}
