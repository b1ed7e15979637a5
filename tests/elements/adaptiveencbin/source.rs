//! What the bin and its source tell each other: stamps that go through every encoder, requests for a frame, and the pace.

use super::{LIMIT, Session, bin};
use gst::prelude::*;
use gstvdi::{
    on_demand,
    stage::{self, Stage, Stamps},
};
use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

/// Stamps what goes into the bin, as a source does.
fn stamp_input(session: &Session) {
    let pad = session.bin.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let now = pad.parent_element().unwrap().clock().unwrap().time();
        let buffer = info.buffer_mut().unwrap().make_mut();
        for (stage, ago_ms) in [(Stage::Damage, 5), (Stage::Captured, 3), (Stage::Converted, 2)] {
            stage::stamp(buffer, stage, now - gst::ClockTime::from_mseconds(ago_ms));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Upstream events that reach the source.
fn heard(session: &Session) -> mpsc::Receiver<gst::Event> {
    let (sender, events) = mpsc::channel();
    let pad = session.bin.static_pad("sink").unwrap().peer().unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let _ = sender.send(info.event().unwrap().clone());
        gst::PadProbeReturn::Ok
    });
    events
}

fn wait_for(
    what: &str,
    events: &mpsc::Receiver<gst::Event>,
    mut meanwhile: impl FnMut(),
    is_it: impl Fn(&gst::Event) -> bool,
) {
    let deadline = Instant::now() + LIMIT;
    loop {
        assert!(Instant::now() < deadline, "{what} did not come");
        match events.recv_timeout(Duration::from_millis(200)) {
            Ok(event) if is_it(&event) => return,
            Ok(_) => {}
            Err(_) => meanwhile(),
        }
    }
}

#[test]
fn every_encoder_keeps_the_stamps_of_a_frame_and_the_bin_adds_its_own() {
    for factory in ["x264enc", "openh264enc", "x265enc", "vp8enc", "vp9enc", "av1enc"] {
        let bin = bin(&[factory]);
        bin.set_property("encoder", factory);
        let session = Session::new(
            &bin,
            "videotestsrc is-live=true num-buffers=6 ! capsfilter caps=video/x-raw,format=I420,width=320,height=240",
        );
        stamp_input(&session);
        let record = session.run();
        assert_eq!(record.end, gst::MessageType::Eos, "{factory}");
        // A live source is not waited for: on a busy machine some frames give way to newer ones.
        assert!(!record.units.is_empty(), "{factory}");
        for unit in &record.units {
            let known: Vec<_> = Stamps::of(unit).known().collect();
            let stages: Vec<_> = known.iter().map(|(stage, _)| *stage).collect();
            let wanted = [Stage::Damage, Stage::Captured, Stage::Converted, Stage::Encoded];
            assert_eq!(stages, wanted, "{factory}");
            assert!(known.is_sorted_by_key(|(_, at)| *at), "{factory}: {known:?}");
        }
    }
}

#[test]
fn a_wanted_key_frame_is_asked_of_the_source_too() {
    let bin = bin(&["x264enc"]);
    let session = Session::new(
        &bin,
        "videotestsrc is-live=true ! capsfilter caps=video/x-raw,width=320,height=240,framerate=30/1",
    );
    let events = heard(&session);
    session.play();
    let ask = || {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        bin.static_pad("src").unwrap().send_event(event);
    };
    wait_for("the request", &events, ask, |event| gst_video::UpstreamForceKeyUnitEvent::parse(event).is_ok());
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn the_source_is_told_how_many_frames_are_wanted() {
    let bin = bin(&["x264enc"]);
    bin.set_property_from_str("content-hint", "text");
    bin.set_properties(&[("bitrate", &2000_u32), ("min-bitrate", &50_u32)]);
    let session = Session::new(
        &bin,
        "videotestsrc is-live=true ! capsfilter caps=video/x-raw,width=640,height=360,framerate=30/1",
    );
    let events = heard(&session);
    session.play();
    let throttle = |event: &gst::Event| match event.view() {
        gst::EventView::Qos(qos) if qos.get().0 == gst::QOSType::Throttle => Some(qos.get().2),
        _ => None,
    };
    // Text gives up frame rate first.
    let starve = || {
        let mut structure = gst::Structure::new_empty("application/x-vdi-feedback");
        structure.set("consumer", "test");
        structure.set("estimated-bitrate", 100_000_u64);
        bin.static_pad("src").unwrap().send_event(gst::event::CustomUpstream::new(structure));
    };
    starve();
    wait_for("the throttle", &events, starve, |event| {
        throttle(event).is_some_and(|interval| interval > 33_400_000)
    });
    wait_for("its end", &events, || (), |event| throttle(event) == Some(0));
    session.pipeline.set_state(gst::State::Null).unwrap();
}

/// Frames that came out and that were dropped of a source that is many times faster than the encoder.
fn rush(captures_on_demand: bool) -> (u64, u64) {
    let bin = bin(&["x264enc"]);
    // A limit of the frame rate would drop frames too, and this source does not hear of it. So many frames of this size
    // are worth more bits than the usual rate has.
    bin.set_properties(&[("max-cpu", &0u32), ("max-latency", &0u32), ("max-bitrate", &200_000u32)]);
    bin.set_property("bitrate", 200_000u32);
    let session = Session::new(
        &bin,
        "videotestsrc is-live=true pattern=gradient ! capsfilter caps=video/x-raw,format=I420,width=1920,height=1080,framerate=1000/1",
    );
    let pad = bin.static_pad("sink").unwrap().peer().unwrap();
    pad.add_probe(gst::PadProbeType::QUERY_UPSTREAM, move |_, info| match info.query() {
        Some(query) if captures_on_demand && on_demand::is_question(query) => gst::PadProbeReturn::Handled,
        _ => gst::PadProbeReturn::Ok,
    });
    session.play();
    let deadline = Instant::now() + LIMIT;
    let counts = loop {
        let stats: gst::Structure = bin.property("stats");
        let count = |name| stats.get::<u64>(name).unwrap_or(0);
        if count("frames-encoded") >= 100 {
            break (count("frames-encoded"), count("frames-dropped"));
        }
        assert!(Instant::now() < deadline, "{stats}");
        std::thread::sleep(Duration::from_millis(50));
    };
    session.pipeline.set_state(gst::State::Null).unwrap();
    counts
}

#[test]
fn a_source_that_captures_on_demand_is_kept_waiting_and_others_lose_their_older_frames() {
    let (encoded, dropped) = rush(false);
    assert!(dropped > encoded, "{dropped} dropped, {encoded} encoded");
    let (encoded, dropped) = rush(true);
    assert!(dropped < encoded / 2, "{dropped} dropped, {encoded} encoded");
}
