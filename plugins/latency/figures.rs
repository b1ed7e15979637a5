//! Decision: the figures that tell a handful of durations, and how they are written into a structure.

/// Figures of some durations, in nanoseconds; all 0 when there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many there are.
    pub count: u64,
    /// The smallest.
    pub min_ns: u64,
    /// Arithmetic mean.
    pub mean_ns: u64,
    /// Median.
    pub p50_ns: u64,
    /// 95th percentile.
    pub p95_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

impl Figures {
    /// Those of these values, exactly: a percentile is the smallest value that so many do not exceed.
    pub fn of(values: &mut [u64]) -> Self {
        values.sort_unstable();
        let (Some(&min_ns), Some(&max_ns)) = (values.first(), values.last()) else {
            return Self::default();
        };
        let at = |percent: usize| values[(values.len() * percent).div_ceil(100) - 1];
        let sum: u128 = values.iter().map(|&value| u128::from(value)).sum();
        Self {
            count: values.len() as u64,
            min_ns,
            mean_ns: u64::try_from(sum / values.len() as u128).unwrap_or(u64::MAX),
            p50_ns: at(50),
            p95_ns: at(95),
            p99_ns: at(99),
            max_ns,
        }
    }

    /// The same, each later by `ns`.
    pub fn plus(self, ns: u64) -> Self {
        let later = |value: u64| value.saturating_add(ns);
        Self {
            count: self.count,
            min_ns: later(self.min_ns),
            mean_ns: later(self.mean_ns),
            p50_ns: later(self.p50_ns),
            p95_ns: later(self.p95_ns),
            p99_ns: later(self.p99_ns),
            max_ns: later(self.max_ns),
        }
    }

    /// A structure of this name with `count`, `min`, `mean`, `p50`, `p95`, `p99` and `max`.
    pub fn structure(&self, name: &str) -> gst::Structure {
        self.fields(gst::Structure::builder(name)).build()
    }

    /// Adds the fields to a structure.
    pub fn fields(&self, builder: gst::structure::Builder) -> gst::structure::Builder {
        builder
            .field("count", self.count)
            .field("min", self.min_ns)
            .field("mean", self.mean_ns)
            .field("p50", self.p50_ns)
            .field("p95", self.p95_ns)
            .field("p99", self.p99_ns)
            .field("max", self.max_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        let figures = Figures::of(&mut values);
        assert_eq!((figures.count, figures.min_ns, figures.max_ns, figures.mean_ns), (100, 1, 100, 50));
        assert_eq!((figures.p50_ns, figures.p95_ns, figures.p99_ns), (50, 95, 99));
        let figures = Figures::of(&mut [30, 10]);
        assert_eq!((figures.p50_ns, figures.p95_ns), (10, 30));
        assert_eq!(Figures::of(&mut []), Figures::default());
    }

    #[test]
    fn a_shift_moves_every_figure_but_the_count() {
        let figures = Figures::of(&mut [10, 20, 30]).plus(5);
        assert_eq!((figures.count, figures.min_ns, figures.p50_ns, figures.max_ns), (3, 15, 25, 35));
        assert_eq!(Figures::of(&mut [u64::MAX]).plus(1).max_ns, u64::MAX);
    }
}
