//! What a running bin makes of limits: bit rate, frame rate and size follow what consumers say, inside the operator's
//! bounds, and everybody is told.

use super::{AdaptiveEncBin, LIMIT, Session, bin, stream::decode};
use gst::prelude::*;
use std::time::Instant;

const LIVE: &str = "videotestsrc is-live=true pattern=ball ! capsfilter caps=video/x-raw,format=I420,width=640,height=360,framerate=30/1";

fn play(hint: &str, configure: impl FnOnce(&AdaptiveEncBin)) -> Session {
    let bin = bin(&["x264enc"]);
    bin.set_property_from_str("content-hint", hint);
    configure(&bin);
    let session = Session::new(&bin, LIVE);
    session.play();
    // The first picture is one at full rate: what is told before it counts for it.
    let deadline = Instant::now() + LIMIT;
    while session.units.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no picture: {}", stats(&session));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    session
}

fn stats(session: &Session) -> gst::Structure {
    session.bin.property("stats")
}

/// What a consumer says, until this is so.
fn until(session: &Session, feedback: &gst::Structure, is_so: impl Fn(&gst::Structure) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so(&stats(session)) {
        assert!(Instant::now() < deadline, "{}", stats(session));
        let pad = session.bin.static_pad("src").unwrap();
        assert!(pad.send_event(gst::event::CustomUpstream::new(feedback.clone())));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

fn estimate(bps: u64) -> gst::Structure {
    gst::Structure::builder("application/x-vdi-feedback")
        .field("consumer", "alice")
        .field("estimated-bitrate", bps)
        .build()
}

fn field<'a, T: gst::glib::value::FromValue<'a>>(stats: &'a gst::Structure, name: &str) -> T {
    stats.get(name).unwrap_or_else(|error| panic!("{name}: {error} in {stats:#?}"))
}

#[test]
fn text_gives_up_frames_and_motion_gives_up_size_and_both_come_back() {
    let text = play("text", |bin| bin.set_property("min-bitrate", 50u32));
    until(&text, &estimate(80_000), |stats| {
        stats.get::<f64>("max-framerate").is_ok_and(|fps| fps > 0.0 && fps < 30.0)
    });
    assert_eq!(field::<u32>(&stats(&text), "frame-height"), 360, "text stays sharp");
    assert_eq!(field::<&str>(&stats(&text), "quality-limitation-reason"), "bandwidth");
    assert_eq!(field::<u64>(&stats(&text), "target-bitrate"), 80_000);

    let motion = play("motion", |bin| bin.set_property("min-bitrate", 50u32));
    until(&motion, &estimate(150_000), |stats| {
        stats.get::<u32>("frame-height").is_ok_and(|height| height < 360)
    });
    assert_eq!(field::<f64>(&stats(&motion), "max-framerate"), 0.0, "motion stays smooth");
    assert_eq!(field::<u32>(&stats(&motion), "source-height"), 360);
    let small = motion.units.lock().unwrap().len();
    until(&motion, &estimate(150_000), |_| motion.units.lock().unwrap().len() > small + 10);
    let caps = motion.bin.static_pad("src").unwrap().current_caps().unwrap();
    let (width, height) =
        (field::<u32>(&stats(&motion), "frame-width"), field::<u32>(&stats(&motion), "frame-height"));
    assert_eq!(caps.structure(0).unwrap().get("width"), Ok(width as i32));
    let units = motion.units.lock().unwrap().clone();
    let pictures = decode(&units);
    assert_eq!(pictures.len(), units.len(), "every unit decodes");
    assert_eq!(pictures[0], (640, 360, true));
    assert_eq!(*pictures.last().unwrap(), (width as i32, height as i32, true));

    let told: Vec<_> = motion
        .said
        .lock()
        .unwrap()
        .iter()
        .filter_map(|message| {
            message.structure().filter(|s| s.name() == "vdi-quality").map(ToOwned::to_owned)
        })
        .collect();
    assert!(told.iter().any(|told| told.get::<&str>("reason") == Ok("bandwidth")), "{told:#?}");
    assert!(told.iter().any(|told| told.get::<u32>("height") == Ok(height)), "{told:#?}");

    for session in [text, motion] {
        until(&session, &estimate(50_000_000), |stats| {
            stats.get::<&str>("quality-limitation-reason") == Ok("none")
        });
        let stats = stats(&session);
        assert_eq!((field::<u32>(&stats, "frame-height"), field::<f64>(&stats, "max-framerate")), (360, 0.0));
        let durations: gst::Structure = field(&stats, "quality-limitation-durations");
        assert!(durations.get::<f64>("bandwidth").unwrap() > 0.0, "{durations:#?}");
        session.pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn consumers_cannot_pass_the_operators_bounds() {
    let session = play("auto", |bin| {
        bin.set_properties(&[("bitrate", &2000u32), ("min-bitrate", &1000u32), ("max-bitrate", &3000u32)]);
    });
    // The bin exchanges its elements as it takes smaller steps; in between there is no encoder to ask.
    let of_encoder = || {
        let found = session.bin.iterate_all_by_element_factory_name("x264enc").into_iter().next()?.ok()?;
        Some(found.property::<u32>("bitrate"))
    };
    until(&session, &estimate(10_000), |stats| {
        stats.get::<u64>("target-bitrate") == Ok(1_000_000) && of_encoder() == Some(1000)
    });
    until(&session, &estimate(900_000_000), |stats| stats.get::<u64>("target-bitrate") == Ok(2_000_000));
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn latency_above_the_limit_lowers_quality_and_says_so() {
    let session = play("text", |bin| bin.set_property("max-latency", 100u32));
    let late = gst::Structure::builder("application/x-vdi-feedback")
        .field("consumer", "alice")
        .field("latency", 400_000_000u64)
        .field("round-trip-time", 5_000_000u64)
        .build();
    until(&session, &late, |stats| stats.get::<&str>("quality-limitation-reason") == Ok("latency"));
    assert!(field::<u64>(&stats(&session), "target-bitrate") < 8_000_000);
    assert!(field::<u64>(&stats(&session), "latency") >= 300_000_000);
    session.pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_source_that_can_wait_loses_no_frame_to_a_limit() {
    let bin = bin(&["x264enc"]);
    bin.set_properties(&[("max-cpu", &1u32), ("max-latency", &1u32)]);
    let session = Session::new(&bin, &LIVE.replace("is-live=true", "num-buffers=300"));
    session.play();
    assert_eq!(session.end(), gst::MessageType::Eos);
    assert_eq!(session.units.lock().unwrap().len(), 300);
    assert_eq!(field::<u64>(&stats(&session), "frames-dropped"), 0);
    assert_eq!(field::<u64>(&stats(&session), "frames-encoded"), 300);
    session.pipeline.set_state(gst::State::Null).unwrap();
}
