//! Shell: how long colour conversion takes, ours against GStreamer's own, in turn in the same run. Judges nothing: times
//! depend on the machine, ratios less so.

use std::time::Instant;

use gst_video::{VideoColorimetry, VideoConverter, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo};
use gstvdi::xdamagesrc::pixels::{Converter, PixelLayout, Rect, Region};

const ROUNDS: usize = 300;

/// A frame of noise: no conversion depends on what is in it.
fn screen(info: &VideoInfo) -> Vec<u8> {
    let mut state = 1u32;
    (0..info.size())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn microseconds(work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6
}

/// Prints the times.
pub fn run() {
    let (width, height) = (1920, 1080);
    let colorimetry = "bt709".parse::<VideoColorimetry>().unwrap();
    let from = VideoInfo::builder(VideoFormat::Bgrx, width, height).build().unwrap();
    let bytes = screen(&from);
    let stride = from.stride()[0] as usize;
    let source = gst::Buffer::from_slice(bytes.clone());
    println!("{width}x{height}, {ROUNDS} rounds in turn, µs: median, 95th percentile");
    for format in [VideoFormat::I420, VideoFormat::Nv12] {
        let to = VideoInfo::builder(format, width, height).colorimetry(&colorimetry).build().unwrap();
        let theirs = VideoConverter::new(&from, &to, None).unwrap();
        let source = VideoFrame::from_buffer_readable(source.clone(), &from).unwrap();
        let mut their_frame =
            VideoFrame::from_buffer_writable(gst::Buffer::with_size(to.size()).unwrap(), &to).unwrap();
        let mut ours = Converter::new(PixelLayout::Bgrx8, &to).unwrap();
        let mut ours_of_ten_bits = Converter::new(PixelLayout::Bgrx10, &to).unwrap();
        let mut buffer = gst::Buffer::with_size(to.size()).unwrap();
        let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), &to).unwrap();
        let whole = Region::full(width, height);
        let mut letters = Region::empty();
        letters.add(Rect::new(302, 401, 200, 20));
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            times[0].push(microseconds(&mut || {
                theirs.frame_ref(&source.as_video_frame_ref(), &mut their_frame.as_mut_video_frame_ref())
            }));
            let mut convert = |converter: &mut Converter, region: &Region| {
                microseconds(&mut || _ = converter.convert(&bytes, stride, region, &mut frame).unwrap())
            };
            times[1].push(convert(&mut ours, &whole));
            times[2].push(convert(&mut ours_of_ten_bits, &whole));
            times[3].push(convert(&mut ours, &letters));
        }
        let names = [
            "GStreamer's, whole frame",
            "ours, whole frame",
            "ours, whole frame of depth 30",
            "ours, 200x20 px",
        ];
        for (name, times) in names.iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            println!("{format:?} {name}: {:.1}, {:.1}", times[ROUNDS / 2], times[ROUNDS * 95 / 100]);
        }
    }
}
