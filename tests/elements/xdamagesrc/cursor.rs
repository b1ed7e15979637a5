//! The pointer: drawn where it is and lifted off again, or told as a picture.

use super::{
    SILENCE,
    desktop::Desktop,
    stream::{Stream, bgr, colours},
};
use gst::prelude::*;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Rectangle},
};

const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;
/// Edge of the pointer's square.
const EDGE: u16 = 8;
const HOTSPOT: (u16, u16) = (2, 3);

/// Gives the desktop a square pointer of a colour; none is invisible.
fn set_cursor(desktop: &Desktop, colour: Option<[u8; 3]>) {
    let x = &desktop.x;
    let (picture, mask) = (x.generate_id().unwrap(), x.generate_id().unwrap());
    for (pixmap, bit) in [(picture, 1), (mask, u32::from(colour.is_some()))] {
        x.create_pixmap(1, pixmap, desktop.root, EDGE, EDGE).unwrap();
        let gc = x.generate_id().unwrap();
        x.create_gc(gc, pixmap, &CreateGCAux::new().foreground(bit)).unwrap();
        let all = Rectangle { x: 0, y: 0, width: EDGE, height: EDGE };
        x.poly_fill_rectangle(pixmap, gc, &[all]).unwrap();
        x.free_gc(gc).unwrap();
    }
    let cursor = x.generate_id().unwrap();
    let [red, green, blue] = colour.unwrap_or_default().map(|colour| u16::from(colour) * 257);
    x.create_cursor(cursor, picture, mask, red, green, blue, 0, 0, 0, HOTSPOT.0, HOTSPOT.1).unwrap();
    x.change_window_attributes(desktop.root, &ChangeWindowAttributesAux::new().cursor(cursor)).unwrap();
    desktop.sync();
}

/// The screen with a square of a colour (red, green, blue) whose hot spot is at a place.
fn expected(desktop: &Desktop, at: (i16, i16), [red, green, blue]: [u8; 3]) -> Vec<[u8; 3]> {
    let mut pixels = bgr(&desktop.image(desktop.root, 0, 0, WIDTH, HEIGHT));
    for y in 0..EDGE as i16 {
        for x in 0..EDGE as i16 {
            let (x, y) = (at.0 - HOTSPOT.0 as i16 + x, at.1 - HOTSPOT.1 as i16 + y);
            if (0..WIDTH as i16).contains(&x) && (0..HEIGHT as i16).contains(&y) {
                pixels[y as usize * WIDTH as usize + x as usize] = [blue, green, red];
            }
        }
    }
    pixels
}

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];

fn desktop() -> Desktop {
    let desktop = Desktop::start(&format!("{WIDTH}x{HEIGHT}x24"), &[]);
    set_cursor(&desktop, Some(RED));
    desktop.point(100, 100);
    desktop
}

fn follow_pointer(desktop: &Desktop, stream: &Stream) {
    let shows = |at, colour| {
        let expected = expected(desktop, at, colour);
        stream.frame_where(&format!("the pointer at {at:?}"), |sample| colours(sample) == expected);
    };
    shows((100, 100), RED);
    // Elsewhere, over the edges, and beside the picture's end.
    for at in [(150, 120), (152, 121), (0, 0), (WIDTH as i16 - 1, HEIGHT as i16 - 1), (60, 60)] {
        desktop.point(at.0, at.1);
        shows(at, RED);
    }
    // Something changes beneath it, beside it, and both.
    for (rectangle, pixel) in
        [((50, 50, 40, 40), 0x00ff), ((0, 0, 20, 20), 0xff00), ((0, 0, 300, 200), 0x8080)]
    {
        desktop.fill(desktop.root, pixel, &[rectangle]);
        shows((60, 60), RED);
    }
    set_cursor(desktop, Some(GREEN));
    shows((60, 60), GREEN);
    set_cursor(desktop, None);
    let bare = bgr(&desktop.image(desktop.root, 0, 0, WIDTH, HEIGHT));
    stream.frame_where("an invisible pointer", |sample| colours(sample) == bare);
}

#[test]
fn the_pointer_is_drawn_where_it_is_and_leaves_no_trace() {
    let desktop = desktop();
    let properties = "show-pointer=true sharpen-frames=0 keepalive-interval=0";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    follow_pointer(&desktop, &stream);
    // It costs frames only while it moves.
    stream.fall_silent(SILENCE);
    assert!(stream.frame_within(SILENCE).is_none());
}

#[test]
fn the_pointer_is_drawn_where_nobody_tells_of_its_motion_or_of_damage() {
    let desktop = desktop();
    let properties = "show-pointer=true sharpen-frames=0 use-damage=false";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    follow_pointer(&desktop, &stream);
}

#[test]
fn the_pointer_can_be_shown_and_hidden_at_any_time() {
    let desktop = desktop();
    let properties = "show-pointer=false sharpen-frames=0 keepalive-interval=0";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    let bare = bgr(&desktop.image(desktop.root, 0, 0, WIDTH, HEIGHT));
    stream.frame_where("no pointer", |sample| colours(sample) == bare);
    for _ in 0..2 {
        stream.src.set_property("show-pointer", true);
        let shown = expected(&desktop, (100, 100), RED);
        stream.frame_where("the pointer", |sample| colours(sample) == shown);
        stream.src.set_property("show-pointer", false);
        stream.frame_where("no pointer", |sample| colours(sample) == bare);
    }
}

#[test]
fn the_pointer_is_placed_relative_to_the_region() {
    let desktop = desktop();
    let properties = "show-pointer=true sharpen-frames=0 startx=90 starty=80 endx=149 endy=139";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    let whole = expected(&desktop, (100, 100), RED);
    let region: Vec<_> =
        (80..140).flat_map(|y| whole[y * WIDTH as usize + 90..][..60].iter().copied()).collect();
    stream.frame_where("the pointer in the region", |sample| colours(sample) == region);
    desktop.point(10, 10);
    stream
        .frame_where("the pointer outside", |sample| colours(sample).iter().all(|colour| *colour == [0; 3]));
}

/// Width, height, hot spot and pixels of the next message.
fn told(stream: &Stream) -> (u32, u32, (u32, u32), Vec<u8>) {
    let message = stream.message(gst::MessageType::Element);
    let told = message.structure().unwrap();
    assert_eq!(told.name(), "vdi-cursor");
    assert!(told.get::<u64>("serial").unwrap() > 0);
    let pixels = told.get::<gst::Buffer>("pixels").unwrap();
    let number = |name| told.get::<u32>(name).unwrap();
    let hotspot = (number("hotspot-x"), number("hotspot-y"));
    (number("width"), number("height"), hotspot, pixels.map_readable().unwrap().to_vec())
}

#[test]
fn the_pointer_is_told_at_start_and_at_each_change_and_costs_no_frame() {
    let desktop = desktop();
    let properties = "show-pointer=false cursor-messages=true sharpen-frames=0 keepalive-interval=0";
    let stream = Stream::start(&desktop, properties, "video/x-raw,format=BGRx");
    let square = |[red, green, blue]: [u8; 3]| [red, green, blue, 255].repeat(usize::from(EDGE * EDGE));
    let edge = u32::from(EDGE);
    assert_eq!(told(&stream), (edge, edge, (2, 3), square(RED)));
    stream.fall_silent(SILENCE);
    let frames = stream.stat("frames");
    set_cursor(&desktop, Some(GREEN));
    assert_eq!(told(&stream), (edge, edge, (2, 3), square(GREEN)));
    set_cursor(&desktop, None);
    let (width, height, _, pixels) = told(&stream);
    assert_eq!((width, height, pixels.len()), (0, 0, 0));
    desktop.point(5, 5);
    assert!(stream.frame_within(SILENCE).is_none());
    assert_eq!((stream.stat("frames"), stream.messages(gst::MessageType::Element).len()), (frames, 0));
    // Switched off it is not told, switched on it is told at once.
    stream.src.set_property("cursor-messages", false);
    set_cursor(&desktop, Some(RED));
    assert!(stream.frame_within(SILENCE).is_none());
    assert!(stream.messages(gst::MessageType::Element).is_empty());
    stream.src.set_property("cursor-messages", true);
    assert_eq!(told(&stream), (edge, edge, (2, 3), square(RED)));
}
