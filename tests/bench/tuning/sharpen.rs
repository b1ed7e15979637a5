//! Shell: how many repeats of a picture that no longer changes x264enc needs until it is sharp, by its rate control, from
//! which beginning. Time is that of the timestamps; nothing waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gst::{ClockTime, prelude::*};

use super::X264;
use super::content::{HEIGHT, Screen, WIDTH, desktop, i420_info, motion, scrolling};
use super::picture::{psnr_db, ssim};

const LUMA: usize = (WIDTH * HEIGHT) as usize;

/// An encoder, and a decoder behind it.
struct Encoder {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst_app::AppSink,
    bytes: Arc<AtomicUsize>,
    now: ClockTime,
}

impl Encoder {
    fn new(elements: &str) -> Self {
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=source format=time ! {elements} ! identity name=encoded ! avdec_h264 max-threads=1 ! \
             video/x-raw,format=I420 ! appsink name=sink sync=false"
        ))
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
        let source = pipeline.by_name("source").unwrap().downcast::<gst_app::AppSrc>().unwrap();
        source.set_caps(Some(&i420_info().to_caps().unwrap()));
        let sink = pipeline.by_name("sink").unwrap().downcast().unwrap();
        let bytes = Arc::new(AtomicUsize::new(0));
        let counted = bytes.clone();
        let pad = pipeline.by_name("encoded").unwrap().static_pad("src").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            counted.fetch_add(info.buffer().map_or(0, |buffer| buffer.size()), Ordering::SeqCst);
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, source, sink, bytes, now: ClockTime::SECOND }
    }

    /// Shows a picture after so long; gives the size of the access unit and the decoded luma.
    fn show(&mut self, picture: &gst::Buffer, after: ClockTime) -> (usize, Vec<u8>) {
        self.now += after;
        let mut buffer = picture.copy();
        buffer.make_mut().set_pts(self.now);
        self.bytes.store(0, Ordering::SeqCst);
        self.source.push_buffer(buffer).unwrap();
        let sample =
            self.sink.try_pull_sample(ClockTime::from_seconds(5)).expect("one frame in, one frame out");
        let decoded = sample.buffer().unwrap().map_readable().unwrap()[..LUMA].to_vec();
        (self.bytes.load(Ordering::SeqCst), decoded)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// What leads up to the last picture.
#[derive(Clone, Copy)]
enum Beginning {
    KeyFrame,
    AllChanged,
    Scrolled,
    Moved,
    Typed,
}

const FRAME: ClockTime = ClockTime::from_nseconds(16_666_667);
const PAUSE: ClockTime = ClockTime::from_seconds(2);

fn begin(encoder: &mut Encoder, beginning: Beginning) -> Screen {
    let one = desktop(true);
    let settle = |encoder: &mut Encoder| {
        let picture = one.i420();
        (0..90).for_each(|_| _ = encoder.show(&picture, FRAME));
    };
    match beginning {
        Beginning::KeyFrame => one,
        Beginning::AllChanged => {
            settle(encoder);
            desktop(false)
        }
        Beginning::Scrolled => {
            let frames = scrolling(60, 6);
            frames[..59].iter().for_each(|frame| _ = encoder.show(&frame.i420(), FRAME));
            frames[59].clone()
        }
        Beginning::Moved => {
            let frames = motion(40);
            frames[..39].iter().for_each(|frame| _ = encoder.show(&frame.i420(), FRAME));
            frames[39].clone()
        }
        Beginning::Typed => {
            settle(encoder);
            one.typed(640, 500)
        }
    }
}

/// The ways to control the rate: the bin's own, and x264enc set as in the bin but for that.
fn encoders(kbps: u32) -> Vec<(String, String)> {
    let bin =
        format!("adaptiveencbin encoder=x264enc bitrate={kbps} max-bitrate={kbps} max-latency=0 max-cpu=0");
    let mut encoders = vec![("adaptiveencbin".to_owned(), bin)];
    let plain = |pass: &str| format!("{X264} threads=1 {pass} bitrate={kbps} vbv-buf-capacity=25");
    encoders.push(("cbr".into(), plain("pass=cbr")));
    for quality in [16, 20, 23] {
        encoders.push((format!("quality {quality}"), plain(&format!("pass=qual quantizer={quality}"))));
    }
    let large = format!("{X264} threads=1 pass=qual quantizer=20 bitrate={kbps} vbv-buf-capacity=50");
    encoders.push(("quality 20, a buffer of three frames".into(), large));
    encoders
}

/// Prints sharpness after each repeat, from all beginnings or from one.
pub fn run(only: Option<&str>) {
    println!(
        "1920x1080 of text and a photograph; luma against the screen after the n-th frame of a still picture:"
    );
    println!("n, PSNR in dB, SSIM, kilobytes so far");
    let beginnings = [
        (Beginning::KeyFrame, "key frame"),
        (Beginning::AllChanged, "all changed"),
        (Beginning::Scrolled, "scrolled"),
        (Beginning::Moved, "moved"),
        (Beginning::Typed, "one letter"),
    ];
    for kbps in [8000, 4000] {
        for (beginning, name) in
            beginnings.into_iter().filter(|(_, name)| only.is_none_or(|only| *name == only))
        {
            for (encoder, elements) in encoders(kbps) {
                for spacing in [FRAME, FRAME * 6] {
                    // What two distances give is shown for one case.
                    let is_case = kbps == 8000 && matches!(beginning, Beginning::AllChanged);
                    if spacing == FRAME || is_case {
                        let line = still(&mut Encoder::new(&elements), beginning, spacing);
                        println!("{kbps} kbit/s, {name}, {encoder}, each {} ms:{line}", spacing.mseconds());
                    }
                }
            }
        }
    }
}

fn still(encoder: &mut Encoder, beginning: Beginning, spacing: ClockTime) -> String {
    let shown = [0, 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40, 60, 89];
    let picture = begin(encoder, beginning).i420();
    let truth = picture.map_readable().unwrap()[..LUMA].to_vec();
    let mut total = 0;
    let mut line = String::new();
    for repeat in 0..90 {
        let after = match (repeat, beginning) {
            (0, Beginning::Scrolled | Beginning::Moved) => FRAME,
            (0, _) => PAUSE,
            _ => spacing,
        };
        let (bytes, decoded) = encoder.show(&picture, after);
        total += bytes;
        if shown.contains(&repeat) {
            let ssim = ssim(&decoded, &truth, WIDTH as usize, HEIGHT as usize);
            line += &format!(" {repeat} {:.1} {ssim:.4} {};", psnr_db(&decoded, &truth), total / 1000);
        }
    }
    line
}
