//! Shows that converting a part gives the same bytes as converting the whole, and that the whole is what the standards
//! say, against a reference in floating point.

use super::*;
use gst_video::{VideoColorimetry, VideoInfo};
use proptest::prelude::*;

const BT709: &str = "bt709";
const BT601: &str = "bt601";

fn info(format: VideoFormat, width: u32, height: u32, colorimetry: &str) -> VideoInfo {
    gst::init().unwrap();
    let builder = VideoInfo::builder(format, width, height);
    match format {
        VideoFormat::Bgrx => builder.build().unwrap(),
        _ => builder.colorimetry(&colorimetry.parse::<VideoColorimetry>().unwrap()).build().unwrap(),
    }
}

/// A frame in a server's layout, with a gap after each line. Noise, with hard edges and full colours in it.
struct Screen {
    bytes: Vec<u8>,
    stride: usize,
    layout: PixelLayout,
}

impl Screen {
    fn noise(width: u32, height: u32, layout: PixelLayout, mut seed: u64) -> Self {
        let stride = (width as usize + 3) * PIXEL_BYTES;
        let mut byte = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            match seed >> 60 {
                0..4 => 0,
                4..8 => 255,
                _ => (seed >> 20) as u8,
            }
        };
        seed_is_not_zero(&mut byte);
        let bytes = (0..stride * height as usize).map(|_| byte()).collect();
        Self { bytes, stride, layout }
    }

    /// Red, green and blue, 0 to 255.
    fn rgb(&self, x: u32, y: u32) -> [f64; 3] {
        let at = y as usize * self.stride + x as usize * PIXEL_BYTES;
        let mut bgrx = [0; 4];
        self.layout.unpack(&self.bytes[at..at + 4], &mut bgrx);
        [bgrx[2], bgrx[1], bgrx[0]].map(f64::from)
    }
}

/// The first numbers of a generator that starts from little are little themselves.
fn seed_is_not_zero(byte: &mut impl FnMut() -> u8) {
    for _ in 0..8 {
        byte();
    }
}

fn convert(screen: &Screen, info: &VideoInfo, region: &Region, onto: &mut gst::Buffer) -> u64 {
    let mut converter = Converter::new(screen.layout, info).unwrap();
    let mut frame = VideoFrameRef::from_buffer_ref_writable(onto.get_mut().unwrap(), info).unwrap();
    converter.convert(&screen.bytes, screen.stride, region, &mut frame).unwrap()
}

fn filled(info: &VideoInfo, value: u8) -> gst::Buffer {
    gst::Buffer::from_mut_slice(vec![value; info.size()])
}

fn bytes(buffer: &gst::Buffer) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

/// For each byte of a frame: whether it belongs to a pixel of the region, or shares a colour with one.
fn belongs(info: &VideoInfo, region: &Region) -> Vec<bool> {
    let mut belongs = vec![false; info.size()];
    for rect in region.rects() {
        for (x, y) in (rect.y..rect.bottom()).flat_map(|y| (rect.x..rect.right()).map(move |x| (x, y))) {
            if info.format() == VideoFormat::Bgrx {
                if x < info.width() && y < info.height() {
                    let at = y as usize * info.stride()[0] as usize + x as usize * PIXEL_BYTES;
                    belongs[at..at + PIXEL_BYTES].fill(true);
                }
                continue;
            }
            let (x, y) = (x as usize & !1, y as usize & !1);
            if x >= info.width() as usize || y >= info.height() as usize {
                continue;
            }
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                belongs[(y + dy) * info.stride()[0] as usize + x + dx] = true;
            }
            if info.format() == VideoFormat::Y444 {
                for (plane, (dx, dy)) in [(1, 0), (1, 1), (2, 0), (2, 1)]
                    .into_iter()
                    .flat_map(|(plane, dy)| [(plane, (0, dy)), (plane, (1, dy))])
                {
                    belongs[info.offset()[plane] + (y + dy) * info.stride()[plane] as usize + x + dx] = true;
                }
            } else if info.format() == VideoFormat::Nv12 {
                let at = info.offset()[1] + y / 2 * info.stride()[1] as usize + x;
                belongs[at..at + 2].fill(true);
            } else {
                for plane in [1, 2] {
                    belongs[info.offset()[plane] + y / 2 * info.stride()[plane] as usize + x / 2] = true;
                }
            }
        }
    }
    belongs
}

fn layouts() -> impl Strategy<Value = PixelLayout> {
    prop::sample::select(vec![
        PixelLayout::Bgrx8,
        PixelLayout::Rgbx8,
        PixelLayout::Bgrx10,
        PixelLayout::Rgbx10,
    ])
}

fn formats() -> impl Strategy<Value = VideoFormat> {
    prop::sample::select(vec![VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Y444, VideoFormat::Bgrx])
}

proptest! {
    #[test]
    fn a_part_converted_alone_is_the_same_part_of_the_whole_and_all_else_stays(
        (width, height) in (2u32..160, 2u32..90),
        rects in prop::collection::vec((0u32..160, 0u32..90, 1u32..160, 1u32..40), 1..6),
        layout in layouts(), format in formats(), colorimetry in prop::sample::select(vec![BT709, BT601]),
        seed in 1u64..,
    ) {
        let screen = Screen::noise(width, height, layout, seed);
        // Frames of luma and chroma leave an odd last line and column out.
        let (even_width, even_height) = if format == VideoFormat::Bgrx { (width, height) } else { (width & !1, height & !1) };
        let info = info(format, even_width, even_height, colorimetry);
        let mut whole = filled(&info, 0x55);
        prop_assert_eq!(convert(&screen, &info, &Region::full(width, height), &mut whole), u64::from(even_width * even_height));
        let mut region = Region::empty();
        rects.iter().for_each(|&(x, y, width, height)| region.add(Rect::new(x, y, width, height)));
        let mut part = filled(&info, 0xaa);
        convert(&screen, &info, &region, &mut part);
        let belongs = belongs(&info, &region);
        for (at, (&part, &whole)) in bytes(&part).iter().zip(&bytes(&whole)).enumerate() {
            prop_assert_eq!(part, if belongs[at] { whole } else { 0xaa }, "byte {} of {:?}, region {:?}", at, &info, &region);
        }
    }

    #[test]
    fn colours_are_those_of_the_standard(
        (width, height) in (1u32..60, 1u32..20), layout in layouts(), is_nv12: bool, is_bt709: bool, seed in 1u64..,
    ) {
        let (width, height) = (width * 2, height * 2);
        let screen = Screen::noise(width, height, layout, seed);
        let format = if is_nv12 { VideoFormat::Nv12 } else { VideoFormat::I420 };
        let info = info(format, width, height, if is_bt709 { BT709 } else { BT601 });
        let mut buffer = filled(&info, 0);
        convert(&screen, &info, &Region::full(width, height), &mut buffer);
        let bytes = bytes(&buffer);
        let (strides, offsets) = (info.stride(), info.offset());
        let (red_weight, blue_weight) = if is_bt709 { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let luma = |[red, green, blue]: [f64; 3]| {
            red_weight * red + (1. - red_weight - blue_weight) * green + blue_weight * blue
        };
        for (x, y) in (0..height).step_by(2).flat_map(|y| (0..width).step_by(2).map(move |x| (x, y))) {
            let mut mean = [0.; 3];
            for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                let rgb = screen.rgb(x, y);
                (0..3).for_each(|colour| mean[colour] += rgb[colour] / 4.);
                let is = f64::from(bytes[y as usize * strides[0] as usize + x as usize]);
                let should = 16. + luma(rgb) * 219. / 255.;
                prop_assert!((is - should).abs() <= 1., "luma at {x}, {y} is {is}, should be {should}");
            }
            let (x, y) = (x as usize / 2, y as usize / 2);
            let is = if is_nv12 {
                let at = offsets[1] + y * strides[1] as usize + x * 2;
                [bytes[at], bytes[at + 1]]
            } else {
                [1, 2].map(|plane| bytes[offsets[plane] + y * strides[plane] as usize + x])
            };
            let should = [(mean[2], blue_weight), (mean[0], red_weight)]
                .map(|(colour, weight)| 128. + (colour - luma(mean)) / (1. - weight) * 112. / 255.);
            for (is, should) in is.map(f64::from).into_iter().zip(should) {
                prop_assert!((is - should).abs() <= 1., "chroma at {x}, {y} is {is}, should be {should}");
            }
        }
    }
}

#[test]
fn every_pixel_of_4_4_4_has_colours_of_its_own() {
    let screen = Screen::noise(64, 40, PixelLayout::Bgrx8, 7);
    let info = info(VideoFormat::Y444, 64, 40, BT709);
    let mut buffer = filled(&info, 0);
    convert(&screen, &info, &Region::full(64, 40), &mut buffer);
    let bytes = bytes(&buffer);
    for (x, y) in (0..40).flat_map(|y| (0..64).map(move |x| (x, y))) {
        let rgb = screen.rgb(x, y);
        let luma = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
        let chroma = |colour: f64, weight: f64| 128. + (colour - luma) / (1. - weight) * 112. / 255.;
        let should = [16. + luma * 219. / 255., chroma(rgb[2], 0.0722), chroma(rgb[0], 0.2126)];
        for (plane, should) in should.into_iter().enumerate() {
            let at = info.offset()[plane] + y as usize * info.stride()[plane] as usize + x as usize;
            let is = f64::from(bytes[at]);
            assert!((is - should).abs() <= 1., "plane {plane} at {x}, {y} is {is}, should be {should}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused_before_the_first_frame() {
    let layout = PixelLayout::Bgrx8;
    let refused = |info: &VideoInfo| Converter::new(layout, info).unwrap_err();
    assert_eq!(refused(&info(VideoFormat::I420, 65, 40, BT709)), Refused::Size(65, 40));
    assert_eq!(refused(&info(VideoFormat::Y444, 65, 40, BT709)), Refused::Size(65, 40));
    assert_eq!(refused(&info(VideoFormat::Y42b, 64, 40, BT709)), Refused::Format("Y42B".into()));
    assert!(matches!(refused(&info(VideoFormat::Nv12, 64, 40, "bt2020")), Refused::Colorimetry(_)));
    assert!(matches!(refused(&info(VideoFormat::Nv12, 64, 40, "1:3:5:1")), Refused::Colorimetry(_)));
    assert!(Converter::new(layout, &info(VideoFormat::Bgrx, 65, 41, BT709)).is_ok());
}

#[test]
fn too_few_pixels_are_refused_and_the_last_line_needs_no_gap_after_it() {
    let info = info(VideoFormat::I420, 64, 40, BT709);
    let mut converter = Converter::new(PixelLayout::Bgrx8, &info).unwrap();
    let mut buffer = filled(&info, 0);
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), &info).unwrap();
    let (stride, needed) = (70 * 4, 70 * 4 * 39 + 64 * 4);
    let bytes = vec![0; needed];
    let all = Region::full(64, 40);
    assert_eq!(converter.convert(&bytes, stride, &all, &mut frame), Ok(64 * 40));
    let refused = converter.convert(&bytes[1..], stride, &all, &mut frame);
    assert_eq!(refused, Err(Refused::TooShort { given: needed - 1, needed }));
    assert!(converter.convert(&bytes, 63 * 4, &all, &mut frame).is_err());
}
