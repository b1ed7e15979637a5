//! Decision: what kind of picture is sent, and so what is given up first. Refuses to look at pixels: it knows only how
//! many of the bits that were allowed the encoder has spent.
//!
//! Video fills the rate all the time. Text does so only while it scrolls, and costs next to nothing while it is read.

use gst::glib;
use std::time::Duration;

/// What the application knows of the picture, as in W3C `contentHint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVdiContentHint")]
pub enum ContentHint {
    /// The bin finds out.
    #[default]
    #[enum_value(name = "Found out from how steadily the bit rate is used", nick = "auto")]
    Auto,
    /// Resolution is given up first.
    #[enum_value(name = "Video and games: resolution is given up first", nick = "motion")]
    Motion,
    /// Frame rate is given up first.
    #[enum_value(name = "Text and drawings: frame rate is given up first", nick = "text")]
    Text,
}

/// What kind of picture it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Sharp and mostly still.
    Text,
    /// Always moving.
    Motion,
}

/// More of the allowed bits than this make a busy moment. A buffer of one and a half frames keeps encoders from using
/// all: x264enc spends 0.38 to 0.67 on a moving zone plate at 1080p60 and 4 Mbit/s, and on a page of text that stands
/// still, at rates from 0.5 to 8 Mbit/s, less than 0.3 from its second second on.
pub const BUSY: f64 = 0.35;

/// The memory of the busy share. With it a picture is motion after 20 s without a pause, and text again after 7 s of
/// rest: long enough for a page that is scrolled through, short enough for a film.
const MEMORY: Duration = Duration::from_secs(10);

/// Motion is busy for more than this share of the time.
const MOTION_ABOVE: f64 = 0.85;

/// Text is busy for less than this share of the time.
const TEXT_BELOW: f64 = 0.5;

/// A new kind holds for so long at least, since with it size and frame rate may change. It holds for twice as long when
/// it followed soon after the one before.
const DWELL: Duration = Duration::from_secs(20);

/// The longest that a kind is held to.
const LONGEST_DWELL: Duration = Duration::from_secs(300);

/// Tells text from motion.
#[derive(Debug)]
pub struct Classifier {
    content: Content,
    changed_at: Duration,
    dwell: Duration,
    busy_share: f64,
    /// When was looked last, and how many bytes had come out by then.
    last: Option<(Duration, u64)>,
}

impl Classifier {
    /// A desktop shows text until it is seen to move.
    pub const fn new(now: Duration) -> Self {
        Self { content: Content::Text, changed_at: now, dwell: Duration::ZERO, busy_share: 0.0, last: None }
    }

    /// The kind of picture under a hint.
    pub const fn content(&self, hint: ContentHint) -> Content {
        match hint {
            ContentHint::Auto => self.content,
            ContentHint::Motion => Content::Motion,
            ContentHint::Text => Content::Text,
        }
    }

    /// The encoder has put out so many bytes since it started, of so many bits per second that it may use.
    pub fn observe(&mut self, bytes_out: u64, allowed_bps: f64, now: Duration) {
        let last = self.last.replace((now, bytes_out));
        let Some((then, bytes_then)) = last else { return };
        let seconds = now.saturating_sub(then).as_secs_f64();
        // A new encoder may count from the beginning again.
        let (Some(bytes), true) = (bytes_out.checked_sub(bytes_then), seconds > 0.0) else { return };
        let busy = bytes as f64 * 8.0 > BUSY * allowed_bps * seconds;

        let kept = (-seconds / MEMORY.as_secs_f64()).exp();
        self.busy_share = self.busy_share * kept + if busy { 1.0 - kept } else { 0.0 };
        let content = match self.busy_share {
            share if share > MOTION_ABOVE => Content::Motion,
            share if share < TEXT_BELOW => Content::Text,
            _ => self.content,
        };
        let held = now.saturating_sub(self.changed_at);
        if content != self.content && held >= self.dwell {
            self.dwell = if held < self.dwell * 3 { (self.dwell * 2).min(LONGEST_DWELL) } else { DWELL };
            self.content = content;
            self.changed_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED_BPS: f64 = 8_000_000.0;

    struct Screen {
        classifier: Classifier,
        quarter: u64,
        bytes: u64,
    }

    impl Screen {
        fn new() -> Self {
            Self { classifier: Classifier::new(Duration::ZERO), quarter: 0, bytes: 0 }
        }

        /// Uses a share of the allowed rate for some seconds; tells the kinds seen.
        fn show(&mut self, seconds: u64, used: impl Fn(u64) -> f64) -> Vec<Content> {
            let mut seen = vec![self.classifier.content];
            for quarter in 0..seconds * 4 {
                self.quarter += 1;
                self.bytes += (used(quarter) * ALLOWED_BPS / 8.0 / 4.0) as u64;
                let now = Duration::from_millis(self.quarter * 250);
                self.classifier.observe(self.bytes, ALLOWED_BPS, now);
                if seen.last() != Some(&self.classifier.content) {
                    seen.push(self.classifier.content);
                }
            }
            seen
        }
    }

    #[test]
    fn a_film_is_motion_after_twenty_seconds() {
        let mut screen = Screen::new();
        assert_eq!(screen.show(18, |_| 0.95), [Content::Text]);
        assert_eq!(screen.show(4, |_| 0.95), [Content::Text, Content::Motion]);
        assert_eq!(screen.show(3600, |_| 0.95), [Content::Motion]);
    }

    #[test]
    fn reading_and_scrolling_by_turns_is_text() {
        let mut screen = Screen::new();
        // 3 s of scrolling at full rate, 4 s of reading.
        assert_eq!(screen.show(3600, |quarter| if quarter % 28 < 12 { 1.0 } else { 0.05 }), [Content::Text]);
    }

    #[test]
    fn a_pause_makes_a_film_no_text_but_its_end_does() {
        let mut screen = Screen::new();
        screen.show(60, |_| 0.9);
        assert_eq!(screen.show(4, |_| 0.02), [Content::Motion]);
        screen.show(30, |_| 0.9);
        assert_eq!(screen.show(10, |_| 0.02), [Content::Motion, Content::Text]);
    }

    #[test]
    fn a_screen_that_is_both_by_turns_is_not_followed_for_long() {
        let mut screen = Screen::new();
        // 25 s of film, 15 s of rest.
        let by_turns = |quarter: u64| if quarter % 160 < 100 { 0.9 } else { 0.0 };
        assert!(screen.show(3600, by_turns).len() <= 20);
    }

    #[test]
    fn a_hint_is_the_last_word() {
        let classifier = Classifier::new(Duration::ZERO);
        assert_eq!(classifier.content(ContentHint::Auto), Content::Text);
        assert_eq!(classifier.content(ContentHint::Motion), Content::Motion);
        assert_eq!(classifier.content(ContentHint::Text), Content::Text);
    }

    #[test]
    fn counters_that_begin_again_and_a_clock_that_stands_still_do_no_harm() {
        let mut screen = Screen::new();
        screen.show(60, |_| 0.9);
        screen.bytes = 0;
        assert_eq!(screen.show(2, |_| 0.9), [Content::Motion]);
        let now = Duration::from_millis(screen.quarter * 250);
        screen.classifier.observe(u64::MAX, ALLOWED_BPS, now);
        assert_eq!(screen.classifier.content, Content::Motion);
    }
}
