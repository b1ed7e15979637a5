//! The wire: what a page reports of keyboard, buttons, wheel and pointer.
//!
//! Coordinates are pixels of the desktop, whose size [`crate::control::ToPage::Display`] tells; the video frame may be
//! smaller, and change its size at any time. Where no size was told (a bare `gst-launch-1.0` line), they are pixels of the
//! frame as decoded (`video.videoWidth` × `videoHeight`). Keys are X keysyms. Buttons are numbered as in the DOM.

use serde::{Deserialize, Serialize};

/// Messages of the reliable, ordered channel `input`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// A key went down or up. Down for a key that is held is a repeat, which the server never makes by itself.
    Key {
        /// X keysym: the character the user means, after the user's own layout.
        keysym: u32,
        /// Down or up.
        down: bool,
    },
    /// A button went down or up, at a place.
    Button {
        /// DOM numbering: 0 left, 1 middle, 2 right, 3 back, 4 forward.
        button: u8,
        /// Down or up.
        down: bool,
        /// Column of the desktop.
        x: u16,
        /// Row of the desktop.
        y: u16,
    },
    /// The wheel turned. Units are 1/120 of a notch; positive is down and right, as in the DOM.
    Wheel {
        /// Horizontal turn.
        dx: i32,
        /// Vertical turn.
        dy: i32,
    },
    /// Everything is released: the window lost focus, or the page leaves.
    ReleaseAll,
    /// All keys held just now, sent as a heartbeat while any is held: a key that is pressed on the server and missing
    /// here is released.
    Held {
        /// X keysyms, at most [`crate::limits::MAX_HELD_KEYS`].
        keysyms: Vec<u32>,
    },
}

/// Messages of the unreliable, unordered channel `pointer`: absolute places, so a lost one is mended by the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Motion {
    /// Counts up; an older one than the last seen is dropped. Wraps around.
    pub seq: u32,
    /// Column of the desktop.
    pub x: u16,
    /// Row of the desktop.
    pub y: u16,
}
