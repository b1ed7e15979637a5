//! Decision: what is known of the encoder, one story out of its messages and figures, for `/status`, the metrics and the
//! pages. Time is an argument; it reads no element.

pub mod told;
mod words;

use crate::notices;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use told::{Change, Choice};
use vdi_protocol::{
    control::Quality,
    notice::Notice,
    status::{EncoderStatus, EncoderSwitch},
};

/// What follows from a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The first encoder of the session runs on the CPU although one on a GPU was looked for: pages to come should know.
    NoGpu(String),
    /// Another encoder took over: the pages that are here should know.
    Switched(Notice),
}

/// The element's cause where it had no encoder before.
const START: &str = "start";

/// The story so far.
#[derive(Debug, Default)]
pub struct Story {
    /// Without a name until the first choice; the quality may be told before it.
    status: EncoderStatus,
    switches: BTreeMap<String, u64>,
    /// Since when the present limitation holds.
    since: Duration,
    teller: words::Teller,
    /// Why hardware did not encode, as far as the operator was told.
    known: BTreeSet<String>,
    software_is_news: bool,
    /// A frame has come out whose encoder is not known yet.
    is_ahead: bool,
}

/// Why a hardware encoder is not taken that is not installed: next to any other reason it is no news.
const NOT_INSTALLED: &str = "no-factory";

impl Story {
    /// As `/status` shows it; `None` before the first choice.
    pub fn status(&self) -> Option<&EncoderStatus> {
        Some(&self.status).filter(|status| !status.name.is_empty())
    }

    /// The first frame has come out: whether it is known of which encoder. Frames and choices come by different ways.
    pub fn has_frame(&mut self) -> bool {
        self.is_ahead = self.status().is_none();
        !self.is_ahead
    }

    /// Whether a frame had come out before its encoder was known, which it is now.
    pub fn catch_up(&mut self) -> bool {
        self.status().is_some() && std::mem::take(&mut self.is_ahead)
    }

    /// How often another encoder took over, by cause.
    pub fn switches(&self) -> &BTreeMap<String, u64> {
        &self.switches
    }

    /// As pages are told of it at `now`.
    pub fn quality(&self, now: Duration) -> Option<Quality> {
        let status = self.status()?;
        Some(Quality {
            reason: status.quality_limitation_reason,
            seconds: now.saturating_sub(self.since).as_secs_f64(),
            encoder: status.name.clone(),
            hardware: status.hardware,
            codec: status.codec.clone(),
            source_width: status.source_width,
            source_height: status.source_height,
            width: status.frame_width,
            height: status.frame_height,
            max_framerate: status.max_framerate.unwrap_or_default(),
            bitrate_bps: status.target_bitrate_bps,
        })
    }

    /// Why this one is chosen, in one word: the element knows of no codec before.
    pub fn cause<'a>(&self, choice: &'a Choice) -> &'a str {
        if choice.cause == START && self.status().is_some() { "codec" } else { &choice.cause }
    }

    /// Whether software encodes for a reason that the operator was not told of before.
    pub fn software_is_news(&self) -> bool {
        self.software_is_news
    }

    /// Takes note why no hardware is at work.
    fn note_software(&mut self, choice: &Choice, is_hardware: impl Fn(&str) -> bool) {
        let rejected = choice.rejections.iter().filter(|one| is_hardware(&one.encoder));
        let mut reasons: BTreeSet<_> = rejected.map(|one| one.reason.clone()).collect();
        if !self.known.is_empty() {
            reasons.remove(NOT_INSTALLED);
        }
        self.software_is_news = !choice.hardware && !reasons.is_subset(&self.known);
        if self.software_is_news {
            self.known.append(&mut reasons);
        }
    }

    /// An encoder was chosen. `is_hardware` knows encoders by their factory names.
    pub fn chosen(&mut self, choice: Choice, is_hardware: impl Fn(&str) -> bool) -> Option<News> {
        self.note_software(&choice, &is_hardware);
        let status = &mut self.status;
        // Of a session, or of another codec: nothing has failed then.
        let first = status.name.is_empty() || choice.cause == START;
        let before = choice.previous.clone().unwrap_or_else(|| status.name.clone());
        let news = if !first && before != choice.encoder {
            let notice = notices::encoder_switched(&choice, &before, is_hardware(&before));
            *self.switches.entry(choice.cause.clone()).or_default() += 1;
            status.switches += 1;
            status.last_switch = Some(EncoderSwitch {
                from: before,
                to: choice.encoder.clone(),
                cause: choice.cause.clone(),
                message: choice.message.clone().unwrap_or_default(),
            });
            Some(News::Switched(notice))
        } else if first && !choice.hardware && choice.rejections.iter().any(|one| is_hardware(&one.encoder)) {
            Some(News::NoGpu(choice.encoder.clone()))
        } else {
            None
        };
        status.name = choice.encoder;
        status.hardware = choice.hardware;
        status.rejections = choice.rejections;
        if !choice.codec.is_empty() {
            status.codec = choice.codec;
            status.chroma_format = choice.chroma_format;
        }
        news
    }

    /// The line about the quality that the log is due at `now`.
    pub fn quality_line(&mut self, now: Duration) -> Option<String> {
        self.teller.line(now)
    }

    /// The quality has changed.
    pub fn changed(&mut self, change: &Change, now: Duration) {
        self.teller.changed(change.clone(), now);
        let status = &mut self.status;
        if status.quality_limitation_reason != change.reason {
            self.since = now;
        }
        status.quality_limitation_reason = change.reason;
        (status.source_width, status.source_height) = (change.source_width, change.source_height);
        (status.frame_width, status.frame_height) = (change.width, change.height);
        status.max_framerate = Some(change.max_framerate).filter(|limit| *limit > 0.0);
        status.target_bitrate_bps = change.bitrate_bps;
    }

    /// The figures have been read. They may be older than the last message, and are put right by the next.
    pub fn measured(&mut self, figures: EncoderStatus, now: Duration) {
        let status = &mut self.status;
        // Messages and figures come by different ways: a choice that is still on its way is not taken from here.
        if status.name != figures.name {
            return;
        }
        if status.quality_limitation_reason != figures.quality_limitation_reason {
            self.since = now;
        }
        let rejections = std::mem::take(&mut status.rejections);
        *status = EncoderStatus { rejections, ..figures };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vdi_protocol::{
        notice::NoticeLevel,
        status::{QualityLimitationReason as Reason, Rejection},
    };

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn is_hardware(encoder: &str) -> bool {
        encoder.starts_with("nv")
    }

    fn choice(encoder: &str, cause: &str, previous: Option<&str>) -> Choice {
        Choice {
            encoder: encoder.into(),
            hardware: is_hardware(encoder),
            codec: "H264".into(),
            cause: cause.into(),
            previous: previous.map(Into::into),
            ..Choice::default()
        }
    }

    #[test]
    fn software_at_the_start_is_news_only_where_hardware_was_rejected() {
        let rejected = |encoder: &str| vec![Rejection { encoder: encoder.into(), ..Rejection::default() }];
        let start = |encoder, rejections| {
            let choice = Choice { rejections, ..choice(encoder, "start", None) };
            Story::default().chosen(choice, is_hardware)
        };
        assert!(matches!(start("x264enc", rejected("nvh264enc")), Some(News::NoGpu(_))));
        let mut story = Story::default();
        story.changed(&Change { width: 1280, ..Change::default() }, s(0));
        assert_eq!((story.status(), story.quality(s(0))), (None, None), "the quality may come first");
        let choice = Choice { rejections: rejected("nvh264enc"), ..choice("x264enc", "start", None) };
        assert!(matches!(story.chosen(choice, is_hardware), Some(News::NoGpu(_))));
        assert_eq!(story.quality(s(0)).unwrap().width, 1280);
        assert_eq!(start("openh264enc", rejected("x264enc")), None);
        assert_eq!(start("nvh264enc", rejected("nvcudah264enc")), None);
    }

    #[test]
    fn first_frame_counts_once_it_is_known_of_which_encoder() {
        let mut story = Story::default();
        assert!(!story.catch_up());
        assert!(!story.has_frame(), "the choice is still on its way");
        assert!(!story.catch_up());
        story.chosen(choice("x264enc", "start", None), is_hardware);
        assert!(story.catch_up());
        assert!(!story.catch_up(), "once");
        assert!(story.has_frame(), "that of another capture");
        assert!(!story.catch_up());
    }

    #[test]
    fn encoder_of_another_codec_is_no_switch_and_has_not_failed() {
        let mut story = Story::default();
        story.chosen(choice("nvh264enc", "start", None), is_hardware);
        assert_eq!(story.chosen(choice("vp9enc", "start", None), is_hardware), None);
        let status = story.status().unwrap();
        assert_eq!((status.name.as_str(), status.switches), ("vp9enc", 0));
    }

    #[test]
    fn why_no_hardware_encodes_is_news_once_for_each_reason_and_not_for_each_codec() {
        let rejected = |reasons: &[&str]| {
            let of = |reason: &&str| Rejection {
                encoder: "nvenc".into(),
                reason: (*reason).into(),
                ..Rejection::default()
            };
            reasons.iter().map(of).collect::<Vec<_>>()
        };
        let mut story = Story::default();
        let mut chosen = |encoder: &str, reasons: &[&str]| {
            let choice = Choice { rejections: rejected(reasons), ..choice(encoder, "start", None) };
            let cause = story.cause(&choice).to_owned();
            story.chosen(choice, is_hardware);
            (cause, story.software_is_news())
        };
        let told = |cause: &str, news| (cause.to_owned(), news);
        assert_eq!(chosen("x264enc", &["no-device", "no-factory"]), told("start", true));
        assert_eq!(chosen("vp8enc", &["no-factory"]), told("codec", false));
        assert_eq!(chosen("x264enc", &["no-device"]), told("codec", false));
        assert_eq!(chosen("av1enc", &["session-limit"]), told("codec", true));
        assert_eq!(chosen("nvh264enc", &["no-engine"]), told("codec", false), "hardware is at work");
    }

    #[test]
    fn switches_are_counted_by_cause_and_the_last_is_kept() {
        let mut story = Story::default();
        story.chosen(choice("nvh264enc", "start", None), is_hardware);
        assert!(matches!(
            story.chosen(choice("x264enc", "time-out", Some("nvh264enc")), is_hardware),
            Some(News::Switched(Notice { level: NoticeLevel::Warning, .. }))
        ));
        assert!(matches!(
            story.chosen(choice("nvh264enc", "recovered", Some("x264enc")), is_hardware),
            Some(News::Switched(Notice { level: NoticeLevel::Info, .. }))
        ));
        // A new size for which the same encoder is right is no switch.
        assert_eq!(story.chosen(choice("nvh264enc", "renegotiation", Some("nvh264enc")), is_hardware), None);
        let counted: Vec<_> =
            story.switches().iter().map(|(cause, count)| (cause.as_str(), *count)).collect();
        assert_eq!(counted, [("recovered", 1), ("time-out", 1)]);
        let last = story.status().unwrap().last_switch.clone().unwrap();
        assert_eq!(
            (last.from.as_str(), last.to.as_str(), last.cause.as_str()),
            ("x264enc", "nvh264enc", "recovered")
        );
        assert_eq!(story.status().unwrap().switches, 2);
    }

    #[test]
    fn how_long_a_limit_holds_is_counted_from_its_own_beginning() {
        let mut story = Story::default();
        assert_eq!(story.quality(s(1)), None);
        story.chosen(choice("x264enc", "start", None), is_hardware);
        let limited = |reason, width| Change { reason, width, ..Change::default() };
        story.changed(&limited(Reason::Bandwidth, 1280), s(10));
        story.changed(&limited(Reason::Bandwidth, 960), s(15));
        let quality = story.quality(s(25)).unwrap();
        assert_eq!((quality.reason, quality.seconds, quality.width), (Reason::Bandwidth, 15.0, 960));
        story.changed(&limited(Reason::None, 1920), s(30));
        assert_eq!(story.quality(s(30)).unwrap().seconds, 0.0);
    }

    #[test]
    fn figures_of_an_encoder_that_is_gone_change_nothing_and_rejections_stay() {
        let mut story = Story::default();
        let rejections = vec![Rejection { encoder: "nvh264enc".into(), ..Rejection::default() }];
        story.chosen(
            Choice { rejections: rejections.clone(), ..choice("x264enc", "start", None) },
            is_hardware,
        );
        let figures = |name: &str, frames_encoded| EncoderStatus {
            name: name.into(),
            frames_encoded,
            ..EncoderStatus::default()
        };
        story.measured(figures("x264enc", 60), s(1));
        story.measured(figures("nvh264enc", 7), s(2));
        let status = story.status().unwrap();
        assert_eq!((status.frames_encoded, &status.rejections), (60, &rejections));
    }
}
