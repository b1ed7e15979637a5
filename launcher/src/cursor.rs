//! Decision: the pointer's shape as pages get it, from the message that `xdamagesrc` posts. Refuses shapes whose pixels do
//! not fit their size.

use base64::{Engine, engine::general_purpose::STANDARD};
use vdi_protocol::{control::Cursor, limits::MAX_CURSOR_PX};

/// Bytes of a pixel: red, green, blue, alpha.
const PIXEL_BYTES: usize = 4;

/// Reads a `vdi-cursor` message; `None` if it is none, or cannot be right.
pub fn from_message(structure: &gst::StructureRef) -> Option<Cursor> {
    if structure.name() != "vdi-cursor" {
        return None;
    }
    let number = |name| structure.get::<u32>(name).ok();
    let (width, height) = (number("width")?, number("height")?);
    if width == 0 || height == 0 {
        return Some(Cursor::default());
    }
    let pixels = structure.get::<gst::Buffer>("pixels").ok()?;
    let pixels = pixels.map_readable().ok()?;
    shape(&pixels, (width, height), (number("hotspot-x")?, number("hotspot-y")?))
}

/// The shape of `size` with its pixels as a page gets it. One that is larger than browsers take is made smaller.
fn shape(pixels: &[u8], (width, height): (u32, u32), hotspot: (u32, u32)) -> Option<Cursor> {
    let line_bytes = width as usize * PIXEL_BYTES;
    if pixels.len() != line_bytes.checked_mul(height as usize)? {
        return None;
    }
    // Every so many pixels count: a pointer this large is drawn in strokes, not in single pixels.
    let step = width.max(height).div_ceil(MAX_CURSOR_PX);
    let (width, height) = (width.div_ceil(step), height.div_ceil(step));
    let mut small = Vec::with_capacity((width * height) as usize * PIXEL_BYTES);
    for line in pixels.chunks_exact(line_bytes).step_by(step as usize) {
        line.chunks_exact(PIXEL_BYTES).step_by(step as usize).for_each(|pixel| small.extend(pixel));
    }
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().ok()?.write_image_data(&small).ok()?;
    Some(Cursor {
        width,
        height,
        hotspot_x: (hotspot.0 / step).min(width - 1),
        hotspot_y: (hotspot.1 / step).min(height - 1),
        png: STANDARD.encode(png),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size and pixels of a shape, decoded again.
    fn decoded(cursor: &Cursor) -> ((u32, u32), Vec<u8>) {
        let png = STANDARD.decode(&cursor.png).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        ((info.width, info.height), pixels)
    }

    #[test]
    fn pixels_come_through_with_their_transparency() {
        let pixels = [255, 0, 0, 255, 0, 0, 0, 0, 1, 2, 3, 128, 9, 9, 9, 9, 0, 255, 0, 255, 7, 7, 7, 7];
        let cursor = shape(&pixels, (3, 2), (2, 9)).unwrap();
        assert_eq!((cursor.width, cursor.height, cursor.hotspot_x, cursor.hotspot_y), (3, 2, 2, 1));
        assert_eq!(decoded(&cursor), ((3, 2), pixels.to_vec()));
    }

    #[test]
    fn what_is_larger_than_browsers_take_is_made_smaller_with_its_hotspot() {
        let pixels = vec![200; 300 * 150 * PIXEL_BYTES];
        let cursor = shape(&pixels, (300, 150), (299, 75)).unwrap();
        assert_eq!((cursor.width, cursor.height, cursor.hotspot_x, cursor.hotspot_y), (100, 50, 99, 25));
        assert_eq!(decoded(&cursor).0, (100, 50));
    }

    #[test]
    fn an_invisible_pointer_is_told_and_nonsense_is_not() {
        gst::init().unwrap();
        let message = |width: u32, bytes: usize| {
            gst::Structure::builder("vdi-cursor")
                .field("width", width)
                .field("height", 1_u32)
                .field("hotspot-x", 0_u32)
                .field("hotspot-y", 0_u32)
                .field("pixels", gst::Buffer::from_slice(vec![0_u8; bytes]))
                .build()
        };
        assert_eq!(from_message(&message(0, 0)), Some(Cursor::default()));
        assert!(from_message(&message(2, 8)).is_some());
        assert_eq!(from_message(&message(2, 7)), None);
        assert_eq!(from_message(&gst::Structure::new_empty("other")), None);
    }
}
