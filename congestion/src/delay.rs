//! Decision: how long packets stand in a queue of the network. The clocks at the two ends share no zero, so the least
//! difference of late counts for the way without a queue. Refuses to act on it.

use std::{collections::VecDeque, time::Duration};

/// For so long to twice as long the shortest way is remembered. Clocks that differ by 50 ppm drift by 3 ms in it.
const MEMORY: Duration = Duration::from_secs(30);

/// A queue stands if no packet that came within so long has found it empty (the idea of RFC 8289): a frame's burst fills a queue and
/// leaves it empty again, and a wireless link that was busy for a moment lets the next packet pass at once.
const WINDOW: Duration = Duration::from_millis(100);

/// A queue that grows fast shows in the last of them.
const MOMENT: Duration = Duration::from_millis(40);

/// Differences of clocks that are no clocks' are not believed: more than a day from one packet to the next.
const MOST_DIFFERENCE_NS: i128 = 86_400_000_000_000;

/// So many of them in a row are the clock's new zero.
const MOST_STRANGE: u32 = 16;

/// More are not kept, whatever is told of when they came.
const MOST_PACKETS: usize = 4096;

/// The queue delay of one way. Times with a sign are nanoseconds.
#[derive(Debug, Default)]
pub struct QueueDelay {
    /// The least difference of the current memory span, when that began, and that of the one before.
    current: Option<(i128, Duration)>,
    before: Option<i128>,
    /// When packets of the last window came, by the receiver's clock, and by how much that was later than they left.
    recent: VecDeque<(Duration, i128)>,
    /// How much the standing queue differs from look to look while nothing is wrong.
    noise_seconds: f64,
    last_standing: Option<Duration>,
    /// Packets in a row that were not believed.
    strange: u32,
}

impl QueueDelay {
    /// A packet has arrived.
    pub fn arrived(&mut self, sent: Duration, arrived: Duration) {
        let difference = ns(arrived) - ns(sent);
        if let Some((_, last)) = self.recent.back()
            && (difference - last).abs() > MOST_DIFFERENCE_NS
        {
            self.strange += 1;
            if self.strange < MOST_STRANGE {
                return;
            }
            // It is the clock that has jumped: the feedback's 24 bits of 64 ms are over after twelve days.
            self.forget();
        }
        self.strange = 0;
        self.current = match self.current {
            Some((least, began)) if sent < began + MEMORY => Some((least.min(difference), began)),
            over => {
                self.before = over.map(|(least, _)| least);
                Some((difference, sent))
            }
        };
        self.recent.push_back((arrived, difference));
        // A clock that goes back begins anew.
        while self.recent.len() > MOST_PACKETS
            || self.recent.front().is_some_and(|(at, _)| *at + WINDOW < arrived || *at > arrived + WINDOW)
        {
            self.recent.pop_front();
        }
    }

    fn base(&self) -> Option<i128> {
        let (current, _) = self.current?;
        Some(self.before.map_or(current, |before| before.min(current)))
    }

    /// What no packet of the window was spared.
    pub fn standing(&self) -> Option<Duration> {
        let base = self.base()?;
        let least = self.recent.iter().map(|(_, difference)| *difference).min()?;
        Some(span(least - base))
    }

    /// What no packet of the last moment was spared.
    pub fn momentary(&self) -> Option<Duration> {
        let base = self.base()?;
        let (last, _) = self.recent.back()?;
        let moment = self.recent.iter().rev().take_while(|(at, _)| *at + MOMENT >= *last);
        let least = moment.map(|(_, difference)| *difference).min()?;
        Some(span(least - base))
    }

    /// How long a packet waited beyond the shortest way.
    pub fn waited(&self, sent: Duration, arrived: Duration) -> Option<Duration> {
        Some(span(ns(arrived) - ns(sent) - self.base()?))
    }

    /// Nothing has been sent for so long that what stood in the queue has left it.
    pub fn emptied(&mut self) {
        self.recent.clear();
    }

    /// Learns what is usual. To be called while the link is known to be well.
    pub fn learn(&mut self, standing: Duration) {
        let step = self.last_standing.replace(standing).map(|last| last.abs_diff(standing));
        if let Some(step) = step {
            self.noise_seconds += 0.05 * (step.as_secs_f64().min(0.1) - self.noise_seconds);
        }
    }

    /// How much the standing queue differs from look to look.
    pub fn noise(&self) -> Duration {
        Duration::from_secs_f64(self.noise_seconds)
    }

    /// The shortest way is not known any more: after a silence in which anything may have happened.
    pub fn forget(&mut self) {
        (self.current, self.before) = (None, None);
        self.recent.clear();
        self.last_standing = None;
    }
}

fn ns(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

fn span(ns: i128) -> Duration {
    Duration::from_nanos(u64::try_from(ns.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The receiver's clock is an hour ahead, and the way takes 20 ms.
    const WAY: Duration = Duration::from_millis(3_600_020);

    #[test]
    fn what_all_packets_wait_stands_and_what_one_waits_does_not() {
        let mut delay = QueueDelay::default();
        for n in 0..20 {
            delay.arrived(ms(10 * n), ms(10 * n) + WAY);
        }
        assert_eq!(delay.standing(), Some(Duration::ZERO));
        delay.arrived(ms(200), ms(260) + WAY);
        assert_eq!(delay.standing(), Some(Duration::ZERO), "one was late");
        for n in 21..40 {
            delay.arrived(ms(10 * n), ms(10 * n + 60) + WAY);
        }
        assert_eq!(delay.standing(), Some(ms(60)), "and now all are");
    }

    #[test]
    fn a_queue_that_grows_fast_shows_at_once() {
        let mut delay = QueueDelay::default();
        for n in 0..20 {
            delay.arrived(ms(5 * n), ms(5 * n) + WAY);
        }
        // Packets leave each 5 ms and come each 15.
        for n in 0..4 {
            delay.arrived(ms(100 + 5 * n), ms(115 + 15 * n) + WAY);
        }
        assert_eq!(delay.standing(), Some(Duration::ZERO));
        assert_eq!(delay.momentary(), Some(ms(25)));
    }

    #[test]
    fn the_shortest_way_is_forgotten_after_a_minute() {
        let mut delay = QueueDelay::default();
        delay.arrived(ms(0), WAY);
        for n in 1..650 {
            delay.arrived(ms(100 * n), ms(100 * n + 50) + WAY);
        }
        assert_eq!(delay.standing(), Some(Duration::ZERO), "the way is 50 ms longer for good");
    }

    #[test]
    fn a_clock_that_jumps_is_not_believed() {
        let mut delay = QueueDelay::default();
        delay.arrived(ms(0), WAY);
        delay.arrived(ms(1), Duration::from_secs(1_000_000_000));
        delay.arrived(ms(2), ms(2) + WAY);
        assert_eq!(delay.standing(), Some(Duration::ZERO));
    }

    #[test]
    fn a_clock_that_has_jumped_for_good_is_the_clock() {
        let mut delay = QueueDelay::default();
        delay.arrived(ms(0), Duration::from_secs(1_073_741));
        // It begins anew.
        for n in 1..40 {
            delay.arrived(ms(n), ms(n) + WAY);
        }
        assert_eq!(delay.standing(), Some(Duration::ZERO));
        for n in 40..240 {
            delay.arrived(ms(n), ms(n + 30) + WAY);
        }
        assert_eq!(delay.standing(), Some(ms(30)));
    }

    #[test]
    fn times_that_never_go_on_take_no_memory() {
        let mut delay = QueueDelay::default();
        (0..100_000).for_each(|n| delay.arrived(ms(n), WAY));
        assert!(delay.recent.len() <= MOST_PACKETS + 1);
    }
}
