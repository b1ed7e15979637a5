//! Decision: histograms of the ways of all frames since the start, a bucket a bound, as Prometheus wants them.

use super::way::Way;
use std::collections::BTreeMap;

/// Upper bounds of the buckets, in nanoseconds; what exceeds the last is counted in one more.
pub const BOUNDS_NS: [u64; 16] = [
    1_000_000,
    2_000_000,
    3_000_000,
    5_000_000,
    7_500_000,
    10_000_000,
    15_000_000,
    20_000_000,
    30_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    150_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
];

/// The name of the whole way among the legs.
pub const WHOLE: &str = "glass-to-glass";

/// A histogram that only grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Values.
    pub count: u64,
    /// Their sum.
    pub sum_ns: u64,
    /// Values of each bucket and of none before it; the last is for those above all bounds.
    pub counts: [u64; BOUNDS_NS.len() + 1],
}

impl Histogram {
    fn record(&mut self, value_ns: u64) {
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(value_ns);
        self.counts[BOUNDS_NS.partition_point(|bound| *bound < value_ns)] += 1;
    }
}

/// Histograms by codec and leg. There are as many as codecs can be sent, times the legs.
#[derive(Debug, Clone, Default)]
pub struct Totals(BTreeMap<(&'static str, &'static str), Histogram>);

impl Totals {
    /// Counts the legs of a way in this codec.
    pub fn record_legs(
        &mut self,
        codec: &'static str,
        legs: impl Iterator<Item = (crate::stage::Stage, u64)>,
    ) {
        for (leg, ns) in legs.filter_map(|(stage, ns)| Some((stage.leg()?, ns))) {
            self.0.entry((codec, leg)).or_default().record(ns);
        }
    }

    /// Counts the whole of a way in this codec.
    pub fn record_whole(&mut self, codec: &'static str, way: &Way) {
        self.0.entry((codec, WHOLE)).or_default().record(way.total_ns());
    }

    /// All that has values: codec, leg and histogram.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, &Histogram)> {
        self.0.iter().map(|((codec, leg), histogram)| (*codec, *leg, histogram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    #[test]
    fn a_value_on_a_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::default();
        for ns in [0, 1_000_000, 1_000_001, 20_000_000, 1_000_000_000, 1_000_000_001, u64::MAX] {
            histogram.record(ns);
        }
        let filled: Vec<_> = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0).collect();
        assert_eq!(filled, [(0, &2), (1, &1), (7, &1), (15, &1), (16, &2)]);
        assert_eq!((histogram.count, histogram.sum_ns), (7, u64::MAX));
    }

    #[test]
    fn codecs_and_legs_are_counted_apart() {
        let mut totals = Totals::default();
        totals.record_legs("H264", [(Stage::Encoded, 5), (Stage::Sent, 1)].into_iter());
        totals.record_legs("H264", [(Stage::Encoded, 7)].into_iter());
        totals.record_legs("VP8", [(Stage::Encoded, 9)].into_iter());
        // No leg leads to the first point.
        totals.record_legs("VP8", [(Stage::Damage, 9)].into_iter());
        let counted: Vec<_> = totals.iter().map(|(codec, leg, h)| (codec, leg, h.count, h.sum_ns)).collect();
        assert_eq!(counted, [("H264", "encode", 2, 12), ("H264", "send", 1, 1), ("VP8", "encode", 1, 9)]);
    }
}
