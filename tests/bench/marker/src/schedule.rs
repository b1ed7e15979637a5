//! Decision: when the next picture is due. It never sees a clock: times are nanoseconds that the caller counts.

/// Frames a second of what moves.
///
/// A little less than 60: a display is grabbed, and a browser shows, 60 times a second, and a client that kept exactly
/// that time would stand at one phase to both for a whole run, a lucky one or an unlucky one. So it drifts through
/// every phase, once in five seconds: windows of measurement are multiples of that.
pub const FRAMES_PER_SECOND: f64 = 59.8;

/// The rhythm of a content.
#[derive(Debug)]
pub enum Rhythm {
    /// Nothing is ever due.
    Never,
    /// [`FRAMES_PER_SECOND`].
    Steady,
    /// A person at a keyboard, about eight keys a second.
    Typing(fastrand::Rng),
}

const NS_PER_S: f64 = 1e9;
const NS_PER_MS: f64 = 1e6;
/// Fastest key after key, and what chance adds to it at most; its square makes short intervals the common ones.
const KEY_MS: f64 = 70.0;
const KEY_SPREAD_MS: f64 = 130.0;
/// A word has ended: one in six keys.
const WORD_PAUSE_MS: f64 = 60.0;
const KEYS_PER_WORD: u32 = 6;

impl Rhythm {
    /// When the picture after the one at `due_ns` is due; `now_ns` is later when the machine has kept this client
    /// waiting, and what was missed is not made up for.
    pub fn after(&mut self, due_ns: u64, now_ns: u64) -> Option<u64> {
        let interval_ns = match self {
            Self::Never => return None,
            Self::Steady => NS_PER_S / FRAMES_PER_SECOND,
            Self::Typing(chance) => {
                let pause = if chance.u32(0..KEYS_PER_WORD) == 0 { WORD_PAUSE_MS } else { 0.0 };
                (KEY_MS + KEY_SPREAD_MS * chance.f64().powi(2) + pause) * NS_PER_MS
            }
        };
        let missed = (now_ns.saturating_sub(due_ns) as f64 / interval_ns).floor();
        Some(due_ns + (interval_ns * (missed + 1.0)).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

    use super::*;

    #[test]
    fn every_phase_to_a_60_hz_clock_occurs_once_in_a_sweep() {
        let sweep_s = 5.0;
        // One frame less than the clock ticks.
        assert!((FRAMES_PER_SECOND * sweep_s - (60.0 * sweep_s - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn a_late_client_leaves_out_what_it_has_missed_and_keeps_its_phase() {
        let interval = 16_722_408;
        assert_eq!(Rhythm::Steady.after(1_000, 1_000), Some(1_000 + interval));
        assert_eq!(Rhythm::Steady.after(0, 40_000_000), Some(interval * 3));
        assert_eq!(Rhythm::Never.after(0, 0), None);
    }

    #[test]
    fn typing_is_eight_keys_a_second_and_the_same_for_the_same_seed() {
        let times = |seed| {
            let mut rhythm = Rhythm::Typing(fastrand::Rng::with_seed(seed));
            std::iter::successors(Some(0), |&due| rhythm.after(due, due)).take(801).collect::<Vec<_>>()
        };
        let (one, same, other) = (times(1), times(1), times(2));
        assert_eq!(one, same);
        assert_ne!(one, other);
        let seconds = *one.last().unwrap() as f64 / NS_PER_S;
        assert!((90.0..110.0).contains(&seconds), "800 keys took {seconds} s");
        assert!(one.windows(2).all(|pair| (70_000_000..=260_000_000).contains(&(pair[1] - pair[0]))));
    }
}
