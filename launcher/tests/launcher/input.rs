//! Keyboard and pointer on a real X server: the input module acts, a window reads back what an application would see.

use crate::{program::eventually, xserver::XServer};
use std::{
    sync::{atomic::Ordering::Relaxed, mpsc},
    time::Duration,
};
use vdi_launcher::desktop::DisplayName;
use vdi_launcher::gamepads::Gamepads;
use vdi_launcher::input::{self, Input, InputThread};
use vdi_protocol::input::{Input as Report, Pointing};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection,
    protocol::{
        Event,
        xproto::{ConnectionExt, CreateWindowAux, EventMask, InputFocus, KeyButMask, WindowClass},
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

const PAGE: &str = "c1";

/// What an application sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Key(u32, bool),
    Button(u8, bool, (i16, i16)),
    Motion(i16, i16),
}

/// A window over the whole screen that has the focus.
struct Application {
    connection: RustConnection,
}

impl Application {
    fn new(display: &str) -> Self {
        let (connection, screen) = x11rb::connect(Some(display)).unwrap();
        let screen = &connection.setup().roots[screen];
        let window = connection.generate_id().unwrap();
        let events = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION;
        let aux = CreateWindowAux::new().override_redirect(1).event_mask(events);
        let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
        connection
            .create_window(
                COPY_DEPTH_FROM_PARENT,
                window,
                screen.root,
                0,
                0,
                width,
                height,
                0,
                WindowClass::INPUT_OUTPUT,
                0,
                &aux,
            )
            .unwrap();
        connection.map_window(window).unwrap();
        connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap();
        connection.sync().unwrap();
        Self { connection }
    }

    /// The keysym as an application without XKB computes it, from the map as it is now.
    fn keysym(&self, keycode: u8, state: KeyButMask) -> u32 {
        let map = self.connection.get_keyboard_mapping(keycode, 1).unwrap().reply().unwrap().keysyms;
        let has = |bit| u16::from(state) & u16::from(bit) != 0;
        let column = usize::from(has(KeyButMask::SHIFT)) + if has(KeyButMask::MOD5) { 4 } else { 0 };
        let lower = map.get(column & !1).copied().unwrap_or(0);
        match map.get(column).copied().unwrap_or(0) {
            0 => lower,
            keysym => keysym,
        }
    }

    /// Waits for as many events as there are in `expected`, and compares.
    fn sees(&self, expected: &[Seen]) {
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            let event = eventually(&format!("{expected:x?} after {seen:x?}"), || {
                self.connection.poll_for_event().unwrap()
            });
            seen.extend(self.read(event));
        }
        assert_eq!(seen, expected, "{seen:x?} instead of {expected:x?}");
    }

    /// The presses of keys that are no modifiers, until there are so many.
    fn types(&self, count: usize) -> Vec<u32> {
        let mut typed = Vec::new();
        while typed.len() < count {
            let event = eventually(&format!("{count} keys after {typed:x?}"), || {
                self.connection.poll_for_event().unwrap()
            });
            if let Some(Seen::Key(keysym, true)) = self.read(event)
                && !(0xfe00..=0xffff).contains(&keysym)
            {
                typed.push(keysym);
            }
        }
        typed
    }

    fn read(&self, event: Event) -> Option<Seen> {
        match event {
            Event::KeyPress(key) => Some(Seen::Key(self.keysym(key.detail, key.state), true)),
            Event::KeyRelease(key) => Some(Seen::Key(self.keysym(key.detail, key.state), false)),
            Event::ButtonPress(event) => Some(Seen::Button(event.detail, true, (event.root_x, event.root_y))),
            Event::ButtonRelease(event) => {
                Some(Seen::Button(event.detail, false, (event.root_x, event.root_y)))
            }
            Event::MotionNotify(event) => Some(Seen::Motion(event.root_x, event.root_y)),
            _ => None,
        }
    }

    fn held_keys(&self) -> u32 {
        let keys = self.connection.query_keymap().unwrap().reply().unwrap().keys;
        keys.iter().map(|byte| byte.count_ones()).sum()
    }

    fn map(&self) -> Vec<u32> {
        self.connection.get_keyboard_mapping(8, 248).unwrap().reply().unwrap().keysyms
    }
}

/// An X server, a window and the input thread between them.
struct Bench {
    server: XServer,
    application: Application,
    input: Input,
    thread: Option<InputThread>,
}

impl Bench {
    fn new() -> Self {
        let server = XServer::start();
        let application = Application::new(&server.display);
        let (input, thread, size) =
            input::start(&DisplayName::new(&server.display), Gamepads::default(), |_| {}).unwrap();
        assert_eq!(size, (1280, 720));
        input.set_controller(Some(PAGE));
        Self { server, application, input, thread: Some(thread) }
    }

    fn key(&self, keysym: u32, down: bool) {
        assert!(self.input.report(PAGE, Report::Key { keysym, down }));
    }

    fn stroke(&self, keysym: u32) {
        self.key(keysym, true);
        self.key(keysym, false);
    }

    fn stop(&mut self) {
        self.input.stop();
        self.thread.take().unwrap().join();
    }
}

#[test]
fn a_display_that_stands_still_keeps_nobody_waiting_and_a_key_is_up_when_it_goes_on() {
    let mut bench = Bench::new();
    bench.key(0x78, true);
    bench.application.sees(&[Seen::Key(0x78, true)]);
    bench.server.freeze();
    let overflowed = &bench.input.counters().overflowed;
    bench.key(0x79, true);
    let mut seq = 0;
    while overflowed.load(Relaxed) == 0 {
        seq += 1;
        assert!(bench.input.motion(PAGE, Pointing::Motion { seq, x: 10, y: 10 }));
    }
    // The page leaves, another comes, the session ends: whoever tells of it must not wait for the display.
    let (told, telling) = mpsc::channel();
    let input = bench.input.clone();
    std::thread::spawn(move || {
        input.set_controller(None);
        input.set_controller(Some("c2"));
        input.stop();
        let _ = told.send(());
    });
    let waited = telling.recv_timeout(Duration::from_secs(20));
    bench.server.thaw();
    waited.expect("nobody waits");
    bench.thread.take().unwrap().join();
    assert_eq!(bench.application.held_keys(), 0);
}

#[test]
fn a_key_whose_release_is_stuck_on_the_way_is_typed_once_and_the_page_repeats() {
    let mut bench = Bench::new();
    let repeats =
        || bench.application.connection.get_keyboard_control().unwrap().reply().unwrap().global_auto_repeat;
    let before = repeats();
    bench.key(0x78, true);
    bench.application.sees(&[Seen::Key(0x78, true)]);
    // Longer than the server's delay of 660 ms before it would repeat.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    bench.key(0x78, true);
    bench.key(0x78, false);
    bench.application.sees(&[Seen::Key(0x78, false), Seen::Key(0x78, true), Seen::Key(0x78, false)]);
    eventually("the server's own auto-repeat", || (repeats() == before).then_some(()));
    bench.stop();
}

#[test]
fn characters_on_every_level_and_those_that_the_layout_lacks_arrive() {
    let mut bench = Bench::new();
    let before = bench.application.map();
    // a A @ 1 ! ü Ü € ß ñ and a character from beyond Latin-1, some of them twice.
    let text = [0x61, 0x41, 0x40, 0x31, 0x21, 0xfc, 0xdc, 0x20ac, 0xdf, 0xf1, 0x0100_4e2d, 0xfc, 0x61];
    for keysym in text {
        bench.stroke(keysym);
    }
    assert_eq!(bench.application.types(text.len()), text);
    bench.stop();
    assert_eq!(bench.application.held_keys(), 0);
    assert!(bench.application.map() == before, "spare keycodes are given back");
}

#[test]
fn modifiers_that_the_user_holds_are_worked_around_and_come_back() {
    let bench = Bench::new();
    bench.key(0xffe1, true);
    for keysym in [0x41, 0x61, 0xdc, 0xfc, 0x42] {
        bench.stroke(keysym);
    }
    bench.key(0xffe1, false);
    bench.key(0xfe03, true);
    bench.stroke(0x40);
    bench.key(0xfe03, false);
    bench.stroke(0x63);
    assert_eq!(bench.application.types(7), [0x41, 0x61, 0xdc, 0xfc, 0x42, 0x40, 0x63]);
    eventually("all keys up", || (bench.application.held_keys() == 0).then_some(()));
}

#[test]
fn another_layout_is_noticed_while_the_session_runs() {
    let bench = Bench::new();
    bench.stroke(0x40);
    assert_eq!(bench.application.types(1), [0x40]);
    bench.server.set_layout("de");
    for keysym in [0x40, 0x79, 0xfc, 0x0100_20ac, 0x7b] {
        bench.stroke(keysym);
    }
    assert_eq!(bench.application.types(5), [0x40, 0x79, 0xfc, 0x20ac, 0x7b]);
}

#[test]
fn held_keys_and_buttons_are_released_when_the_controller_leaves() {
    let bench = Bench::new();
    bench.key(0xffe1, true);
    bench.key(0x41, true);
    assert!(bench.input.report(PAGE, Report::Button { button: 0, down: true, x: 10, y: 20 }));
    bench.application.sees(&[
        Seen::Key(0xffe1, true),
        Seen::Key(0x41, true),
        Seen::Motion(10, 20),
        Seen::Button(1, true, (10, 20)),
    ]);
    bench.input.set_controller(None);
    bench.application.sees(&[
        Seen::Key(0x41, false),
        Seen::Key(0xffe1, false),
        Seen::Button(1, false, (10, 20)),
    ]);
    assert_eq!(bench.application.held_keys(), 0);
}

#[test]
fn heartbeat_releases_what_the_page_has_forgotten() {
    let bench = Bench::new();
    bench.key(0x61, true);
    bench.key(0x62, true);
    assert!(bench.input.report(PAGE, Report::Held { keysyms: vec![0x62] }));
    bench.application.sees(&[Seen::Key(0x61, true), Seen::Key(0x62, true), Seen::Key(0x61, false)]);
    assert_eq!(bench.application.held_keys(), 1);
}

#[test]
fn only_the_controller_acts_and_others_are_counted() {
    let bench = Bench::new();
    assert!(!bench.input.report("c2", Report::Key { keysym: 0x62, down: true }));
    assert!(!bench.input.motion("c2", Pointing::Motion { seq: 1, x: 5, y: 5 }));
    bench.stroke(0x61);
    assert_eq!(bench.application.types(1), [0x61]);
    assert_eq!(bench.input.counters().from_viewers.load(Relaxed), 2);
    bench.input.set_controller(Some("c2"));
    assert!(!bench.input.report(PAGE, Report::Key { keysym: 0x61, down: true }));
    assert!(bench.input.report("c2", Report::Key { keysym: 0x62, down: true }));
    assert_eq!(bench.application.types(1), [0x62]);
}

#[test]
fn pointer_arrives_at_its_pixel_and_wheel_and_side_buttons_are_themselves() {
    let bench = Bench::new();
    assert!(bench.input.motion(PAGE, Pointing::Motion { seq: 1, x: 640, y: 360 }));
    assert!(bench.input.motion(PAGE, Pointing::Motion { seq: 3, x: 641, y: 361 }));
    assert!(bench.input.motion(PAGE, Pointing::Motion { seq: 2, x: 0, y: 0 }));
    assert!(bench.input.motion(PAGE, Pointing::Motion { seq: 4, x: 9999, y: 9999 }));
    bench.application.sees(&[Seen::Motion(640, 360), Seen::Motion(641, 361), Seen::Motion(1279, 719)]);
    for (button, expected) in [(2, 3), (3, 8), (4, 9)] {
        for down in [true, false] {
            assert!(bench.input.report(PAGE, Report::Button { button, down, x: 1279, y: 719 }));
            let place = (1279, 719);
            bench.application.sees(&[Seen::Motion(place.0, place.1), Seen::Button(expected, down, place)]);
        }
    }
    for (dx, dy, expected) in [(0, 120, 5), (0, -120, 4), (120, 0, 7), (-120, 0, 6)] {
        assert!(bench.input.report(PAGE, Report::Wheel { dx, dy }));
        bench.application.sees(&[true, false].map(|down| Seen::Button(expected, down, (1279, 719))));
    }
    assert_eq!(bench.input.counters().late_motions.load(Relaxed), 1);
}
