//! Decision: what the legs of the ways behind the passing buffers took, over a sliding window. Refuses to read a clock:
//! time is an argument.

use crate::{
    latency::{
        figures::Figures,
        way::Way,
        window::{Precision, Window},
    },
    stage::{Stage, Stamps},
};
use std::time::Duration;

/// The name of the leg from a buffer's last stamp to the element.
pub const HERE: &str = "here";

/// Windows of the legs that buffers have shown, in the order of the way.
pub struct Legs {
    length: Duration,
    /// One per leg that was seen; the last is the leg to here.
    windows: [Option<Window>; Stage::ALL.len() + 1],
}

impl Legs {
    /// No legs, over the last `length`.
    pub fn new(length: Duration) -> Self {
        Self { length, windows: Default::default() }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.length);
    }

    /// A buffer with these stamps passes at `now`, which the pipeline's clock calls `here`.
    pub fn record(&mut self, stamps: &Stamps, here: gst::ClockTime, now: Duration) {
        let Some((_, last)) = stamps.known().last() else { return };
        for (stage, ns) in Way::of(stamps).iter().flat_map(Way::legs) {
            self.leg(stage as usize).record(now, Duration::from_nanos(ns));
        }
        self.leg(Stage::ALL.len()).record(now, here.saturating_sub(last).into());
    }

    fn leg(&mut self, index: usize) -> &mut Window {
        let length = self.length;
        self.windows[index].get_or_insert_with(|| Window::new(length, Precision::Percent))
    }

    /// The figures of the legs that have any at `now`.
    pub fn figures(&mut self, now: Duration) -> Vec<(&'static str, Figures)> {
        let names = Stage::ALL.map(|stage| stage.leg().unwrap_or_default()).into_iter().chain([HERE]);
        let figures = self.windows.iter_mut().zip(names).filter_map(|(window, name)| {
            let figures = window.as_mut()?.figures(now);
            Some((name, figures)).filter(|_| figures.count > 0)
        });
        figures.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(ms)
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn stamps(known: &[(Stage, u64)]) -> Stamps {
        let mut stamps = Stamps::default();
        known.iter().for_each(|(stage, ms)| stamps.set(*stage, at(*ms)));
        stamps
    }

    #[test]
    fn the_legs_of_the_stamps_and_the_one_to_here() {
        let mut legs = Legs::new(ms(1000));
        let way = [(Stage::Damage, 100), (Stage::Captured, 103), (Stage::Encoded, 110)];
        legs.record(&stamps(&way), at(112), ms(50));
        // A repeat, which nothing has damaged.
        legs.record(&stamps(&[(Stage::Captured, 203)]), at(204), ms(150));
        legs.record(&Stamps::default(), at(300), ms(200));
        let figures = legs.figures(ms(200));
        let shown: Vec<_> = figures.iter().map(|(name, f)| (*name, f.count, f.max_ns / 1_000_000)).collect();
        assert_eq!(shown, [("capture", 1, 3), ("encode", 1, 7), (HERE, 2, 2)]);
        let left: Vec<_> = legs.figures(ms(1050)).into_iter().map(|(name, f)| (name, f.count)).collect();
        assert_eq!(left, [(HERE, 1)], "the first has left the window");
        legs.clear();
        assert_eq!(legs.figures(ms(1100)), []);
    }

    #[test]
    fn a_stamp_of_the_future_takes_no_time() {
        let mut legs = Legs::new(ms(1000));
        legs.record(&stamps(&[(Stage::Captured, 203)]), at(100), ms(0));
        assert_eq!(legs.figures(ms(0)), [(HERE, Figures { count: 1, ..Figures::default() })]);
    }
}
