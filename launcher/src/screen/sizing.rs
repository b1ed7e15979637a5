//! Decision: how large the desktop becomes for a page's window, and when. A storm of wishes ends in the last one, with a
//! pause between two changes: each costs every program on the desktop a new layout, and the stream a key frame. Time is an
//! argument.

use crate::config::Size;
use std::time::Duration;
use vdi_protocol::screen::Viewport;

/// Least time between two changes of size. A window that is being dragged shows the desktop follow, and no more.
pub const PAUSE: Duration = Duration::from_millis(400);
/// Dots per inch at a scale of 1: what programs expect of a plain screen.
pub const PLAIN_DPI: u32 = 96;
/// Scales that text may have. Browsers zoom further, but nobody works there.
const SCALES: (f64, f64) = (0.5, 4.0);

/// What the desktop is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Its size: even, since 4:2:0 has no odd last line or column.
    pub size: Size,
    /// Dots per inch that programs are told.
    pub dpi: u32,
}

/// The desktop for a window. One that is larger than the desktop can be gets the largest of its shape, which the page draws
/// larger, and text that is as much smaller, so that it is as large on the screen. `None` for a window without an inside.
pub fn goal(viewport: &Viewport, smallest: Size, largest: Size) -> Option<Goal> {
    let Viewport { width, height, scale } = *viewport;
    if width == 0 || height == 0 || !scale.is_finite() || scale <= 0.0 {
        return None;
    }
    let shrink = [(largest.width_px, width), (largest.height_px, height)]
        .into_iter()
        .map(|(most, wanted)| f64::from(most) / f64::from(wanted))
        .fold(1.0, f64::min);
    let side = |wanted: u32, least: u16, most: u16| {
        // The product is at most `most`.
        let px = (f64::from(wanted) * shrink).round() as u16;
        px.clamp(least.min(most), most) & !1
    };
    let size = Size {
        width_px: side(width, smallest.width_px, largest.width_px),
        height_px: side(height, smallest.height_px, largest.height_px),
    };
    let dpi = (f64::from(PLAIN_DPI) * (scale * shrink).clamp(SCALES.0, SCALES.1)).round() as u32;
    Some(Goal { size, dpi })
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Nothing.
    Rest,
    /// Nothing yet; ask again after this time.
    Wait(Duration),
    /// This is to be set.
    Set(Goal),
}

/// The last wish, and what became of it.
#[derive(Debug, Default)]
pub struct Wishes {
    wanted: Option<Goal>,
    set: Option<Goal>,
    set_at: Option<Duration>,
}

impl Wishes {
    /// Somebody who may wishes this.
    pub fn wish(&mut self, goal: Goal) {
        self.wanted = Some(goal);
    }

    /// The last wish is not to be tried again: the server has refused it.
    pub fn give_up(&mut self) {
        self.wanted = None;
    }

    /// What was set is lost: the display is another one.
    pub fn forget_set(&mut self) {
        self.set = None;
    }

    /// What to do now. What it says to set counts as set.
    pub fn next(&mut self, now: Duration) -> Next {
        let Some(goal) = self.wanted.filter(|wanted| self.set != Some(*wanted)) else { return Next::Rest };
        let due = self.set_at.map_or(now, |at| at + PAUSE);
        if now < due {
            return Next::Wait(due - now);
        }
        self.set = Some(goal);
        self.set_at = Some(now);
        Next::Set(goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(width_px: u16, height_px: u16) -> Size {
        Size { width_px, height_px }
    }

    const SMALLEST: Size = size(160, 120);
    const LARGEST: Size = size(3840, 2160);

    fn of(width: u32, height: u32, scale: f64) -> Option<(u16, u16, u32)> {
        let goal = goal(&Viewport { width, height, scale }, SMALLEST, LARGEST)?;
        Some((goal.size.width_px, goal.size.height_px, goal.dpi))
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn desktop_is_as_large_as_the_window_in_even_numbers() {
        assert_eq!(of(1281, 719, 1.0), Some((1280, 718, 96)));
        assert_eq!(of(2560, 1440, 2.0), Some((2560, 1440, 192)));
        assert_eq!(of(1500, 900, 1.25), Some((1500, 900, 120)));
    }

    #[test]
    fn window_that_is_too_large_keeps_its_shape_and_its_text_its_size() {
        assert_eq!(of(7680, 4320, 2.0), Some((3840, 2160, 96)));
        // A phone held upright.
        assert_eq!(of(1290, 2796, 3.0), Some((996, 2160, 222)));
        assert_eq!(of(u32::MAX, 1, 1.0), Some((3840, 120, 48)));
    }

    #[test]
    fn window_that_is_too_small_gets_the_least_and_one_without_an_inside_nothing() {
        assert_eq!(of(10, 10, 1.0), Some((160, 120, 96)));
        for nonsense in [of(0, 100, 1.0), of(100, 0, 1.0), of(100, 100, 0.0), of(100, 100, f64::NAN)] {
            assert_eq!(nonsense, None);
        }
        assert_eq!(of(800, 600, 100.0).unwrap().2, 384);
    }

    #[test]
    fn display_that_is_smaller_than_the_least_is_left_as_large_as_it_can_be() {
        let goal = goal(&Viewport { width: 800, height: 600, scale: 1.0 }, SMALLEST, size(101, 80)).unwrap();
        assert_eq!(goal.size, size(100, 80));
    }

    #[test]
    fn first_wish_is_set_at_once_and_a_storm_ends_in_its_last() {
        let goal = |width| Goal { size: size(width, 600), dpi: 96 };
        let mut wishes = Wishes::default();
        assert_eq!(wishes.next(ms(0)), Next::Rest);
        wishes.wish(goal(800));
        assert_eq!(wishes.next(ms(0)), Next::Set(goal(800)));
        for (at, width) in [(10, 802), (20, 804), (390, 806)] {
            wishes.wish(goal(width));
            assert_eq!(wishes.next(ms(at)), Next::Wait(ms(400 - at)));
        }
        assert_eq!(wishes.next(ms(400)), Next::Set(goal(806)));
        assert_eq!(wishes.next(ms(900)), Next::Rest);
        wishes.wish(goal(806));
        assert_eq!(wishes.next(ms(900)), Next::Rest, "it has that size");
    }

    #[test]
    fn display_that_came_back_gets_its_size_again_and_a_refused_one_is_not_asked_for_again() {
        let goal = Goal { size: size(800, 600), dpi: 96 };
        let mut wishes = Wishes::default();
        wishes.wish(goal);
        wishes.next(ms(0));
        wishes.forget_set();
        assert_eq!(wishes.next(ms(1000)), Next::Set(goal));
        wishes.forget_set();
        wishes.give_up();
        assert_eq!(wishes.next(ms(2000)), Next::Rest);
    }
}
