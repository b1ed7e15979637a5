//! Decision: pointer, buttons and wheel: which X buttons and places follow from what the page reports.

use vdi_protocol::input::{Pointing, Way};

/// One notch of a wheel in the page's units.
const NOTCH: i32 = 120;
/// Most clicks for one report: more is no turn of a wheel but a fault, and each click is work for the server.
const MAX_CLICKS: i32 = 20;

/// X button numbers of the wheel.
const UP: u8 = 4;
const DOWN: u8 = 5;
const LEFT: u8 = 6;
const RIGHT: u8 = 7;

/// The X button for a DOM button.
pub fn x_button(dom: u8) -> Option<u8> {
    [1, 2, 3, 8, 9].get(usize::from(dom)).copied()
}

/// What is held and what is left over from earlier reports.
#[derive(Debug, Default)]
pub struct Pointer {
    last_seq: Option<u32>,
    /// The way that was gone so far, while the pointer is locked.
    way: Option<Way>,
    held: Vec<u8>,
    rest: (i32, i32),
}

/// Where the pointer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// To a place of the desktop.
    To(u16, u16),
    /// So far from where it is.
    By(i16, i16),
}

impl Pointer {
    /// Where the pointer goes; nowhere if something newer has been seen.
    pub fn point(&mut self, pointing: Pointing) -> Option<Move> {
        match pointing {
            Pointing::Motion { seq, x, y } => {
                self.newer(seq)?;
                self.way = None;
                Some(Move::To(x, y))
            }
            Pointing::Travel { seq, way } => self.travel(seq, way),
            // That is for people's eyes, and moves nothing.
            Pointing::Shown { .. } | Pointing::Hidden { .. } => None,
        }
    }

    /// How far a locked pointer goes; nowhere if something newer has been seen, which has told this way too.
    pub fn travel(&mut self, seq: u32, way: Way) -> Option<Move> {
        self.newer(seq)?;
        let before = self.way.filter(|before| before.lock == way.lock).unwrap_or_default();
        self.way = Some(way);
        // A way that no hand goes at once is a fault, and is cut rather than wrapped.
        let step = |from: i32, to: i32| to.wrapping_sub(from).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        Some(Move::By(step(before.x, way.x), step(before.y, way.y)))
    }

    /// Whether the pointer is locked: the page does not know where it is.
    pub fn locked(&self) -> bool {
        self.way.is_some()
    }

    /// Whether a number is newer than the newest seen; they wrap as in RFC 1982.
    fn newer(&mut self, seq: u32) -> Option<()> {
        let newer = self.last_seq.is_none_or(|last| seq != last && seq.wrapping_sub(last) < 1 << 31);
        newer.then(|| self.last_seq = Some(seq))
    }

    /// The X button to change, if the report changes anything.
    pub fn button(&mut self, dom: u8, down: bool) -> Option<u8> {
        let button = x_button(dom)?;
        let held = self.held.contains(&button);
        match down {
            true if !held => self.held.push(button),
            false if held => self.held.retain(|other| *other != button),
            _ => return None,
        }
        Some(button)
    }

    /// X buttons to click, one after the other. What is less than a notch is kept for the next report.
    pub fn wheel(&mut self, dx: i32, dy: i32) -> Vec<u8> {
        let mut clicks = notches(&mut self.rest.1, dy, UP, DOWN);
        clicks.extend(notches(&mut self.rest.0, dx, LEFT, RIGHT));
        clicks
    }

    /// Another page acts, with sequence numbers of its own: what is held goes up.
    pub fn release_all(&mut self) -> Vec<u8> {
        let Self { held, .. } = std::mem::take(self);
        held
    }

    /// The page let everything go but stays: its sequence numbers go on.
    pub fn release_buttons(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

fn notches(rest: &mut i32, turn: i32, negative: u8, positive: u8) -> Vec<u8> {
    // A turn the other way begins afresh: a rest of the old direction would swallow it.
    if (*rest < 0) != (turn < 0) {
        *rest = 0;
    }
    let sum = rest.saturating_add(turn).clamp(-NOTCH * MAX_CLICKS, NOTCH * MAX_CLICKS);
    *rest = sum % NOTCH;
    let clicks = sum / NOTCH;
    vec![if clicks < 0 { negative } else { positive }; clicks.unsigned_abs() as usize]
}

/// A place inside the display.
pub fn clamp(x: u16, y: u16, (width, height): (u16, u16)) -> (i16, i16) {
    let inside = |at: u16, size: u16| i16::try_from(at.min(size.saturating_sub(1))).unwrap_or(i16::MAX);
    (inside(x, width), inside(y, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motion(seq: u32) -> Pointing {
        Pointing::Motion { seq, x: 3, y: 4 }
    }

    fn travel(seq: u32, lock: u32, x: i32, y: i32) -> Pointing {
        Pointing::Travel { seq, way: Way { lock, x, y } }
    }

    #[test]
    fn older_and_repeated_motions_are_dropped_across_the_wrap() {
        let mut pointer = Pointer::default();
        let seen = [5, 4, 5, 7, u32::MAX, 8].map(|seq| pointer.point(motion(seq)).is_some());
        assert_eq!(seen, [true, false, false, true, false, true]);
        let mut pointer = Pointer::default();
        let seen = [u32::MAX, 0, u32::MAX, 1].map(|seq| pointer.point(motion(seq)).is_some());
        assert_eq!(seen, [true, true, false, true]);
    }

    #[test]
    fn no_way_is_lost_with_a_message_nor_gone_twice_when_one_is_late() {
        let mut pointer = Pointer::default();
        assert_eq!(pointer.point(travel(2, 1, 5, -3)), Some(Move::By(5, -3)), "the first was lost");
        assert_eq!(pointer.point(travel(1, 1, 2, -1)), None, "it comes late");
        assert_eq!(
            pointer.travel(4, Way { lock: 1, x: 9, y: -3 }),
            Some(Move::By(4, 0)),
            "a button brings its way"
        );
        assert_eq!(pointer.point(travel(3, 1, 7, -3)), None, "which has been gone already");
        assert_eq!(pointer.point(travel(5, 1, 0, 0)), Some(Move::By(-9, 3)));
    }

    #[test]
    fn another_lock_begins_at_nothing_and_a_place_ends_it() {
        let mut pointer = Pointer::default();
        assert!(!pointer.locked());
        pointer.point(travel(1, 1, 500, 500));
        assert!(pointer.locked());
        assert_eq!(pointer.point(motion(2)), Some(Move::To(3, 4)));
        assert!(!pointer.locked());
        assert_eq!(pointer.point(travel(3, 2, 1, 2)), Some(Move::By(1, 2)));
    }

    #[test]
    fn ways_wrap_and_absurd_ones_are_cut() {
        let mut pointer = Pointer::default();
        assert_eq!(pointer.point(travel(1, 1, i32::MAX, 0)), Some(Move::By(i16::MAX, 0)));
        assert_eq!(pointer.point(travel(2, 1, i32::MIN, 0)), Some(Move::By(1, 0)));
    }

    #[test]
    fn dom_buttons_become_x_buttons_and_side_buttons_are_not_the_wheel() {
        assert_eq!([0, 1, 2, 3, 4, 5].map(x_button), [Some(1), Some(2), Some(3), Some(8), Some(9), None]);
    }

    #[test]
    fn wheel_clicks_once_per_notch_and_keeps_the_rest() {
        let mut pointer = Pointer::default();
        assert_eq!(pointer.wheel(0, 120), [DOWN]);
        assert_eq!(pointer.wheel(0, -240), [UP, UP]);
        assert_eq!(pointer.wheel(120, 0), [RIGHT]);
        assert_eq!(pointer.wheel(-120, 0), [LEFT]);
        let fine: Vec<_> = (0..8).map(|_| pointer.wheel(0, 30).len()).collect();
        assert_eq!(fine, [0, 0, 0, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn turning_back_does_not_first_undo_the_rest() {
        let mut pointer = Pointer::default();
        assert!(pointer.wheel(0, 100).is_empty());
        assert_eq!(pointer.wheel(0, -120), [UP]);
    }

    #[test]
    fn absurd_turn_is_bounded() {
        assert_eq!(Pointer::default().wheel(0, i32::MAX).len(), 20);
        assert_eq!(Pointer::default().wheel(i32::MIN, 0), [LEFT; 20]);
    }

    #[test]
    fn places_outside_the_display_are_moved_to_its_edge() {
        assert_eq!(clamp(5000, 20, (1920, 1080)), (1919, 20));
        assert_eq!(clamp(0, u16::MAX, (1920, 1080)), (0, 1079));
    }

    #[test]
    fn buttons_change_once_and_are_all_released() {
        let mut pointer = Pointer::default();
        assert_eq!(pointer.button(0, true), Some(1));
        assert_eq!(pointer.button(0, true), None);
        assert_eq!(pointer.button(2, true), Some(3));
        assert_eq!(pointer.button(1, false), None);
        assert_eq!(pointer.release_all(), [1, 3]);
        assert_eq!(pointer.button(0, false), None);
    }
}
