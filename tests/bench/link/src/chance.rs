//! Decision: what happens to packets by chance, the same for the same seed: loss, alone or in bursts, and jitter.

use fastrand::Rng;
use std::time::Duration;

/// Loss that has nothing to do with how much is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Share of packets that are lost, below 1.
    pub share: f64,
    /// Packets that are lost in a row on average, 1 or more; 1 is a loss that knows nothing of the one before.
    pub burst: f64,
}

impl Loss {
    /// None.
    pub const NONE: Self = Self { share: 0.0, burst: 1.0 };
}

/// Chance, and the state that a loss in bursts has.
#[derive(Debug)]
pub struct Chance {
    rng: Rng,
    /// Gilbert's model of a link: in the bad state everything is lost, in the good one nothing.
    bad: bool,
}

impl Chance {
    /// The same seed gives the same chance.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), bad: false }
    }

    /// Whether the next packet is lost.
    pub fn loses(&mut self, Loss { share, burst }: Loss) -> bool {
        if share <= 0.0 {
            self.bad = false;
        } else if burst <= 1.0 {
            self.bad = self.rng.f64() < share;
        } else {
            // Out of a bad state after `burst` packets on average, and into it as often as makes the share right.
            let leave = 1.0 / burst;
            let enter = leave * share / (1.0 - share);
            self.bad = self.rng.f64() < if self.bad { 1.0 - leave } else { enter };
        }
        self.bad
    }

    /// From none to `most`, all alike.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() { most } else { most.mul_f64(self.rng.f64()) }
    }

    /// With this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.f64() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lost packets of a hundred thousand, and how many runs they come in.
    fn count(loss: Loss, seed: u64) -> (usize, usize) {
        let mut chance = Chance::new(seed);
        let lost: Vec<bool> = (0..100_000).map(|_| chance.loses(loss)).collect();
        let runs = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        (lost.iter().filter(|lost| **lost).count(), runs)
    }

    #[test]
    fn a_share_of_packets_is_lost_one_by_one() {
        let (lost, runs) = count(Loss { share: 0.1, burst: 1.0 }, 1);
        assert!((9_600..10_400).contains(&lost), "{lost}");
        // Nine of ten have none before them.
        assert!((8_600..9_400).contains(&runs), "{runs}");
        assert_eq!(count(Loss::NONE, 1), (0, 0));
    }

    #[test]
    fn bursts_are_as_long_and_as_frequent_as_asked() {
        let (lost, runs) = count(Loss { share: 0.02, burst: 8.0 }, 1);
        assert!((1_600..2_400).contains(&lost), "{lost}");
        let mean = lost as f64 / runs as f64;
        assert!((7.0..9.0).contains(&mean), "{mean}");
    }

    #[test]
    fn the_same_seed_loses_the_same() {
        let loss = Loss { share: 0.1, burst: 3.0 };
        assert_eq!(count(loss, 5), count(loss, 5));
        assert_ne!(count(loss, 5), count(loss, 6));
    }
}
