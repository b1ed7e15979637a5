//! Decision: what the contents look like, as pixels of four bytes (blue, green, red, nothing). The same seed draws
//! the same pictures. It knows of no display.

use fastrand::Rng;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// Bytes of a pixel.
pub const PIXEL_BYTES: usize = 4;
/// Height of a line of text.
pub const LINE_PX: usize = 18;
/// Width of a character.
pub const CHARACTER_PX: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);

type Colour = [u8; 3];
const PAPER: Colour = [30, 26, 24];
const INKS: [Colour; 5] =
    [[214, 212, 208], [214, 212, 208], [120, 200, 120], [230, 170, 90], [110, 150, 240]];

/// A rectangle of pixels, rows from top to bottom without gaps.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row.
    pub bytes: Vec<u8>,
}

impl Picture {
    fn new(width: usize, height: usize, colour: Colour) -> Self {
        let [blue, green, red] = colour;
        Self { width, height, bytes: [blue, green, red, 0].repeat(width * height) }
    }

    fn set(&mut self, x: usize, y: usize, [blue, green, red]: Colour) {
        let at = (y * self.width + x) * PIXEL_BYTES;
        if x < self.width
            && let Some(pixel) = self.bytes.get_mut(at..at + PIXEL_BYTES)
        {
            pixel.copy_from_slice(&[blue, green, red, 0]);
        }
    }

    /// Puts another picture onto this one; what does not fit is left out.
    fn put(&mut self, other: &Self, left: usize, top: usize) {
        let columns = other.width.min(self.width.saturating_sub(left)) * PIXEL_BYTES;
        for (row, source) in other.bytes.chunks_exact(other.width * PIXEL_BYTES).enumerate() {
            let at = ((top + row) * self.width + left) * PIXEL_BYTES;
            if let Some(target) = self.bytes.get_mut(at..at + columns) {
                target.copy_from_slice(&source[..columns]);
            }
        }
    }
}

/// Where the terminal is on a display of this size.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Its left edge, and that of the marker, which lies over its corner.
    pub left: usize,
    /// Its upper edge, and that of the marker.
    pub top: usize,
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// Left and upper edge of the terminal and of the marker: on the borders of an encoder's blocks.
pub const CORNER_PX: usize = 32;

impl Terminal {
    /// About six tenths of the display, as terminals are.
    pub const fn on(width: usize, height: usize) -> Self {
        let columns = width * 7 / 10 / CHARACTER_PX;
        let rows = height * 5 / 6 / LINE_PX;
        Self { left: CORNER_PX, top: CORNER_PX, columns, rows }
    }

    /// Its width in pixels.
    pub const fn width(&self) -> usize {
        self.columns * CHARACTER_PX
    }

    /// Its height in pixels.
    pub const fn height(&self) -> usize {
        self.rows * LINE_PX
    }
}

const WORDS: [&str; 24] = [
    "frame",
    "encoder",
    "the",
    "is",
    "request",
    "0x7f3a9c40",
    "session",
    "of",
    "warning:",
    "capture",
    "and",
    "buffer",
    "1920x1080",
    "took",
    "ms",
    "consumer",
    "[info]",
    "latency",
    "a",
    "connected",
    "to",
    "src/main.rs:42",
    "pipeline",
    "was",
];

/// A character on the terminal's paper.
pub fn character(letter: char, ink: usize) -> Picture {
    let mut cell = Picture::new(CHARACTER_PX, LINE_PX, PAPER);
    let Some(raster) = get_raster(letter, FontWeight::Regular, RasterHeight::Size16) else { return cell };
    for (y, row) in raster.rows().enumerate() {
        for (x, &opacity) in row.iter().enumerate() {
            let ink = INKS[ink % INKS.len()];
            let mix = |of: usize| {
                let (paper, ink, opacity) = (u16::from(PAPER[of]), u16::from(ink[of]), u16::from(opacity));
                ((paper * (255 - opacity) + ink * opacity) / 255) as u8
            };
            cell.set(x, y + 1, [mix(0), mix(1), mix(2)]);
        }
    }
    cell
}

/// The block that shows where the next character goes.
pub fn cursor() -> Picture {
    Picture::new(CHARACTER_PX, LINE_PX, INKS[0])
}

/// Words for one line.
pub fn words(chance: &mut Rng, columns: usize) -> String {
    let length = chance.usize(columns / 3..=columns);
    let mut line = String::new();
    while line.len() < length {
        line += WORDS[chance.usize(..WORDS.len())];
        line.push(' ');
    }
    line.truncate(length);
    line
}

/// One line of a terminal: words in several colours.
pub fn line(chance: &mut Rng, columns: usize) -> Picture {
    let mut picture = Picture::new(columns * CHARACTER_PX, LINE_PX, PAPER);
    let mut ink = 0;
    for (column, letter) in words(chance, columns).chars().enumerate() {
        if letter == ' ' {
            ink = chance.usize(..INKS.len());
        } else {
            picture.put(&character(letter, ink), column * CHARACTER_PX, 0);
        }
    }
    picture
}

/// A desktop of this size with a terminal full of text.
pub fn desktop(chance: &mut Rng, width: usize, height: usize) -> Picture {
    let mut picture = Picture::new(width, height, [0, 0, 0]);
    for y in 0..height {
        let shade = |from: usize, to: usize| (from + to * y / height) as u8;
        for x in 0..width {
            picture.set(x, y, [shade(96, 60), shade(70, 40), shade(40, 30)]);
        }
    }
    let terminal = Terminal::on(width, height);
    for row in 0..terminal.rows {
        picture.put(&line(chance, terminal.columns), terminal.left, terminal.top + row * LINE_PX);
    }
    picture
}

/// Pictures of a moving scene, to be shown forwards and backwards in turn: a camera pans over a rough landscape, and
/// things cross it in other directions. Every pixel changes from each to the next.
pub fn scene(chance: &mut Rng, width: usize, height: usize, frames: usize) -> impl Iterator<Item = Picture> {
    const PAN_PX: (usize, usize) = (7, 3);
    const THINGS: usize = 9;
    let land = landscape(chance, width + PAN_PX.0 * frames, height + PAN_PX.1 * frames, [90, 120, 100]);
    let things: Vec<(Picture, [f64; 2], [f64; 2])> = (0..THINGS)
        .map(|_| {
            let side = chance.usize(height / 10..height / 4);
            let tint = [chance.u8(40..200), chance.u8(40..200), chance.u8(40..200)];
            let place = [chance.f64() * (width - side) as f64, chance.f64() * (height - side) as f64];
            let speed = [(chance.f64() - 0.5) * 24.0, (chance.f64() - 0.5) * 16.0];
            (landscape(chance, side, side, tint), place, speed)
        })
        .collect();
    (0..frames).map(move |frame| {
        let mut picture = Picture::new(width, height, PAPER);
        let (left, top) = (frame * PAN_PX.0, frame * PAN_PX.1);
        let rows = land.bytes.chunks_exact(land.width * PIXEL_BYTES).skip(top);
        for (target, source) in picture.bytes.chunks_exact_mut(width * PIXEL_BYTES).zip(rows) {
            target.copy_from_slice(&source[left * PIXEL_BYTES..][..width * PIXEL_BYTES]);
        }
        for (thing, place, speed) in &things {
            let at = |axis: usize| (place[axis] + speed[axis] * frame as f64).max(0.0) as usize;
            picture.put(thing, at(0), at(1));
        }
        picture
    })
}

impl Picture {
    /// Adds grain that no other picture has: nothing can be told of it from the picture before, so that an encoder spends
    /// whatever it may on it. It differs from tile to tile, as the textures of real pictures do: grain of one depth would be all
    /// or nothing to a quantiser.
    pub fn grained(mut self, chance: &mut Rng) -> Self {
        const TILE: usize = 32;
        const DEPTHS: [i16; 7] = [2, 3, 4, 6, 9, 14, 22];
        let width = self.width;
        for (index, pixel) in self.bytes.chunks_exact_mut(PIXEL_BYTES).enumerate() {
            let (column, row) = (index % width / TILE, index / width / TILE);
            let deep = DEPTHS[(3 * column + 5 * row) % DEPTHS.len()];
            let grain = chance.i16(-deep..=deep);
            for level in &mut pixel[..3] {
                *level = (i16::from(*level) + grain).clamp(0, 255) as u8;
            }
        }
        self
    }
}

/// Value noise in four octaves, coloured: rough enough to cost an encoder what a film costs.
fn landscape(chance: &mut Rng, width: usize, height: usize, tint: Colour) -> Picture {
    const OCTAVES: [(usize, i32); 4] = [(128, 8), (32, 4), (8, 2), (3, 1)];
    let mut levels = vec![0_i32; width * height];
    for (step, weight) in OCTAVES {
        let columns = width / step + 2;
        let lattice: Vec<i32> =
            (0..columns * (height / step + 2)).map(|_| chance.i32(0..256) * weight).collect();
        let span = step as i32;
        for (y, row) in levels.chunks_exact_mut(width).enumerate() {
            let (upper, down) = (y / step * columns, (y % step) as i32);
            for (x, level) in row.iter_mut().enumerate() {
                let (at, right) = (upper + x / step, (x % step) as i32);
                let above = lattice[at] * (span - right) + lattice[at + 1] * right;
                let below = lattice[at + columns] * (span - right) + lattice[at + columns + 1] * right;
                *level += (above * (span - down) + below * down) / (span * span);
            }
        }
    }
    let whole: i32 = OCTAVES.iter().map(|(_, weight)| weight).sum();
    let bytes = levels
        .iter()
        .flat_map(|level| {
            let level = level / whole;
            let mix = |of: u8| ((level * 3 + i32::from(of)) / 4).clamp(0, 255) as u8;
            [mix(tint[0]), mix(tint[1]), mix(tint[2]), 0]
        })
        .collect();
    Picture { width, height, bytes }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_does_not() {
        let page = |seed| desktop(&mut Rng::with_seed(seed), 320, 180).bytes;
        assert_eq!(page(1), page(1));
        assert_ne!(page(1), page(2));
    }

    #[test]
    fn every_pixel_or_nearly_so_moves_in_the_scene() {
        let mut chance = Rng::with_seed(7);
        let frames: Vec<Picture> = scene(&mut chance, 320, 180, 3).collect();
        for pair in frames.windows(2) {
            let changed =
                pair[0].bytes.iter().zip(&pair[1].bytes).filter(|(one, other)| one != other).count();
            // A quarter of the bytes is padding.
            assert!(changed * 10 > 320 * 180 * 3 * 8, "only {changed} bytes have changed");
        }
    }

    #[test]
    fn grain_is_another_in_every_picture_and_leaves_the_picture_behind_it() {
        let mut chance = Rng::with_seed(7);
        let plain = scene(&mut chance, 320, 180, 1).next().unwrap();
        let [one, other] = [0, 1].map(|_| plain.clone().grained(&mut chance));
        let apart = |one: &Picture, other: &Picture| {
            let sum: i64 = one.bytes.iter().zip(&other.bytes).map(|(a, b)| i64::from(a.abs_diff(*b))).sum();
            sum as f64 / (320 * 180 * 3) as f64
        };
        // The mean of one grain, d (d + 1) / (2 d + 1) over all depths, and of the difference of two, a third more.
        assert!((4.0..5.0).contains(&apart(&plain, &one)), "{}", apart(&plain, &one));
        assert!((5.5..6.5).contains(&apart(&one, &other)), "{}", apart(&one, &other));
        let mean = |picture: &Picture| {
            picture.bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>() / picture.bytes.len() as f64
        };
        assert!((mean(&plain) - mean(&one)).abs() < 1.0);
    }

    #[test]
    fn a_terminal_is_on_its_display() {
        for (width, height) in [(1280, 720), (1920, 1080), (640, 480)] {
            let terminal = Terminal::on(width, height);
            assert!(terminal.left + terminal.width() <= width && terminal.top + terminal.height() <= height);
            let share = (terminal.width() * terminal.height()) as f64 / (width * height) as f64;
            assert!((0.5..0.65).contains(&share), "{share}");
        }
    }

    #[test]
    fn text_is_there_to_be_read() {
        let page = line(&mut Rng::with_seed(3), 80);
        let bright = page.bytes.chunks_exact(PIXEL_BYTES).filter(|pixel| pixel[1] > 150).count();
        assert!(bright > 500, "{bright} bright pixels in a line");
        assert_eq!(character(' ', 0).bytes, Picture::new(CHARACTER_PX, LINE_PX, PAPER).bytes);
    }
}
