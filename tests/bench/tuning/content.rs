//! Shell: the pictures that are measured: a desktop full of real text, the same scrolling, and a moving photograph.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstvdi::xdamagesrc::pixels::{Converter, FramePool, PixelLayout};

/// Columns of the screen.
pub const WIDTH: u32 = 1920;
/// Its lines.
pub const HEIGHT: u32 = 1080;
const STRIDE: usize = WIDTH as usize * 4;

/// A picture of 32 bits a pixel.
#[derive(Clone)]
pub struct Screen(pub Vec<u8>);

/// Text as GStreamer and Pango draw it, dark on light, two windows side by side; so many lines of pixels.
fn text(lines: u32, source: &str) -> Vec<u8> {
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xfff2eee6 ! \
         video/x-raw,format=BGRx,width={WIDTH},height={lines} ! \
         textoverlay name=left xpad=20 ypad=30 ! textoverlay name=right xpad=980 ypad=40 ! \
         video/x-raw,format=BGRx ! appsink name=sink sync=false"
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    for (name, font, color) in
        [("left", "DejaVu Sans Mono 8", 0xff20_2020u32), ("right", "DejaVu Sans 9", 0xff10_3060)]
    {
        let overlay = pipeline.by_name(name).unwrap();
        overlay.set_property_from_str("halignment", "left");
        overlay.set_property_from_str("valignment", "top");
        overlay.set_property_from_str("line-alignment", "left");
        overlay.set_property_from_str("wrap-mode", "none");
        overlay.set_properties(&[("draw-shadow", &false), ("draw-outline", &false), ("auto-resize", &false)]);
        overlay.set_properties(&[("color", &color), ("font-desc", &font)]);
        let escaped = source.replace('&', "&amp;").replace('<', "&lt;");
        let narrow: Vec<String> = escaped.lines().map(|line| line.chars().take(110).collect()).collect();
        overlay.set_property("text", narrow.join("\n"));
    }
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let sample = sink.pull_sample().unwrap();
    let bytes = sample.buffer().unwrap().map_readable().unwrap().to_vec();
    pipeline.set_state(gst::State::Null).unwrap();
    bytes
}

const ONE: &str = include_str!("../../../plugins/adaptiveencbin/rows.rs");
const OTHER: &str = include_str!("../../../plugins/adaptiveencbin/switch.rs");

/// A desktop full of text, with a photograph in the corner; `which` of two.
pub fn desktop(which: bool) -> Screen {
    let mut screen = Screen(text(HEIGHT, if which { ONE } else { OTHER }));
    for y in 0..260 {
        for x in 0..420 {
            screen.put(1480 + x, 800 + y, photograph(x, y, 0));
        }
    }
    screen
}

/// Frames of text that moves up by so many lines each.
pub fn scrolling(frames: u32, lines: u32) -> Vec<Screen> {
    let tall = text(HEIGHT * 2, &format!("{ONE}{OTHER}{ONE}"));
    let at = |frame: u32| (frame * lines % HEIGHT) as usize * STRIDE;
    (0..frames).map(|frame| Screen(tall[at(frame)..][..HEIGHT as usize * STRIDE].to_vec())).collect()
}

/// Frames of a photograph that moves and changes as a whole.
pub fn motion(frames: u32) -> Vec<Screen> {
    let mut screens = Vec::new();
    for frame in 0..frames {
        let mut screen = Screen(vec![0; STRIDE * HEIGHT as usize]);
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                screen.put(x, y, photograph(x + frame * 7, y + frame * 3, frame));
            }
        }
        screens.push(screen);
    }
    screens
}

/// Smooth shades, edges and some grain.
fn photograph(x: u32, y: u32, frame: u32) -> [u8; 3] {
    let grain = (x.wrapping_mul(374_761_393) ^ y.wrapping_mul(668_265_263)).wrapping_mul(1_274_126_177) >> 29;
    let wave = |a: u32, b: u32, shift: u32| {
        let angle = (x * a + y * b) as f32 / 900. + (shift + frame) as f32 / 12.;
        (angle.sin() * 90. + 128.) as u8
    };
    let edge = if (x / 64 + y / 48).is_multiple_of(3) { 40 } else { 0 };
    [wave(5, 3, 0), wave(2, 7, 9), wave(9, 4, 21)]
        .map(|value| value.saturating_sub(edge) / 2 * 2 + grain as u8)
}

impl Screen {
    fn put(&mut self, x: u32, y: u32, [blue, green, red]: [u8; 3]) {
        let at = y as usize * STRIDE + x as usize * 4;
        self.0[at..at + 4].copy_from_slice(&[blue, green, red, 0]);
    }

    /// The same with a letter's worth of pixels inverted.
    pub fn typed(&self, x: u32, y: u32) -> Self {
        let mut screen = self.clone();
        for (x, y) in (y..y + 15).flat_map(|y| (x..x + 8).map(move |x| (x, y))) {
            if (x * 7 + y * 5) % 3 != 0 {
                screen.put(x, y, [0x20, 0x20, 0x20]);
            }
        }
        screen
    }

    /// As a frame for an encoder.
    pub fn i420(&self) -> gst::Buffer {
        let info = i420_info();
        let mut converter = Converter::new(PixelLayout::Bgrx8, &info).unwrap();
        FramePool::new(&info).take(&mut converter, &self.0, STRIDE).unwrap().0
    }
}

/// What frames are.
pub fn i420_info() -> VideoInfo {
    let builder = VideoInfo::builder(VideoFormat::I420, WIDTH, HEIGHT).fps((60, 1));
    builder.colorimetry(&"bt709".parse().unwrap()).build().unwrap()
}
