//! Decision: what the ways of the last seconds' frames took, exactly. Refuses to read a clock: time is an argument.
//!
//! A consumer sees at most some hundred frames in the time that matters, so all are kept, and sorted when somebody asks.

use super::{figures::Figures, way::Way};
use crate::stage::Stage;
use std::{collections::VecDeque, time::Duration};

/// Ways that are kept: five seconds of 120 frames.
const MAX_WAYS: usize = 600;

/// The ways of the last frames. Times are durations since any fixed moment.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// When each was told, and what it was.
    ways: VecDeque<(Duration, Way)>,
}

/// What the ways of some frames took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The whole.
    pub total: Figures,
    /// The legs to these stages, in order.
    pub legs: Vec<(Stage, Figures)>,
}

impl Recent {
    /// A frame's way became known.
    pub fn record(&mut self, way: Way, now: Duration) {
        if self.ways.len() == MAX_WAYS {
            self.ways.pop_front();
        }
        self.ways.push_back((now, way));
    }

    /// What those took that became known within the last `window`.
    pub fn summary(&self, window: Duration, now: Duration) -> Summary {
        // Time that jumped back leaves ways of the future behind.
        let known = |at: Duration| at <= now && now - at <= window;
        Summary::of(self.ways.iter().filter(|(at, _)| known(*at)).map(|(_, way)| way))
    }
}

impl Summary {
    /// What these ways took.
    pub fn of<'a>(ways: impl Iterator<Item = &'a Way> + Clone) -> Self {
        let figures = |of: &dyn Fn(&Way) -> Option<u64>| {
            Figures::of(&mut ways.clone().filter_map(of).collect::<Vec<_>>())
        };
        let legs = Stage::ALL.into_iter().map(|stage| (stage, figures(&|way| way.leg(stage))));
        Self {
            total: figures(&|way| Some(way.total_ns())),
            legs: legs.filter(|(_, figures)| figures.count > 0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stamps;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn way(encode: u64, send: u64) -> Way {
        let mut stamps = Stamps::default();
        for (stage, at) in [(Stage::Captured, 0), (Stage::Encoded, encode), (Stage::Sent, encode + send)] {
            stamps.set(stage, gst::ClockTime::from_mseconds(at));
        }
        Way::of(&stamps).unwrap()
    }

    #[test]
    fn figures_are_those_of_the_window_for_the_whole_and_for_each_leg() {
        let mut recent = Recent::default();
        assert_eq!(recent.summary(ms(1000), ms(0)), Summary::default());
        for (at, encode) in [(0, 900), (1500, 8), (2000, 6), (2500, 7)] {
            recent.record(way(encode, 1), ms(at));
        }
        let summary = recent.summary(ms(1000), ms(2500));
        assert_eq!((summary.total.count, summary.total.p50_ns), (3, 8_000_000));
        let legs: Vec<_> = summary.legs.iter().map(|(stage, legs)| (*stage, legs.p50_ns)).collect();
        assert_eq!(legs, [(Stage::Encoded, 7_000_000), (Stage::Sent, 1_000_000)]);
        assert_eq!(recent.summary(ms(1000), ms(3501)), Summary::default());
    }

    #[test]
    fn it_forgets_what_it_cannot_hold_and_what_lies_in_the_future() {
        let mut recent = Recent::default();
        for i in 0..10_000 {
            recent.record(way(i, 0), ms(5000));
        }
        let summary = recent.summary(ms(1000), ms(5000));
        assert_eq!((summary.total.count, summary.total.min_ns), (600, 9_400_000_000));
        assert_eq!(recent.summary(ms(1000), ms(10)), Summary::default());
    }
}
