//! Decision: the shortest round trip of late: a way gets longer as well.

use std::time::Duration;

/// The shortest of the last seconds.
#[derive(Debug, Default)]
pub struct RoundTrips {
    current: Option<(Duration, Duration)>,
    before: Option<Duration>,
}

impl RoundTrips {
    const MEMORY: Duration = Duration::from_secs(5);

    /// Feedback tells of a packet that left so long ago.
    pub fn heard(&mut self, round_trip: Duration, now: Duration) {
        self.current = match self.current {
            Some((least, began)) if now < began + Self::MEMORY => Some((least.min(round_trip), began)),
            over => {
                self.before = over.map(|(least, _)| least);
                Some((round_trip, now))
            }
        };
    }

    /// The shortest.
    pub fn least(&self) -> Option<Duration> {
        self.current.map(|(least, _)| least).into_iter().chain(self.before).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_is_remembered_for_five_to_ten_seconds() {
        let ms = Duration::from_millis;
        let mut round_trips = RoundTrips::default();
        assert_eq!(round_trips.least(), None);
        for second in 0..12 {
            round_trips.heard(if second == 0 { ms(20) } else { ms(50) }, Duration::from_secs(second));
            let expected = if second < 10 { ms(20) } else { ms(50) };
            assert_eq!(round_trips.least(), Some(expected), "after {second} s");
        }
    }
}
