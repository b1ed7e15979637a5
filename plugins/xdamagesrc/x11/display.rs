//! Shell: the display: its connection and what its server can do. It refuses to capture anything.

use super::{
    link::{Connection, Doorbell, connect},
    target::Target,
};
use crate::xdamagesrc::{error::Error, pixels::PixelLayout};
use std::sync::Arc;
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        composite::{self, ConnectionExt as _},
        damage::{self, ConnectionExt as _},
        shm::{self, ConnectionExt as _},
        xfixes::{self, ConnectionExt as _},
        xinput::{self, ConnectionExt as _},
        xproto::{ImageOrder, Screen, Visualid},
    },
};

/// File descriptors can be passed from this version of MIT-SHM on.
const SHM_WITH_FDS: (u16, u16) = (1, 2);
/// Raw events come in spite of grabs from this version of the X Input Extension on.
const XINPUT_RAW: (u16, u16) = (2, 1);

/// What its user allows.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// To be told of damage.
    pub damage: bool,
    /// To share memory.
    pub shm: bool,
}

/// How pixels come over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A file descriptor.
    Fd,
    /// A System V segment.
    Segment,
    /// They are copied through the socket.
    Copies,
}

/// A connected display.
#[derive(Debug)]
pub struct Display {
    /// Its connection.
    pub connection: Connection,
    /// Its name.
    pub name: String,
    /// The screen that is captured.
    pub screen: Screen,
    /// Whether it tells of damage.
    pub damage: bool,
    /// Whether it has regions and cursor images.
    pub xfixes: bool,
    /// Whether it keeps windows apart.
    pub composite: bool,
    /// Whether it tells of the pointer's motion.
    pub raw_motion: bool,
    /// The best way to share memory that it may offer.
    pub sharing: Sharing,
    wanted: Wanted,
}

impl Display {
    /// Connects; no name is `$DISPLAY`.
    pub fn open(name: Option<&str>, wanted: Wanted, bell: &Arc<Doorbell>) -> Result<Self, Error> {
        let (connection, screen) = connect(name, bell)?;
        let screen = connection.setup().roots[screen].clone();
        for extension in [
            damage::X11_EXTENSION_NAME,
            xfixes::X11_EXTENSION_NAME,
            composite::X11_EXTENSION_NAME,
            shm::X11_EXTENSION_NAME,
            xinput::X11_EXTENSION_NAME,
        ] {
            connection.prefetch_extension_information(extension)?;
        }
        let has = |extension| Ok::<_, Error>(connection.extension_information(extension)?.is_some());
        let xfixes = has(xfixes::X11_EXTENSION_NAME)?;
        if xfixes {
            connection.xfixes_query_version(5, 0)?.reply()?;
        }
        let damage = has(damage::X11_EXTENSION_NAME)?;
        if damage {
            connection.damage_query_version(1, 1)?.reply()?;
        }
        let composite = has(composite::X11_EXTENSION_NAME)?;
        if composite {
            connection.composite_query_version(0, 4)?.reply()?;
        }
        let sharing = if has(shm::X11_EXTENSION_NAME)? {
            let version = connection.shm_query_version()?.reply()?;
            let has_fds = (version.major_version, version.minor_version) >= SHM_WITH_FDS;
            if has_fds { Sharing::Fd } else { Sharing::Segment }
        } else {
            Sharing::Copies
        };
        let raw_motion = has(xinput::X11_EXTENSION_NAME)? && {
            let version = connection.xinput_xi_query_version(2, 2)?.reply();
            version.is_ok_and(|version| (version.major_version, version.minor_version) >= XINPUT_RAW)
        };
        let name = name.map(str::to_owned).or_else(|| std::env::var("DISPLAY").ok()).unwrap_or_default();
        Ok(Self {
            connection,
            name,
            screen,
            damage: damage && wanted.damage,
            xfixes,
            composite,
            raw_motion,
            sharing: if wanted.shm { sharing } else { Sharing::Copies },
            wanted,
        })
    }

    /// How a drawable of this depth lays out its pixels; the root's visual stands for visuals that are not known.
    pub fn layout(&self, depth: u8, visual: Visualid) -> Result<PixelLayout, Error> {
        let setup = self.connection.setup();
        let format = setup.pixmap_formats.iter().find(|format| format.depth == depth);
        let bits_per_pixel = format.map_or(0, |format| format.bits_per_pixel);
        let visuals = self.screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
        let visual = visuals.into_iter().find(|known| known.visual_id == visual);
        let layout = visual
            .filter(|_| bits_per_pixel == 32 && setup.image_byte_order == ImageOrder::LSB_FIRST)
            .and_then(|visual| PixelLayout::of_masks(visual.red_mask, visual.green_mask, visual.blue_mask));
        layout.ok_or(Error::Layout { depth, bits_per_pixel })
    }

    /// What the server lacks, and what that costs.
    pub fn shortcomings(&self, target: &Target) -> Vec<String> {
        let mut found = Vec::new();
        if self.wanted.damage && !self.damage {
            found.push(
                "lacks DAMAGE: the whole picture is fetched and compared at the frame rate, which costs processor time \
                 even while nothing changes"
                    .to_owned(),
            );
        }
        if !self.xfixes {
            let cost =
                if self.damage { ", and each change costs a comparison of the whole picture" } else { "" };
            found.push(format!("lacks XFIXES: there is no cursor, neither drawn nor as a message{cost}"));
        }
        if self.wanted.shm && self.sharing == Sharing::Copies {
            found.push(
                "lacks MIT-SHM, or does not share memory with us: pixels are copied through the socket, which costs \
                 processor time and latency"
                    .to_owned(),
            );
        }
        if !self.composite && !target.is_root() {
            found.push("lacks COMPOSITE: whatever covers the window is captured with it".to_owned());
        }
        found
    }
}
