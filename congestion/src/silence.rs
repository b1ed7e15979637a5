//! Decision: when feedback stays away for so long that nothing is known of the link any more. What was sent has to be enough to
//! expect some: a receiver tells of a lost packet only when a later one has come, so the last one before a pause, lost, is no
//! silence of the link.

use std::time::Duration;

/// For so long beyond a round trip and the time of two messages: one that is lost is none.
const SILENCE: Duration = Duration::from_millis(500);

/// Messages are taken for no rarer than this. Chromium sends one each 50 to 250 ms, the fewer the less there is to tell of.
const RAREST: Duration = Duration::from_millis(250);

/// Of so many packets at least, that did not leave at one moment.
const LEAST_PACKETS: u32 = 10;

/// Packets that left since feedback was last heard.
#[derive(Debug, Default)]
pub struct Silence {
    unheard: Option<Unheard>,
    last_heard: Option<Duration>,
    interval: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Unheard {
    /// Since when, or since silence was told last.
    since: Duration,
    last: Duration,
    packets: u32,
}

impl Silence {
    /// A packet has left.
    pub fn sent(&mut self, at: Duration) {
        // What left before a pause, and was lost, would be told of with what comes after it.
        let recent = self.unheard.filter(|unheard| at.saturating_sub(unheard.last) < SILENCE);
        let unheard = self.unheard.insert(recent.unwrap_or(Unheard { since: at, last: at, packets: 0 }));
        unheard.last = unheard.last.max(at);
        unheard.packets = unheard.packets.saturating_add(1);
    }

    /// Feedback has come.
    pub fn heard(&mut self, now: Duration) {
        self.unheard = None;
        let last = self.last_heard.replace(now).unwrap_or(now);
        self.interval = now.saturating_sub(last).min(RAREST);
    }

    /// Whether it is silent, told once for each such time that packets left in.
    pub fn is_due(&mut self, round_trip: Duration, now: Duration) -> bool {
        let Some(unheard) = &mut self.unheard else { return false };
        let is_due = now.saturating_sub(unheard.since) >= SILENCE + 2 * self.interval + round_trip
            && unheard.packets >= LEAST_PACKETS
            && unheard.last.saturating_sub(unheard.since) >= round_trip;
        if is_due {
            *unheard = Unheard { since: now, last: now, packets: 0 };
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(50);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Times in ms at which it is told, of packets that leave at these times, up to a time.
    fn told(packets: &[u64], to: u64) -> Vec<u64> {
        let mut silence = Silence::default();
        (0..to)
            .filter(|at| {
                (0..packets.iter().filter(|packet| *packet == at).count())
                    .for_each(|_| silence.sent(ms(*at)));
                silence.is_due(ROUND_TRIP, ms(*at))
            })
            .collect()
    }

    #[test]
    fn packets_that_nobody_tells_of_are_silence_again_and_again() {
        let packets: Vec<_> = (0..200).map(|n| 10 * n).collect();
        assert_eq!(told(&packets, 2000), [550, 1100, 1650]);
    }

    #[test]
    fn the_last_packets_before_a_pause_are_none() {
        assert_eq!(told(&[0], 10_000), []);
        assert_eq!(told(&[0; 30], 10_000), [], "nor is a whole frame");
        assert_eq!(told(&[0, 2000, 4000], 10_000), [], "nor are signs of life");
        let blinking: Vec<_> = (0..40).map(|n| 600 * n).collect();
        assert_eq!(told(&blinking, 30_000), [], "nor a cursor that blinks");
    }

    #[test]
    fn what_was_sent_before_feedback_is_forgotten() {
        let mut silence = Silence::default();
        (0..100).for_each(|n| silence.sent(ms(10 * n)));
        silence.heard(ms(1000));
        assert!(!silence.is_due(ROUND_TRIP, ms(5000)));
    }
}
