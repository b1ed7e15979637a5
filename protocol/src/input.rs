//! The wire: what a page reports of keyboard, buttons, wheel, pointer and gamepads.
//!
//! Coordinates are pixels of the desktop, whose size [`crate::control::ToPage::Display`] tells; the video frame may be
//! smaller, and change its size at any time. Where no size was told (a bare `gst-launch-1.0` line), they are pixels of the
//! frame as decoded (`video.videoWidth` × `videoHeight`). Keys are X keysyms. Buttons are numbered as in the DOM.

use crate::{
    gamepad::{self, Gamepad},
    limits::MAX_TEXT_CHARS,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

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
    /// A button of a pointer that is locked went down or up, after this way.
    LockedButton {
        /// As in `button`.
        button: u8,
        /// Down or up.
        down: bool,
        /// Counts up, together with [`Pointing`].
        seq: u32,
        /// How far the pointer had gone.
        #[serde(flatten)]
        way: Way,
    },
    /// The wheel turned. Units are 1/120 of a notch; positive is down and right, as in the DOM.
    Wheel {
        /// Horizontal turn.
        dx: i32,
        /// Vertical turn.
        dy: i32,
    },
    /// Finished text, from an input method, a dead key or a touch keyboard: typed character by character, each as a stroke of
    /// its own. What is reported after it happens after it.
    Text {
        /// At most [`crate::limits::MAX_TEXT_CHARS`] characters; longer text comes in pieces.
        #[serde(deserialize_with = "text")]
        text: String,
    },
    /// Everything is released: the window lost focus, or the page leaves.
    ReleaseAll,
    /// All keys held just now, sent as a heartbeat while any is held: a key that is pressed on the server and missing
    /// here is released.
    Held {
        /// X keysyms, at most [`crate::limits::MAX_HELD_KEYS`].
        keysyms: Vec<u32>,
    },
    /// A gamepad has come, or comes again; it is at rest.
    GamepadConnected {
        /// Below [`crate::limits::MAX_GAMEPADS`].
        #[serde(deserialize_with = "gamepad::index")]
        index: u8,
        /// As the browser calls it, at most [`crate::limits::MAX_GAMEPAD_NAME_CHARS`] characters.
        #[serde(deserialize_with = "gamepad::name")]
        name: String,
    },
    /// A gamepad has changed.
    GamepadState {
        /// Which one.
        #[serde(deserialize_with = "gamepad::index")]
        index: u8,
        /// All of it.
        #[serde(flatten)]
        gamepad: Gamepad,
    },
    /// A gamepad has gone, and is at rest.
    GamepadDisconnected {
        /// Which one.
        #[serde(deserialize_with = "gamepad::index")]
        index: u8,
    },
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.chars().count() {
        chars if chars > MAX_TEXT_CHARS => {
            Err(D::Error::custom(format!("text of {chars} characters is over the limit of {MAX_TEXT_CHARS}")))
        }
        _ => Ok(text),
    }
}

/// Messages of the unreliable, unordered channel `pointer`: where the pointer is, and not how it got there, so a lost one is
/// mended by the next. `motion`, `travel` and [`Input::LockedButton`] are counted together by `seq`, which wraps around: an older
/// one than the last seen is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Pointing {
    /// The pointer is at a place.
    Motion {
        /// Counts up.
        seq: u32,
        /// Column of the desktop.
        x: u16,
        /// Row of the desktop.
        y: u16,
    },
    /// The pointer has no place on the page: it is locked (W3C Pointer Lock), or a finger moves it as on a trackpad.
    Travel {
        /// Counts up.
        seq: u32,
        /// How far it has gone, and since when.
        #[serde(flatten)]
        way: Way,
    },
    /// The user of a page that only watches points at a place, which the others are to see. This and the next have a count of
    /// their own, which does not wrap.
    Shown {
        /// Counts up.
        seq: u32,
        /// Column of the desktop.
        x: u16,
        /// Row of the desktop.
        y: u16,
    },
    /// That user points at no place any more.
    Hidden {
        /// Counts up.
        seq: u32,
    },
}

/// How far a locked pointer has gone altogether. The difference to what was told last is the motion, so none of it is lost with a
/// message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Way {
    /// Which lock of this page: another number begins at 0, 0.
    pub lock: u32,
    /// Columns to the right since the lock began; wraps around.
    pub x: i32,
    /// Rows down since the lock began; wraps around.
    pub y: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_too_long_is_refused_with_both_lengths() {
        let report = |chars: usize| format!(r#"{{"type":"text","text":"{}"}}"#, "ж".repeat(chars));
        assert!(serde_json::from_str::<Input>(&report(MAX_TEXT_CHARS)).is_ok());
        let error = serde_json::from_str::<Input>(&report(MAX_TEXT_CHARS + 1)).unwrap_err().to_string();
        assert!(error.contains("1025") && error.contains("1024"), "{error}");
    }
}
