//! Decision: whether the running encoder has stalled. A hung driver says nothing, ever; that no frame comes out is the
//! only sign. A machine that starves looks the same, and replacing its encoder would make it worse, so what counts is
//! not the clock but the looks that were taken in time.

use super::table::Row;
use std::time::Duration;

/// How often to look while frames are on their way.
pub const LOOK_EVERY: Duration = Duration::from_millis(15);

/// A look that comes later than this counts as one in time: whoever looks had no processor either.
const LONGEST_STEP: Duration = Duration::from_millis(30);

/// What a look shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Frames that have come out so far.
    pub outputs: u64,
    /// Frames that it has taken and not given back.
    pub in_flight: usize,
    /// Whether it is taking one right now.
    pub is_taking: bool,
    /// Whether it is being told of another format right now, which its driver may hang in as in a frame.
    pub is_formatting: bool,
    /// Whether whoever comes after it is taking one right now, which is no fault of the encoder.
    pub is_giving: bool,
    /// How long the slower frames of the last second took, if any came out.
    pub usual: Option<Duration>,
}

/// Software that gives nothing is slow and not hung, whatever else the machine does: it may take so many times as long
/// as hardware.
const SOFTWARE_PATIENCE: u32 = 30;

/// How long a frame may take where hardware may take `limit`.
pub fn stall_limit(row: &Row, limit: Duration) -> Duration {
    if row.hardware { limit } else { limit.saturating_mul(SOFTWARE_PATIENCE) }
}

/// An encoder that is slow is not hung: it may take so many times as long as it did lately.
const SLOWER: u32 = 4;

/// Watches one encoder.
#[derive(Debug)]
pub struct Watchdog {
    limit: Duration,
    grace: Duration,
    /// No frame has come out since the start, or since the input has changed.
    is_fresh: bool,
    outputs: u64,
    usual: Duration,
    waited: Duration,
    last: Option<Duration>,
}

impl Watchdog {
    /// An encoder that has just been started: its first frame may take `grace`, since sessions are opened for it; each
    /// other one `limit`.
    pub fn new(limit: Duration, grace: Duration) -> Self {
        Self {
            limit,
            grace: grace.max(limit),
            is_fresh: true,
            outputs: 0,
            usual: Duration::ZERO,
            waited: Duration::ZERO,
            last: None,
        }
    }

    /// Its input has changed, so it may have to start again.
    pub fn renew(&mut self) {
        self.is_fresh = true;
        self.waited = Duration::ZERO;
    }

    /// How long the next frame may take.
    pub fn limit(&self) -> Duration {
        if self.is_fresh { self.grace } else { self.limit.max(self.usual * SLOWER).min(self.grace) }
    }

    /// Looks; true if it has stalled. One frame inside means nothing by itself: an encoder may hold it until the next.
    pub fn look(&mut self, look: &Look, now: Duration) -> bool {
        let step = now.saturating_sub(self.last.replace(now).unwrap_or(now)).min(LONGEST_STEP);
        if look.outputs != self.outputs {
            self.outputs = look.outputs;
            self.usual = look.usual.unwrap_or(self.usual);
            self.is_fresh = false;
            self.waited = Duration::ZERO;
        }
        // Frames of the format before may come out meanwhile.
        self.is_fresh |= look.is_formatting;
        let waits = (look.is_taking || look.is_formatting || look.in_flight > 1) && !look.is_giving;
        self.waited = if waits { self.waited + step } else { Duration::ZERO };
        self.waited >= self.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Milliseconds of looks every 15 ms after which it is taken for stalled.
    fn stalls_after(watchdog: &mut Watchdog, look: Look, from_ms: u64) -> Option<u64> {
        (from_ms..from_ms + 10_000)
            .step_by(15)
            .find(|&at| watchdog.look(&look, ms(at)))
            .map(|at| at - from_ms)
    }

    fn running() -> Watchdog {
        let mut watchdog = Watchdog::new(ms(150), ms(2000));
        watchdog.look(&Look { outputs: 1, ..Look::default() }, ms(0));
        watchdog
    }

    const TAKING: Look = Look {
        outputs: 1,
        in_flight: 1,
        is_taking: true,
        is_formatting: false,
        is_giving: false,
        usual: None,
    };

    #[test]
    fn an_encoder_that_does_not_come_back_from_a_frame_has_stalled() {
        assert_eq!(stalls_after(&mut running(), TAKING, 0), Some(150));
    }

    #[test]
    fn so_has_one_that_takes_frames_and_gives_none() {
        let look = Look { in_flight: 6, is_taking: false, ..TAKING };
        assert_eq!(stalls_after(&mut running(), look, 0), Some(150));
    }

    #[test]
    fn another_format_may_take_as_long_as_a_start_though_frames_of_the_one_before_come_out() {
        let mut watchdog = running();
        watchdog.renew();
        let formatting = Look { outputs: 2, in_flight: 0, is_taking: false, is_formatting: true, ..TAKING };
        assert_eq!(stalls_after(&mut watchdog, formatting, 0), Some(2010));
        let mut watchdog = running();
        watchdog.look(&formatting, ms(0));
        let first = Look { outputs: 2, ..TAKING };
        assert_eq!(stalls_after(&mut watchdog, first, 15), Some(1995), "nor is its first frame a stall");
    }

    #[test]
    fn one_frame_inside_and_nothing_to_do_is_no_stall() {
        assert_eq!(stalls_after(&mut running(), Look { is_taking: false, ..TAKING }, 0), None);
        assert_eq!(stalls_after(&mut running(), Look { outputs: 1, ..Look::default() }, 0), None);
    }

    #[test]
    fn a_receiver_that_blocks_is_not_the_encoders_fault() {
        assert_eq!(stalls_after(&mut running(), Look { is_giving: true, in_flight: 6, ..TAKING }, 0), None);
    }

    #[test]
    fn the_first_frame_may_take_longer_and_so_may_the_first_of_another_size() {
        let look = Look { outputs: 0, ..TAKING };
        assert_eq!(stalls_after(&mut Watchdog::new(ms(150), ms(2000)), look, 0), Some(2010));
        let mut watchdog = running();
        watchdog.renew();
        assert_eq!(stalls_after(&mut watchdog, TAKING, 0), Some(2010));
    }

    #[test]
    fn each_frame_that_comes_out_begins_a_new_wait() {
        let mut watchdog = running();
        for n in 0..1000 {
            assert!(!watchdog.look(&Look { outputs: 2 + n / 9, ..TAKING }, ms(n * 15)), "one in 135 ms");
        }
    }

    #[test]
    fn an_encoder_that_is_slow_gets_more_time_than_one_that_was_quick() {
        let mut watchdog = running();
        watchdog.look(&Look { outputs: 2, usual: Some(ms(75)), ..TAKING }, ms(0));
        assert_eq!(stalls_after(&mut watchdog, Look { outputs: 2, ..TAKING }, 15), Some(285));
        let mut watchdog = running();
        watchdog.look(&Look { outputs: 2, usual: Some(ms(4000)), ..TAKING }, ms(0));
        let waited = stalls_after(&mut watchdog, Look { outputs: 2, ..TAKING }, 15);
        assert_eq!(waited, Some(1995), "but no more than for its first frame");
    }

    #[test]
    fn a_machine_that_starves_is_not_taken_for_an_encoder_that_hangs() {
        let mut watchdog = running();
        assert!(!watchdog.look(&TAKING, ms(0)));
        assert!(!watchdog.look(&TAKING, ms(3000)), "nobody could look for 3 s: that counts as 30 ms");
        assert!(!watchdog.look(&TAKING, ms(3100)));
        assert_eq!(
            stalls_after(&mut watchdog, TAKING, 3115),
            Some(75),
            "60 ms have counted, and the first of these looks adds 15"
        );
    }
}
