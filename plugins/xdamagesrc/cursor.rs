//! Decision: the pointer's picture: laid over the frame and lifted off again, and in the form in which pages take it. Refuses to
//! ask the server for it.

use super::pixels::{PixelLayout, Rect};

const PIXEL_BYTES: usize = 4;

/// A pointer as XFIXES gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorImage {
    /// The server's number for it.
    pub serial: u32,
    /// Columns.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// The pixel that points, from its upper left corner.
    pub hotspot: (u32, u32),
    /// Its pixels: alpha, red, green, blue from the highest byte down, colours multiplied by alpha.
    pub argb: Vec<u32>,
}

impl CursorImage {
    /// Whether there is nothing to see. Clients hide the pointer by an empty picture.
    pub fn is_invisible(&self) -> bool {
        self.argb.iter().all(|pixel| pixel >> 24 == 0)
    }

    /// Bytes red, green, blue, alpha, not multiplied.
    pub fn rgba(&self) -> Vec<u8> {
        let bytes = self.argb.iter().flat_map(|pixel| {
            let [alpha, red, green, blue] = pixel.to_be_bytes();
            let plain = |colour: u8| match alpha {
                0 => 0,
                _ => ((u32::from(colour) * 255 + u32::from(alpha) / 2) / u32::from(alpha)).min(255) as u8,
            };
            [plain(red), plain(green), plain(blue), alpha]
        });
        bytes.collect()
    }
}

/// How many bits a colour has, and where red, green and blue begin.
const fn channels(layout: PixelLayout) -> (u32, [u32; 3]) {
    match layout {
        PixelLayout::Bgrx8 => (8, [16, 8, 0]),
        PixelLayout::Rgbx8 => (8, [0, 8, 16]),
        PixelLayout::Bgrx10 => (10, [20, 10, 0]),
        PixelLayout::Rgbx10 => (10, [0, 10, 20]),
    }
}

/// A pixel of the pointer over one of the picture.
fn over(argb: u32, below: u32, layout: PixelLayout) -> u32 {
    let (bits, shifts) = channels(layout);
    let [alpha, red, green, blue] = argb.to_be_bytes();
    let most = (1 << bits) - 1;
    let mut pixel = 0;
    for (colour, shift) in [red, green, blue].into_iter().zip(shifts) {
        let colour = u32::from(colour);
        let colour = if bits == 10 { colour << 2 | colour >> 6 } else { colour };
        let below = below >> shift & most;
        let shown = colour + (below * (255 - u32::from(alpha)) + 127) / 255;
        pixel |= shown.min(most) << shift;
    }
    pixel
}

/// The pointer on the frame, and what is beneath it.
#[derive(Debug, Default)]
pub struct Overlay {
    drawn: Option<Drawn>,
    beneath: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Drawn {
    serial: u32,
    corner: (i32, i32),
    rect: Rect,
}

impl Overlay {
    /// Forgets the frame.
    pub fn forget(&mut self) {
        self.drawn = None;
    }

    /// Where it is on the frame.
    pub fn rect(&self) -> Option<Rect> {
        self.drawn.as_ref().map(|drawn| drawn.rect)
    }

    /// What [`Self::lay`] would change: whether it is another picture, or elsewhere.
    pub fn differs(&self, image: Option<(&CursorImage, (i32, i32))>, width: u32, height: u32) -> bool {
        image.and_then(|(image, at)| place(image, at, width, height)) != self.drawn
    }

    /// Puts back what is beneath it.
    pub fn lift(&mut self, pixels: &mut [u8], stride: usize) {
        let Some(Drawn { rect, .. }) = self.drawn.take() else { return };
        let line = rect.width as usize * PIXEL_BYTES;
        for (y, beneath) in self.beneath.chunks_exact(line).enumerate() {
            let at = (rect.y as usize + y) * stride + rect.x as usize * PIXEL_BYTES;
            pixels[at..at + line].copy_from_slice(beneath);
        }
    }

    /// Draws it with its hot spot at a place, and remembers what is beneath. It must have been lifted before.
    pub fn lay(
        &mut self,
        image: &CursorImage,
        at: (i32, i32),
        pixels: &mut [u8],
        stride: usize,
        layout: PixelLayout,
    ) {
        let (width, height) = (stride / PIXEL_BYTES, pixels.len() / stride.max(1));
        let Some(drawn) = place(image, at, width as u32, height as u32) else { return };
        let Drawn { rect, corner, .. } = drawn;
        self.beneath.clear();
        for y in rect.y..rect.bottom() {
            let from = y as usize * stride + rect.x as usize * PIXEL_BYTES;
            let line = &mut pixels[from..from + rect.width as usize * PIXEL_BYTES];
            self.beneath.extend_from_slice(line);
            // The place is inside of the image, for it was made from it.
            let first = (i64::from(y) - i64::from(corner.1)) * i64::from(image.width) + i64::from(rect.x)
                - i64::from(corner.0);
            let argb = &image.argb[first as usize..];
            for (pixel, argb) in line.as_chunks_mut::<PIXEL_BYTES>().0.iter_mut().zip(argb) {
                *pixel = over(*argb, u32::from_le_bytes(*pixel), layout).to_le_bytes();
            }
        }
        self.drawn = Some(drawn);
    }
}

/// Where a pointer comes to lie on a frame; none beside it.
fn place(image: &CursorImage, at: (i32, i32), width: u32, height: u32) -> Option<Drawn> {
    let length = image.width as usize * image.height as usize;
    if image.argb.len() < length || image.is_invisible() {
        return None;
    }
    let px = |px: u32| i32::try_from(px).unwrap_or(i32::MAX);
    let corner = (at.0.saturating_sub(px(image.hotspot.0)), at.1.saturating_sub(px(image.hotspot.1)));
    let span = |corner: i32, length: u32, all: u32| {
        let first = corner.clamp(0, px(all));
        let last = corner.saturating_add(px(length)).clamp(0, px(all));
        (first as u32, (last - first) as u32)
    };
    let (x, columns) = span(corner.0, image.width, width);
    let (y, lines) = span(corner.1, image.height, height);
    let rect = Rect::new(x, y, columns, lines);
    (!rect.is_empty()).then_some(Drawn { serial: image.serial, corner, rect })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(width: u32, height: u32, pixel: u32) -> CursorImage {
        let argb = vec![pixel; (width * height) as usize];
        CursorImage { serial: 1, width, height, hotspot: (1, 2), argb }
    }

    #[test]
    fn half_transparent_red_over_white_and_black() {
        let red = 0x8080_0000;
        assert_eq!(over(red, 0x00ff_ffff, PixelLayout::Bgrx8), 0x00ff_7f7f);
        assert_eq!(over(red, 0, PixelLayout::Bgrx8), 0x0080_0000);
        assert_eq!(over(red, 0, PixelLayout::Rgbx8), 0x80);
        assert_eq!(over(red, 0, PixelLayout::Bgrx10), 0x202 << 20);
        assert_eq!(over(0xffff_ffff, 0, PixelLayout::Rgbx10), 0x3fff_ffff);
        assert_eq!(over(0, 0x3fff_ffff, PixelLayout::Bgrx10), 0x3fff_ffff);
    }

    #[test]
    fn pages_get_colours_that_are_not_multiplied_by_alpha() {
        let mut image = image(2, 1, 0x8040_2000);
        assert_eq!(image.rgba(), [128, 64, 0, 128, 128, 64, 0, 128]);
        assert!(!image.is_invisible());
        image.argb = vec![0; 2];
        assert_eq!(image.rgba(), [0; 8]);
        assert!(image.is_invisible());
    }

    proptest! {
        #[test]
        fn lifted_again_it_has_left_no_trace_and_laid_it_covers_what_it_says(
            width in 1_u32..40, height in 1_u32..40, x in -50_i32..90, y in -50_i32..90,
        ) {
            let stride = width as usize * PIXEL_BYTES;
            let before: Vec<u8> = (0..stride * height as usize).map(|n| n as u8).collect();
            let mut pixels = before.clone();
            let mut overlay = Overlay::default();
            let image = image(7, 9, 0xff12_3456);
            let covered = Rect::new(0, 0, width, height);
            overlay.lay(&image, (x, y), &mut pixels, stride, PixelLayout::Bgrx8);
            prop_assert!(!overlay.differs(Some((&image, (x, y))), width, height));
            for line in 0..height {
                for column in 0..width {
                    let at = line as usize * stride + column as usize * PIXEL_BYTES;
                    let inside = (x - 1..x + 6).contains(&(column as i32)) && (y - 2..y + 7).contains(&(line as i32));
                    let pixel = Rect::new(column, line, 1, 1);
                    prop_assert_eq!(inside, overlay.rect().is_some_and(|rect| rect.contains(&pixel)));
                    let expected: &[u8] = if inside { &[0x56, 0x34, 0x12, 0] } else { &before[at..at + 4] };
                    prop_assert_eq!(&pixels[at..at + 4], expected);
                }
            }
            if let Some(rect) = overlay.rect() {
                prop_assert!(covered.contains(&rect));
            }
            overlay.lift(&mut pixels, stride);
            prop_assert_eq!(pixels, before);
        }
    }
}
