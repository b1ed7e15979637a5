//! Shell: the server's pointer: its place, its picture, and being told of both. Refuses to draw it.

use super::display::Display;
use crate::xdamagesrc::{cursor::CursorImage, error::Error};
use x11rb::protocol::{
    xfixes::{ConnectionExt as _, CursorNotifyMask},
    xinput::{ConnectionExt as _, Device, EventMask, XIEventMask},
    xproto::{ConnectionExt as _, Window},
};

/// What the server tells us of the pointer.
#[derive(Debug, Default)]
pub struct Pointer {
    shape: bool,
    motion: bool,
}

impl Pointer {
    /// Asks to be told of changes of its picture and of its motion, or no longer. Motion that nobody needs must not wake us.
    pub fn watch(&mut self, display: &Display, shape: bool, motion: bool) -> Result<(), Error> {
        let (connection, root) = (&display.connection, display.screen.root);
        if display.xfixes && shape != self.shape {
            let mask = if shape { CursorNotifyMask::DISPLAY_CURSOR } else { CursorNotifyMask::default() };
            connection.xfixes_select_cursor_input(root, mask)?;
            self.shape = shape;
        }
        if display.raw_motion && motion != self.motion {
            let mask = if motion { XIEventMask::RAW_MOTION } else { XIEventMask::default() };
            let mask = EventMask { deviceid: Device::ALL_MASTER.into(), mask: vec![mask] };
            connection.xinput_xi_select_events(root, &[mask])?;
            self.motion = motion;
        }
        Ok(())
    }

    /// Where its hot spot is, relative to a window; none on another screen.
    pub fn place(&self, display: &Display, window: Window) -> Result<Option<(i32, i32)>, Error> {
        let reply = display.connection.query_pointer(window)?.reply()?;
        Ok(reply.same_screen.then(|| (reply.win_x.into(), reply.win_y.into())))
    }

    /// What it looks like; none without XFIXES.
    pub fn image(&self, display: &Display) -> Result<Option<CursorImage>, Error> {
        if !display.xfixes {
            return Ok(None);
        }
        let reply = display.connection.xfixes_get_cursor_image()?.reply()?;
        Ok(Some(CursorImage {
            serial: reply.cursor_serial,
            width: reply.width.into(),
            height: reply.height.into(),
            hotspot: (reply.xhot.into(), reply.yhot.into()),
            argb: reply.cursor_image,
        }))
    }
}
