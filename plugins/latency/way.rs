//! Decision: a frame's way as its legs, out of its stamps. The legs add up to the whole, whatever the stamps say: a point
//! that is told to lie before the one before it, or behind the last, is taken to coincide with that.

use crate::stage::{Stage, Stamps};

/// How long each leg of a frame's way took. A point that is not known lengthens the next leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Nanoseconds of the leg to each stage.
    legs: [Option<u64>; Stage::ALL.len()],
    total_ns: u64,
}

impl Way {
    /// The way between the first stamp and the last; `None` for fewer than two.
    pub fn of(stamps: &Stamps) -> Option<Self> {
        let ((_, begin), (last, end)) = (stamps.known().next()?, stamps.known().last()?);
        let end = end.max(begin);
        let mut way = Self { legs: [None; Stage::ALL.len()], total_ns: (end - begin).nseconds() };
        let mut before = begin;
        for (stage, at) in stamps.known().skip(1) {
            let at = if stage == last { end } else { at.clamp(before, end) };
            way.legs[stage as usize] = Some((at - before).nseconds());
            before = at;
        }
        stamps.known().nth(1).map(|_| way)
    }

    /// The whole, in nanoseconds.
    pub fn total_ns(&self) -> u64 {
        self.total_ns
    }

    /// The legs that are known, in order, in nanoseconds.
    pub fn legs(&self) -> impl Iterator<Item = (Stage, u64)> + '_ {
        Stage::ALL.into_iter().filter_map(|stage| Some((stage, self.leg(stage)?)))
    }

    /// The leg to this stage, in nanoseconds.
    pub fn leg(&self, stage: Stage) -> Option<u64> {
        self.legs[stage as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamps(known: &[(Stage, u64)]) -> Stamps {
        let mut stamps = Stamps::default();
        for (stage, ms) in known {
            stamps.set(*stage, gst::ClockTime::from_mseconds(*ms));
        }
        stamps
    }

    fn legs_ms(way: &Way) -> Vec<(&'static str, u64)> {
        way.legs().map(|(stage, ns)| (stage.leg().unwrap(), ns / 1_000_000)).collect()
    }

    #[test]
    fn a_leg_leads_from_the_last_known_point() {
        let all: Vec<_> = Stage::ALL.into_iter().zip([100, 102, 103, 110, 111, 111, 115, 119, 127]).collect();
        let way = Way::of(&stamps(&all)).unwrap();
        assert_eq!(way.total_ns(), 27_000_000);
        let names: Vec<_> = legs_ms(&way).into_iter().map(|(_, ms)| ms).collect();
        assert_eq!(names, [2, 1, 7, 1, 0, 4, 4, 8]);

        let way =
            Way::of(&stamps(&[(Stage::Captured, 50), (Stage::Encoded, 59), (Stage::Sent, 60)])).unwrap();
        assert_eq!(legs_ms(&way), [("encode", 9), ("send", 1)]);
    }

    #[test]
    fn one_point_is_no_way() {
        assert_eq!(Way::of(&Stamps::default()), None);
        assert_eq!(Way::of(&stamps(&[(Stage::Captured, 50)])), None);
    }

    #[test]
    fn points_out_of_order_coincide_with_their_neighbours() {
        let way = Way::of(&stamps(&[
            (Stage::Captured, 50),
            (Stage::Sent, 60),
            (Stage::Received, 58),
            (Stage::Decoded, 90),
            (Stage::Presented, 70),
        ]))
        .unwrap();
        assert_eq!(legs_ms(&way), [("send", 10), ("network", 0), ("decode", 10), ("present", 0)]);
        assert_eq!(way.total_ns(), 20_000_000);
        let way = Way::of(&stamps(&[(Stage::Captured, 50), (Stage::Presented, 20)])).unwrap();
        assert_eq!((way.total_ns(), legs_ms(&way)), (0, vec![("present", 0)]));
    }

    proptest! {
        #[test]
        fn legs_add_up_to_the_whole(times in proptest::collection::vec(proptest::option::of(0u64..1000), 9)) {
            let known: Vec<_> =
                Stage::ALL.into_iter().zip(times).filter_map(|(stage, at)| Some((stage, at?))).collect();
            if let Some(way) = Way::of(&stamps(&known)) {
                prop_assert_eq!(way.legs().map(|(_, ns)| ns).sum::<u64>(), way.total_ns());
                prop_assert_eq!(way.legs().count(), known.len() - 1);
            } else {
                prop_assert!(known.len() < 2);
            }
        }
    }
}
