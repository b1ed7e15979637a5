//! When frames leave: at a change, on demand, to sharpen, as a sign of life, and otherwise not at all.

use super::{
    LIMIT, SILENCE,
    desktop::Desktop,
    stream::{Stream, info},
};
use gst::prelude::*;
use gstvdi::stage::{Stage, Stamps};
use std::{collections::HashSet, time::Duration};

const QUIET: &str = "show-pointer=false keepalive-interval=0";

#[test]
fn nothing_leaves_while_nothing_changes() {
    let desktop = Desktop::start("640x480x24", &[]);
    let stream = Stream::start(&desktop, QUIET, "video/x-raw");
    stream.sharpen(60);
    // The first, and those that sharpen it.
    assert_eq!((stream.stat("frames-damaged"), stream.stat("frames-repeated")), (1, 60));
    let fetched_px = stream.stat("fetched-pixels");
    assert!(stream.frame_within(SILENCE * 2).is_none());
    assert_eq!((stream.stat("frames"), stream.stat("fetched-pixels")), (61, fetched_px));
    assert!(stream.has("damage") && stream.has("shm") && stream.has("xfixes"));
}

#[test]
fn each_small_change_is_one_frame_and_touches_only_its_pixels() {
    let desktop = Desktop::start("1280x720x24", &[]);
    let stream = Stream::start(&desktop, &format!("{QUIET} sharpen-frames=0"), "video/x-raw,format=I420");
    stream.frame();
    stream.fall_silent(SILENCE);
    let before = ["frames", "fetched-pixels", "damaged-pixels"].map(|name| stream.stat(name));
    for key in 0..20 {
        desktop.fill(desktop.root, 0x00ff_ffff, &[(100 + 9 * key, 200, 9, 18)]);
        let stamps = Stamps::of(stream.frame().buffer().unwrap());
        let at = |stage| stamps.get(stage).unwrap();
        assert!(at(Stage::Damage) <= at(Stage::Captured) && at(Stage::Captured) <= at(Stage::Converted));
    }
    assert!(stream.frame_within(SILENCE).is_none());
    let after = ["frames", "fetched-pixels", "damaged-pixels"].map(|name| stream.stat(name));
    assert_eq!(after[0] - before[0], 20);
    assert!(after[1] - before[1] <= 20 * 9 * 18 * 2, "{} pixels fetched", after[1] - before[1]);
    assert_eq!(after[2] - before[2], 20 * 9 * 18);
}

#[test]
fn a_small_change_is_sharpened_once_and_a_large_one_as_often_as_is_allowed() {
    let desktop = Desktop::start("640x480x24", &[]);
    let stream = Stream::start(&desktop, &format!("{QUIET} sharpen-frames=5"), "video/x-raw");
    stream.sharpen(5);
    for (rectangle, repeats) in [((10, 10, 9, 18), 1), ((0, 0, 640, 480), 5)] {
        let before = stream.stat("frames-repeated");
        desktop.fill(desktop.root, 0x00ff_0000 | repeats, &[rectangle]);
        stream.sharpen(before + u64::from(repeats));
        assert_eq!(stream.stat("frames-repeated") - before, u64::from(repeats));
    }
    stream.src.set_property("sharpen-frames", 0_u32);
    let before = stream.stat("frames-repeated");
    desktop.fill(desktop.root, 0x00ff_ffff, &[(0, 0, 640, 480)]);
    stream.frame();
    stream.fall_silent(SILENCE);
    assert_eq!(stream.stat("frames-repeated"), before);
}

#[test]
fn whoever_asks_gets_the_current_frame_without_a_change() {
    let desktop = Desktop::start("640x480x24", &[]);
    let stream = Stream::start(&desktop, &format!("{QUIET} sharpen-frames=0"), "video/x-raw");
    stream.frame();
    stream.fall_silent(SILENCE);
    let (converted_px, fetched_px) = (stream.stat("converted-pixels"), stream.stat("fetched-pixels"));
    for _ in 0..3 {
        stream.demand();
        let sample = stream.frame();
        let stamps = Stamps::of(sample.buffer().unwrap());
        assert_eq!(stamps.get(Stage::Damage), None);
        assert!(stamps.get(Stage::Captured).is_some());
    }
    assert!(stream.frame_within(SILENCE).is_none());
    assert_eq!(stream.stat("fetched-pixels"), fetched_px);
    assert_eq!(stream.stat("converted-pixels"), converted_px);
    // As for somebody who has just come.
    stream.src.set_property("sharpen-frames", 4_u32);
    let before = stream.stat("frames-repeated");
    stream.demand();
    stream.sharpen(before + 1 + 4);
    assert_eq!(stream.stat("frames-repeated") - before, 1 + 4);
}

#[test]
fn a_sign_of_life_comes_as_often_as_asked_for() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream =
        Stream::start(&desktop, "show-pointer=false sharpen-frames=0 keepalive-interval=100", "video/x-raw");
    // The first is stamped when its picture has been fetched, and the next is due from when that began.
    stream.frame();
    let pts: Vec<_> = (0..6).map(|_| stream.frame().buffer().unwrap().pts().unwrap()).collect();
    assert!(pts.windows(2).all(|pair| pair[1] - pair[0] >= 99 * gst::ClockTime::MSECOND), "{pts:?}");
    stream.src.set_property("keepalive-interval", 0_u32);
    stream.fall_silent(SILENCE);
}

#[test]
fn the_pointer_costs_nothing_while_it_is_not_shown() {
    let desktop = Desktop::start("640x480x24", &[]);
    let stream = Stream::start(&desktop, QUIET, "video/x-raw");
    stream.sharpen(60);
    let before = stream.stat("frames");
    for step in 0..100 {
        desktop.point(step * 5, step * 3);
    }
    assert!(stream.frame_within(SILENCE).is_none());
    assert_eq!(stream.stat("frames"), before);
}

#[test]
fn the_frame_rate_of_the_caps_is_the_most_that_leaves() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, &format!("{QUIET} sharpen-frames=0"), "video/x-raw,framerate=20/1");
    stream.frame();
    let mut pts = Vec::new();
    let mut pixel = 0;
    while pts.len() < 31 {
        pixel += 0x0101;
        desktop.fill(desktop.root, pixel, &[(0, 0, 50, 50)]);
        let sample = stream.frame_within(Duration::from_millis(1));
        pts.extend(sample.and_then(|sample| sample.buffer().and_then(|buffer| buffer.pts())));
    }
    // Thirty intervals of 50 ms, less what a first frame may have been late.
    let span = pts[30] - pts[0];
    assert!(span >= 1_100 * gst::ClockTime::MSECOND, "{pts:?}");
}

#[test]
fn a_throttle_holds_frames_back_until_it_is_lifted() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, &format!("{QUIET} sharpen-frames=0"), "video/x-raw");
    stream.frame();
    stream.fall_silent(SILENCE);
    let throttle = |diff: i64| {
        let event = gst::event::Qos::builder(gst::QOSType::Throttle, 1.0, diff).build();
        assert!(stream.src.static_pad("src").unwrap().send_event(event));
    };
    throttle(3_600_000_000_000);
    desktop.fill(desktop.root, 0x00ff_0000, &[(0, 0, 50, 50)]);
    assert!(stream.frame_within(SILENCE).is_none());
    stream.demand();
    stream.frame();
    desktop.fill(desktop.root, 0x0000_ff00, &[(0, 0, 50, 50)]);
    assert!(stream.frame_within(SILENCE).is_none());
    throttle(0);
    stream.frame();
}

#[test]
fn timestamps_rise_and_are_the_moment_of_capture() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, QUIET, "video/x-raw");
    let mut last = None;
    for n in 0..20 {
        desktop.fill(desktop.root, n * 0x0707, &[(0, 0, 100, 100)]);
        let sample = stream.frame();
        let buffer = sample.buffer().unwrap();
        assert!(buffer.pts() > last, "{:?} after {last:?}", buffer.pts());
        last = buffer.pts();
        assert_eq!(buffer.duration(), None);
        let captured = Stamps::of(buffer).get(Stage::Captured).unwrap();
        assert_eq!(Some(captured - stream.src.base_time().unwrap()), buffer.pts());
    }
}

#[test]
fn it_is_live_without_latency_and_says_what_it_makes() {
    let desktop = Desktop::start("1366x768x24", &[]);
    let stream = Stream::start(&desktop, QUIET, "video/x-raw");
    let info = info(&stream.frame());
    assert_eq!((info.width(), info.height(), info.fps()), (1366, 768, gst::Fraction::new(60, 1)));
    assert_eq!((info.format().to_string(), info.colorimetry().to_string()), ("I420".into(), "bt709".into()));
    let mut query = gst::query::Latency::new();
    assert!(stream.src.query(&mut query));
    assert_eq!(query.result(), (true, gst::ClockTime::ZERO, None));
}

#[test]
fn no_memory_for_pixels_is_allocated_per_frame() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, QUIET, "video/x-raw,framerate=240/1");
    let mut addresses = HashSet::new();
    let began = std::time::Instant::now();
    for frame in 0..300_u32 {
        desktop.fill(desktop.root, frame.wrapping_mul(0x0102_0305), &[(0, 0, 320, 240)]);
        let sample = stream.frame();
        let map = sample.buffer().unwrap().map_readable().unwrap();
        addresses.insert(map.as_slice().as_ptr().addr());
        assert!(began.elapsed() < LIMIT * 2);
    }
    assert!(addresses.len() <= 8, "{} places", addresses.len());
}

#[test]
fn a_pause_ends_the_wait_for_changes_and_play_shows_the_current_picture() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, QUIET, "video/x-raw,format=BGRx");
    stream.fall_silent(SILENCE);
    for pixel in [0x00ff_0000, 0x0000_ff00, 0x0000_00ff_u32] {
        stream.set_state(gst::State::Paused).unwrap();
        desktop.fill(desktop.root, pixel, &[(0, 0, 320, 240)]);
        stream.play();
        let [_, red, green, blue] = pixel.to_be_bytes();
        stream.frame_where("the new picture", |sample| {
            super::stream::colours(sample).iter().all(|colour| *colour == [blue, green, red])
        });
    }
}

#[test]
fn damage_that_waited_for_the_frame_before_is_dated_back_to_when_it_was_drawn() {
    let desktop = Desktop::start("320x240x24", &[]);
    let stream = Stream::start(&desktop, &format!("{QUIET} sharpen-frames=0"), "video/x-raw,framerate=240/1");
    // Some at leisure, from which the server's clock is learned.
    for n in 0..20 {
        desktop.fill(desktop.root, 0x0001_0203 * n, &[(0, 0, 50, 50)]);
        stream.frame();
    }
    // More than the sink takes: the source stands in its push.
    let clock = stream.src.clock().unwrap();
    let mut drawn_by = gst::ClockTime::ZERO;
    for n in 1..=8 {
        let frames = stream.stat("frames");
        desktop.fill(desktop.root, 0x0003_0201 * n, &[(0, 0, 60, 60)]);
        drawn_by = clock.time();
        // Four wait in the sink, the fifth stands in the push, and nobody takes the rest.
        let began = std::time::Instant::now();
        while n <= 5 && stream.stat("frames") == frames {
            assert!(began.elapsed() < LIMIT);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(SILENCE);
    let released = clock.time();
    let last = std::iter::from_fn(|| stream.frame_within(SILENCE)).last().unwrap();
    let stamps = Stamps::of(last.buffer().unwrap());
    let (damaged, captured) = (stamps.get(Stage::Damage).unwrap(), stamps.get(Stage::Captured).unwrap());
    assert!(captured >= released, "the last frame was captured at {captured}, before {released}");
    let slack = 200 * gst::ClockTime::MSECOND;
    assert!(damaged <= drawn_by + slack, "{damaged}, drawn by {drawn_by}");
}
