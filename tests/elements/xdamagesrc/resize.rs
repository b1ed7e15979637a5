//! The screen changes its size while frames flow.

use super::{
    desktop::Desktop,
    stream::{Stream, bgr, colours, info, size},
};
use gst::prelude::*;

#[test]
fn every_frame_of_a_storm_of_sizes_fits_its_caps_and_the_last_is_the_screen() {
    let desktop = Desktop::start("1280x800x24", &[]);
    let stream = Stream::start(&desktop, "show-pointer=true sharpen-frames=2", "video/x-raw,format=BGRx");
    stream.frame();
    let sizes =
        [(800, 600), (1279, 799), (640, 480), (333, 251), (1280, 800), (1024, 768), (640, 481), (900, 700)];
    for (round, (width, height)) in sizes.into_iter().cycle().take(24).enumerate() {
        desktop.resize(width, height);
        let pixel = 0x0010_2030 * (round as u32 + 1);
        desktop.fill(desktop.root, pixel, &[(0, 0, width, height), (5, 5, 5, 5)]);
        // Not each is waited for: sizes come faster than frames.
        if round % 3 != 2 {
            continue;
        }
        desktop.point(1, 1);
        let expected = bgr(&desktop.image(desktop.root, 100, 100, 100, 100));
        stream.frame_where(&format!("{width}x{height}"), |sample| {
            let (columns, lines) = size(sample);
            assert_eq!(info(sample).size(), sample.buffer().unwrap().size());
            let is_it = (columns, lines) == (width.into(), height.into());
            is_it && {
                let colours = colours(sample);
                let line = |y: usize| &colours[y * columns as usize + 100..][..100];
                (0..100).all(|y| line(100 + y) == &expected[y * 100..][..100])
            }
        });
    }
}

#[test]
fn a_new_size_is_followed_within_two_frames() {
    let desktop = Desktop::start("1280x800x24", &[]);
    let stream = Stream::start(&desktop, "show-pointer=false sharpen-frames=0", "video/x-raw,format=I420");
    stream.frame();
    for (width, height) in [(1024, 768), (801, 601), (1280, 720)] {
        desktop.resize(width, height);
        let even = (u32::from(width) & !1, u32::from(height) & !1);
        let is_followed = (0..2).any(|_| size(&stream.frame()) == even);
        assert!(is_followed, "{width}x{height}");
        let sample = {
            desktop.fill(desktop.root, u32::from(width), &[(0, 0, 10, 10)]);
            stream.frame_where("a frame of this size", |sample| size(sample) == even)
        };
        let standard = if height >= 720 { "bt709" } else { "bt601" };
        assert_eq!(info(&sample).colorimetry().to_string(), standard);
        stream.fall_silent(super::SILENCE);
    }
}

#[test]
fn a_region_that_the_screen_no_longer_has_waits_for_it_to_come_back() {
    let desktop = Desktop::start("800x600x24", &[]);
    let properties = "show-pointer=false sharpen-frames=0 startx=500 starty=100 endx=599 endy=199";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    desktop.fill(desktop.root, 0x00ff_0000, &[(0, 0, 800, 600)]);
    let is_all = |sample: &gst::Sample, colour| colours(sample).iter().all(|found| *found == colour);
    stream.frame_where("red", |sample| is_all(sample, [0, 0, 255]));
    desktop.resize(400, 300);
    stream.demand();
    assert_eq!(size(&stream.frame()), (100, 100));
    desktop.resize(800, 600);
    desktop.fill(desktop.root, 0x0000_00ff, &[(0, 0, 800, 600)]);
    stream.frame_where("blue", |sample| is_all(sample, [255, 0, 0]));
    let outside = Stream::build(&desktop.display, "startx=800", "video/x-raw");
    assert!(outside.set_state(gst::State::Playing).is_err());
    assert_eq!(outside.failure().0, "CONFIG_INVALID");
    assert_eq!(outside.src.current_state(), gst::State::Ready);
}
