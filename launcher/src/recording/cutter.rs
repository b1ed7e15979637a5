//! Decision: what becomes of each encoded frame of a recording: where a file begins and ends, and at what time of it each frame
//! is shown. (state, frame) → actions; no clock, no file, and no idea of what a frame consists of. Times are the pipeline's
//! running time, in which picture and sound are one.
//!
//! ```text
//!          start              a key frame                     another form, a file that is long enough,
//!   Off ──────────▶ Waiting ───────────────▶ Open             sound that came late: the next key frame
//!    ▲                 ▲                      │ └──────────────▶ the next file
//!    │                 └───── interrupted ────┤
//!    └──────── stop ───┴──────────────────────┘
//! ```
//!
//! A frame is shown until the next one comes, and the last one until the end: so it is written when that is known.

use std::time::Duration;

/// Time between two key frames that are asked for, so that whoever plays a recording can jump in it, and a file that is cut off
/// ends soon. Rarer than what anybody notices of one in the live picture.
const KEY_FRAME_INTERVAL: Duration = Duration::from_secs(20);
/// Time after which a key frame that did not come is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Sound that is so late does not come: PulseAudio takes a second or two to begin, and the muxer waits meanwhile.
const SOUND_PATIENCE: Duration = Duration::from_secs(3);
/// Sound that comes only now begins another file, unless this one is younger: sound that comes and goes must not make
/// countless files.
const SOUND_CUT_SPACING: Duration = Duration::from_secs(10);

/// An encoded picture.
#[derive(Debug)]
pub struct Picture<B> {
    /// When it was captured.
    pub at: Duration,
    /// Whether it can be shown without those before.
    pub key: bool,
    /// Tells its caps from others.
    pub form: u32,
    /// Whether frames before it were lost on the way.
    pub after_loss: bool,
    /// What it consists of.
    pub content: B,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Act<B> {
    /// Ask the encoder for a key frame.
    AskKeyFrame,
    /// Begin a file for pictures of the form of the last one.
    Begin,
    /// Write a picture, which is shown at this time of the file and for so long.
    Picture(Duration, Duration, B),
    /// Write sound, which is heard at this time of the file.
    Sound(Duration, B),
    /// No sound comes any more.
    EndSound,
    /// The file is whole.
    End,
}

#[derive(Debug)]
struct Open<B> {
    form: u32,
    /// When its first picture was captured.
    epoch: Duration,
    /// The last picture.
    held: (Duration, B),
    last_key: Duration,
    /// When sound was heard last; none once it is given up.
    sound: Option<Duration>,
    /// Pictures are missing: nothing can be shown before the next key frame.
    broken: bool,
    /// The next key frame begins another file.
    full: bool,
}

#[derive(Debug)]
enum State<B> {
    Off,
    Waiting,
    Open(Open<B>),
}

/// What becomes of each frame.
#[derive(Debug)]
pub struct Cutter<B> {
    state: State<B>,
    /// When a key frame was asked for, unless it has come.
    asked: Option<Duration>,
    /// Frames that were left out.
    dropped: u64,
}

impl<B> Default for Cutter<B> {
    fn default() -> Self {
        Self { state: State::Off, asked: None, dropped: 0 }
    }
}

impl<B> Cutter<B> {
    /// Frames that were left out so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// From now on files are made of what comes.
    pub fn start(&mut self, now: Duration) -> Vec<Act<B>> {
        if !matches!(self.state, State::Off) {
            return Vec::new();
        }
        self.state = State::Waiting;
        self.asked = Some(now);
        vec![Act::AskKeyFrame]
    }

    /// From now on no more.
    pub fn stop(&mut self, now: Duration) -> Vec<Act<B>> {
        self.end(State::Off, now)
    }

    /// What comes now has nothing to do with what came before: the next key frame begins another file.
    pub fn interrupt(&mut self, now: Duration) -> Vec<Act<B>> {
        match self.state {
            State::Open(_) => self.end(State::Waiting, now),
            State::Off | State::Waiting => Vec::new(),
        }
    }

    /// The file is as large as one should be.
    pub fn fill(&mut self, now: Duration) -> Vec<Act<B>> {
        let State::Open(open) = &mut self.state else { return Vec::new() };
        open.full = true;
        self.ask(now)
    }

    /// Takes a picture. `room`: whether as much as that can be written now.
    pub fn picture(&mut self, picture: Picture<B>, room: bool) -> Vec<Act<B>> {
        let Picture { at, key, form, after_loss, content } = picture;
        if key {
            self.asked = None;
        }
        match &mut self.state {
            State::Off => Vec::new(),
            State::Waiting if key => self.begin(at, form, content),
            State::Waiting => self.ask(at),
            State::Open(open) if key && (open.full || open.form != form) => {
                let mut acts = self.end(State::Waiting, at);
                acts.extend(self.begin(at, form, content));
                acts
            }
            State::Open(open) => {
                open.broken |= after_loss || !room || open.form != form;
                if open.broken && !(key && room) {
                    self.dropped += 1;
                    return self.ask(at);
                }
                open.broken = false;
                if key {
                    open.last_key = at;
                }
                let stale = at.saturating_sub(open.last_key) >= KEY_FRAME_INTERVAL;
                let (since, before) = std::mem::replace(&mut open.held, (at, content));
                let shown = at.saturating_sub(since);
                let mut acts = vec![Act::Picture(since.saturating_sub(open.epoch), shown, before)];
                if stale {
                    acts.extend(self.ask(at));
                }
                acts
            }
        }
    }

    /// Takes sound. `room`: as for pictures.
    pub fn sound(&mut self, at: Duration, content: B, room: bool) -> Vec<Act<B>> {
        let State::Open(open) = &mut self.state else { return Vec::new() };
        // What was heard before the first picture was shown belongs to none.
        let Some(time) = at.checked_sub(open.epoch) else { return Vec::new() };
        match &mut open.sound {
            Some(last) => {
                *last = at.max(*last);
                if !room {
                    self.dropped += 1;
                    return Vec::new();
                }
                vec![Act::Sound(time, content)]
            }
            None if time >= SOUND_CUT_SPACING => self.fill(at),
            None => Vec::new(),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Act<B>> {
        match &mut self.state {
            State::Off => Vec::new(),
            State::Waiting => self.ask(now),
            State::Open(open) => {
                let mut acts = Vec::new();
                if open.sound.is_some_and(|last| now.saturating_sub(last) >= SOUND_PATIENCE) {
                    open.sound = None;
                    acts.push(Act::EndSound);
                }
                if open.broken || open.full {
                    acts.extend(self.ask(now));
                }
                acts
            }
        }
    }

    fn begin(&mut self, at: Duration, form: u32, content: B) -> Vec<Act<B>> {
        self.state = State::Open(Open {
            form,
            epoch: at,
            held: (at, content),
            last_key: at,
            sound: Some(at),
            broken: false,
            full: false,
        });
        vec![Act::Begin]
    }

    fn end(&mut self, next: State<B>, now: Duration) -> Vec<Act<B>> {
        self.asked = None;
        let State::Open(Open { epoch, held: (since, last), .. }) = std::mem::replace(&mut self.state, next)
        else {
            return Vec::new();
        };
        vec![Act::Picture(since.saturating_sub(epoch), now.saturating_sub(since), last), Act::End]
    }

    fn ask(&mut self, now: Duration) -> Vec<Act<B>> {
        if self.asked.is_some_and(|asked| now < asked + ASK_AGAIN) {
            return Vec::new();
        }
        self.asked = Some(now);
        vec![Act::AskKeyFrame]
    }
}

#[cfg(test)]
#[path = "cutter_tests.rs"]
mod tests;
