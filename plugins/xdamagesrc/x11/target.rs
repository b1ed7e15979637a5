//! Shell: what is captured: the root window or another, its size, and where its pixels are. Refuses to read them.

use super::display::Display;
use crate::xdamagesrc::{error::Error, pixels::Rect};
use x11rb::{
    connection::Connection as _,
    protocol::{
        composite::{ConnectionExt as _, Redirect},
        xproto::{
            AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, Drawable, EventMask, MapState, Visualid,
            Window,
        },
    },
};

/// Windows that are asked for their name at most. A desktop has some hundreds.
const MAX_WINDOWS: usize = 16_384;
/// Longest name that is read, in units of four bytes.
const MAX_NAME_WORDS: u32 = 256;

/// What the properties say.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Window; 0 is the root.
    pub xid: u64,
    /// Or its name.
    pub xname: Option<String>,
    /// Region: the first column and line.
    pub start: (u32, u32),
    /// Its last column and line; 0 is the last of all.
    pub end: (u32, u32),
}

impl Selection {
    /// The region of a picture of this size; none if it is outside.
    pub fn area(&self, width: u32, height: u32) -> Option<Rect> {
        let length = |start: u32, end: u32, all: u32| {
            let end = if end == 0 { all } else { end.saturating_add(1).min(all) };
            end.checked_sub(start).filter(|length| *length > 0)
        };
        let (x, y) = self.start;
        Some(Rect::new(x, y, length(x, self.end.0, width)?, length(y, self.end.1, height)?))
    }
}

/// A window and where its pixels are.
#[derive(Debug)]
pub struct Target {
    /// The window.
    pub window: Window,
    /// Bits of a pixel that mean something.
    pub depth: u8,
    /// Its visual.
    pub visual: Visualid,
    /// Its size without border.
    pub size: (u32, u32),
    /// Where its pixels are, and where in there the window begins; none while it is not shown.
    pub source: Option<(Drawable, i16)>,
    is_root: bool,
    pixmap: Option<Drawable>,
}

impl Target {
    /// Finds it, and asks to be told of its changes.
    pub fn find(display: &Display, selection: &Selection) -> Result<Self, Error> {
        let root = display.screen.root;
        let window = match (&selection.xname, u32::try_from(selection.xid)) {
            (_, Ok(xid)) if xid != 0 => xid,
            (Some(name), _) => {
                find_by_name(display, name)?.ok_or_else(|| Error::NoWindow(format!("named {name:?}")))?
            }
            (None, Ok(_)) => root,
            (None, Err(_)) => return Err(Error::NoWindow(format!("{:#x}", selection.xid))),
        };
        let gone = |error: Error| match error {
            Error::Refused(_) => Error::NoWindow(format!("{window:#x}")),
            error => error,
        };
        let connection = &display.connection;
        let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        let selected = connection.change_window_attributes(window, &events)?.check();
        selected.map_err(|error| gone(error.into()))?;
        let attributes =
            connection.get_window_attributes(window)?.reply().map_err(|error| gone(error.into()))?;
        let is_root = window == root;
        if !is_root && display.composite {
            // Its pixels are kept apart then: whole, whatever covers it or wherever it stands.
            connection.composite_redirect_window(window, Redirect::AUTOMATIC)?.check()?;
        }
        let mut target = Self {
            window,
            depth: display.screen.root_depth,
            visual: attributes.visual,
            size: (0, 0),
            source: None,
            is_root,
            pixmap: None,
        };
        target.refresh(display).map_err(gone)?;
        Ok(target)
    }

    /// Whether the screen is captured.
    pub fn is_root(&self) -> bool {
        self.is_root
    }

    /// Asks anew for size and pixels; tells whether its size has changed, or whether it is shown.
    pub fn refresh(&mut self, display: &Display) -> Result<bool, Error> {
        let connection = &display.connection;
        let gone = |window| {
            move |error: x11rb::errors::ReplyError| match Error::from(error) {
                Error::Refused(_) => Error::WindowGone(window),
                error => error,
            }
        };
        let geometry = connection.get_geometry(self.window)?;
        let attributes = connection.get_window_attributes(self.window)?;
        let geometry = geometry.reply().map_err(gone(self.window))?;
        let attributes = attributes.reply().map_err(gone(self.window))?;
        self.depth = geometry.depth;
        if let Some(pixmap) = self.pixmap.take() {
            connection.free_pixmap(pixmap)?;
        }
        let was_shown = self.source.is_some();
        let is_shown = self.is_root || attributes.map_state == MapState::VIEWABLE;
        self.source = if !is_shown {
            None
        } else if self.is_root || !display.composite {
            Some((self.window, 0))
        } else {
            let pixmap = connection.generate_id()?;
            match connection.composite_name_window_pixmap(self.window, pixmap)?.check().map_err(Error::from) {
                Ok(()) => {
                    self.pixmap = Some(pixmap);
                    // The pixmap has the border too.
                    Some((pixmap, i16::try_from(geometry.border_width).unwrap_or(i16::MAX)))
                }
                // It has been hidden meanwhile.
                Err(Error::Refused(_)) => None,
                Err(error) => return Err(error),
            }
        };
        let size = (u32::from(geometry.width), u32::from(geometry.height));
        let has_changed = (self.size, was_shown) != (size, self.source.is_some());
        self.size = size;
        Ok(has_changed)
    }
}

/// The first window of this name, from the root down.
fn find_by_name(display: &Display, name: &str) -> Result<Option<Window>, Error> {
    let connection = &display.connection;
    let net_wm_name = connection.intern_atom(false, b"_NET_WM_NAME")?.reply()?.atom;
    let mut level = vec![display.screen.root];
    let mut seen = 0;
    while !level.is_empty() && seen < MAX_WINDOWS {
        seen += level.len();
        let mut asked = Vec::with_capacity(level.len());
        for &window in &level {
            let property =
                |atom| connection.get_property(false, window, atom, AtomEnum::ANY, 0, MAX_NAME_WORDS);
            let names = [property(net_wm_name)?, property(AtomEnum::WM_NAME.into())?];
            asked.push((window, names, connection.query_tree(window)?));
        }
        let mut below = Vec::new();
        for (window, names, tree) in asked {
            // A window may be gone by now.
            let is_it = names
                .into_iter()
                .filter_map(|asked| asked.reply().ok())
                .any(|reply| reply.value == name.as_bytes());
            if is_it {
                return Ok(Some(window));
            }
            below.extend(tree.reply().map(|tree| tree.children).unwrap_or_default());
        }
        level = below;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(start: (u32, u32), end: (u32, u32)) -> Option<Rect> {
        Selection { start, end, ..Selection::default() }.area(1920, 1080)
    }

    #[test]
    fn the_end_of_a_region_is_its_last_pixel_and_nought_is_the_edge() {
        assert_eq!(area((0, 0), (0, 0)), Some(Rect::new(0, 0, 1920, 1080)));
        assert_eq!(area((10, 20), (19, 0)), Some(Rect::new(10, 20, 10, 1060)));
        assert_eq!(area((10, 20), (5000, 5000)), Some(Rect::new(10, 20, 1910, 1060)));
    }

    #[test]
    fn a_region_outside_of_the_screen_or_backwards_is_none() {
        assert_eq!(area((1920, 0), (0, 0)), None);
        assert_eq!(area((100, 0), (50, 0)), None);
    }
}
