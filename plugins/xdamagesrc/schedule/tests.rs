//! What the schedule does with desktops that are idle, typed in, scrolled and played, on a clock of plain numbers.

use super::*;
use proptest::prelude::*;

const INTERVAL: Duration = Duration::from_micros(16_667);
const TOTAL_PX: u64 = 1920 * 1080;
const LETTER_PX: u64 = 9 * 18;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const RULES: Rules =
    Rules { interval: INTERVAL, settle: ms(1), sharpen_frames: 8, keepalive: None, poll: false };

/// What happens around the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// So many pixels are drawn.
    Draw(u64),
    /// Somebody wants a frame.
    Demand,
}

/// A frame that has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    at: Duration,
    is_repeat: bool,
    /// When the first of what is new in it was drawn.
    since: Option<Duration>,
}

/// An X server that tells of damage only after the list was taken, and the source's loop.
struct Desktop {
    schedule: Schedule,
    now: Duration,
    untold_px: u64,
    missing_px: u64,
    has_told: bool,
    left: Vec<Left>,
    looks: usize,
}

impl Desktop {
    fn new(rules: Rules) -> Self {
        let schedule = Schedule::new(rules);
        Self { schedule, now: ms(0), untold_px: 0, missing_px: 0, has_told: false, left: vec![], looks: 0 }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Draw(px) => {
                self.untold_px += px;
                if !self.has_told {
                    self.has_told = true;
                    self.schedule.damaged(self.now);
                }
            }
            Happening::Demand => self.schedule.demand(),
        }
    }

    /// Lets time pass until `end`.
    fn run(mut self, happenings: &[(Duration, Happening)], end: Duration) -> Self {
        let mut happenings = happenings.iter().copied().peekable();
        let mut steps = 0;
        while self.now <= end {
            steps += 1;
            assert!(steps < 200_000, "the schedule does not let go of {:?}", self.now);
            while let Some((_, happening)) = happenings.next_if(|(at, _)| *at <= self.now) {
                self.happen(happening);
            }
            match self.schedule.next(self.now) {
                Action::Wait(until) => {
                    let next = happenings.peek().map(|(at, _)| *at);
                    let wake = [until, next].into_iter().flatten().min().unwrap_or(end + ms(1));
                    assert!(wake > self.now, "it waits for what is over");
                    self.now = wake.min(end + ms(1));
                }
                Action::Look => {
                    self.looks += 1;
                    self.missing_px += std::mem::take(&mut self.untold_px);
                    self.has_told = false;
                    self.schedule.looked(self.now);
                }
                Action::Capture => {
                    let since = self.schedule.damage_since();
                    let damaged_px = std::mem::take(&mut self.missing_px);
                    if self.schedule.rules.poll && damaged_px == 0 && !self.schedule.is_demanded() {
                        self.schedule.found_nothing(self.now);
                    } else {
                        self.schedule.captured(self.now, damaged_px, TOTAL_PX);
                        self.left.push(Left { at: self.now, is_repeat: false, since });
                    }
                }
                Action::Repeat => {
                    self.schedule.repeated(self.now, TOTAL_PX);
                    self.left.push(Left { at: self.now, is_repeat: true, since: None });
                }
            }
        }
        self
    }

    fn frames(&self, is_repeat: bool) -> usize {
        self.left.iter().filter(|left| left.is_repeat == is_repeat).count()
    }

    /// Past the first frame and its sharpening.
    fn warm(rules: Rules) -> Self {
        let mut desktop = Self::new(rules).run(&[], ms(2000));
        desktop.left.clear();
        desktop.looks = 0;
        desktop
    }
}

fn draws(at: impl IntoIterator<Item = Duration>, px: u64) -> Vec<(Duration, Happening)> {
    at.into_iter().map(|at| (at, Happening::Draw(px))).collect()
}

#[test]
fn the_first_frame_leaves_at_once_is_sharpened_and_then_there_is_silence() {
    let desktop = Desktop::new(RULES).run(&[], ms(60_000));
    assert_eq!(desktop.left[0].at, ms(0));
    assert_eq!(desktop.left.len(), 1 + 8);
    assert!(desktop.left.windows(2).all(|pair| pair[1].at - pair[0].at >= RULES.interval));
}

#[test]
fn a_key_that_is_pressed_leaves_when_it_has_settled_and_is_sharpened_once() {
    let desktop = Desktop::warm(RULES).run(&draws([ms(3000)], LETTER_PX), ms(10_000));
    let frames: Vec<_> = desktop.left.iter().map(|left| (left.at, left.is_repeat)).collect();
    assert_eq!(frames, [(ms(3001), false), (ms(3201), true)]);
    assert_eq!(desktop.left[0].since, Some(ms(3000)));
}

#[test]
fn somebody_who_types_costs_a_frame_a_key() {
    let keys = (0..80).map(|key| ms(3000 + 125 * key));
    let desktop = Desktop::warm(RULES).run(&draws(keys, LETTER_PX), ms(20_000));
    assert_eq!((desktop.frames(false), desktop.frames(true)), (80, 1));
}

#[test]
fn a_clock_that_ticks_puts_the_sharpening_off_but_does_not_begin_it_anew() {
    let rules = Rules { sharpen_frames: 60, ..RULES };
    let ticks: Vec<_> = (1..=60).map(|second| ms(1000 * second - 400)).collect();
    let desktop = Desktop::new(rules).run(&draws(ticks, 164 * 164), ms(60_500));
    assert_eq!(desktop.frames(false), 60);
    // Of the first frame itself and its 60, then a tick's one; the ticks before it is sharp add their share.
    let repeats = desktop.frames(true);
    assert!((61 + 50..=61 + 60 + 10).contains(&repeats), "{repeats}");
    let last_minute = desktop.left.iter().filter(|left| left.is_repeat && left.at > ms(10_000)).count();
    assert!((49..=51).contains(&last_minute), "{last_minute}");
}

#[test]
fn text_that_stops_scrolling_is_sharpened_soon_and_fully() {
    let lines = (0..60).map(|frame| ms(3000) + INTERVAL * frame);
    let desktop = Desktop::warm(RULES).run(&draws(lines, TOTAL_PX * 3 / 4), ms(10_000));
    assert_eq!((desktop.frames(false), desktop.frames(true)), (60, 8));
    let last = desktop.left[59].at;
    assert_eq!(desktop.left[60].at - last, ms(50));
}

#[test]
fn a_slow_animation_is_not_sharpened_between_its_frames() {
    for gap in [40, 66, 100, 125] {
        let frames = (0..50).map(|frame| ms(3000 + gap * frame));
        let desktop = Desktop::warm(RULES).run(&draws(frames, TOTAL_PX), ms(12_000));
        // After the first, which might have been all.
        assert!(desktop.frames(true) <= 8 + 5, "{gap} ms: {}", desktop.frames(true));
        assert_eq!(desktop.frames(false), 50);
    }
}

#[test]
fn a_client_at_the_frame_rate_waits_for_nothing_but_settling() {
    let jitter = [0, 3, 1, 4, 2];
    let frames: Vec<_> = (0..300).map(|n| ms(3000) + INTERVAL * n + ms(jitter[n as usize % 5])).collect();
    let desktop = Desktop::warm(RULES).run(&draws(frames.clone(), TOTAL_PX), ms(9000));
    let shown: Vec<_> = desktop.left.iter().filter(|left| !left.is_repeat).collect();
    assert_eq!(shown.len(), frames.len());
    for (frame, left) in frames.iter().zip(shown) {
        assert_eq!((left.at - *frame, left.since), (ms(1), Some(*frame)));
    }
}

#[test]
fn a_client_that_draws_without_end_does_not_starve_the_picture() {
    let frames = draws((0..20_000).map(|n| ms(3000) + Duration::from_micros(100) * n), 1000);
    let desktop = Desktop::warm(RULES).run(&frames, ms(5000));
    let shown = desktop.frames(false);
    assert!((115..=123).contains(&shown), "{shown} in two seconds");
    // A few looks at the server for each, not one for each line that is drawn.
    assert!(desktop.looks <= shown * 10, "{} looks", desktop.looks);
}

#[test]
fn what_is_drawn_in_a_burst_leaves_in_one_frame() {
    let burst = [ms(3000), ms(3000) + Duration::from_micros(700), ms(3000) + Duration::from_micros(1600)];
    let desktop = Desktop::warm(RULES).run(&draws(burst, LETTER_PX), ms(3100));
    assert_eq!(desktop.left.len(), 1);
    assert_eq!(desktop.left[0].since, Some(ms(3000)));
}

#[test]
fn a_demand_is_served_at_once_and_sharpened_as_after_a_full_change() {
    let desktop = Desktop::warm(RULES).run(&[(ms(3000), Happening::Demand)], ms(10_000));
    assert_eq!(desktop.left[0].at, ms(3000));
    assert_eq!((desktop.frames(false), desktop.frames(true)), (0, 1 + 8));
}

#[test]
fn a_storm_of_demands_is_no_stream_and_a_throttle_does_not_hold_one_back() {
    let demands: Vec<_> = (0..1000).map(|n| (ms(3000 + n), Happening::Demand)).collect();
    let mut desktop = Desktop::warm(Rules { sharpen_frames: 0, ..RULES });
    desktop.schedule.set_throttle(ms(10_000));
    let desktop = desktop.run(&demands, ms(3999));
    assert_eq!(desktop.left[0].at, ms(3000));
    assert!(desktop.left.len() <= 126, "{}", desktop.left.len());
}

#[test]
fn a_throttle_limits_everything_else_until_it_is_lifted() {
    let frames = draws((0..600).map(|n| ms(3000) + INTERVAL * n), TOTAL_PX);
    let mut desktop = Desktop::warm(RULES);
    desktop.schedule.set_throttle(ms(1000));
    let mut desktop = desktop.run(&frames[..300], ms(8000));
    assert!((5..=7).contains(&desktop.left.len()), "{}", desktop.left.len());
    desktop.schedule.set_throttle(Duration::ZERO);
    desktop.left.clear();
    let desktop = desktop.run(&frames[300..], ms(13_000));
    assert!(desktop.frames(false) >= 290, "{}", desktop.frames(false));
}

#[test]
fn a_sign_of_life_comes_after_silence_only() {
    let rules = Rules { sharpen_frames: 0, keepalive: Some(ms(500)), ..RULES };
    let desktop = Desktop::warm(rules).run(&draws([ms(3300)], LETTER_PX), ms(4400));
    let at: Vec<_> = desktop.left.iter().map(|left| left.at.as_millis()).collect();
    assert_eq!(at, [2500, 3000, 3301, 3801, 4301]);
}

#[test]
fn without_sharpening_there_are_no_repeats() {
    let rules = Rules { sharpen_frames: 0, ..RULES };
    let desktop = Desktop::warm(rules).run(&draws([ms(3000)], TOTAL_PX), ms(10_000));
    assert_eq!((desktop.frames(false), desktop.frames(true)), (1, 0));
}

#[test]
fn who_polls_captures_at_the_frame_rate_and_sends_only_what_has_changed() {
    let mut schedule = Schedule::new(Rules { poll: true, sharpen_frames: 0, ..RULES });
    let (mut now, mut polls) = (ms(0), 0);
    while now < ms(1000) {
        match schedule.next(now) {
            Action::Wait(Some(until)) => now = until,
            Action::Capture if polls == 0 => {
                schedule.captured(now, TOTAL_PX, TOTAL_PX);
                polls += 1;
            }
            Action::Capture => {
                schedule.found_nothing(now);
                polls += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((59..=62).contains(&polls), "{polls}");
}

proptest! {
    #[test]
    fn all_that_is_drawn_is_shown_soon_and_never_faster_than_the_rate(
        gaps_us in prop::collection::vec((1_u64..60_000, 1_u64..TOTAL_PX), 1..150),
        settle_us in 0_u64..4000,
    ) {
        let mut at = ms(3000);
        let drawn: Vec<_> = gaps_us.into_iter().map(|(gap, px)| {
            at += Duration::from_micros(gap);
            (at, Happening::Draw(px))
        }).collect();
        let settle = Duration::from_micros(settle_us);
        let desktop = Desktop::warm(Rules { settle, ..RULES }).run(&drawn, at + ms(5000));
        prop_assert_eq!((desktop.untold_px, desktop.missing_px), (0, 0));
        for (drawn, _) in &drawn {
            let shown = desktop.left.iter().find(|left| left.at >= *drawn && !left.is_repeat).unwrap();
            // An interval and a half for the rate, or settling; a second round for what comes while it settles.
            prop_assert!(shown.at - *drawn <= INTERVAL * 2 + settle * 16, "{drawn:?} left at {:?}", shown.at);
        }
        for pair in desktop.left.windows(3) {
            prop_assert!(pair[2].at - pair[0].at + Duration::from_micros(1) >= INTERVAL);
        }
    }
}
