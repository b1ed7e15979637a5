//! Decision: how old frames were when they came by lately, as one figure. Refuses to read a clock: time is an argument.

use std::{collections::VecDeque, time::Duration};

/// What "lately" is: consumers report once a second.
const WINDOW: Duration = Duration::from_secs(1);

/// Frames that are kept, for sources that are faster than any screen.
const MAX_FRAMES: usize = 256;

/// Ages of the last frames. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub struct Ages {
    /// When each came, and how old it was.
    frames: VecDeque<(Duration, Duration)>,
}

impl Ages {
    /// A frame of this age came.
    pub fn record(&mut self, age: Duration, now: Duration) {
        if self.frames.len() == MAX_FRAMES {
            self.frames.pop_front();
        }
        self.frames.push_back((now, age));
    }

    /// The age that half of the last second's frames did not have yet; `None` without frames.
    pub fn median(&mut self, now: Duration) -> Option<Duration> {
        // Time that jumped back (a flush) leaves frames of the future behind.
        self.frames.retain(|(at, _)| *at <= now && now - *at <= WINDOW);
        let mut ages: Vec<_> = self.frames.iter().map(|(_, age)| *age).collect();
        let middle = ages.len() / 2;
        (!ages.is_empty()).then(|| *ages.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_median_is_of_the_last_second() {
        let mut ages = Ages::default();
        assert_eq!(ages.median(ms(0)), None);
        for (at, age) in [(0, 900), (1000, 20), (1300, 30), (1600, 25), (1900, 400), (2000, 24)] {
            ages.record(ms(age), ms(at));
        }
        assert_eq!(ages.median(ms(2000)), Some(ms(25)), "20, 24, 25, 30, 400");
        assert_eq!(ages.median(ms(2950)), Some(ms(24)));
        assert_eq!(ages.median(ms(3001)), None);
    }

    #[test]
    fn it_forgets_what_it_cannot_hold_and_what_lies_in_the_future() {
        let mut ages = Ages::default();
        for i in 0..10_000 {
            ages.record(ms(i), ms(5000));
        }
        assert_eq!(ages.frames.len(), MAX_FRAMES);
        assert_eq!(ages.median(ms(5000)), Some(ms(10_000 - 128)));
        assert_eq!(ages.median(ms(10)), None);
    }
}
