//! Shell: keys that go down in a window, over a connection of their own: the one that draws is not read meanwhile.

use crate::screen::Error;
use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask},
    },
    rust_connection::RustConnection,
};

/// Keys of one window.
pub struct Keys(RustConnection);

impl Keys {
    /// Listens from now on. Keys go to the window under the pointer as long as no other has been given the focus.
    pub fn of(window: u32) -> Result<Self, Error> {
        let (conn, _) = x11rb::connect(None)?;
        let values = ChangeWindowAttributesAux::new().event_mask(EventMask::KEY_PRESS);
        conn.change_window_attributes(window, &values)?.check()?;
        Ok(Self(conn))
    }

    /// Calls `pressed` for each key until it says no, or the display is gone.
    pub fn each(self, pressed: impl Fn() -> bool) {
        while let Ok(event) = self.0.wait_for_event() {
            if matches!(event, Event::KeyPress(_)) && !pressed() {
                return;
            }
        }
    }
}
