//! Decision: how an X server lays out a pixel of 32 bits, told by its visual's masks, and how lines of others become
//! the one that colour conversion reads. Refuses visuals that are neither 8 nor 10 bits a colour, and big-endian servers.

/// What the 32 bits of a pixel mean; the names tell the bytes in memory, or the bits from the lowest up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelLayout {
    /// Blue, green, red, unused: depth 24 nearly everywhere.
    Bgrx8,
    /// Red, green, blue, unused.
    Rgbx8,
    /// Ten bits of blue, green and red each, two unused: depth 30.
    Bgrx10,
    /// Ten bits of red, green and blue each, two unused.
    Rgbx10,
}

/// Bytes of a pixel, in every layout.
pub const PIXEL_BYTES: usize = 4;

impl PixelLayout {
    /// The layout of a TrueColor visual with 32 bits a pixel, least significant byte first, by its masks of red, green
    /// and blue; none for others.
    pub const fn of_masks(red: u32, green: u32, blue: u32) -> Option<Self> {
        match (red, green, blue) {
            (0xff_0000, 0xff00, 0xff) => Some(Self::Bgrx8),
            (0xff, 0xff00, 0xff_0000) => Some(Self::Rgbx8),
            (0x3ff0_0000, 0xf_fc00, 0x3ff) => Some(Self::Bgrx10),
            (0x3ff, 0xf_fc00, 0x3ff0_0000) => Some(Self::Rgbx10),
            _ => None,
        }
    }

    /// Writes a line of pixels in the layout [`Self::Bgrx8`]. The lower two of ten bits are dropped.
    pub fn unpack(self, line: &[u8], bgrx: &mut [u8]) {
        match self {
            Self::Bgrx8 => {
                let length = line.len().min(bgrx.len());
                bgrx[..length].copy_from_slice(&line[..length]);
            }
            Self::Rgbx8 => {
                each(line, bgrx, |pixel| pixel & 0xff00 | (pixel & 0xff) << 16 | pixel >> 16 & 0xff);
            }
            Self::Bgrx10 => {
                each(line, bgrx, |pixel| pixel >> 6 & 0xff_0000 | pixel >> 4 & 0xff00 | pixel >> 2 & 0xff)
            }
            Self::Rgbx10 => {
                each(line, bgrx, |pixel| pixel << 14 & 0xff_0000 | pixel >> 4 & 0xff00 | pixel >> 22 & 0xff)
            }
        }
    }
}

/// Rewrites pixel by pixel, in a form that the compiler turns into vector instructions.
fn each(line: &[u8], out: &mut [u8], rewrite: impl Fn(u32) -> u32) {
    let (pixels, _) = line.as_chunks::<PIXEL_BYTES>();
    let (outs, _) = out.as_chunks_mut::<PIXEL_BYTES>();
    for (pixel, out) in pixels.iter().zip(outs) {
        *out = rewrite(u32::from_le_bytes(*pixel)).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_common_visuals_have_a_layout_and_others_none() {
        assert_eq!(PixelLayout::of_masks(0xff_0000, 0xff00, 0xff), Some(PixelLayout::Bgrx8));
        assert_eq!(PixelLayout::of_masks(0x3ff << 20, 0x3ff << 10, 0x3ff), Some(PixelLayout::Bgrx10));
        assert_eq!(PixelLayout::of_masks(0xf800, 0x7e0, 0x1f), None);
    }

    #[test]
    fn each_layout_unpacks_to_the_same_colours() {
        let (red, green, blue) = (0x12u32, 0xfe, 0x80);
        // A server that shows eight bits in ten repeats the upper ones below.
        let ten = |eight: u32| eight << 2 | eight >> 6;
        let pixels = [
            (PixelLayout::Bgrx8, blue | green << 8 | red << 16),
            (PixelLayout::Rgbx8, red | green << 8 | blue << 16),
            (PixelLayout::Bgrx10, ten(blue) | ten(green) << 10 | ten(red) << 20 | 3 << 30),
            (PixelLayout::Rgbx10, ten(red) | ten(green) << 10 | ten(blue) << 20),
        ];
        for (layout, pixel) in pixels {
            let mut bgrx = [0xaa; 8];
            layout.unpack(&[pixel.to_le_bytes(), pixel.to_le_bytes()].concat(), &mut bgrx);
            assert_eq!(bgrx[4..7], [0x80, 0xfe, 0x12], "{layout:?}");
        }
    }
}
