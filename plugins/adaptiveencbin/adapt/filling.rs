//! Decision: how much more than the target to ask an encoder for, because it leaves a part of what it is asked for unused. A
//! buffer of one and a half frames, which keeps frames from being late, makes encoders careful: on moving pictures they spend
//! three to nine tenths. On a narrow link the rest is worth having. Refuses to raise what a resting desktop gets: it uses
//! little of anything.

use super::content::BUSY;
use std::time::Duration;

/// More than this is not asked for: a picture that suddenly costs more gets it until the next look.
const MOST: f64 = 1.4;
/// How much is asked for more from look to look at most; less is asked for at once.
const STEP: f64 = 1.06;
/// The use that is aimed at, and what is left alone about it.
const AIM: f64 = 0.97;
const BAND: f64 = 0.03;
/// Looks that are closer together tell nothing.
const LEAST: Duration = Duration::from_millis(150);

/// Watches what an encoder makes of what it was asked for.
#[derive(Debug)]
pub struct Filling {
    gain: f64,
    /// When was looked last, and how many bytes had come out by then.
    last: Option<(Duration, u64)>,
}

impl Filling {
    /// Asks for the target itself.
    pub const fn new() -> Self {
        Self { gain: 1.0, last: None }
    }

    /// Looks at how many bytes have come out, while the target was so many bits a second.
    pub fn observe(&mut self, bytes_out: u64, target: f64, now: Duration) {
        let Some((before, bytes)) = self.last else {
            self.last = Some((now, bytes_out));
            return;
        };
        let elapsed = now.saturating_sub(before);
        if elapsed < LEAST {
            return;
        }
        self.last = Some((now, bytes_out));
        let made = bytes_out.saturating_sub(bytes) as f64 * 8.0 / elapsed.as_secs_f64();
        let used = made / target.max(1.0);
        self.gain = if used < BUSY {
            1.0
        } else if used > AIM + BAND {
            self.gain * AIM / used
        } else if used < AIM - BAND {
            self.gain * (AIM / used).min(STEP)
        } else {
            self.gain
        }
        .clamp(1.0, MOST);
    }

    /// How many times the target is to be asked for.
    pub const fn gain(&self) -> f64 {
        self.gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: f64 = 1_500_000.0;

    /// An encoder that makes of what it is asked for what `makes` says, looked at four times a second: the gain, and the share of
    /// the target that is made, after each look.
    fn run(filling: &mut Filling, looks: u64, makes: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let (mut bytes, mut seen) = (0.0, Vec::new());
        let began = filling.last.map_or(Duration::ZERO, |(at, _)| at);
        let before = filling.last.map_or(0, |(_, bytes)| bytes);
        for look in 1..=looks {
            let made = makes(TARGET * filling.gain());
            bytes += made / 8.0 / 4.0;
            filling.observe(before + bytes as u64, TARGET, began + Duration::from_millis(250 * look));
            seen.push((filling.gain(), made / TARGET));
        }
        seen
    }

    #[test]
    fn what_a_careful_encoder_leaves_is_asked_for_as_well() {
        let mut filling = Filling::new();
        let seen = run(&mut filling, 20, |asked| 0.75 * asked);
        let (gain, used) = seen[seen.len() - 1];
        assert!((0.93..=1.0).contains(&used), "{used}, with {gain}");
        assert!(seen.iter().all(|(_, used)| *used < 1.03), "{seen:?}");
    }

    #[test]
    fn no_more_is_asked_for_than_so_much_and_none_for_a_picture_that_rests() {
        let mut filling = Filling::new();
        assert_eq!(run(&mut filling, 60, |asked| 0.4 * asked).last().unwrap().0, MOST);
        run(&mut filling, 1, |asked| 0.05 * asked);
        assert_eq!(filling.gain(), 1.0);
        assert_eq!(run(&mut filling, 20, |asked| 0.98 * asked).last().unwrap().0, 1.0);
    }

    #[test]
    fn a_picture_that_suddenly_costs_more_gets_too_much_for_one_look() {
        let mut filling = Filling::new();
        // It needs no more, whatever it may have.
        run(&mut filling, 60, |_| 0.6 * TARGET);
        let seen = run(&mut filling, 3, |asked| asked);
        assert!(seen[0].1 <= MOST && seen[1].1 < 1.02, "{seen:?}");
    }
}
