//! Shell: the connection to the X server: presses keys and buttons through XTEST, and reads its keymap and modifiers
//! through XKB. It decides nothing.

use super::{
    keyboard::{Action, State},
    keymap::{Group, KeyType, Keymap},
};
use std::collections::BTreeMap;
use x11rb::{
    connection::{Connection, RequestConnection as _},
    errors::{ConnectError, ConnectionError, ReplyError},
    protocol::{
        Event,
        xkb::{self, ConnectionExt as _, EventType, ID, MapPart, SelectEventsAux},
        xproto::{
            AutoRepeatMode, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ChangeKeyboardControlAux,
            ChangeWindowAttributesAux, ConnectionExt as _, EventMask, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
            MOTION_NOTIFY_EVENT, Window,
        },
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

/// Why input cannot reach the display.
#[derive(Debug, thiserror::Error)]
pub enum X11Error {
    /// Nobody answers there, or the cookie is refused.
    #[error("cannot connect: {0}")]
    Connect(#[from] ConnectError),
    /// The connection is lost.
    #[error("the connection is lost: {0}")]
    Connection(#[from] ConnectionError),
    /// A request was refused.
    #[error("a request was refused: {0}")]
    Reply(#[from] ReplyError),
    /// The server lacks an extension.
    #[error("the X server has no {0} extension")]
    Extension(&'static str),
}

/// What has changed on the server since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// The keymap is another.
    pub keymap: bool,
}

/// The connection.
pub struct X11 {
    connection: RustConnection,
    root: Window,
    size: (u16, u16),
    core_keyboard: xkb::DeviceSpec,
    /// The server's auto-repeat has been switched off by us.
    repeat_suspended: bool,
}

impl X11 {
    /// Connects and asks to be told of keymap and size changes.
    pub fn connect(display: &str) -> Result<Self, X11Error> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let root = connection.setup().roots[screen].root;
        if connection.extension_information(x11rb::protocol::xtest::X11_EXTENSION_NAME)?.is_none() {
            return Err(X11Error::Extension("XTEST"));
        }
        if connection.extension_information(xkb::X11_EXTENSION_NAME)?.is_none()
            || !connection.xkb_use_extension(1, 0)?.reply()?.supported
        {
            return Err(X11Error::Extension("XKB"));
        }
        let core_keyboard = ID::USE_CORE_KBD.into();
        let wanted = EventType::NEW_KEYBOARD_NOTIFY | EventType::MAP_NOTIFY;
        let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
        connection.xkb_select_events(
            core_keyboard,
            EventType::default(),
            wanted,
            parts,
            parts,
            &SelectEventsAux::new(),
        )?;
        let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        connection.change_window_attributes(root, &events)?;
        let geometry = connection.get_geometry(root)?.reply()?;
        Ok(Self {
            connection,
            root,
            size: (geometry.width, geometry.height),
            core_keyboard,
            repeat_suspended: false,
        })
    }

    /// Size of the display in pixels.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Takes in what the server has told, without waiting.
    pub fn changes(&mut self) -> Result<Changes, X11Error> {
        let mut changes = Changes::default();
        while let Some(event) = self.connection.poll_for_event()? {
            match event {
                Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_) | Event::MappingNotify(_) => {
                    changes.keymap = true;
                }
                Event::ConfigureNotify(event) if event.window == self.root => {
                    self.size = (event.width, event.height);
                }
                _ => {}
            }
        }
        Ok(changes)
    }

    /// Modifiers and layout as they are now.
    pub fn state(&self) -> Result<State, X11Error> {
        let reply = self.connection.xkb_get_state(self.core_keyboard)?.reply()?;
        // The low eight bits are the modifiers; a group is 0 to 3.
        Ok(State { modifiers: u16::from(reply.mods) as u8, group: u8::from(reply.group) })
    }

    /// The whole keymap.
    pub fn keymap(&self) -> Result<Keymap, X11Error> {
        let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
        let reply = self
            .connection
            .xkb_get_map(
                self.core_keyboard,
                parts,
                MapPart::default(),
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                xkb::VMod::default(),
                0,
                0,
                0,
                0,
                0,
                0,
            )?
            .reply()?;
        let types: Vec<KeyType> = reply.map.types_rtrn.unwrap_or_default().iter().map(key_type).collect();
        let mut keys = BTreeMap::new();
        let symbols = reply.map.syms_rtrn.unwrap_or_default();
        for (keycode, symbols) in (reply.first_key_sym..=u8::MAX).zip(symbols) {
            keys.insert(keycode, groups(&symbols, &types));
        }
        let modifiers = reply.map.modmap_rtrn.unwrap_or_default();
        let modifiers = modifiers.iter().map(|entry| (entry.keycode, u16::from(entry.mods) as u8)).collect();
        Ok(Keymap { keys, modifiers })
    }

    /// Does what the planner says.
    pub fn keys(&self, actions: &[Action]) -> Result<(), X11Error> {
        for action in actions {
            match *action {
                Action::Down(keycode) => self.fake(KEY_PRESS_EVENT, keycode, (0, 0))?,
                Action::Up(keycode) => self.fake(KEY_RELEASE_EVENT, keycode, (0, 0))?,
                // Two equal keysyms make one level; a small letter and its capital follow Shift and Caps Lock.
                Action::Bind(keycode, keysyms) => {
                    self.connection.change_keyboard_mapping(1, keycode, 2, &keysyms)?;
                }
            }
        }
        Ok(())
    }

    /// Switches the server's auto-repeat off while a page holds keys, and on again if it was on.
    ///
    /// The page repeats its keys itself. Left on, the server would repeat a key whose release is stuck on the way.
    pub fn suspend_repeat(&mut self, suspend: bool) -> Result<(), X11Error> {
        if suspend == self.repeat_suspended {
            return Ok(());
        }
        if suspend {
            let now = self.connection.get_keyboard_control()?.reply()?.global_auto_repeat;
            if now == AutoRepeatMode::OFF {
                return Ok(());
            }
        }
        let mode = if suspend { AutoRepeatMode::OFF } else { AutoRepeatMode::ON };
        let aux = ChangeKeyboardControlAux::new().auto_repeat_mode(mode);
        self.connection.change_keyboard_control(&aux)?;
        self.repeat_suspended = suspend;
        Ok(())
    }

    /// Presses or releases an X button.
    pub fn button(&self, button: u8, down: bool) -> Result<(), X11Error> {
        self.fake(if down { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT }, button, (0, 0))
    }

    /// Moves the pointer to a place.
    pub fn motion(&self, place: (i16, i16)) -> Result<(), X11Error> {
        self.fake(MOTION_NOTIFY_EVENT, 0, place)
    }

    /// Moves the pointer so far from where it is, without acceleration.
    pub fn motion_by(&self, dx: i16, dy: i16) -> Result<(), X11Error> {
        // The detail of a motion says that it is relative.
        self.connection.xtest_fake_input(
            MOTION_NOTIFY_EVENT,
            1,
            x11rb::CURRENT_TIME,
            x11rb::NONE,
            dx,
            dy,
            0,
        )?;
        Ok(())
    }

    /// Sends what was asked for so far.
    pub fn flush(&self) -> Result<(), X11Error> {
        Ok(self.connection.flush()?)
    }

    fn fake(&self, kind: u8, detail: u8, (x, y): (i16, i16)) -> Result<(), X11Error> {
        self.connection.xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, self.root, x, y, 0)?;
        Ok(())
    }
}

fn key_type(wire: &xkb::KeyType) -> KeyType {
    // An inactive entry names a virtual modifier that no key has.
    let active = wire.map.iter().filter(|entry| entry.active);
    let levels = active.map(|entry| (u16::from(entry.mods_mask) as u8, entry.level)).collect();
    KeyType { mask: u16::from(wire.mods_mask) as u8, levels }
}

/// A key's symbols are a table of groups, each `width` levels wide.
fn groups(symbols: &xkb::KeySymMap, types: &[KeyType]) -> Vec<Group> {
    let width = usize::from(symbols.width).max(1);
    let count = usize::from(symbols.group_info & 0x0f);
    symbols
        .syms
        .chunks(width)
        .take(count)
        .zip(symbols.kt_index)
        .map(|(keysyms, index)| Group {
            key_type: types.get(usize::from(index)).cloned().unwrap_or_default(),
            keysyms: keysyms.to_vec(),
        })
        .collect()
}
