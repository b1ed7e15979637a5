//! An Xvfb of a test's own, and a client that draws on it.

use super::LIMIT;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Instant,
};
use x11rb::{
    connection::Connection,
    protocol::{
        randr::{ConnectionExt as _, ModeInfo, Rotation},
        xproto::{
            ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Drawable, Gcontext, ImageFormat,
            Rectangle, SubwindowMode, Window, WindowClass,
        },
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// A running server and a connection to it. The server ends with it.
pub struct Desktop {
    server: Child,
    screen: String,
    args: Vec<String>,
    /// Its name.
    pub display: String,
    /// The client.
    pub x: RustConnection,
    /// Its root window.
    pub root: Window,
    gc: Gcontext,
}

fn spawn(display: Option<&str>, screen: &str, args: &[String]) -> (Child, String) {
    let mut command = Command::new("Xvfb");
    command.args(display).args(["-displayfd", "1", "-screen", "0", screen, "-noreset", "-nolisten", "tcp"]);
    let mut server = command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb starts; it is in Debian's package xvfb");
    let mut line = String::new();
    // It closes its end when it fails.
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let display = format!(":{}", line.trim().parse::<u32>().expect("Xvfb tells its number"));
    (server, display)
}

impl Desktop {
    /// Starts one; the screen as Xvfb wants it, such as `640x480x24`.
    pub fn start(screen: &str, args: &[&str]) -> Self {
        crate::init();
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (server, display) = spawn(None, screen, &args);
        Self::connect(server, display, screen.to_owned(), args)
    }

    /// Starts one under a number that those who take the first free one do not come to, so that it can be started again under it.
    pub fn start_to_restart(screen: &str) -> Self {
        crate::init();
        let display = format!(":{}", 20_000 + std::process::id() % 20_000);
        let (server, display) = spawn(Some(&display), screen, &[]);
        Self::connect(server, display, screen.to_owned(), Vec::new())
    }

    fn connect(server: Child, display: String, screen: String, args: Vec<String>) -> Self {
        let (x, number) = x11rb::connect(Some(&display)).unwrap();
        let root = x.setup().roots[number].root;
        let gc = x.generate_id().unwrap();
        x.create_gc(gc, root, &CreateGCAux::new().subwindow_mode(SubwindowMode::INCLUDE_INFERIORS)).unwrap();
        Self { server, screen, args, display, x, root, gc }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.server.id().cast_signed())
    }

    /// Ends the server in the middle of everything.
    pub fn crash(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Starts one like it under the same name.
    pub fn restart(mut self) -> Self {
        self.crash();
        let (screen, args) = (self.screen.clone(), self.args.clone());
        let (server, display) = spawn(Some(&self.display), &screen, &args);
        assert_eq!(display, self.display);
        Self::connect(server, display, screen, args)
    }

    /// Waits until all that was asked is done.
    pub fn sync(&self) {
        self.x.sync().unwrap();
    }

    /// Fills rectangles with a pixel value, and waits until that is done.
    pub fn fill(&self, on: Drawable, pixel: u32, rectangles: &[(i16, i16, u16, u16)]) {
        self.x.change_gc(self.gc, &ChangeGCAux::new().foreground(pixel)).unwrap();
        let rectangles: Vec<_> =
            rectangles.iter().map(|&(x, y, width, height)| Rectangle { x, y, width, height }).collect();
        self.x.poly_fill_rectangle(on, self.gc, &rectangles).unwrap();
        self.sync();
    }

    /// Moves a part of the screen, as scrolling does.
    pub fn scroll(&self, from: (i16, i16), to: (i16, i16), size: (u16, u16)) {
        self.x.copy_area(self.root, self.root, self.gc, from.0, from.1, to.0, to.1, size.0, size.1).unwrap();
        self.sync();
    }

    /// The server's own word for what can be seen: 32 bits a pixel.
    pub fn image(&self, of: Drawable, x: i16, y: i16, width: u16, height: u16) -> Vec<u8> {
        self.x.get_image(ImageFormat::Z_PIXMAP, of, x, y, width, height, !0).unwrap().reply().unwrap().data
    }

    /// A window that no window manager touches, shown.
    pub fn window(&self, x: i16, y: i16, width: u16, height: u16, pixel: u32) -> Window {
        let window = self.x.generate_id().unwrap();
        let aux = CreateWindowAux::new().background_pixel(pixel).override_redirect(1);
        let class = WindowClass::INPUT_OUTPUT;
        self.x.create_window(0, window, self.root, x, y, width, height, 0, class, 0, &aux).unwrap();
        self.x.map_window(window).unwrap();
        self.sync();
        window
    }

    /// Moves the pointer as a person does.
    pub fn point(&self, x: i16, y: i16) {
        let motion = x11rb::protocol::xproto::MOTION_NOTIFY_EVENT;
        self.x.xtest_fake_input(motion, 0, x11rb::CURRENT_TIME, self.root, x, y, 0).unwrap();
        self.sync();
    }

    /// Gives the screen another size, not larger than it was started with.
    pub fn resize(&self, width: u16, height: u16) {
        let name = format!("{width}x{height}");
        let info = ModeInfo {
            width,
            height,
            htotal: width,
            vtotal: height,
            name_len: name.len().try_into().unwrap(),
            ..ModeInfo::default()
        };
        let resources = self.x.randr_get_screen_resources_current(self.root).unwrap().reply().unwrap();
        let (output, crtc) = (resources.outputs[0], resources.crtcs[0]);
        // A mode of this name may be there already.
        let mut names = &resources.names[..];
        let known = resources.modes.iter().find(|mode| {
            let (this, rest) = names.split_at(mode.name_len.into());
            names = rest;
            this == name.as_bytes()
        });
        let mode = match known {
            Some(mode) => mode.id,
            None => {
                let mode =
                    self.x.randr_create_mode(self.root, info, name.as_bytes()).unwrap().reply().unwrap().mode;
                self.x.randr_add_output_mode(output, mode).unwrap().check().unwrap();
                mode
            }
        };
        let set = |mode, outputs: &[u32]| {
            let time = self.x.randr_get_screen_resources_current(self.root).unwrap().reply().unwrap();
            let now = x11rb::CURRENT_TIME;
            let to = Rotation::ROTATE0;
            let set = self
                .x
                .randr_set_crtc_config(crtc, now, time.config_timestamp, 0, 0, mode, to, outputs)
                .unwrap();
            set.reply().unwrap();
        };
        // The screen can shrink only while no output needs the old size.
        set(0, &[]);
        self.x.randr_set_screen_size(self.root, width, height, 300, 200).unwrap().check().unwrap();
        set(mode, &[output]);
        self.sync();
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        if matches!(self.server.try_wait(), Ok(None)) {
            let _ = kill(self.pid(), Signal::SIGCONT);
            let _ = kill(self.pid(), Signal::SIGTERM);
            let began = Instant::now();
            while matches!(self.server.try_wait(), Ok(None)) {
                if began.elapsed() > LIMIT {
                    let _ = self.server.kill();
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}
