//! Decision: what is played next of what a page says: it comes in bursts, as the network likes, and is played evenly, with
//! silence where there is none. What waits too long is given up, so that a conversation does not become late.
//!
//! Samples are of 16 bits, one channel, as bytes: nothing here needs to know their values.

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
/// More than this does not wait; what is too much goes, the oldest first, down to what playing begins with.
const MAX_BYTES: usize = 120 * MS_BYTES;

/// What waits to be played.
#[derive(Debug, Default)]
pub struct Pace {
    waiting: VecDeque<u8>,
    playing: bool,
    /// How long the last frame was, in bytes.
    frame: usize,
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
        let mut chunk = [0; CHUNK_BYTES];
        self.playing =
            if self.playing { !self.waiting.is_empty() } else { self.waiting.len() >= self.begin() };
        if self.playing {
            let some = self.waiting.len().min(CHUNK_BYTES);
            for (to, from) in chunk.iter_mut().zip(self.waiting.drain(..some)) {
                *to = from;
            }
        }
        chunk
    }

    /// Nobody listened meanwhile: what has come is old.
    pub fn forget(&mut self) {
        self.waiting.clear();
        self.playing = false;
    }
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
