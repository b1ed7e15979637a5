//! The loops that the adaptation closes: what is said expires and quality comes back, load is measured, and a consumer of
//! the sink that loses packets gets fewer.

use super::{AdaptiveEncBin, LIMIT, Session, bin};
use crate::sink::{Application, TestStream};
use gst::{glib, prelude::*};
use std::{
    cell::Cell,
    sync::mpsc,
    time::{Duration, Instant},
};
use vdi_protocol::control::{FromPage, PageStats};

fn live(width: u32, height: u32, fps: u32) -> String {
    format!(
        "videotestsrc is-live=true pattern=ball ! capsfilter caps=video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
    )
}

/// A bin on software, in which nothing is limited but by the test: the machine may be busy with other things.
fn unlimited() -> AdaptiveEncBin {
    let bin = bin(&["x264enc"]);
    bin.set_property("max-latency", 0_u32);
    bin.set_property("max-cpu", 0_u32);
    bin
}

fn feedback(bin: &AdaptiveEncBin, fields: &[(&str, glib::SendValue)]) {
    let mut structure = gst::Structure::new_empty("application/x-vdi-feedback");
    structure.set("consumer", "test");
    for (name, value) in fields {
        structure.set_value(*name, value.clone());
    }
    let event = gst::event::CustomUpstream::new(structure);
    assert!(bin.static_pad("src").unwrap().send_event(event), "the bin takes it");
}

fn stats(bin: &AdaptiveEncBin) -> gst::Structure {
    bin.property("stats")
}

fn reason(bin: &AdaptiveEncBin) -> String {
    stats(bin).get("quality-limitation-reason").unwrap()
}

/// The size that leaves the bin.
fn size(bin: &AdaptiveEncBin) -> Option<(i32, i32)> {
    let caps = bin.static_pad("src")?.current_caps()?;
    let caps = caps.structure(0)?;
    Some((caps.get("width").ok()?, caps.get("height").ok()?))
}

/// Waits for a fact; `meanwhile` is done every quarter of a second.
fn wait(bin: &AdaptiveEncBin, what: &str, meanwhile: impl Fn(), is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come: {:#?}", stats(bin));
        meanwhile();
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn encoder(bin: &AdaptiveEncBin) -> gst::Element {
    bin.iterate_all_by_element_factory_name("x264enc").into_iter().next().unwrap().unwrap()
}

/// The `vdi-quality` messages: reason, size, limit of the frame rate and bit rate.
fn told(session: &Session) -> Vec<(String, u32, u32, f64, u64)> {
    let said = session.said.lock().unwrap();
    let structures = said.iter().filter_map(|message| message.structure());
    structures
        .filter(|structure| structure.name() == "vdi-quality")
        .map(|s| {
            (
                s.get("reason").unwrap(),
                s.get("width").unwrap(),
                s.get("height").unwrap(),
                s.get("max-framerate").unwrap(),
                s.get("bitrate").unwrap(),
            )
        })
        .collect()
}

#[test]
fn an_estimate_makes_the_picture_smaller_and_its_end_brings_it_back() {
    let bin = unlimited();
    bin.set_property_from_str("content-hint", "motion");
    bin.set_property("bitrate", 2000_u32);
    bin.set_property("min-bitrate", 50_u32);
    let session = Session::new(&bin, &live(640, 360, 30));
    session.play();
    wait(&bin, "the stream", || (), || size(&bin) == Some((640, 360)));
    assert_eq!(reason(&bin), "none");

    // 640x360 at 30 needs 207 kbit/s of motion, 480x270 needs 117, and 426x240 needs 92.
    let estimate = || feedback(&bin, &[("estimated-bitrate", 100_000_u64.to_send_value())]);
    wait(&bin, "a smaller picture", estimate, || size(&bin) == Some((426, 240)));
    let now = stats(&bin);
    assert_eq!(now.get::<&str>("quality-limitation-reason"), Ok("bandwidth"));
    assert_eq!(now.get::<u64>("target-bitrate"), Ok(100_000));
    assert_eq!((now.get::<u32>("frame-width"), now.get::<u32>("frame-height")), (Ok(426), Ok(240)));
    assert_eq!((now.get::<u32>("source-width"), now.get::<u32>("source-height")), (Ok(640), Ok(360)));
    // A careful encoder is asked for up to 1.4 times that, so that it makes it.
    let rate = || encoder(&bin).property::<u32>("bitrate");
    wait(&bin, "its rate", || (), || (100..=140).contains(&rate()));

    // Nobody says so any longer.
    wait(&bin, "the full picture", || (), || size(&bin) == Some((640, 360)) && reason(&bin) == "none");
    wait(&bin, "the full rate", || (), || rate() == 2000);
    let now = stats(&bin);
    assert_eq!(now.get::<u32>("quality-limitation-resolution-changes"), Ok(2));
    let durations = now.get::<gst::Structure>("quality-limitation-durations").unwrap();
    assert!(durations.get::<f64>("bandwidth").unwrap() > 1.0, "{durations}");
    assert_eq!(durations.get::<f64>("latency"), Ok(0.0));
    session.pipeline.set_state(gst::State::Null).unwrap();
    let source = |s: &gst::StructureRef| (s.get("source-width").ok(), s.get("source-height").ok());
    let said = session.said.lock().unwrap();
    let mut sources =
        said.iter().filter_map(|said| said.structure()).filter(|s| s.name() == "vdi-quality").map(source);
    assert!(sources.all(|source| source == (Some(640_u32), Some(360_u32))));
    drop(said);
    let told = told(&session);
    assert!(told.contains(&("bandwidth".into(), 426, 240, 0.0, 100_000)), "{told:?}");
    assert_eq!(told.last(), Some(&("none".into(), 640, 360, 0.0, 2_000_000)), "{told:?}");
}

#[test]
fn a_busy_machine_sends_30_frames_a_second() {
    let bin = unlimited();
    // Encoding alone is more than this.
    bin.set_property("max-cpu", 1_u32);
    let session = Session::new(&bin, &live(640, 360, 60));
    session.play();
    wait(&bin, "30 frames a second", || (), || told(&session).iter().any(|told| told.3 == 30.0));
    assert_eq!(reason(&bin), "cpu");
    assert!(stats(&bin).get::<f64>("cpu-usage").unwrap() > 0.0);
    bin.set_property("max-cpu", 0_u32);
    wait(&bin, "60 again", || (), || stats(&bin).get::<f64>("max-framerate") == Ok(0.0));
    assert_eq!(reason(&bin), "none");
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn nobody_behind_passes_the_operators_bounds_and_nobody_in_front_hears_of_it() {
    let bin = unlimited();
    bin.set_property("bitrate", 1000_u32);
    bin.set_property("min-bitrate", 800_u32);
    let session = Session::new(&bin, &live(320, 240, 30));
    let (sender, passed) = mpsc::channel();
    bin.static_pad("sink").unwrap().peer().unwrap().add_probe(
        gst::PadProbeType::EVENT_UPSTREAM,
        move |_, info| {
            let is_custom = info.event().is_some_and(|event| event.type_() == gst::EventType::CustomUpstream);
            if is_custom {
                let _ = sender.send(());
            }
            gst::PadProbeReturn::Ok
        },
    );
    session.play();
    wait(&bin, "the stream", || (), || size(&bin).is_some());
    for (bps, expected) in
        [(20_000_u64, 800_000_u64), (900_000_000, 1_000_000), (0, 1_000_000), (u64::MAX, 1_000_000)]
    {
        if bps == 0 {
            // What cannot be true leaves everything as it was.
            feedback(&bin, &[("estimated-bitrate", 900_000_000_u64.to_send_value())]);
        }
        feedback(&bin, &[("estimated-bitrate", bps.to_send_value())]);
        wait(&bin, "the rate", || (), || stats(&bin).get::<u64>("target-bitrate") == Ok(expected));
        wait(
            &bin,
            "the write",
            || (),
            || {
                let asked = u64::from(encoder(&bin).property::<u32>("bitrate")) * 1000;
                (expected..=1_000_000.min(expected * 14 / 10)).contains(&asked)
            },
        );
    }
    session.pipeline.set_state(gst::State::Null).unwrap();
    assert!(passed.try_recv().is_err(), "the event is the bin's");
}

#[test]
fn packets_that_a_consumer_loses_lower_the_rate_in_any_pipeline() {
    crate::init();
    let source = format!(
        "{} ! adaptiveencbin name=bin max-cpu=0 max-latency=0 encoder=x264enc ! sink.",
        live(320, 240, 30)
    );
    let stream = TestStream::of(&source);
    // Loss counts for those of whom there is no estimate.
    stream.sink.set_property_from_str("congestion-control", "none");
    let bin = stream.pipeline.by_name("bin").unwrap().downcast::<AdaptiveEncBin>().unwrap();
    let application = Application::new(&stream);
    let consumer = application.connect("alice");
    consumer.wait_for_frames(10);
    assert_eq!(stats(&bin).get::<u64>("target-bitrate"), Ok(8_000_000));
    // Three of ten are lost, again and again: more than the 10 % that are borne.
    let reports = Cell::new(0_i64);
    let report = || {
        reports.set(reports.get() + 1);
        let page = PageStats {
            packets_received: 70 * reports.get() as u64,
            packets_lost: 30 * reports.get(),
            ..PageStats::default()
        };
        consumer.send_text("control", &serde_json::to_string(&FromPage::Stats(page)).unwrap());
    };
    wait(&bin, "a lower rate", report, || stats(&bin).get::<u64>("target-bitrate").unwrap() < 5_000_000);
    assert_eq!(reason(&bin), "bandwidth");
}
