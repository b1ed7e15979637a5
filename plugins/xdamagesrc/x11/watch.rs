//! Shell: how the server tells that the picture has changed, and where. Refuses to say what to do about it.

use super::{display::Display, target::Target};
use crate::xdamagesrc::error::Error;
use x11rb::{
    NONE,
    connection::Connection as _,
    protocol::{
        damage::{ConnectionExt as _, Damage, ReportLevel},
        xfixes::{ConnectionExt as _, Region},
        xproto::Rectangle,
    },
};

/// One event tells that there is damage, the next comes only after the list was taken: a client that draws all the time costs
/// no event per line.
#[derive(Debug)]
pub enum Watch {
    /// The server keeps a list of damaged places.
    Places {
        /// The list.
        damage: Damage,
        /// Where it is moved to when it is taken.
        taken: Region,
    },
    /// It has no lists to take without XFIXES: it tells only that something has changed.
    Somewhere(Damage),
    /// It tells nothing.
    Nothing,
}

/// What has changed.
#[derive(Debug)]
pub enum Changed {
    /// These places, relative to the window.
    Places(Vec<Rectangle>),
    /// Nobody knows.
    Somewhere,
}

impl Watch {
    /// Begins to watch the target.
    pub fn start(display: &Display, target: &Target) -> Result<Self, Error> {
        if !display.damage {
            return Ok(Self::Nothing);
        }
        let connection = &display.connection;
        let damage = connection.generate_id()?;
        connection.damage_create(damage, target.window, ReportLevel::NON_EMPTY)?.check()?;
        if !display.xfixes {
            return Ok(Self::Somewhere(damage));
        }
        let taken = connection.generate_id()?;
        connection.xfixes_create_region(taken, &[])?;
        Ok(Self::Places { damage, taken })
    }

    /// Takes what has changed since it was last taken.
    pub fn take(&self, display: &Display) -> Result<Changed, Error> {
        let connection = &display.connection;
        match *self {
            Self::Places { damage, taken } => {
                connection.damage_subtract(damage, NONE, taken)?;
                let reply = connection.xfixes_fetch_region(taken)?.reply()?;
                Ok(Changed::Places(reply.rectangles))
            }
            Self::Somewhere(damage) => {
                connection.damage_subtract(damage, NONE, NONE)?;
                Ok(Changed::Somewhere)
            }
            Self::Nothing => Ok(Changed::Somewhere),
        }
    }

    /// Whether it tells where.
    pub fn knows_places(&self) -> bool {
        matches!(self, Self::Places { .. })
    }
}
