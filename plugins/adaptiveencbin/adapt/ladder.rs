//! Decision: frame size and frame rate for a bit rate, so that each pixel gets enough bits.
//!
//! ```text
//!           rung 0            1            2            3            4            5             6              7
//! text      1920x1080@60  ▶  @30       ▶  @20       ▶  @15      ▶  1440x810  ▶  1280x720   ▶  960x540    ▶  960x540
//!                                                                    @15          @15           @15            @10
//! motion    1920x1080@60  ▶ 1440x810   ▶ 1280x720   ▶ 960x540   ▶  960x540   ▶  960x540    ▶  960x540    ▶  960x540
//!                           @60          @60          @60           @30          @20           @15            @10
//! ```
//!
//! Text stays sharp and moves less often, motion stays smooth and loses detail. It goes down when the rate has not
//! sufficed for a second, and up when there is a quarter more than the higher rung needs for five; a bounced return
//! waits longer. Refuses to enlarge anything.

use super::{content::Content, patience::Patience};
use crate::adaptiveencbin::rate::{Bitrate, FrameRate};
use std::time::Duration;

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: FrameRate,
}

/// What to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Columns, even.
    pub width: u32,
    /// Rows, even.
    pub height: u32,
    /// The most frames per second; `None` is as many as come in.
    pub max_fps: Option<u32>,
}

/// Frame rates below the source's. Under 10 a pointer can no longer be aimed.
const FRAME_RATES: [u32; 4] = [30, 20, 15, 10];

/// Text gives up size at this rate before the frame rate goes lower.
const TEXT_FPS: u32 = 15;

/// Sizes below the source's, as fractions. Under half of each side text is no longer read.
const SCALES: [(u32, u32); 3] = [(3, 4), (2, 3), (1, 2)];

/// No smaller pictures are made: the narrowest that NVENC takes is 145x49.
const SMALLEST: (u32, u32) = (160, 90);

/// The higher rung must get this many times the bits that it needs.
const UP_MARGIN: f64 = 1.25;

/// The rate must not have sufficed for so long.
const DOWN_AFTER: Duration = Duration::from_secs(1);

/// The first wait before going up.
const HOLD: Duration = Duration::from_secs(5);

/// Bits per pixel under which a picture falls apart. Text is mostly still: 1080p60 does well with 1.9 Mbit/s, 4K60 with
/// 7.5. Motion pays for each frame: 3.7 and 14.9 Mbit/s.
const fn least_bits_per_pixel(content: Content) -> f64 {
    match content {
        Content::Text => 0.015,
        Content::Motion => 0.03,
    }
}

/// The rungs of a source, and the one that the bit rate allows.
#[derive(Debug)]
pub struct Ladder {
    source: Source,
    content: Content,
    rungs: Vec<Shape>,
    index: usize,
    /// Since when the rate has not sufficed, and the highest rung it would have sufficed for.
    low: Option<(Duration, usize)>,
    /// Since when a higher rung has had enough, and the lowest of those.
    high: Option<(Duration, usize)>,
    /// For the return to each rung.
    patience: Vec<Patience>,
}

impl Ladder {
    /// At the top.
    pub fn new(source: Source, content: Content) -> Self {
        let rungs = rungs(source, content);
        let patience = vec![Patience::new(HOLD); rungs.len()];
        Self { source, content, rungs, index: 0, low: None, high: None, patience }
    }

    /// The source as it comes in, on even sizes.
    pub fn top(&self) -> Shape {
        self.rungs[0]
    }

    /// What comes in.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Frames per second that come in.
    pub fn source_fps(&self) -> f64 {
        self.source.frame_rate.per_second()
    }

    /// The rung that the bit rate allows.
    pub fn rung(&self) -> Shape {
        self.rungs[self.index]
    }

    /// The first rung from the current one down that has no more than a share of its pixels per second.
    pub fn with_share(&self, share: f64) -> Shape {
        let most = pixel_rate(self.rung(), self.source) * share;
        let below = &self.rungs[self.index..];
        // Nothing is lower than the last one.
        let fits = |rung: &&Shape| pixel_rate(**rung, self.source) <= most * (1.0 + f64::EPSILON);
        *below.iter().find(fits).unwrap_or(&self.rungs[self.rungs.len() - 1])
    }

    /// Another kind of picture has other rungs; the place among them is found anew.
    pub fn set_content(&mut self, content: Content, rate: Bitrate) {
        if content != self.content {
            let was_at_the_top = self.index == 0;
            self.content = content;
            self.rungs = rungs(self.source, content);
            // Whatever did not need to step down does so in its own time.
            self.index = if was_at_the_top { 0 } else { self.first_with(rate, 1.0) };
            (self.low, self.high) = (None, None);
        }
    }

    /// The bit rate now.
    pub fn observe(&mut self, rate: Bitrate, now: Duration) {
        let enough = self.first_with(rate, 1.0);
        let plenty = self.first_with(rate, UP_MARGIN);
        self.low = (enough > self.index).then(|| {
            let (since, best) = self.low.unwrap_or((now, enough));
            (since, best.min(enough))
        });
        self.high = (plenty < self.index).then(|| {
            let (since, worst) = self.high.unwrap_or((now, plenty));
            (since, worst.max(plenty))
        });
        match (self.low, self.high) {
            (Some((since, best)), _) if now.saturating_sub(since) >= DOWN_AFTER => {
                self.patience[self.index].stepped_down(now);
                self.index = best;
                self.low = None;
            }
            (_, Some((since, worst))) if now.saturating_sub(since) >= self.patience[worst].hold() => {
                self.index = worst;
                self.high = None;
                self.patience[worst].returned(now);
            }
            _ => {}
        }
    }

    /// The first rung that has enough bits, and so many times as many; the last one if none has.
    fn first_with(&self, rate: Bitrate, margin: f64) -> usize {
        let needed = least_bits_per_pixel(self.content) * margin;
        let enough = |rung: &Shape| f64::from(rate.bps()) >= needed * pixel_rate(*rung, self.source);
        self.rungs.iter().position(enough).unwrap_or(self.rungs.len() - 1)
    }
}

/// Pixels per second.
fn pixel_rate(shape: Shape, source: Source) -> f64 {
    let fps = source.frame_rate.per_second();
    let fps = shape.max_fps.map_or(fps, |max| fps.min(max.into()));
    f64::from(shape.width) * f64::from(shape.height) * fps
}

/// All rungs, each with fewer pixels per second than the one above.
fn rungs(source: Source, content: Content) -> Vec<Shape> {
    let top = (even(source.width), even(source.height));
    let scaled = |(numerator, denominator): (u32, u32)| {
        let side = |side: u32| nearest_even(u64::from(side) * u64::from(numerator), denominator.into());
        (side(top.0), side(top.1))
    };
    let mut sizes = vec![top];
    let fits = |size: &(u32, u32)| size.0 >= SMALLEST.0 && size.1 >= SMALLEST.1;
    sizes.extend(SCALES.map(scaled).into_iter().filter(fits));
    let mut rates = vec![None];
    let below = |fps: &u32| f64::from(*fps) < source.frame_rate.per_second();
    rates.extend(FRAME_RATES.into_iter().filter(below).map(Some));

    let shape = |&(width, height): &(u32, u32), max_fps| Shape { width, height, max_fps };
    let smallest = sizes[sizes.len() - 1];
    match content {
        Content::Text => {
            let (usual, last): (Vec<_>, Vec<_>) =
                rates.into_iter().partition(|rate| rate.is_none_or(|fps| fps >= TEXT_FPS));
            let lowest = usual[usual.len() - 1];
            let by_rate = usual.iter().map(|&rate| shape(&top, rate));
            let by_size = sizes[1..].iter().map(|size| shape(size, lowest));
            by_rate.chain(by_size).chain(last.iter().map(|&rate| shape(&smallest, rate))).collect()
        }
        Content::Motion => {
            let by_size = sizes.iter().map(|size| shape(size, None));
            by_size.chain(rates[1..].iter().map(|&rate| shape(&smallest, rate))).collect()
        }
    }
}

/// Without the odd last line, which 4:2:0 cannot have.
const fn even(side: u32) -> u32 {
    side & !1
}

/// The even number nearest to a fraction.
fn nearest_even(numerator: u64, denominator: u64) -> u32 {
    u32::try_from((numerator + denominator) / (2 * denominator) * 2).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL_HD: Source =
        Source { width: 1920, height: 1080, frame_rate: FrameRate { numerator: 60, denominator: 1 } };

    fn names(source: Source, content: Content) -> Vec<String> {
        let name = |shape: &Shape| {
            let fps = shape.max_fps.map_or("all".into(), |fps| fps.to_string());
            format!("{}x{}@{fps}", shape.width, shape.height)
        };
        rungs(source, content).iter().map(name).collect()
    }

    /// Lets a bit rate stand for some seconds, and tells the rung.
    fn after(ladder: &mut Ladder, clock: &mut u64, seconds: u64, kbps: u32) -> Shape {
        for _ in 0..seconds * 4 {
            *clock += 250;
            ladder.observe(Bitrate::from_kbps(kbps), Duration::from_millis(*clock));
        }
        ladder.rung()
    }

    #[test]
    fn text_gives_up_frames_and_motion_gives_up_pixels_first() {
        assert_eq!(
            names(FULL_HD, Content::Text),
            [
                "1920x1080@all",
                "1920x1080@30",
                "1920x1080@20",
                "1920x1080@15",
                "1440x810@15",
                "1280x720@15",
                "960x540@15",
                "960x540@10"
            ]
        );
        assert_eq!(
            names(FULL_HD, Content::Motion),
            [
                "1920x1080@all",
                "1440x810@all",
                "1280x720@all",
                "960x540@all",
                "960x540@30",
                "960x540@20",
                "960x540@15",
                "960x540@10"
            ]
        );
    }

    #[test]
    fn a_slow_or_small_source_has_fewer_rungs() {
        let at = |width, height, numerator| Source {
            width,
            height,
            frame_rate: FrameRate { numerator, denominator: 1 },
        };
        assert_eq!(
            names(at(200, 100, 30), Content::Text),
            ["200x100@all", "200x100@20", "200x100@15", "200x100@10"]
        );
        assert_eq!(
            names(at(640, 360, 10), Content::Text),
            ["640x360@all", "480x270@all", "426x240@all", "320x180@all"]
        );
        assert_eq!(
            names(at(161, 99, 5), Content::Motion),
            ["160x98@all"],
            "an odd line is cut off, not scaled"
        );
    }

    #[test]
    fn rungs_for_bit_rates_of_full_hd_at_60() {
        // Text at 0.015 bits per pixel: 60 frames need 1866 kbit/s, 30 need 933, 20 need 622, 15 need 467.
        for (kbps, content, width, max_fps) in [
            (8000, Content::Text, 1920, None),
            (1867, Content::Text, 1920, None),
            (1866, Content::Text, 1920, Some(30)),
            (900, Content::Text, 1920, Some(20)),
            (500, Content::Text, 1920, Some(15)),
            (300, Content::Text, 1440, Some(15)),
            (50, Content::Text, 960, Some(10)),
            (8000, Content::Motion, 1920, None),
            (3700, Content::Motion, 1440, None),
            (2000, Content::Motion, 1280, None),
            (1000, Content::Motion, 960, None),
            (500, Content::Motion, 960, Some(30)),
            (50, Content::Motion, 960, Some(10)),
        ] {
            let mut ladder = Ladder::new(FULL_HD, content);
            let shape = after(&mut ladder, &mut 0, 2, kbps);
            assert_eq!((shape.width, shape.max_fps), (width, max_fps), "{content:?} at {kbps} kbit/s");
        }
    }

    #[test]
    fn a_dip_of_less_than_a_second_changes_nothing() {
        let (mut ladder, mut clock) = (Ladder::new(FULL_HD, Content::Text), 0);
        for _ in 0..100 {
            for kbps in [1000, 1000, 1000, 1000, 3000] {
                clock += 250;
                ladder.observe(Bitrate::from_kbps(kbps), Duration::from_millis(clock));
            }
            assert_eq!(ladder.rung(), ladder.top());
        }
    }

    #[test]
    fn it_goes_up_with_a_quarter_to_spare_held_for_five_seconds() {
        let (mut ladder, mut clock) = (Ladder::new(FULL_HD, Content::Text), 0);
        assert_eq!(after(&mut ladder, &mut clock, 2, 1000).max_fps, Some(30));
        assert_eq!(after(&mut ladder, &mut clock, 60, 2332).max_fps, Some(30), "1.25 times 1866 is 2333");
        assert_eq!(after(&mut ladder, &mut clock, 5, 2334).max_fps, Some(30));
        assert_eq!(after(&mut ladder, &mut clock, 1, 2334).max_fps, None);
    }

    #[test]
    fn latency_takes_its_share_from_where_the_rate_has_put_us() {
        let (mut ladder, mut clock) = (Ladder::new(FULL_HD, Content::Text), 0);
        assert_eq!(ladder.with_share(1.0), ladder.top());
        assert_eq!(ladder.with_share(0.75).max_fps, Some(30));
        assert_eq!(ladder.with_share(0.01), *ladder.rungs.last().unwrap());
        after(&mut ladder, &mut clock, 2, 1000);
        assert_eq!(ladder.with_share(1.0).max_fps, Some(30));
        assert_eq!(ladder.with_share(0.75).max_fps, Some(20));
    }

    #[test]
    fn another_kind_of_picture_finds_its_place_at_once_unless_nothing_was_given_up() {
        let (mut ladder, mut clock) = (Ladder::new(FULL_HD, Content::Text), 0);
        ladder.set_content(Content::Motion, Bitrate::from_kbps(2000));
        assert_eq!(ladder.rung(), ladder.top());
        assert_eq!(after(&mut ladder, &mut clock, 2, 1000).width, 960);
        ladder.set_content(Content::Text, Bitrate::from_kbps(1000));
        assert_eq!((ladder.rung().width, ladder.rung().max_fps), (1920, Some(30)));
    }

    proptest! {
        #[test]
        fn rungs_are_even_never_larger_keep_the_aspect_and_go_down(
            width in 2..8192_u32, height in 2..8192_u32, numerator in 0..240_000_u32, denominator in 1..1002_u32, text: bool,
        ) {
            let source = Source { width, height, frame_rate: FrameRate { numerator, denominator } };
            let rungs = rungs(source, if text { Content::Text } else { Content::Motion });
            let top = rungs[0];
            prop_assert_eq!(top, Shape { width: width & !1, height: height & !1, max_fps: None });
            for shape in &rungs {
                prop_assert!(shape.width % 2 == 0 && shape.height % 2 == 0);
                prop_assert!(shape.width <= width && shape.height <= height);
                prop_assert!(*shape == top || shape.max_fps.is_some() || (shape.width >= 160 && shape.height >= 90));
                // Both sides are within one pixel of the same fraction.
                let fraction = f64::from(shape.width) / f64::from(top.width);
                let slack = 1.0 + f64::from(top.height) / f64::from(top.width);
                prop_assert!((f64::from(shape.height) - fraction * f64::from(top.height)).abs() <= slack);
            }
            for pair in rungs.windows(2) {
                prop_assert!(pixel_rate(pair[1], source) < pixel_rate(pair[0], source));
            }
        }
    }
}
