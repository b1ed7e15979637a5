//! Decision: what the encoder is fed for a given input, and when a new size needs a new proof. Refuses to touch pads.

use super::{rate::FrameRate, table::Row};
use gst_video::VideoInfo;

/// Lines from which on video is taken for high definition, and so for BT.709 (ITU-R BT.709 against BT.601).
const HD_LINES: u32 = 720;

/// A picture's size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Lines.
    pub height: u32,
}

fn px(px: u32) -> i32 {
    i32::try_from(px).unwrap_or(i32::MAX)
}

/// The size that is encoded when nothing is scaled: the input's without an odd line or column.
pub fn full_size(info: &VideoInfo) -> Size {
    Size { width: (info.width() & !1).max(2), height: (info.height() & !1).max(2) }
}

/// The caps in front of the encoder. What fits already is not converted; colours are named, so that the stream's VUI
/// tells the truth about them.
pub fn encoder_caps(row: &Row, info: &VideoInfo, size: Size) -> gst::Caps {
    let format = match row.input.formats.iter().find(|format| **format == info.format().to_str()) {
        Some(format) => format,
        None => row.input.formats[0],
    };
    let colorimetry = if info.is_yuv() {
        info.colorimetry().to_string()
    } else if info.height() >= HD_LINES {
        "bt709".to_owned()
    } else {
        "bt601".to_owned()
    };
    gst::Caps::builder("video/x-raw")
        .features([row.input.memory])
        .field("format", format)
        .field("colorimetry", colorimetry)
        .field("width", px(size.width))
        .field("height", px(size.height))
        // Scaling rounds to even sizes; nobody is told of the fraction of a pixel.
        .field("pixel-aspect-ratio", info.par())
        .build()
}

/// The column and line to take off so that both sizes are even, which 4:2:0 needs and x264enc insists on.
pub fn odd_edge_px(info: &VideoInfo) -> (i32, i32) {
    let odd = |px: u32| i32::from(px % 2 == 1);
    (odd(info.width()), odd(info.height()))
}

/// The input's frame rate.
pub fn frame_rate(info: &VideoInfo) -> FrameRate {
    let fps = info.fps();
    let part = |part: i32| u32::try_from(part).unwrap_or(0);
    FrameRate { numerator: part(fps.numer()), denominator: part(fps.denom()) }
}

/// A frame rate as caps say it.
pub fn fraction(rate: FrameRate) -> gst::Fraction {
    gst::Fraction::new(px(rate.numerator), px(rate.denominator))
}

/// The same input at another size, as the encoder sees it.
pub fn scaled(info: &VideoInfo, size: Size) -> Option<VideoInfo> {
    let builder = VideoInfo::builder(info.format(), size.width, size.height);
    builder.fps(info.fps()).par(info.par()).build().ok()
}

/// The sizes at which the running encoder was proven, as the smallest box around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvenSizes {
    width: (u32, u32),
    height: (u32, u32),
}

impl ProvenSizes {
    /// One size.
    pub fn new(info: &VideoInfo) -> Self {
        Self { width: (info.width(), info.width()), height: (info.height(), info.height()) }
    }

    /// Whether the encoder must be proven again at this size. Software takes every size; hardware has a least and a
    /// largest one, so between two that worked it works.
    pub fn must_prove(&self, row: &Row, info: &VideoInfo) -> bool {
        let within = |(low, high): (u32, u32), px: u32| (low..=high).contains(&px);
        row.hardware && !(within(self.width, info.width()) && within(self.height, info.height()))
    }

    /// Both this and that.
    pub fn extend(&mut self, info: &VideoInfo) {
        let grow = |(low, high): (u32, u32), px: u32| (low.min(px), high.max(px));
        self.width = grow(self.width, info.width());
        self.height = grow(self.height, info.height());
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table::ENCODERS, *};
    use gst_video::VideoFormat;

    fn row(factory: &str) -> &'static Row {
        ENCODERS.iter().find(|row| row.factory == factory).unwrap()
    }

    fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
        gst::init().unwrap();
        VideoInfo::builder(format, width, height).fps((60, 1)).build().unwrap()
    }

    fn fed(factory: &str, info: &VideoInfo) -> (String, String) {
        let caps = encoder_caps(row(factory), info, full_size(info));
        let structure = caps.structure(0).unwrap();
        (structure.get("format").unwrap(), structure.get("colorimetry").unwrap())
    }

    #[test]
    fn rgb_becomes_bt709_from_720_lines_on_and_bt601_below() {
        let fed = |height| fed("x264enc", &info(VideoFormat::Bgrx, 1280, height));
        assert_eq!(fed(720), ("I420".into(), "bt709".into()));
        assert_eq!(fed(719), ("I420".into(), "bt601".into()));
    }

    #[test]
    fn what_fits_is_left_alone_with_its_colours() {
        let nv12 = info(VideoFormat::Nv12, 640, 480);
        assert_eq!(fed("x264enc", &nv12), ("NV12".into(), nv12.colorimetry().to_string()));
        assert_eq!(fed("openh264enc", &nv12).0, "I420");
    }

    #[test]
    fn the_size_is_even_and_the_pixels_keep_their_shape() {
        let info = info(VideoFormat::Bgrx, 1367, 769);
        assert_eq!(full_size(&info), Size { width: 1366, height: 768 });
        let caps = encoder_caps(row("x264enc"), &info, Size { width: 640, height: 360 });
        let structure = caps.structure(0).unwrap();
        assert_eq!((structure.get::<i32>("width"), structure.get::<i32>("height")), (Ok(640), Ok(360)));
        assert_eq!(structure.get::<gst::Fraction>("pixel-aspect-ratio"), Ok(gst::Fraction::new(1, 1)));
    }

    #[test]
    fn hardware_is_proven_again_outside_the_sizes_that_worked() {
        let at = |width, height| info(VideoFormat::I420, width, height);
        let mut proven = ProvenSizes::new(&at(1280, 720));
        let nvenc = row("nvcudah264enc");
        assert!(!proven.must_prove(nvenc, &at(1280, 720)));
        assert!(proven.must_prove(nvenc, &at(1920, 1080)));
        proven.extend(&at(1920, 1080));
        assert!(!proven.must_prove(nvenc, &at(1600, 900)));
        assert!(proven.must_prove(nvenc, &at(64, 900)));
        assert!(!proven.must_prove(row("x264enc"), &at(3840, 2160)));
    }

    #[test]
    fn odd_edges_go() {
        assert_eq!(odd_edge_px(&info(VideoFormat::Bgrx, 1921, 1080)), (1, 0));
        assert_eq!(odd_edge_px(&info(VideoFormat::Bgrx, 1366, 767)), (0, 1));
    }

    #[test]
    fn frame_rates() {
        assert_eq!(frame_rate(&info(VideoFormat::I420, 64, 64)).frame_ns(), 16_666_666);
    }
}
