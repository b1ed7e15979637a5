//! The way of frames from the source to what a page tells, in real pipelines: the stamps survive, the legs add up, and the
//! figures come out of the sink wherever they are wanted.

use crate::{
    consumer::{Consumer, PATIENCE, Seen},
    init,
    sink::{Application, TestStream},
};
use gst::prelude::*;
use gstvdi::stage::{Stage, stamp};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};
use vdi_protocol::{
    control::{FromPage, PageStats, ToPage},
    latency::{FrameReport, FrameReports, Latency, Leg},
    limits::MAX_FRAME_REPORTS,
};

const MS: u64 = 1_000_000;

/// The whole way, and its legs.
const WAY: [&str; 9] =
    ["glass-to-glass", "capture", "convert", "encode", "packetise", "send", "network", "decode", "present"];

/// A test picture through `adaptiveencbin`, whose input `stamping` is about to pass.
const SOURCE: &str = "videotestsrc is-live=true pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! identity name=stamping \
    ! adaptiveencbin encoder=x264enc max-cpu=0 max-latency=0";

fn page(message: &FromPage) -> String {
    serde_json::to_string(message).unwrap()
}

fn now() -> gst::ClockTime {
    gst::SystemClock::obtain().time()
}

/// Stamps what passes `stamping`, as `xdamagesrc` does: the damage 3 ms before, captured 2 and converted 1.
fn stamp_frames(pipeline: &gst::Pipeline, damaged: impl Fn() -> bool + Send + Sync + 'static) {
    let pad = pipeline.by_name("stamping").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer_mut().unwrap().make_mut();
        let before = |ms| now().saturating_sub(gst::ClockTime::from_mseconds(ms));
        if damaged() {
            stamp(buffer, Stage::Damage, before(3));
        }
        stamp(buffer, Stage::Captured, before(2));
        stamp(buffer, Stage::Converted, before(1));
        gst::PadProbeReturn::Ok
    });
}

/// Tells the sink that the last frame that came was decoded 4 ms and shown 7 ms after that. Its RTP timestamp.
fn report_one(consumer: &Consumer, ahead: u64) -> FrameReport {
    let (rtp_timestamp, came) = consumer.wait_for("a frame", |seen: &Seen| seen.arrivals.back().copied());
    let came = came.useconds();
    let report = FrameReport {
        rtp_timestamp,
        received_us: Some(came),
        decoded_us: Some(came + 4_000),
        presented_us: came + 4_000 + ahead,
    };
    let reports = FrameReports { uncertainty_us: 500, frames: vec![report] };
    consumer.send_text("control", &page(&FromPage::Frames(reports)));
    report
}

fn consumer_latency(stream: &TestStream) -> Option<gst::Structure> {
    let stats = stream.sink.property::<gst::Structure>("stats");
    let consumers = stats.get::<gst::Array>("consumers").unwrap();
    consumers.first()?.get::<gst::Structure>().unwrap().get("latency").ok()
}

fn figure(structure: &gst::StructureRef, leg: &str, field: &str) -> u64 {
    structure
        .get::<gst::Structure>(leg)
        .unwrap_or_else(|_| panic!("{leg} in {structure}"))
        .get(field)
        .unwrap()
}

/// Leg, codec, and how many values a histogram has.
fn histograms(stream: &TestStream) -> Vec<(String, String, u64)> {
    let stats = stream.sink.property::<gst::Structure>("stats");
    let all = stats.get::<gst::Array>("latency-histograms").unwrap();
    let one = |value: &gst::glib::SendValue| {
        let histogram = value.get::<gst::Structure>().unwrap();
        let numbers = |field| -> Vec<u64> {
            histogram.get::<gst::Array>(field).unwrap().iter().map(|value| value.get().unwrap()).collect()
        };
        let (bounds, counts) = (numbers("bounds"), numbers("counts"));
        assert_eq!((bounds.len(), counts.len()), (16, 17));
        assert!(bounds.is_sorted());
        let count = histogram.get::<u64>("count").unwrap();
        assert_eq!(counts.iter().sum::<u64>(), count);
        assert!(histogram.get::<u64>("sum").is_ok());
        (histogram.get("stage").unwrap(), histogram.get("codec").unwrap(), count)
    };
    all.iter().map(one).collect()
}

fn count(stream: &TestStream, leg: &str) -> u64 {
    histograms(stream).into_iter().find(|(stage, ..)| stage == leg).map_or(0, |(.., count)| count)
}

fn told(consumer: &Consumer, wanted: impl Fn(&Latency) -> bool) -> Latency {
    consumer.wait_for("the latency message", |seen| {
        seen.texts.get("control")?.iter().find_map(|text| match serde_json::from_str(text).ok()? {
            ToPage::Latency(latency) if wanted(&latency) => Some(latency),
            _ => None,
        })
    })
}

fn feedback(stream: &TestStream) -> mpsc::Receiver<gst::Structure> {
    let (sender, events) = mpsc::channel();
    let pad = stream.sink.sink_pads()[0].clone();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let structure = info.event().and_then(|event| event.structure());
        if let Some(structure) = structure.filter(|s| s.name() == "application/x-vdi-feedback") {
            let _ = sender.send(structure.to_owned());
        }
        gst::PadProbeReturn::Ok
    });
    events
}

#[test]
fn a_frame_is_measured_from_its_damage_to_the_screen_and_its_legs_add_up() {
    init();
    let stream = TestStream::of(&format!("{SOURCE} ! sink."));
    stamp_frames(&stream.pipeline, || true);
    let feedback = feedback(&stream);
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);

    let before = now().useconds();
    consumer.send_text("control", &page(&FromPage::Ping { id: 7 }));
    let (received, sent) = consumer.wait_for("the pong", |seen| {
        seen.texts["control"].iter().find_map(|text| match serde_json::from_str(text).unwrap() {
            ToPage::Pong { id: 7, received_us, sent_us } => Some((received_us?, sent_us?)),
            _ => None,
        })
    });
    assert!(before <= received && received <= sent && sent <= now().useconds(), "{before} {received} {sent}");

    report_one(&consumer, 3_000);
    consumer.send_text("control", &page(&FromPage::Stats(PageStats::default())));
    let latency = told(&consumer, |latency| !latency.estimated);
    assert_eq!((latency.codec.as_str(), latency.frames, latency.uncertainty_us), ("H264", 1, 500));
    let legs: Vec<_> = latency.stages.iter().map(|leg| leg.stage).collect();
    assert_eq!(legs, Leg::ALL);
    let of = |leg| latency.stages.iter().find(|one| one.stage == leg).unwrap().p50_us;
    assert_eq!((of(Leg::Decode), of(Leg::Present)), (4_000, 3_000));
    assert!(of(Leg::Encode) > 0);
    // Of one frame, every percentile is the frame's; each leg is cut to microseconds.
    let sum: u64 = latency.stages.iter().map(|leg| leg.p50_us).sum();
    let whole = latency.glass_to_glass.p50_us;
    assert!(whole.abs_diff(sum) <= 8, "{whole} µs and {sum} µs");
    assert!(whole < PATIENCE.as_micros() as u64);

    // What is known of the network is told apart from it.
    let told = std::iter::from_fn(|| feedback.recv_timeout(PATIENCE).ok())
        .find_map(|event| event.get::<u64>("latency").ok());
    assert_eq!(told.unwrap() / 1000, whole);

    let structure = consumer_latency(&stream).unwrap();
    assert_eq!(structure.get::<bool>("estimated"), Ok(false));
    assert_eq!(structure.get::<u64>("uncertainty"), Ok(500_000));
    let sum: u64 = WAY[1..].iter().map(|leg| figure(&structure, leg, "max")).sum();
    assert_eq!(sum, figure(&structure, "glass-to-glass", "max"), "{structure}");
    assert!(WAY.iter().all(|leg| figure(&structure, leg, "count") == 1), "{structure}");
    assert_eq!(figure(&structure, "capture", "p50") / MS, 1);

    let histograms = histograms(&stream);
    assert!(histograms.iter().all(|(_, codec, _)| codec == "H264"));
    assert_eq!(histograms.len(), 9);
    for leg in WAY {
        let whole_way = ["glass-to-glass", "network", "decode", "present"].contains(&leg);
        let values = count(&stream, leg);
        // Up to the network every frame counts, from there on those that the page tells of.
        assert!(if whole_way { values == 1 } else { values >= 10 }, "{leg}: {values}");
    }
}

#[test]
fn a_browser_that_tells_of_no_frames_gets_an_estimate_that_says_so() {
    init();
    let stream = TestStream::new(|_| {});
    let application = Application::new(&stream);
    let consumer = application.connect("firefox");
    consumer.wait_for_frames(10);
    let stats = PageStats {
        round_trip_ms: 30.0,
        jitter_buffer_delay_ms: 6.0,
        decode_ms: 2.5,
        ..PageStats::default()
    };
    consumer.send_text("control", &page(&FromPage::Stats(stats)));
    let latency = told(&consumer, |_| true);
    assert!(latency.estimated);
    assert_eq!(latency.uncertainty_us, 0);
    // x264enc stamps nothing, so that what lies behind a frame is one leg.
    let legs: Vec<_> = latency.stages.iter().map(|leg| (leg.stage, leg.p50_us)).collect();
    assert_eq!([legs[0].0, legs[1].0], [Leg::Packetise, Leg::Send]);
    assert_eq!(legs[2..], [(Leg::Network, 15_000), (Leg::Decode, 8_500)]);
    // The thousand hours in x264enc's timestamps are no latency.
    let whole = latency.glass_to_glass;
    assert!((23_500..PATIENCE.as_micros() as u64).contains(&whole.p50_us), "{whole:?}");
    assert!(whole.p95_us >= whole.p50_us);
    let structure = consumer_latency(&stream).unwrap();
    assert_eq!(structure.get::<bool>("estimated"), Ok(true));
    assert!(!structure.has_field("present"));
    assert_eq!(count(&stream, "glass-to-glass"), 0, "an estimate is no measurement");
    assert!(count(&stream, "send") >= 10);
}

#[test]
fn repeats_of_a_source_that_tells_of_damage_count_for_nothing() {
    init();
    let stream = TestStream::of(&format!("{SOURCE} ! sink."));
    let damaged = Arc::new(AtomicBool::new(true));
    let answer = damaged.clone();
    stamp_frames(&stream.pipeline, move || answer.load(Ordering::SeqCst));
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    damaged.store(false, Ordering::SeqCst);
    // What was stamped before may still be on its way.
    consumer.wait_for_frames(30);
    let before = histograms(&stream);
    report_one(&consumer, 3_000);
    consumer.wait_for_frames(10);
    assert_eq!(histograms(&stream), before);
    damaged.store(true, Ordering::SeqCst);
    consumer.wait_for("frames that count", |_| (histograms(&stream) != before).then_some(()));
}

#[test]
fn stamps_survive_every_encoder_and_latencystats_shows_them_wherever_it_stands() {
    init();
    for encoder in ["x264enc", "openh264enc", "vp8enc", "vp9enc"] {
        let source =
            SOURCE.replace("x264enc", encoder).replace("identity", "latencystats name=raw ! identity");
        let pipeline = gst::parse::launch(&format!(
            "{source} ! latencystats stage=encoded name=encoded interval=100 ! fakesink sync=false"
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        stamp_frames(&pipeline, || true);
        pipeline.set_state(gst::State::Playing).unwrap();
        let encoded = pipeline.by_name("encoded").unwrap();
        let bus = pipeline.bus().unwrap();
        let report = std::iter::from_fn(|| {
            let limit = gst::ClockTime::from_seconds(PATIENCE.as_secs());
            bus.timed_pop_filtered(limit, &[gst::MessageType::Element, gst::MessageType::Error])
        })
        .inspect(|message| assert_ne!(message.type_(), gst::MessageType::Error, "{encoder}: {message:?}"))
        .filter(|message| message.src() == Some(encoded.upcast_ref()))
        .find_map(|message| message.structure().map(ToOwned::to_owned))
        .unwrap_or_else(|| panic!("{encoder}: nothing was reported"));
        assert_eq!(report.get::<&str>("stage"), Ok("encoded"));
        let stages = report.get::<gst::Structure>("stages").unwrap();
        let legs: Vec<_> = stages.fields().map(|name| name.to_string()).collect();
        assert_eq!(legs, ["capture", "convert", "encode", "here"], "{encoder}");
        assert_eq!(figure(&stages, "capture", "count"), report.get::<u64>("count").unwrap(), "{encoder}");
        assert!(figure(&stages, "capture", "min") >= MS, "{encoder}: {stages}");
        assert!(figure(&stages, "encode", "min") >= MS, "{encoder}: {stages}");
        let words: String = encoded.property("last-message");
        assert!(words.starts_with("latency at \"encoded\" of "), "{words}");
        assert!(words.contains("; p50/p95 of the legs: capture 1."), "{words}");
        // In front of the stamps there is nothing to tell.
        let raw: gst::Structure = pipeline.by_name("raw").unwrap().property("stats");
        assert_eq!(raw.get::<gst::Structure>("stages").unwrap().n_fields(), 0);
        assert!(!raw.has_field("stage"));
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn frames_of_a_desktop_that_is_silent_for_seconds_cost_no_key_frames() {
    init();
    // Two frames a second: more time between two than any frame may wait.
    let stream = TestStream::of(&format!("{} ! sink.", SOURCE.replace("30/1", "2/1")));
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(1);
    let keys = consumer.key_frames.load(Ordering::SeqCst);
    consumer.wait_for_frames(6);
    assert_eq!(consumer.key_frames.load(Ordering::SeqCst), keys);
}

#[test]
fn a_consumer_behind_a_queue_is_sent_nothing_until_it_has_run_dry_and_then_a_key_frame() {
    init();
    let stream = TestStream::of(&format!("{SOURCE} ! sink."));
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    // This is as quick as the network gets.
    report_one(&consumer, 3_000);
    let keys = consumer.key_frames.load(Ordering::SeqCst);
    let began = now();
    let batch: Vec<_> = consumer.wait_for("frames of 300 ms", |seen| {
        let came = |(_, came): &&(u32, gst::ClockTime)| *came > began;
        let batch: Vec<_> = seen.arrivals.iter().filter(came).copied().collect();
        let span = batch.last()?.1 - batch.first()?.1;
        (span >= gst::ClockTime::from_mseconds(300)).then_some(batch)
    });
    assert_eq!(consumer.key_frames.load(Ordering::SeqCst), keys);
    // Says the page: they all came 400 ms later than they did.
    let late = gst::ClockTime::from_mseconds(400);
    let last = batch.last().unwrap().1 + late;
    consumer.wait_for("the time at which that can be said", |_| (now() > last).then_some(()));
    let told = |(rtp_timestamp, came): &(u32, gst::ClockTime)| FrameReport {
        rtp_timestamp: *rtp_timestamp,
        received_us: Some((*came + late).useconds()),
        decoded_us: None,
        presented_us: (*came + late).useconds(),
    };
    let frames: Vec<_> = batch.iter().map(told).collect();
    for frames in frames.chunks(MAX_FRAME_REPORTS) {
        let reports = FrameReports { uncertainty_us: 500, frames: frames.to_vec() };
        consumer.send_text("control", &page(&FromPage::Frames(reports)));
    }
    consumer.wait_for("a key frame", |_| (consumer.key_frames.load(Ordering::SeqCst) > keys).then_some(()));
    consumer.wait_for_frames(10);
}
