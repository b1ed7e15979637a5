//! The size of the desktop and its dots per inch, read back by an X client of the test's own.

use crate::{program::eventually, xserver::XServer};
use vdi_launcher::{
    desktop::DisplayName,
    latest::Latest,
    screen::{self, Screen},
};
use vdi_protocol::screen::{Screen as State, Viewport};
use x11rb::{
    connection::Connection as _,
    protocol::{
        randr::ConnectionExt as _,
        xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, WindowClass},
    },
    rust_connection::RustConnection,
};

struct Client {
    x: RustConnection,
    root: u32,
}

impl Client {
    fn of(server: &XServer) -> Self {
        let (x, number) = x11rb::connect(Some(&server.display)).unwrap();
        let root = x.setup().roots[number].root;
        Self { x, root }
    }

    /// Size in pixels and in millimetres, as RANDR tells the only monitor.
    fn size(&self) -> (u16, u16) {
        let geometry = self.x.get_geometry(self.root).unwrap().reply().unwrap();
        (geometry.width, geometry.height)
    }

    /// The size of the one output that is on.
    fn output(&self) -> (u16, u16) {
        let resources = self.x.randr_get_screen_resources_current(self.root).unwrap().reply().unwrap();
        let info = self.x.randr_get_crtc_info(resources.crtcs[0], 0).unwrap().reply().unwrap();
        (info.width, info.height)
    }

    fn modes(&self) -> usize {
        self.x.randr_get_screen_resources_current(self.root).unwrap().reply().unwrap().modes.len()
    }

    fn atom(&self, name: &str) -> u32 {
        self.x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn resources(&self) -> String {
        let (name, kind) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
        let reply = self.x.get_property(false, self.root, name, kind, 0, 1024).unwrap().reply().unwrap();
        String::from_utf8(reply.value).unwrap()
    }

    fn settings_manager(&self) -> u32 {
        self.x.get_selection_owner(self.atom("_XSETTINGS_S0")).unwrap().reply().unwrap().owner
    }

    /// An integer of the XSETTINGS manager, read by its own count of the bytes.
    fn setting(&self, wanted: &str) -> Option<u32> {
        let name = self.atom("_XSETTINGS_SETTINGS");
        let reply = self.x.get_property(false, self.settings_manager(), name, name, 0, 1024).ok()?;
        let bytes = reply.reply().ok()?.value;
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut at = 12;
        for _ in 0..number(8) {
            let length = usize::from(u16::from_le_bytes(bytes[at + 2..at + 4].try_into().unwrap()));
            let value = at + 4 + length.next_multiple_of(4) + 4;
            if &bytes[at + 4..at + 4 + length] == wanted.as_bytes() {
                return Some(number(value));
            }
            at = value + 4;
        }
        None
    }

    fn become_settings_manager(&self) -> u32 {
        let window = self.x.generate_id().unwrap();
        let (class, aux) = (WindowClass::INPUT_ONLY, CreateWindowAux::new());
        self.x.create_window(0, window, self.root, 0, 0, 1, 1, 0, class, 0, &aux).unwrap();
        self.x.set_selection_owner(window, self.atom("_XSETTINGS_S0"), x11rb::CURRENT_TIME).unwrap();
        self.x.flush().unwrap();
        window
    }
}

fn start(server: &XServer) -> Screen {
    screen::start(&DisplayName::new(&server.display), true).unwrap()
}

fn resizable(screen: &Screen) -> State {
    let state = screen.state();
    eventually("the screen to be looked at", || Some(state.latest()).filter(|state| state.resizable))
}

fn viewport(width: u32, height: u32, scale: f64) -> Viewport {
    Viewport { width, height, scale }
}

#[test]
fn desktop_gets_the_size_that_is_wished_and_a_storm_ends_in_the_last() {
    let server = XServer::start();
    let client = Client::of(&server);
    let screen = start(&server);
    let state = resizable(&screen);
    assert_eq!((state.max_width, state.max_height), (1280, 720));
    let modes = client.modes();
    for (width, height) in [(800, 600), (1280, 720), (1100, 500), (500, 700), (1002, 702)] {
        screen.wish(viewport(width.into(), height.into(), 1.0));
        eventually("the size", || (client.size() == (width, height)).then_some(()));
        eventually("the mode", || (client.output() == (width, height)).then_some(()));
    }
    for width in 0..100 {
        screen.wish(viewport(600 + 2 * width, 500, 1.0));
    }
    screen.wish(viewport(642, 480, 1.0));
    eventually("the last of them", || (client.size() == (642, 480)).then_some(()));
    eventually("modes of the past to be cleared away", || (client.modes() <= modes + 1).then_some(()));
    let monitors = screen.state().latest().monitors;
    assert_eq!(monitors.len(), 1, "{monitors:?}");
    eventually("the monitor to be told", || {
        let state = screen.state().latest();
        (state.monitors.first().map(|monitor| (monitor.width, monitor.height)) == Some((642, 480)))
            .then_some(())
    });
    screen.stop();
}

#[test]
fn size_above_the_largest_keeps_its_shape() {
    let server = XServer::start();
    let client = Client::of(&server);
    let screen = start(&server);
    resizable(&screen);
    screen.wish(viewport(5120, 2880, 2.0));
    eventually("the largest that fits", || (client.size() == (1280, 720)).then_some(()));
    screen.wish(viewport(1000, 1440, 1.0));
    eventually("the largest of this shape", || (client.size() == (500, 720)).then_some(()));
    screen.stop();
}

#[test]
fn dots_per_inch_reach_running_programs_and_those_that_start() {
    let server = XServer::start();
    let client = Client::of(&server);
    let screen = start(&server);
    resizable(&screen);
    screen.wish(viewport(800, 600, 1.0));
    eventually("the size", || (client.size() == (800, 600)).then_some(()));
    assert_eq!(client.resources(), "", "a plain scale is nobody's business");
    screen.wish(viewport(1200, 700, 2.0));
    eventually("the resources", || client.resources().contains("Xft.dpi:\t192\n").then_some(()));
    eventually("the settings", || (client.setting("Xft/DPI") == Some(192 * 1024)).then_some(()));
    assert_eq!(client.setting("Gdk/WindowScalingFactor"), Some(2));
    assert_eq!(client.setting("Gdk/UnscaledDPI"), Some(96 * 1024));
    screen.wish(viewport(800, 600, 1.5));
    eventually("other settings", || (client.setting("Xft/DPI") == Some(144 * 1024)).then_some(()));
    assert_eq!(client.resources(), "Xcursor.size:\t36\nXft.dpi:\t144\n");
    // It is told once all of it has been set.
    eventually("the state", || (screen.state().latest().dpi == 144).then_some(()));
    // A desktop's own manager that comes later takes over.
    let theirs = client.become_settings_manager();
    screen.wish(viewport(800, 600, 1.0));
    eventually("plain resources", || client.resources().contains("Xft.dpi:\t96\n").then_some(()));
    assert_eq!(client.settings_manager(), theirs);
    screen.stop();
}

#[test]
fn settings_manager_of_the_desktop_stays() {
    let server = XServer::start();
    let client = Client::of(&server);
    let theirs = client.become_settings_manager();
    let screen = start(&server);
    resizable(&screen);
    screen.wish(viewport(800, 600, 2.0));
    eventually("the resources", || client.resources().contains("Xft.dpi:\t192\n").then_some(()));
    // Longer than a desktop that is starting is waited for.
    std::thread::sleep(std::time::Duration::from_secs(12));
    assert_eq!(client.settings_manager(), theirs);
    screen.stop();
}

#[test]
fn server_that_cannot_resize_says_why_and_stays_as_it_is() {
    let server = XServer::start_with(&["-extension", "RANDR"]);
    let client = Client::of(&server);
    let screen = start(&server);
    let state = screen.state();
    let message = eventually("a word about it", || state.latest().message);
    assert!(message.contains("no RANDR extension"), "{message}");
    assert!(!state.latest().resizable);
    screen.wish(viewport(800, 600, 1.0));
    screen.stop();
    assert_eq!(client.size(), (1280, 720));
}

#[test]
fn without_the_operators_word_nothing_is_resized_and_nothing_said() {
    let server = XServer::start();
    let client = Client::of(&server);
    let screen = screen::start(&DisplayName::new(&server.display), false).unwrap();
    let state = screen.state();
    eventually("the screen to be looked at", || (state.latest().max_width == 1280).then_some(()));
    assert_eq!((state.latest().resizable, state.latest().message), (false, None));
    screen.wish(viewport(800, 600, 1.0));
    screen.stop();
    assert_eq!(client.size(), (1280, 720));
}

#[test]
fn display_that_comes_back_gets_the_size_that_was_wished_last() {
    let mut server = XServer::start_to_restart();
    let screen = start(&server);
    resizable(&screen);
    screen.wish(viewport(900, 500, 1.0));
    let before = Client::of(&server);
    eventually("the size", || (before.size() == (900, 500)).then_some(()));
    drop(before);
    server.kill();
    server.start_again();
    let client = Client::of(&server);
    eventually("the size again", || (client.size() == (900, 500)).then_some(()));
    screen.stop();
}
