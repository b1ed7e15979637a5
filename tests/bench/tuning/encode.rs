//! Shell: what a frame costs in the encoder, by the encoder's threads and by what stands in front of it. Frames come at
//! 60 per second of real time, the variants in turn.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};

use super::X264;
use super::content::{HEIGHT, Screen, WIDTH, i420_info, motion, scrolling};

const FRAMES: usize = 240;
const ROUNDS: usize = 3;
const INTERVAL: Duration = Duration::from_nanos(16_666_667);

const CBR: &str = "pass=cbr bitrate=8000 vbv-buf-capacity=25";
const QUALITY: &str = "pass=qual quantizer=20 bitrate=8000 vbv-buf-capacity=25";
const BIN: &str = "adaptiveencbin encoder=x264enc bitrate=8000 max-latency=0 max-cpu=0";

struct Variant {
    name: &'static str,
    elements: String,
    is_bgrx: bool,
    delays_ms: Vec<f64>,
    cpu: Vec<f64>,
    bytes: usize,
}

fn variants() -> Vec<Variant> {
    let variant = |name, elements: String, is_bgrx| Variant {
        name,
        elements,
        is_bgrx,
        delays_ms: vec![],
        cpu: vec![],
        bytes: 0,
    };
    vec![
        variant("x264enc, one thread", format!("{X264} {CBR} threads=1"), false),
        variant("x264enc, one thread, quality 20", format!("{X264} {QUALITY} threads=1"), false),
        variant("x264enc, two slices", format!("{X264} {CBR} threads=2 sliced-threads=true"), false),
        variant("x264enc, two frame threads", format!("{X264} {CBR} threads=2 sliced-threads=false"), false),
        variant("x264enc, one thread, a queue before", format!("queue ! {X264} {CBR} threads=1"), false),
        variant("adaptiveencbin of I420", BIN.into(), false),
        variant("adaptiveencbin of BGRx", BIN.into(), true),
    ]
}

/// Processor time of this process, ended threads included.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The second field is the name in brackets; 14 and 15 are user and system time in ticks of 10 ms.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    Duration::from_millis((fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10)
}

fn measure(variant: &mut Variant, frames: &[gst::Buffer]) {
    let pipeline = gst::parse::launch(&format!(
        "appsrc name=source format=time is-live=true ! {} ! video/x-h264,stream-format=byte-stream ! appsink name=sink sync=false",
        variant.elements
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let source = pipeline.by_name("source").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let bgrx = VideoInfo::builder(VideoFormat::Bgrx, WIDTH, HEIGHT).fps((60, 1)).build().unwrap();
    let info = if variant.is_bgrx { bgrx } else { i420_info() };
    source.set_caps(Some(&info.to_caps().unwrap()));
    let sink = pipeline.by_name("sink").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let sent = Arc::new(Mutex::new(VecDeque::new()));
    let (done, delays) = mpsc::channel();
    let waiting = sent.clone();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let now = Instant::now();
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let size = sample.buffer().map_or(0, |buffer| buffer.size());
        let sent: Option<Instant> = waiting.lock().unwrap().pop_front();
        let _ = done.send(sent.map(|sent| (now - sent, size)));
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
    pipeline.set_state(gst::State::Playing).unwrap();
    // The encoder is found and started with the first frame, which is not counted.
    let push = |number: usize| {
        let mut buffer = frames[number % frames.len()].copy();
        buffer.make_mut().set_pts(gst::ClockTime::from_nseconds((number as u64 + 60) * 16_666_667));
        sent.lock().unwrap().push_back(Instant::now());
        source.push_buffer(buffer).unwrap();
    };
    push(0);
    let _ = delays.recv_timeout(Duration::from_secs(2));
    let (start, cpu) = (Instant::now(), cpu_time());
    for number in 1..=FRAMES {
        std::thread::sleep((start + INTERVAL * number as u32).saturating_duration_since(Instant::now()));
        push(number);
    }
    std::thread::sleep(INTERVAL * 4);
    variant.cpu.push((cpu_time() - cpu).as_secs_f64() / start.elapsed().as_secs_f64());
    for (delay, size) in delays.try_iter().flatten() {
        variant.delays_ms.push(delay.as_secs_f64() * 1e3);
        variant.bytes += size;
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted.get((sorted.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN)
}

/// Prints the times.
pub fn run() {
    let bgrx = |screen: &Screen| gst::Buffer::from_slice(screen.0.clone());
    for (content, screens) in [("scrolling text", scrolling(30, 6)), ("full motion", motion(30))] {
        let planes: Vec<_> = screens.iter().map(Screen::i420).collect();
        let packed: Vec<_> = screens.iter().map(bgrx).collect();
        // So that the picture never jumps.
        let there_and_back = |frames: &[gst::Buffer]| -> Vec<gst::Buffer> {
            let back = frames[1..frames.len() - 1].iter().rev();
            frames.iter().chain(back).cloned().collect()
        };
        let (planes, packed) = (there_and_back(&planes), there_and_back(&packed));
        let mut variants = variants();
        for _ in 0..ROUNDS {
            for variant in &mut variants {
                let frames = if variant.is_bgrx { &packed } else { &planes };
                measure(variant, frames);
            }
        }
        println!(
            "1920x1080, {content}, {ROUNDS} rounds of {FRAMES} frames: ms from input to output, share of a core"
        );
        for variant in &mut variants {
            variant.delays_ms.sort_by(f64::total_cmp);
            let (p50, p95) = (quantile(&variant.delays_ms, 0.5), quantile(&variant.delays_ms, 0.95));
            let cpu = variant.cpu.iter().sum::<f64>() / variant.cpu.len() as f64;
            println!(
                "{}: p50 {p50:.1}, p95 {p95:.1}, core {cpu:.2}, frames {}, bytes per frame {}",
                variant.name,
                variant.delays_ms.len(),
                variant.bytes / variant.delays_ms.len().max(1)
            );
        }
    }
}
