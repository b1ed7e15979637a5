//! X servers that lack something, that die, that hang, and that are not there.

use super::{
    LIMIT,
    desktop::Desktop,
    stream::{Stream, bgr, colours},
};
use gst::prelude::*;
use nix::sys::signal::{Signal, kill};
use std::{sync::mpsc, thread};

const OPTIONS: &str = "show-pointer=false sharpen-frames=1";
const BGRX: &str = "video/x-raw,format=BGRx";

fn warnings(stream: &Stream) -> Vec<String> {
    let messages = stream.messages(gst::MessageType::Warning);
    let text = |message: gst::Message| match message.view() {
        gst::MessageView::Warning(warning) => warning.error().to_string(),
        _ => unreachable!(),
    };
    messages.into_iter().map(text).collect()
}

/// Draws, and waits for it to arrive.
fn follow(desktop: &Desktop, stream: &Stream) {
    for step in 0..6_u8 {
        let x = i16::from(step) * 40;
        desktop.fill(
            desktop.root,
            0x0030_2010 * (u32::from(step) + 1),
            &[(x, x / 2, 30 + u16::from(step) * 20, 25)],
        );
        let expected = bgr(&desktop.image(desktop.root, 0, 0, 320, 240));
        stream.frame_where(&format!("step {step}"), |sample| colours(sample) == expected);
    }
}

#[test]
fn a_server_with_everything_needs_no_warning() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, OPTIONS, BGRX);
    follow(&desktop, &stream);
    assert_eq!(warnings(&stream), Vec::<String>::new());
}

#[test]
fn a_server_that_lacks_an_extension_is_captured_all_the_same_and_named_with_its_price() {
    for (lacks, price, fields) in [
        (&["MIT-SHM"][..], "copied", [false, true, true]),
        (&["DAMAGE"], "compared at the frame rate", [true, false, true]),
        (&["XFIXES"], "no cursor", [true, true, false]),
        (&["MIT-SHM", "DAMAGE", "XFIXES"], "compared at the frame rate", [false, false, false]),
    ] {
        let args: Vec<_> = lacks.iter().flat_map(|lacks| ["-extension", lacks]).collect();
        let desktop = Desktop::start("320x240x24", &args);
        let stream = Stream::start(&desktop, "sharpen-frames=1", BGRX);
        // It has no pointer to draw where it lacks XFIXES; elsewhere it stands outside of what is compared.
        desktop.point(319, 239);
        stream.src.set_property("show-pointer", false);
        follow(&desktop, &stream);
        let warnings = warnings(&stream);
        for lacks in lacks {
            assert!(warnings.iter().any(|text| text.contains(lacks)), "{lacks}: {warnings:?}");
        }
        assert_eq!(warnings.len(), lacks.len(), "{warnings:?}");
        assert!(warnings.iter().any(|text| text.contains(price)), "{price}: {warnings:?}");
        assert_eq!(["shm", "damage", "xfixes"].map(|name| stream.has(name)), fields);
    }
}

#[test]
fn without_xfixes_a_silent_screen_still_costs_nothing() {
    let desktop = Desktop::start("320x240x24", &["-extension", "XFIXES"]);
    let stream = Stream::start(&desktop, "show-pointer=false keepalive-interval=0", BGRX);
    stream.fall_silent(super::SILENCE);
    let before = stream.stat("fetched-pixels");
    assert!(stream.frame_within(super::SILENCE).is_none());
    assert_eq!(stream.stat("fetched-pixels"), before);
}

#[test]
fn a_server_that_dies_is_one_reason_and_the_next_one_is_captured_from_null() {
    let mut desktop = Desktop::start_to_restart("320x240x24");
    let stream = Stream::start(&desktop, OPTIONS, BGRX);
    for _ in 0..3 {
        follow(&desktop, &stream);
        desktop.crash();
        let (reason, text) = stream.failure();
        assert_eq!(reason, "DISPLAY_UNAVAILABLE");
        assert!(text.contains(&desktop.display) && text.contains("is gone"), "{text}");
        stream.set_state(gst::State::Null).unwrap();
        stream.messages(gst::MessageType::Error);
        // While it is away.
        assert!(stream.set_state(gst::State::Playing).is_err());
        let (reason, text) = stream.failure();
        assert_eq!(reason, "DISPLAY_UNAVAILABLE");
        assert!(text.contains("cannot be reached"), "{text}");
        stream.set_state(gst::State::Null).unwrap();
        desktop = desktop.restart();
        stream.play();
    }
    follow(&desktop, &stream);
}

#[test]
fn a_display_that_is_not_there_is_named() {
    let stream = Stream::build(":987654", OPTIONS, BGRX);
    assert!(stream.set_state(gst::State::Playing).is_err());
    let (reason, text) = stream.failure();
    assert_eq!(reason, "DISPLAY_UNAVAILABLE");
    assert!(text.contains(":987654") && text.contains("DISPLAY and XAUTHORITY"), "{text}");
}

#[test]
fn a_server_that_hangs_holds_nobody_back_who_wants_to_stop() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, "show-pointer=false keepalive-interval=0", BGRX);
    stream.frame();
    kill(desktop.pid(), Signal::SIGSTOP).unwrap();
    // The pointer's place has to be asked for, and no answer will come.
    stream.src.set_property("show-pointer", true);
    let (done, is_done) = mpsc::channel();
    let stopping = thread::spawn(move || {
        stream.set_state(gst::State::Null).unwrap();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(LIMIT).expect("it stops although the server does not answer");
    stopping.join().unwrap();
}

#[test]
fn a_server_that_hangs_for_long_is_taken_for_dead() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, "show-pointer=false keepalive-interval=0", BGRX);
    stream.frame();
    kill(desktop.pid(), Signal::SIGSTOP).unwrap();
    stream.src.set_property("show-pointer", true);
    let (reason, text) = stream.failure();
    assert_eq!(reason, "DISPLAY_UNAVAILABLE");
    assert!(text.contains("does not answer"), "{text}");
}
