//! Decision: a page with a clock of its own, simulated: frames are followed to a screen whose times are told by a clock
//! that is off, drifts, and is aligned over a way that takes longer in one direction than in the other.

use super::table::Frames;
use crate::stage::{Stage, Stamps};
use proptest::prelude::*;
use vdi_protocol::latency::{FrameReport, FrameReports};

/// A page, its clock, and the way to it. Times are microseconds of the server's clock unless they are the page's.
#[derive(Debug, Clone, Copy)]
struct Page {
    /// What its clock showed when the server's showed 0.
    offset_us: f64,
    /// How much faster than the server's it runs.
    drift_ppm: f64,
    up_us: u64,
    down_us: u64,
    decode_us: u64,
    present_us: u64,
}

impl Page {
    /// What the page's clock shows at a time of the server's.
    fn shows(&self, at_us: u64) -> f64 {
        self.offset_us + at_us as f64 * (1.0 + self.drift_ppm / 1e6)
    }

    /// A ping that leaves now: what to add to the page's clock to get the server's, and how wrong that may be.
    fn align(&self, now_us: u64) -> (f64, f64) {
        let answered_us = now_us + self.up_us;
        let (asked, got) = (self.shows(now_us), self.shows(answered_us + self.down_us));
        let answered = answered_us as f64;
        (answered - (asked + got) / 2.0, (got - asked) / 2.0)
    }
}

/// What a frame's way takes until it is sent, in microseconds.
const UNTIL_SENT_US: u64 = 12_000;

/// Sends a minute of 60 frames a second; gives how far each figure was off, and how wrong it was said to be, at most.
fn watch_for_a_minute(page: &Page) -> Vec<(u64, u64)> {
    let mut frames = Frames::default();
    let mut unreported = Vec::new();
    let (mut ways, mut alignment) = (Vec::new(), (0.0, 0.0));
    for n in 0..3600_u64 {
        let at_us = 5_000_000 + n * 16_667;
        if n % 60 == 0 {
            alignment = page.align(at_us);
        }
        let rtp_timestamp = (n as u32).wrapping_mul(1500).wrapping_sub(90_000);
        let mut stamps = Stamps::default();
        stamps.set(Stage::Damage, gst::ClockTime::from_useconds(at_us));
        let pts = Some(gst::ClockTime::from_useconds(at_us));
        frames.entered(pts, stamps, true);
        let sent_us = at_us + UNTIL_SENT_US;
        frames.packetised(pts, rtp_timestamp, gst::ClockTime::from_useconds(sent_us));
        frames.sent(rtp_timestamp, gst::ClockTime::from_useconds(sent_us));

        let (offset, uncertainty) = alignment;
        let told = |true_us: u64| (page.shows(true_us) + offset).round() as u64;
        let received_us = sent_us + page.down_us;
        let decoded_us = received_us + page.decode_us;
        unreported.push(FrameReport {
            rtp_timestamp,
            received_us: Some(told(received_us)),
            decoded_us: Some(told(decoded_us)),
            presented_us: told(decoded_us + page.present_us),
        });
        if n % 15 == 14 {
            // The report comes once its frames are shown and it has made its way.
            let now_us = decoded_us + page.present_us + page.up_us;
            let uncertainty_us = uncertainty.ceil() as u64;
            let reports = FrameReports { uncertainty_us, frames: std::mem::take(&mut unreported) };
            let told = frames.reported(&reports, gst::ClockTime::from_useconds(now_us));
            ways.extend(told.into_iter().map(|one| (one.way.total_ns() / 1000, uncertainty_us)));
        }
    }
    let truth_us = UNTIL_SENT_US + page.down_us + page.decode_us + page.present_us;
    ways.into_iter().map(|(measured_us, said_us)| (measured_us.abs_diff(truth_us), said_us)).collect()
}

const NEAR: Page =
    Page { offset_us: 0.0, drift_ppm: 0.0, up_us: 500, down_us: 500, decode_us: 4_000, present_us: 5_000 };

#[test]
fn a_clock_that_is_off_by_days_and_drifts_is_as_good_as_any() {
    for (offset_us, drift_ppm) in [(0.0, 0.0), (-4e6, 0.0), (2e11, 100.0), (-3e6, -100.0)] {
        let errors = watch_for_a_minute(&Page { offset_us, drift_ppm, ..NEAR });
        assert_eq!(errors.len(), 3600, "every frame is believed");
        // A clock that drifts by 100 ppm is off by a tenth of a millisecond when it is aligned again.
        let worst = errors.iter().map(|(error, _)| *error).max().unwrap();
        assert!(worst <= 110, "off by {worst} µs");
    }
}

#[test]
fn a_way_that_takes_longer_in_one_direction_shifts_the_figure_by_half_the_difference_as_it_says() {
    for (up_us, down_us) in [(1_000, 41_000), (41_000, 1_000)] {
        let errors = watch_for_a_minute(&Page { up_us, down_us, ..NEAR });
        assert_eq!(errors.len(), 3600);
        for (error, said) in errors {
            assert!((19_990..=20_010).contains(&error), "off by {error} µs");
            assert_eq!(said, 21_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_figure_is_further_off_than_it_says(
        offset_us in -1e6..1e12_f64,
        drift_ppm in -200.0..200.0_f64,
        up_us in 0..200_000_u64,
        down_us in 0..200_000_u64,
        decode_us in 0..30_000_u64,
        present_us in 0..30_000_u64,
    ) {
        let page = Page { offset_us, drift_ppm, up_us, down_us, decode_us, present_us };
        let errors = watch_for_a_minute(&page);
        prop_assert_eq!(errors.len(), 3600);
        for (error, said) in errors {
            // Besides, the clock drifts until it is aligned again, and times are whole microseconds.
            prop_assert!(error <= said + 300, "off by {} µs, said to be {}", error, said);
        }
    }
}
