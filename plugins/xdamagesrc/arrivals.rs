//! Decision: when on our clock something happened that an X server has dated by its own. Refuses to read either clock.
//!
//! The thread that reads events may have been busy pushing the frame before; an event then waits in the socket, and the time at which it
//! is read says nothing of the time at which the picture changed. Servers date events in milliseconds of a clock with an
//! origin of its own. The event that has waited least tells how far the clocks are apart.

use std::time::Duration;

/// The clocks may drift apart by so much of the time that has passed, one in so many: as bad as clocks of computers get.
const DRIFT_PART: u32 = 5_000;

/// Events that are older than this have a date that cannot be trusted.
const MAX_AGE: Duration = Duration::from_secs(2);

/// What is known of the server's clock.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// A pair of times at the same moment: of ours, when an event was read, and its date.
    nearest: Option<(Duration, u32)>,
}

impl Arrivals {
    /// When an event with this date happened that was read just now.
    pub fn happened(&mut self, now: Duration, date_ms: u32) -> Duration {
        let Some((read, date)) = self.nearest else {
            self.nearest = Some((now, date_ms));
            return now;
        };
        // Dates begin anew every 49.7 days, and one may be read after a later one.
        let since_ms = date_ms.wrapping_sub(date).cast_signed();
        let step = Duration::from_millis(since_ms.unsigned_abs().into());
        let expected = if since_ms < 0 { read.checked_sub(step) } else { Some(read + step) };
        let happened = expected.map(|expected| expected + now.saturating_sub(read) / DRIFT_PART);
        match happened.filter(|happened| *happened <= now && now - *happened <= MAX_AGE) {
            Some(happened) => happened,
            // It has waited less than the nearest so far, or one of the clocks was set.
            None => {
                self.nearest = Some((now, date_ms));
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_event_that_has_waited_is_dated_back() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.happened(ms(100), 7_000), ms(100));
        assert_eq!(arrivals.happened(ms(130), 7_018), ms(118) + ms(30) / DRIFT_PART);
    }

    #[test]
    fn a_server_that_starts_its_clock_anew_is_followed() {
        let mut arrivals = Arrivals::default();
        arrivals.happened(ms(100), 900_000);
        assert_eq!(arrivals.happened(ms(5_000), 3), ms(5_000));
        assert_eq!(arrivals.happened(ms(5_020), 13).as_millis(), 5_010);
        // Round the end of its counter.
        let mut arrivals = Arrivals::default();
        arrivals.happened(ms(100), u32::MAX);
        assert_eq!(arrivals.happened(ms(120), 9).as_millis(), 110);
    }

    proptest! {
        #[test]
        fn the_error_is_at_most_the_least_wait_and_a_millisecond(
            events in prop::collection::vec((1_u64..200_000, 0_u64..40_000), 20..200), offset in any::<u32>(),
        ) {
            let mut arrivals = Arrivals::default();
            let mut at_us = 0;
            let mut read_us = 0;
            let mut least_us = u64::MAX;
            for (gap, wait) in events {
                at_us += gap;
                read_us = read_us.max(at_us + wait);
                least_us = least_us.min(read_us - at_us);
                let date = offset.wrapping_add((at_us / 1000) as u32);
                let happened = arrivals.happened(Duration::from_micros(read_us), date);
                let error = happened.as_micros() as i64 - at_us as i64;
                // Drift is allowed for, though there is none here.
                let drift = (read_us / u64::from(DRIFT_PART)) as i64;
                prop_assert!(error <= least_us as i64 + 1000 + drift && error >= -1000, "{error} {least_us}");
            }
        }
    }
}
