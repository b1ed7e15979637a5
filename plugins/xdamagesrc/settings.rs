//! Setup: the properties: names, limits, defaults, and what they mean for the streaming thread.

use super::{
    requests::Options,
    schedule::Rules,
    x11::{Selection, Wanted},
};
use gst::{glib, prelude::*};
use std::{sync::LazyLock, time::Duration};

/// Repeats after a large change.
const DEFAULT_SHARPEN_FRAMES: u32 = 8;
/// More would be a stream.
const MAX_SHARPEN_FRAMES: u32 = 240;
/// Longest silence in ms: decoders and pages take longer ones for a failure.
const DEFAULT_KEEPALIVE_MS: u32 = 2000;
/// Quiet that ends settling in µs. 42 lines printed by xterm, three at a time, on a machine with other work left in 58 frames without
/// settling, 48 after 250 µs, 45 after 500 µs or 1 ms, and 42 after 2 ms, each of which is paid as latency.
const DEFAULT_SETTLE_US: u32 = 500;
/// Longer than a frame it would be a lower frame rate.
const MAX_SETTLE_US: u32 = 20_000;

/// The properties' values.
#[derive(Debug, Clone)]
pub struct Settings {
    pub display_name: Option<String>,
    pub selection: Selection,
    pub wanted: Wanted,
    pub show_pointer: bool,
    pub cursor_messages: bool,
    pub sharpen_frames: u32,
    pub keepalive_ms: u32,
    pub settle_us: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            display_name: None,
            selection: Selection::default(),
            wanted: Wanted { damage: true, shm: true },
            show_pointer: true,
            cursor_messages: false,
            sharpen_frames: DEFAULT_SHARPEN_FRAMES,
            keepalive_ms: DEFAULT_KEEPALIVE_MS,
            settle_us: DEFAULT_SETTLE_US,
        }
    }
}

impl Settings {
    /// What of it may change while frames flow, at a frame rate.
    pub fn options(&self, interval: Duration) -> Options {
        let keepalive = Duration::from_millis(self.keepalive_ms.into());
        Options {
            rules: Rules {
                interval,
                settle: Duration::from_micros(self.settle_us.into()),
                sharpen_frames: self.sharpen_frames,
                keepalive: (!keepalive.is_zero()).then_some(keepalive),
                // Only who has asked the server knows.
                poll: false,
            },
            show_pointer: self.show_pointer,
            cursor_messages: self.cursor_messages,
        }
    }

    /// Takes a property's value. GObject has checked name, type and limits.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        let flag = || value.get::<bool>();
        let number = || value.get::<u32>();
        let set = |field: &mut u32| number().map(|number| *field = number);
        let turn = |field: &mut bool| flag().map(|flag| *field = flag);
        let selection = &mut self.selection;
        let taken = match name {
            "display-name" => value.get().map(|name| self.display_name = name),
            "xid" => value.get().map(|xid| selection.xid = xid),
            "xname" => value.get().map(|name| selection.xname = name),
            "startx" => set(&mut selection.start.0),
            "starty" => set(&mut selection.start.1),
            "endx" => set(&mut selection.end.0),
            "endy" => set(&mut selection.end.1),
            "use-damage" => turn(&mut self.wanted.damage),
            "use-shm" => turn(&mut self.wanted.shm),
            "show-pointer" => turn(&mut self.show_pointer),
            "cursor-messages" => turn(&mut self.cursor_messages),
            "sharpen-frames" => set(&mut self.sharpen_frames),
            "keepalive-interval" => set(&mut self.keepalive_ms),
            _ => set(&mut self.settle_us),
        };
        debug_assert!(taken.is_ok(), "{name}");
    }

    /// A property's value.
    pub fn get(&self, name: &str) -> glib::Value {
        let selection = &self.selection;
        match name {
            "display-name" => self.display_name.to_value(),
            "xid" => selection.xid.to_value(),
            "xname" => selection.xname.to_value(),
            "startx" => selection.start.0.to_value(),
            "starty" => selection.start.1.to_value(),
            "endx" => selection.end.0.to_value(),
            "endy" => selection.end.1.to_value(),
            "use-damage" => self.wanted.damage.to_value(),
            "use-shm" => self.wanted.shm.to_value(),
            "show-pointer" => self.show_pointer.to_value(),
            "cursor-messages" => self.cursor_messages.to_value(),
            "sharpen-frames" => self.sharpen_frames.to_value(),
            "keepalive-interval" => self.keepalive_ms.to_value(),
            _ => self.settle_us.to_value(),
        }
    }
}

fn text(name: &str, nick: &str, blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).nick(nick).blurb(blurb).mutable_ready().build()
}

fn edge(name: &str, nick: &str, blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name).nick(nick).blurb(blurb).mutable_ready().build()
}

fn live(name: &str, nick: &str, blurb: &str, default: u32, most: u32) -> glib::ParamSpec {
    let builder = glib::ParamSpecUInt::builder(name).nick(nick).blurb(blurb);
    builder.default_value(default).maximum(most).mutable_playing().build()
}

fn flag(name: &str, nick: &str, blurb: &str, default: bool, is_live: bool) -> glib::ParamSpec {
    let builder = glib::ParamSpecBoolean::builder(name).nick(nick).blurb(blurb).default_value(default);
    if is_live { builder.mutable_playing().build() } else { builder.mutable_ready().build() }
}

/// The properties.
pub static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    vec![
        text("display-name", "Display name", "X display; none is $DISPLAY"),
        glib::ParamSpecUInt64::builder("xid")
            .nick("Window")
            .blurb("X window to capture (0 = the whole screen)")
            .mutable_ready()
            .build(),
        text("xname", "Window name", "Name of the X window to capture, if xid is 0"),
        edge("startx", "First column", "First column of the region to capture"),
        edge("starty", "First line", "First line of the region to capture"),
        edge("endx", "Last column", "Last column of the region to capture (0 = up to the edge)"),
        edge("endy", "Last line", "Last line of the region to capture (0 = up to the edge)"),
        flag(
            "use-damage",
            "Use DAMAGE",
            "Let the server tell what changes, instead of comparing all pixels at the frame rate",
            true,
            false,
        ),
        flag(
            "use-shm",
            "Use MIT-SHM",
            "Share memory with the server, instead of copying pixels through the socket",
            true,
            false,
        ),
        flag(
            "show-pointer",
            "Show pointer",
            "Draw the pointer into the picture; if not, its motion costs nothing",
            true,
            true,
        ),
        flag(
            "cursor-messages",
            "Cursor messages",
            "Post the pointer's picture as element message vdi-cursor when it changes",
            false,
            true,
        ),
        live(
            "sharpen-frames",
            "Sharpening frames",
            "Most repeats of the picture after a change has stopped, which let an encoder make it sharp",
            DEFAULT_SHARPEN_FRAMES,
            MAX_SHARPEN_FRAMES,
        ),
        live(
            "keepalive-interval",
            "Keep-alive interval",
            "Longest time without a frame, in ms (0 = no limit)",
            DEFAULT_KEEPALIVE_MS,
            u32::MAX,
        ),
        live(
            "settle-time",
            "Settle time",
            "Time without further damage after which a frame is captured, in µs; after eight of them it is captured anyway",
            DEFAULT_SETTLE_US,
            MAX_SETTLE_US,
        ),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("frames, pixels and times (ns) since start, and what the server offers")
            .read_only()
            .build(),
    ]
});
