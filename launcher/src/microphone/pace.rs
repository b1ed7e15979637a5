//! Decision: what is played next of what a page says: it comes in bursts, as the network likes, and is played evenly, with
//! silence where there is none. What waits too long is given up, so that a conversation does not become late: at once where
//! it is far too much, and else a little at a time, so that nobody hears it. What waits once would wait for good, since sound
//! comes as fast as it is played.
//!
//! Samples are of 16 bits, one channel, as bytes.

use std::collections::VecDeque;

/// Samples per second.
pub const RATE: usize = 48_000;
/// Bytes of one sample.
const SAMPLE_BYTES: usize = 2;
/// Bytes of one millisecond.
const MS_BYTES: usize = RATE * SAMPLE_BYTES / 1000;
/// How much is played at once, in ms.
pub const CHUNK_MS: u64 = 10;
/// The same in bytes.
pub const CHUNK_BYTES: usize = CHUNK_MS as usize * MS_BYTES;
/// Frames that have to wait before playing begins: each may be late by as much as it is long.
const BEGIN_FRAMES: usize = 2;
/// The same as a time, at most: browsers make frames of 10 ms where they are asked for them, and else of 20.
const MAX_BEGIN_BYTES: usize = 40 * MS_BYTES;
/// In this many steps (2 s) it is seen what never had to wait: so long, because a network that is late at times is late again.
const WINDOW_STEPS: usize = 200;
/// More than this does not wait; what is too much goes, the oldest first, down to what playing begins with.
const MAX_BYTES: usize = 120 * MS_BYTES;

/// What waits to be played.
#[derive(Debug, Default)]
pub struct Pace {
    waiting: VecDeque<u8>,
    playing: bool,
    /// How long the last frame was, in bytes.
    frame: usize,
    /// The least that was left by any of the steps that were seen, and how many they are.
    least: usize,
    steps: usize,
}

impl Pace {
    /// This has come.
    pub fn push(&mut self, samples: &[u8]) {
        let whole = samples.len() - samples.len() % SAMPLE_BYTES;
        self.waiting.extend(&samples[..whole]);
        self.frame = whole;
        if self.waiting.len() > MAX_BYTES {
            self.waiting.drain(..self.waiting.len() - self.begin());
        }
    }

    /// What has to wait before playing begins.
    fn begin(&self) -> usize {
        (BEGIN_FRAMES * self.frame).clamp(CHUNK_BYTES, MAX_BEGIN_BYTES)
    }

    /// What is to be played for the next [`CHUNK_MS`].
    pub fn take(&mut self) -> [u8; CHUNK_BYTES] {
        self.playing =
            if self.playing { !self.waiting.is_empty() } else { self.waiting.len() >= self.begin() };
        if !self.playing {
            self.look_anew();
            return [0; CHUNK_BYTES];
        }
        let chunk = self.next();
        self.least = if self.steps == 0 { self.waiting.len() } else { self.least.min(self.waiting.len()) };
        self.steps += 1;
        if self.steps < WINDOW_STEPS {
            return chunk;
        }
        // A frame may be late by as much as it is long.
        let spare = self.least.saturating_sub(self.frame.min(MAX_BEGIN_BYTES / BEGIN_FRAMES));
        self.look_anew();
        if spare < CHUNK_BYTES { chunk } else { faded(&chunk, &self.next()) }
    }

    /// The oldest of what waits, and silence behind it where that is less than a chunk.
    fn next(&mut self) -> [u8; CHUNK_BYTES] {
        let mut chunk = [0; CHUNK_BYTES];
        let some = self.waiting.len().min(CHUNK_BYTES);
        for (to, from) in chunk.iter_mut().zip(self.waiting.drain(..some)) {
            *to = from;
        }
        chunk
    }

    fn look_anew(&mut self) {
        self.steps = 0;
    }

    /// Nobody listened meanwhile: what has come is old.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.playing = false;
        self.look_anew();
    }
}

/// From the one to the other, in the time of one.
fn faded(from: &[u8; CHUNK_BYTES], to: &[u8; CHUNK_BYTES]) -> [u8; CHUNK_BYTES] {
    const LAST: i32 = (CHUNK_BYTES / SAMPLE_BYTES - 1) as i32;
    let mut chunk = [0; CHUNK_BYTES];
    let pairs = from.chunks_exact(SAMPLE_BYTES).zip(to.chunks_exact(SAMPLE_BYTES));
    for ((mixed, (from, to)), at) in chunk.chunks_exact_mut(SAMPLE_BYTES).zip(pairs).zip(0..) {
        let value = |bytes: &[u8]| i32::from(i16::from_le_bytes([bytes[0], bytes[1]]));
        // Between two values of 16 bits.
        let between = (value(from) * (LAST - at) + value(to) * at) / LAST;
        mixed.copy_from_slice(&(between as i16).to_le_bytes());
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 20 * MS_BYTES] = [1; 20 * MS_BYTES];
    const SILENCE: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];
    const SOUND: [u8; CHUNK_BYTES] = [1; CHUNK_BYTES];

    /// What is played in so many steps, true for sound.
    fn played(pace: &mut Pace, steps: usize) -> Vec<bool> {
        (0..steps).map(|_| pace.take() != SILENCE).collect()
    }

    #[test]
    fn nobody_says_anything_and_silence_is_played() {
        assert_eq!(Pace::default().take(), SILENCE);
    }

    #[test]
    fn frames_of_20_ms_that_come_20_ms_late_at_times_are_played_without_a_gap() {
        let mut pace = Pace::default();
        pace.push(&FRAME);
        assert_eq!(pace.take(), SILENCE, "one frame is not enough to begin with");
        pace.push(&FRAME);
        assert_eq!(pace.take(), SOUND);
        assert_eq!(played(&mut pace, 3), [true; 3], "the next one is late");
        pace.push(&FRAME);
        pace.push(&FRAME);
        assert_eq!(played(&mut pace, 4), [true; 4]);
    }

    #[test]
    fn frames_of_10_ms_wait_half_as_long() {
        let mut pace = Pace::default();
        pace.push(&SOUND);
        assert_eq!(pace.take(), SILENCE);
        pace.push(&SOUND);
        assert_eq!(played(&mut pace, 3), [true, true, false]);
    }

    #[test]
    fn after_a_gap_it_begins_as_it_did_at_first() {
        let mut pace = Pace::default();
        pace.push(&FRAME);
        pace.push(&FRAME);
        assert_eq!(played(&mut pace, 5), [true, true, true, true, false]);
        pace.push(&FRAME);
        assert_eq!(played(&mut pace, 1), [false]);
        pace.push(&FRAME);
        assert_eq!(played(&mut pace, 1), [true]);
    }

    #[test]
    fn what_piles_up_is_given_up_the_oldest_first() {
        let mut pace = Pace::default();
        for _ in 0..6 {
            pace.push(&FRAME);
        }
        pace.push(&[2; 20 * MS_BYTES]);
        let steps: Vec<u8> = (0..5).map(|_| pace.take()[0]).collect();
        assert_eq!(steps, [1, 1, 2, 2, 0], "140 ms have come, and the last 40 of them are played");
    }

    /// Frames of 10 ms come on time, so many, after so much has come at once. How much waits at the end, in ms.
    fn waits_after(pace: &mut Pace, burst_ms: usize, frames: usize) -> usize {
        pace.push(&SOUND);
        for _ in 1..burst_ms / 10 {
            pace.push(&SOUND);
        }
        for _ in 0..frames {
            assert_eq!(pace.take()[100], 1, "there is always something to play");
            pace.push(&SOUND);
        }
        pace.waiting.len() / MS_BYTES
    }

    #[test]
    fn what_came_in_a_burst_is_caught_up_with_a_little_at_a_time() {
        let mut pace = Pace::default();
        assert_eq!(waits_after(&mut pace, 100, 199), 100, "for 2 s it is not known whether it is needed");
        assert_eq!(waits_after(&mut pace, 10, 200), 100, "10 ms more have come, and 10 are given up");
        let mut pace = Pace::default();
        assert_eq!(waits_after(&mut pace, 100, 400), 80);
        assert_eq!(waits_after(&mut pace, 10, 2000), 20, "what playing begins with is kept");
    }

    #[test]
    fn who_is_late_at_times_keeps_what_that_needs() {
        let mut pace = Pace::default();
        for _ in 0..5 {
            pace.push(&SOUND);
        }
        // Once a second nothing comes for 30 ms, and then all of it at once.
        for step in 0..3000 {
            assert_eq!(pace.take()[100], 1, "there is always something to play");
            match step % 100 {
                0..3 => {}
                3 => (0..4).for_each(|_| pace.push(&SOUND)),
                _ => pace.push(&SOUND),
            }
        }
        assert_eq!(pace.waiting.len() / MS_BYTES, 50);
    }

    #[test]
    fn clock_that_runs_fast_makes_nothing_late() {
        let mut pace = Pace::default();
        // One in a thousand too much, for two minutes.
        for step in 0..12_000 {
            pace.push(&SOUND);
            if step % 1000 == 0 {
                pace.push(&SOUND);
            }
            pace.take();
            assert!(pace.waiting.len() <= 40 * MS_BYTES, "step {step}");
        }
    }

    #[test]
    fn catching_up_goes_smoothly_from_the_one_to_the_other() {
        let chunk = |value: i16| std::array::from_fn(|at| value.to_le_bytes()[at % 2]);
        let mixed = faded(&chunk(i16::MIN), &chunk(i16::MAX));
        let values: Vec<i32> =
            mixed.chunks(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]).into()).collect();
        assert_eq!((values[0], values[values.len() - 1]), (i32::from(i16::MIN), i32::from(i16::MAX)));
        assert!(values.windows(2).all(|pair| (0..=138).contains(&(pair[1] - pair[0]))), "{values:?}");
    }

    #[test]
    fn what_came_while_nobody_listened_is_forgotten_and_half_a_sample_is_none() {
        let mut pace = Pace::default();
        pace.push(&FRAME);
        pace.push(&FRAME);
        pace.forget();
        assert_eq!(pace.take(), SILENCE);
        pace.push(&[1; 41 * MS_BYTES + 1]);
        pace.forget();
        pace.push(&[1; 3]);
        assert_eq!(pace.waiting.len(), 2);
    }
}
