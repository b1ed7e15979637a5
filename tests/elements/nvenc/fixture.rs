//! The simulated driver under GStreamer's unmodified elements, without anything of ours: what the tests of the bin build
//! on. What is asserted here is what the real elements do by their source.

use super::driver::{Driver, Event, under, until};
use crate::init;
use gst::prelude::*;
use std::{
    process::Output,
    sync::{Arc, Mutex},
    time::Duration,
};

const ELEMENTS: [&str; 3] = ["nvh264enc", "nvcudah264enc", "nvautogpuh264enc"];
const LIMIT: Duration = Duration::from_secs(60);

/// The requirement's settings in each element's own words.
fn settings(element: &str) -> &'static str {
    match element {
        "nvh264enc" => "preset=low-latency-hq rc-mode=cbr bitrate=8000 gop-size=30 bframes=0 aud=false",
        _ => "preset=low-latency-hq rate-control=cbr bitrate=8000 gop-size=30 b-frames=0 aud=false",
    }
}

/// `gst-launch-1.0` with 60 frames through `element` and a decoder, with a line per decoded frame.
fn launch(driver: &Driver, element: &str) -> Output {
    let line = format!(
        "videotestsrc num-buffers=60 ! video/x-raw,format=NV12,width=320,height=240,framerate=60/1 ! {element} {} ! \
         h264parse ! avdec_h264 ! identity name=decoded silent=false ! fakesink sync=false",
        settings(element)
    );
    let words: Vec<_> = std::iter::once("-v").chain(line.split_whitespace()).collect();
    driver.run("gst-launch-1.0", &words)
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

fn field<'a>(event: &'a Event, keys: &[&str]) -> Vec<&'a str> {
    keys.iter().map(|key| event.text(key)).collect()
}

#[test]
fn all_three_elements_register() {
    let driver = Driver::with("");
    for element in ELEMENTS {
        let output = driver.run("gst-inspect-1.0", &[element]);
        assert!(output.status.success(), "{element}: {}", text(&output));
    }
}

#[test]
fn sixty_frames_with_the_requirements_settings_decode_and_the_driver_reads_the_settings_back() {
    let driver = Driver::with("");
    for element in ELEMENTS {
        let output = launch(&driver, element);
        let text = text(&output);
        assert!(output.status.success(), "{element}: {text}");
        let decoded = text.lines().filter(|line| line.contains("decoded") && line.contains("chain ")).count();
        assert_eq!(decoded, 60, "{element}");
    }
    let said: Vec<_> = driver
        .events("init")
        .iter()
        .map(|init| {
            field(init, &["preset", "rc", "bitrate", "gop", "interval-p", "size", "fps", "aud"]).join(" ")
        })
        .collect();
    // The two newer elements lose the preset on the way: a bug of 1.22.
    assert_eq!(
        said,
        [
            "low-latency-hq cbr 8192000 30 1 320x240 60/1 0",
            "default cbr 8192000 30 1 320x240 60/1 0",
            "default cbr 8192000 30 1 320x240 60/1 0",
        ]
    );
    let closed: Vec<_> = driver.events("close").iter().map(|close| close.get("frames")).collect();
    assert_eq!(closed, [Some(60); 3], "every session is closed, and every frame was encoded");
}

#[test]
fn states_in_which_the_plugin_registers_no_encoder() {
    let states = [
        ("no device", Driver::with("no-device")),
        ("no engine", Driver::with("no-engine")),
        ("cuInit fails", Driver::with("cuda-init=100")),
        ("an interface that is too old", Driver::with("max-version=8.0")),
        ("the interface is refused", Driver::with("create-instance=15")),
        ("refused while the plugin loads", Driver::with("open=10")),
        ("no encoder library", Driver::with("").without("libnvidia-encode.so.1")),
    ];
    for (state, driver) in states {
        for element in ELEMENTS {
            assert!(!driver.run("gst-inspect-1.0", &[element]).status.success(), "{state}: {element}");
        }
    }
}

#[test]
fn faults_end_a_stream_as_they_do_with_the_real_elements() {
    // Words, and what the pipeline says of it for each of the elements.
    let faults = [
        ("open=10", ["Failed to open encoder", "Failed to open session", "Failed to open session"]),
        ("init=8", ["Failed to init encoder", "Failed to init encoder", "Failed to init encoder"]),
        ("preset=8", ["preset", "Failed to set format", "Failed to set format"]),
        ("encode=20@5", ["Internal data stream error"; 3]),
        ("lock=20@5", ["Failed to lock bitstream"; 3]),
        ("lost@5", ["Internal data stream error"; 3]),
    ];
    under(Driver::with(""), |driver| {
        for (words, messages) in faults {
            for (element, message) in ELEMENTS.into_iter().zip(messages) {
                let (pipeline, ..) = stream(element);
                driver.say(words);
                let said = errors(&pipeline);
                pipeline.set_state(gst::State::Null).unwrap();
                driver.say("");
                assert!(said.contains(message), "{words}, {element}: {said}");
            }
        }
    });
}

/// Plays to the error that ends the stream, and gives the texts of all.
fn errors(pipeline: &gst::Pipeline) -> String {
    let bus = pipeline.bus().unwrap();
    // Not every element can start.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut said = String::new();
    while let Some(message) =
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Error])
    {
        let gst::MessageView::Error(error) = message.view() else { unreachable!() };
        said += &format!("{} {}\n", error.error().message(), error.debug().unwrap_or_default());
        // The encoder's own words come first, and those of the source that was refused come last.
        if said.contains("Internal data stream error") || said.contains("Failed to open encoder") {
            break;
        }
    }
    said
}

/// A pipeline of 25 frames a second for ever, and what comes out of the encoder: IDR or not, frame by frame.
fn stream(element: &str) -> (gst::Pipeline, gst::Element, Arc<Mutex<Vec<bool>>>) {
    init();
    let line = format!(
        "videotestsrc is-live=true ! video/x-raw,format=NV12,width=320,height=240,framerate=25/1 ! \
         {element} name=encoder {} ! video/x-h264,stream-format=byte-stream ! fakesink name=sink sync=false",
        settings(element).replace("gop-size=30", "gop-size=-1")
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let encoder = pipeline.by_name("encoder").unwrap();
    let frames = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&frames);
    let pad = pipeline.by_name("sink").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        record.lock().unwrap().push(!buffer.flags().contains(gst::BufferFlags::DELTA_UNIT));
        gst::PadProbeReturn::Ok
    });
    (pipeline, encoder, frames)
}

/// Changes the bit rate of a running encoder twice and gives the driver's `reconfigure` events and the IDR pictures.
fn change_bitrate(driver: &Driver, element: &str) -> (Vec<Event>, usize) {
    let (pipeline, encoder, frames) = stream(element);
    pipeline.set_state(gst::State::Playing).unwrap();
    let more = |count: usize| {
        let before = frames.lock().unwrap().len();
        until("frames", LIMIT, || frames.lock().unwrap().len() >= before + count);
    };
    more(5);
    for bitrate in [4000u32, 2000] {
        encoder.set_property("bitrate", bitrate);
        more(10);
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let idr = frames.lock().unwrap().iter().filter(|idr| **idr).count();
    (driver.events("reconfigure"), idr)
}

#[test]
fn another_bitrate_is_soft_on_the_newer_elements() {
    under(Driver::with(""), |driver| {
        let (events, idr) = change_bitrate(driver, "nvcudah264enc");
        let said: Vec<_> =
            events.iter().map(|event| field(event, &["bitrate", "reset", "idr"]).join(" ")).collect();
        assert_eq!(said, ["4096000 0 0", "2048000 0 0"]);
        assert_eq!(idr, 1, "only the first picture");
    });
}

#[test]
fn another_bitrate_costs_an_idr_picture_on_the_old_element() {
    under(Driver::with(""), |driver| {
        let (events, idr) = change_bitrate(driver, "nvh264enc");
        let said: Vec<_> =
            events.iter().map(|event| field(event, &["bitrate", "reset", "idr"]).join(" ")).collect();
        assert_eq!(said, ["4096000 1 1", "2048000 1 1"]);
        assert_eq!(idr, 3);
    });
}

#[test]
fn a_fault_may_come_and_go_while_frames_flow() {
    under(Driver::with(""), |driver| {
        let (pipeline, _, frames) = stream("nvcudah264enc");
        // The element retries a busy encoder, so nothing is lost.
        pipeline.set_state(gst::State::Playing).unwrap();
        until("frames", LIMIT, || frames.lock().unwrap().len() >= 5);
        driver.say("busy=18*3");
        until("busy three times", LIMIT, || driver.events("fault").len() == 3);
        let before = frames.lock().unwrap().len();
        until("frames go on", LIMIT, || frames.lock().unwrap().len() >= before + 5);
        driver.say("lost");
        let bus = pipeline.bus().unwrap();
        let error = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Error]);
        assert!(error.is_some(), "a lost device ends the stream");
        pipeline.set_state(gst::State::Null).unwrap();
    });
}
