//! A window instead of the screen: its own pixels, whatever covers it, at whatever size it has.

use super::{
    desktop::Desktop,
    stream::{Stream, bgr, colours, size},
};
use x11rb::{
    protocol::xproto::{AtomEnum, ConfigureWindowAux, ConnectionExt as _, PropMode},
    wrapper::ConnectionExt as _,
};

const OPTIONS: &str = "show-pointer=false sharpen-frames=0";
const BGRX: &str = "video/x-raw,format=BGRx";

/// Whether all pixels have one value.
fn is_all(colours: &[[u8; 3]], pixel: u32) -> bool {
    let [_, red, green, blue] = pixel.to_be_bytes();
    colours.iter().all(|colour| *colour == [blue, green, red])
}

#[test]
fn a_window_is_captured_whole_although_it_is_covered_and_half_outside() {
    let desktop = Desktop::start("640x480x24", &[]);
    let window = desktop.window(-50, 100, 200, 120, 0x0011_2233);
    let stream = Stream::start(&desktop, &format!("{OPTIONS} xid={window}"), BGRX);
    let first = stream.frame_where("its background", |sample| is_all(&colours(sample), 0x0011_2233));
    assert_eq!(size(&first), (200, 120));
    desktop.window(0, 0, 640, 480, 0x00ff_ffff);
    desktop.fill(window, 0x0000_ff00, &[(0, 0, 200, 120)]);
    stream.frame_where("what is drawn under cover", |sample| is_all(&colours(sample), 0x0000_ff00));
    desktop.fill(window, 0x00ff_0000, &[(0, 0, 100, 120)]);
    let half = [[[0, 0, 255]; 100], [[0, 255, 0]; 100]].concat().repeat(120);
    stream.frame_where("the half of it", |sample| colours(sample) == half);
}

#[test]
fn a_window_that_changes_its_size_changes_the_caps() {
    let desktop = Desktop::start("640x480x24", &[]);
    let window = desktop.window(10, 10, 200, 120, 0x0044_5566);
    let stream = Stream::start(&desktop, &format!("{OPTIONS} xid={window}"), BGRX);
    assert_eq!(size(&stream.frame()), (200, 120));
    for (width, height) in [(301_u16, 77_u16), (64, 300), (200, 120)] {
        let aux = ConfigureWindowAux::new().width(u32::from(width)).height(u32::from(height)).x(40);
        desktop.x.configure_window(window, &aux).unwrap();
        desktop.fill(window, u32::from(width), &[(0, 0, width, height)]);
        stream.frame_where(&format!("{width}x{height}"), |sample| {
            size(sample) == (width.into(), height.into()) && is_all(&colours(sample), width.into())
        });
    }
}

#[test]
fn a_window_that_is_hidden_keeps_its_last_picture_and_comes_back() {
    let desktop = Desktop::start("640x480x24", &[]);
    let window = desktop.window(10, 10, 200, 120, 0x0012_3456);
    let stream = Stream::start(&desktop, &format!("{OPTIONS} xid={window}"), BGRX);
    stream.frame_where("its background", |sample| is_all(&colours(sample), 0x0012_3456));
    desktop.x.unmap_window(window).unwrap();
    desktop.sync();
    stream.demand();
    let kept = stream.frame();
    assert!(is_all(&colours(&kept), 0x0012_3456));
    desktop.x.map_window(window).unwrap();
    desktop.fill(window, 0x0000_ffff, &[(0, 0, 200, 120)]);
    stream.frame_where("it again", |sample| is_all(&colours(sample), 0x0000_ffff));
}

#[test]
fn a_window_is_found_by_its_name() {
    let desktop = Desktop::start("640x480x24", &[]);
    desktop.window(300, 300, 50, 50, 0);
    let window = desktop.window(10, 10, 90, 60, 0x0065_4321);
    let (name, text) = (AtomEnum::WM_NAME, AtomEnum::STRING);
    desktop.x.change_property8(PropMode::REPLACE, window, name, text, b"the one").unwrap();
    desktop.sync();
    let stream = Stream::start(&desktop, &format!("{OPTIONS} xname=\"the one\""), BGRX);
    stream.frame_where("the window", |sample| {
        size(sample) == (90, 60) && is_all(&colours(sample), 0x0065_4321)
    });
}

#[test]
fn a_window_that_is_not_there_or_is_closed_is_named_as_the_reason() {
    let desktop = Desktop::start("640x480x24", &[]);
    for (properties, name) in [("xid=74565", "0x12345"), ("xname=nobody", "\"nobody\"")] {
        let stream = Stream::build(&desktop.display, &format!("{OPTIONS} {properties}"), BGRX);
        assert!(stream.set_state(gst::State::Playing).is_err());
        let (reason, text) = stream.failure();
        assert_eq!(reason, "DISPLAY_UNAVAILABLE");
        assert!(text.contains(name) && text.contains(&desktop.display), "{text}");
    }
    let window = desktop.window(10, 10, 90, 60, 0);
    let stream = Stream::start(&desktop, &format!("{OPTIONS} xid={window}"), BGRX);
    stream.frame();
    desktop.x.destroy_window(window).unwrap();
    desktop.sync();
    let (reason, text) = stream.failure();
    assert_eq!(reason, "DISPLAY_UNAVAILABLE");
    assert!(text.contains("closed the window"), "{text}");
}

#[test]
fn a_window_without_composite_is_what_can_be_seen_of_it() {
    let desktop = Desktop::start("640x480x24", &["-extension", "Composite"]);
    let window = desktop.window(10, 10, 90, 60, 0x0000_ff00);
    let stream = Stream::start(&desktop, &format!("{OPTIONS} xid={window}"), BGRX);
    stream.frame_where("the window", |sample| is_all(&colours(sample), 0x0000_ff00));
    let warning = stream.message(gst::MessageType::Warning);
    let gst::MessageView::Warning(warning) = warning.view() else { unreachable!() };
    assert!(warning.error().to_string().contains("COMPOSITE"), "{warning:?}");
    // The server refuses pixels that are outside of its screen. That must not become a busy loop, nor an error.
    desktop.x.configure_window(window, &ConfigureWindowAux::new().x(600)).unwrap();
    desktop.fill(window, 0x00ff_0000, &[(0, 0, 90, 60)]);
    let aux = ConfigureWindowAux::new().x(20);
    desktop.x.configure_window(window, &aux).unwrap();
    desktop.fill(window, 0x0000_00ff, &[(0, 0, 90, 60)]);
    let seen = bgr(&desktop.image(desktop.root, 20, 10, 90, 60));
    assert!(is_all(&seen, 0x0000_00ff));
    stream.frame_where("the window again", |sample| colours(sample) == seen);
}
