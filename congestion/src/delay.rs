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
}

impl QueueDelay {
    /// A packet has arrived.
    pub fn arrived(&mut self, sent: Duration, arrived: Duration) {
        let difference = ns(arrived) - ns(sent);
        if let Some((_, last)) = self.recent.back()
            && (difference - last).abs() > MOST_DIFFERENCE_NS
        {
            return;
        }
        self.current = match self.current {
            Some((least, began)) if sent < began + MEMORY => Some((least.min(difference), began)),
            over => {
                self.before = over.map(|(least, _)| least);
                Some((difference, sent))
            }
        };
        self.recent.push_back((arrived, difference));
        // A clock that goes back begins anew.
        while self.recent.front().is_some_and(|(at, _)| *at + WINDOW < arrived || *at > arrived + WINDOW) {
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
