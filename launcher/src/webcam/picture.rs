//! Decision: what programs see, and when it is written again: what the page in control shows while it shows something, else that the
//! camera is off. All pictures are of one size and format, which programs do not survive a change of.

use std::time::Duration;

/// Width of every picture.
pub const WIDTH_PX: usize = 1280;
/// Height of every picture.
pub const HEIGHT_PX: usize = 720;
/// Bytes of one: YUY2, two bytes for each pixel, which cameras make and every program takes.
pub const BYTES: usize = WIDTH_PX * HEIGHT_PX * 2;

/// A camera of which nothing has come for so long is off. Shorter gaps are the network's, and the last picture stands.
pub const OFF_AFTER: Duration = Duration::from_secs(2);
/// A picture that stands is written again: programs wait for the next one.
const REPEAT_AFTER: Duration = Duration::from_millis(100);
/// The same while the camera is off: nobody looks closely, and all of it is copied each time.
const REPEAT_OFF_AFTER: Duration = Duration::from_millis(200);

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// What the page in control has sent last.
    Page,
    /// That the camera is off.
    Off,
}

/// What is shown now that the last frame came so long ago, and how long it stands unless a frame comes.
pub fn shown(last_frame: Option<Duration>) -> (Shown, Duration) {
    match last_frame {
        Some(age) if age < OFF_AFTER => (Shown::Page, REPEAT_AFTER.min(OFF_AFTER - age)),
        _ => (Shown::Off, REPEAT_OFF_AFTER),
    }
}

/// Brightness of the picture that the camera is off, and of what is drawn in it (BT.601, 16 is black).
const GROUND: u8 = 32;
const DRAWN: u8 = 96;
/// Nothing is drawn farther from the middle, to any side.
const REACH_PX: usize = 128;

/// The picture that the camera is off: a camera, crossed out.
pub fn off() -> Vec<u8> {
    // Without colour: the second byte of a pixel is half of what says so.
    let mut picture = [GROUND, 128].repeat(WIDTH_PX * HEIGHT_PX);
    let (middle_x, middle_y) = (WIDTH_PX / 2, HEIGHT_PX / 2);
    for y in middle_y - REACH_PX..middle_y + REACH_PX {
        for x in middle_x - REACH_PX..middle_x + REACH_PX {
            if is_drawn(x, y) {
                picture[(y * WIDTH_PX + x) * 2] = DRAWN;
            }
        }
    }
    picture
}

fn is_drawn(x: usize, y: usize) -> bool {
    let (x, y) = (x as i64 - WIDTH_PX as i64 / 2, y as i64 - HEIGHT_PX as i64 / 2);
    let across = (x - y).abs();
    if across < 28 {
        // The stroke, with a margin to what it crosses.
        return across < 14 && x.abs() < 120;
    }
    let is_body = (-110..50).contains(&x) && (-60..60).contains(&y);
    let is_lens = (62..120).contains(&x) && y.abs() < 20 + (x - 62) * 2 / 3;
    is_body || is_lens
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_camera_that_pauses_stands_still_and_is_off_after_two_seconds() {
        assert_eq!(shown(None), (Shown::Off, 200 * MS));
        assert_eq!(shown(Some(Duration::ZERO)), (Shown::Page, 100 * MS));
        assert_eq!(shown(Some(1950 * MS)), (Shown::Page, 50 * MS), "it is told in time");
        assert_eq!(shown(Some(2000 * MS)), (Shown::Off, 200 * MS));
    }

    #[test]
    fn the_picture_that_the_camera_is_off_is_grey_and_as_large_as_all() {
        let picture = off();
        assert_eq!(picture.len(), BYTES);
        assert!(picture.chunks(2).all(|pixel| [GROUND, DRAWN].contains(&pixel[0]) && pixel[1] == 128));
        assert_eq!(picture[0], GROUND);
        let drawn = picture.chunks(2).filter(|pixel| pixel[0] == DRAWN).count();
        assert!((10_000..40_000).contains(&drawn), "{drawn} pixels are drawn");
    }
}
