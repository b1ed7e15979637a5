//! What comes out is what is on the screen, whatever was drawn where, in every format, size and depth.

use super::{
    desktop::Desktop,
    stream::{Stream, bgr, colours, info, planes, size},
};
use gst_video::{VideoFrameRef, VideoInfo};
use gstvdi::xdamagesrc::pixels::{Converter, PixelLayout, Region};

/// A sequence that looks random and is the same each time.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(limit)).unwrap()
    }

    fn rectangle(&mut self, width: u32, height: u32) -> (i16, i16, u16, u16) {
        let (x, y) = (self.below(width), self.below(height));
        // Letters and windows.
        let (columns, lines) = if self.below(3) > 0 { (24, 24) } else { (width, height) };
        let px = |px: u32| i16::try_from(px).unwrap();
        (px(x) - 4, px(y) - 4, 1 + self.below(columns) as u16, 1 + self.below(lines) as u16)
    }
}

/// The whole screen, converted at once.
fn converted(desktop: &Desktop, layout: PixelLayout, size: (u16, u16), info: &VideoInfo) -> Vec<u8> {
    let image = desktop.image(desktop.root, 0, 0, size.0, size.1);
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.get_mut().unwrap(), info).unwrap();
    let whole = Region::full(info.width(), info.height());
    let mut converter = Converter::new(layout, info).unwrap();
    converter.convert(&image, usize::from(size.0) * 4, &whole, &mut frame).unwrap();
    drop(frame);
    planes(&buffer, info)
}

/// Draws at random and waits each time for a frame that is right to the bit.
fn follow_drawing(screen: (u16, u16, u8), format: &str, properties: &str, steps: u32) {
    let (width, height, depth) = screen;
    let desktop = Desktop::start(&format!("{width}x{height}x{depth}"), &[]);
    let layout = if depth == 30 { PixelLayout::Bgrx10 } else { PixelLayout::Bgrx8 };
    let properties = format!("show-pointer=false sharpen-frames=2 {properties}");
    let caps = format!("video/x-raw,format={format},framerate=240/1");
    let stream = Stream::start(&desktop, &properties, &caps);
    let first = stream.frame();
    let info = info(&first);
    let mut seeded = Seeded(u64::from(width) + u64::from(depth));
    for step in 0..steps {
        let rectangles: Vec<_> =
            (0..1 + seeded.below(6)).map(|_| seeded.rectangle(width.into(), height.into())).collect();
        let pixel = seeded.below(u32::MAX) | 0x80;
        desktop.fill(desktop.root, pixel, &rectangles);
        if step % 5 == 4 {
            desktop.scroll((0, 13), (0, 0), (width, height - 13));
        }
        let expected = converted(&desktop, layout, (width, height), &info);
        stream.frame_where(&format!("step {step}, {format}, {rectangles:?}"), |sample| {
            planes(sample.buffer().unwrap(), &info) == expected
        });
    }
    let drawn = stream.stat("frames-damaged");
    assert!(drawn >= u64::from(steps), "{drawn}");
}

#[test]
fn what_is_drawn_arrives_to_the_bit_in_i420() {
    follow_drawing((640, 400, 24), "I420", "", 40);
}

#[test]
fn what_is_drawn_arrives_to_the_bit_in_nv12() {
    follow_drawing((640, 400, 24), "NV12", "", 25);
}

#[test]
fn what_is_drawn_arrives_to_the_bit_in_bgrx() {
    follow_drawing((640, 400, 24), "BGRx", "", 25);
}

#[test]
fn odd_sizes_lose_their_last_line_and_column_in_yuv_only() {
    follow_drawing((333, 251, 24), "I420", "", 15);
    follow_drawing((333, 251, 24), "BGRx", "", 15);
}

#[test]
fn ten_bits_a_colour_arrive_as_eight() {
    follow_drawing((400, 300, 30), "I420", "", 15);
    follow_drawing((400, 300, 30), "BGRx", "", 15);
}

#[test]
fn without_shared_memory_or_damage_the_picture_is_the_same() {
    follow_drawing((320, 240, 24), "I420", "use-shm=false", 12);
    follow_drawing((320, 240, 24), "I420", "use-damage=false", 12);
    follow_drawing((320, 240, 24), "NV12", "use-damage=false use-shm=false", 12);
}

#[test]
fn colours_are_those_of_the_standard_that_the_caps_name() {
    // Red, green, blue and their luma weights: ITU-R BT.601 below 720 lines, BT.709 from there on, limited range.
    for (screen, name, weights) in
        [("640x480x24", "bt601", [0.299, 0.587, 0.114]), ("1280x720x24", "bt709", [0.2126, 0.7152, 0.0722])]
    {
        let desktop = Desktop::start(screen, &[]);
        let stream = Stream::start(&desktop, "show-pointer=false", "video/x-raw,format=I420");
        for (red, green, blue) in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (12, 200, 77)] {
            desktop.fill(desktop.root, red << 16 | green << 8 | blue, &[(0, 0, 1280, 720)]);
            let [kr, kg, kb] = weights;
            let luma = (kr * f64::from(red) + kg * f64::from(green) + kb * f64::from(blue)) / 255.0;
            let chroma =
                |colour: u32, weight: f64| (f64::from(colour) / 255.0 - luma) / (2.0 * (1.0 - weight));
            let expected =
                [16.0 + 219.0 * luma, 128.0 + 224.0 * chroma(blue, kb), 128.0 + 224.0 * chroma(red, kr)];
            let sample = stream.frame_where(&format!("{name} {expected:?}"), |sample| {
                let info = info(sample);
                let planes = planes(sample.buffer().unwrap(), &info);
                let luma_px = info.width() as usize * info.height() as usize;
                let got = [planes[0], planes[luma_px], planes[luma_px * 5 / 4]];
                got.iter().zip(expected).all(|(got, expected)| (f64::from(*got) - expected).abs() <= 1.0)
            });
            assert_eq!(info(&sample).colorimetry().to_string(), name);
        }
    }
}

#[test]
fn a_region_is_captured_alone() {
    let desktop = Desktop::start("640x480x24", &[]);
    let properties = "show-pointer=false startx=101 starty=50 endx=300 endy=149 keepalive-interval=0";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    assert_eq!(size(&stream.frame()), (200, 100));
    desktop.fill(desktop.root, 0x00ff_8000, &[(0, 0, 150, 90), (299, 140, 60, 60)]);
    let expected = bgr(&desktop.image(desktop.root, 101, 50, 200, 100));
    assert!(expected.contains(&[0, 0x80, 0xff]) && expected.contains(&[0, 0, 0]));
    stream.frame_where("the region", |sample| colours(sample) == expected);
    stream.fall_silent(super::SILENCE);
    let before = stream.stat("frames");
    // One by one: a server tells of the smallest rectangle around all that one request draws.
    for outside in [(301, 50, 100, 100), (0, 150, 600, 20), (0, 0, 101, 480), (0, 0, 600, 50)] {
        desktop.fill(desktop.root, 0x00ff_ffff, &[outside]);
    }
    assert!(stream.frame_within(super::SILENCE).is_none());
    assert_eq!(stream.stat("frames"), before);
}
