//! Shell: the size of an X screen through RANDR: what it can be, and changing it in one grab of the server, so that no
//! program sees a screen between two sizes. It decides nothing.

use super::modeline;
use crate::config::Size;
use vdi_protocol::{limits::MAX_MONITORS, screen::Monitor};
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{
        randr::{self, ConnectionExt as _, Crtc, Mode, Output, Rotation, SetConfig},
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window},
    },
    rust_connection::RustConnection,
};

/// The version whose requests are used: the one that has monitors.
const VERSION: (u32, u32) = (1, 5);
/// The version from which on a size can be set at all.
const LEAST_VERSION: (u32, u32) = (1, 2);

/// Why a screen cannot have another size.
#[derive(Debug, thiserror::Error)]
pub enum RandrError {
    /// Nobody answers there, or the cookie is refused.
    #[error("cannot connect: {0}")]
    Connect(#[from] ConnectError),
    /// The connection is lost.
    #[error("the connection is lost: {0}")]
    Connection(#[from] ConnectionError),
    /// A request was refused.
    #[error("the X server refuses it: {0}")]
    Refused(ReplyError),
    /// The extension is missing, or older than sizes that can be set.
    #[error("the X server has no RANDR extension that could change it")]
    Extension,
    /// There is nothing to show it on.
    #[error("the X server has no output for it")]
    NoOutput,
    /// Another size would pull the others apart.
    #[error("the desktop has {0} monitors")]
    Monitors(usize),
    /// It has one size.
    #[error("the X server has only this one size")]
    Fixed,
    /// The server agreed and did something else.
    #[error("it stays at {0}x{1}")]
    Stays(u16, u16),
    /// The driver does not take the timings.
    #[error("the X server's driver does not take it")]
    Driver,
}

impl From<ReplyError> for RandrError {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => Self::Connection(error),
            error => Self::Refused(error),
        }
    }
}

impl From<ReplyOrIdError> for RandrError {
    fn from(error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::IdsExhausted => Self::Connection(ConnectionError::UnsupportedExtension),
            ReplyOrIdError::ConnectionError(error) => Self::Connection(error),
            ReplyOrIdError::X11Error(error) => Self::Refused(ReplyError::X11Error(error)),
        }
    }
}

impl RandrError {
    /// Whether the whole display is gone, and not only this wish refused.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Connection(_))
    }
}

/// A connection to the screen.
pub struct Randr {
    /// The connection.
    pub connection: RustConnection,
    /// The screen's root window.
    pub root: Window,
    /// The screen's number.
    pub number: usize,
    version: Option<(u32, u32)>,
}

/// The one output that shows the screen.
struct Shown {
    crtc: Crtc,
    output: Output,
}

impl Randr {
    /// Connects, and asks to be told of changes.
    pub fn connect(display: &str) -> Result<Self, RandrError> {
        let (connection, number) = x11rb::connect(Some(display))?;
        let root = connection.setup().roots[number].root;
        let version = match connection.extension_information(randr::X11_EXTENSION_NAME)? {
            Some(_) => {
                let reply = connection.randr_query_version(VERSION.0, VERSION.1)?.reply()?;
                Some((reply.major_version, reply.minor_version)).filter(|version| *version >= LEAST_VERSION)
            }
            None => None,
        };
        if version.is_some() {
            let mask = randr::NotifyMask::SCREEN_CHANGE | randr::NotifyMask::OUTPUT_CHANGE;
            connection.randr_select_input(root, mask)?;
            // Monitors that a person defines, or takes away, change neither size nor outputs: of them the root window tells.
            let values = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
            connection.change_window_attributes(root, &values)?;
        }
        connection.flush()?;
        Ok(Self { connection, root, number, version })
    }

    /// The size now.
    pub fn size(&self) -> Result<Size, RandrError> {
        let geometry = self.connection.get_geometry(self.root)?.reply()?;
        Ok(Size { width_px: geometry.width, height_px: geometry.height })
    }

    /// The largest size that the server says it can have; the error says why it can have no other.
    pub fn largest(&self) -> Result<Size, RandrError> {
        self.version.ok_or(RandrError::Extension)?;
        let range = self.connection.randr_get_screen_size_range(self.root)?.reply()?;
        if (range.min_width, range.min_height) == (range.max_width, range.max_height) {
            return Err(RandrError::Fixed);
        }
        self.shown()?;
        Ok(Size { width_px: range.max_width, height_px: range.max_height })
    }

    /// The monitors, as the server tells them.
    pub fn monitors(&self) -> Result<Vec<Monitor>, RandrError> {
        if self.version.is_none_or(|version| version < VERSION) {
            return Ok(Vec::new());
        }
        let reply = self.connection.randr_get_monitors(self.root, true)?.reply()?;
        let mut monitors = Vec::new();
        for monitor in reply.monitors.into_iter().take(MAX_MONITORS) {
            let name = self.connection.get_atom_name(monitor.name)?.reply()?.name;
            monitors.push(Monitor {
                name: String::from_utf8_lossy(&name).into_owned(),
                x: u32::try_from(monitor.x).unwrap_or(0),
                y: u32::try_from(monitor.y).unwrap_or(0),
                width: monitor.width.into(),
                height: monitor.height.into(),
                primary: monitor.primary,
            });
        }
        Ok(monitors)
    }

    /// Gives the screen this size, and tells programs of so many dots per inch.
    pub fn set_size(&self, size: Size, dpi: u32) -> Result<(), RandrError> {
        self.version.ok_or(RandrError::Extension)?;
        let shown = self.shown()?;
        let mode = self.mode(&shown, size)?;
        self.connection.grab_server()?;
        let set = self.switch(&shown, mode, size, dpi);
        self.connection.ungrab_server()?;
        self.connection.flush()?;
        set?;
        let got = self.size()?;
        if got != size {
            return Err(RandrError::Stays(got.width_px, got.height_px));
        }
        // Old modes of ours are of no use to anybody; one that cannot be cleared away does no harm.
        let _ = self.clear_away(&shown, mode);
        Ok(())
    }

    /// The screen is never smaller than what is shown of it, so it grows before the mode and shrinks after it.
    fn switch(&self, shown: &Shown, mode: Mode, size: Size, dpi: u32) -> Result<(), RandrError> {
        let before = self.size()?;
        let both = Size {
            width_px: before.width_px.max(size.width_px),
            height_px: before.height_px.max(size.height_px),
        };
        if both != before {
            self.set_screen(both, dpi)?;
        }
        if let Err(error) = self.set_crtc(shown, mode) {
            self.set_screen(before, dpi)?;
            return Err(error);
        }
        self.set_screen(size, dpi)
    }

    fn set_screen(&self, size: Size, dpi: u32) -> Result<(), RandrError> {
        let (width_mm, height_mm) = (millimetres(size.width_px, dpi), millimetres(size.height_px, dpi));
        let Size { width_px, height_px } = size;
        let connection = &self.connection;
        connection.randr_set_screen_size(self.root, width_px, height_px, width_mm, height_mm)?.check()?;
        Ok(())
    }

    fn set_crtc(&self, shown: &Shown, mode: Mode) -> Result<(), RandrError> {
        let connection = &self.connection;
        let time = connection.randr_get_screen_resources_current(self.root)?.reply()?.config_timestamp;
        let (now, upright) = (x11rb::CURRENT_TIME, Rotation::ROTATE0);
        let outputs = [shown.output];
        let reply = connection
            .randr_set_crtc_config(shown.crtc, now, time, 0, 0, mode, upright, &outputs)?
            .reply()?;
        if reply.status == SetConfig::SUCCESS { Ok(()) } else { Err(RandrError::Driver) }
    }

    /// The output that shows the screen, if it is one; or the first that could.
    fn shown(&self) -> Result<Shown, RandrError> {
        let resources = self.connection.randr_get_screen_resources_current(self.root)?.reply()?;
        let time = resources.config_timestamp;
        let mut active = Vec::new();
        for &crtc in &resources.crtcs {
            let info = self.connection.randr_get_crtc_info(crtc, time)?.reply()?;
            if let (true, Some(&output)) = (info.mode != x11rb::NONE, info.outputs.first()) {
                active.push(Shown { crtc, output });
            }
        }
        if active.len() > 1 {
            return Err(RandrError::Monitors(active.len()));
        }
        if let Some(shown) = active.pop() {
            return Ok(shown);
        }
        match (resources.crtcs.first(), resources.outputs.first()) {
            (Some(&crtc), Some(&output)) => Ok(Shown { crtc, output }),
            _ => Err(RandrError::NoOutput),
        }
    }

    /// A mode of this size that the output has; made if there is none.
    fn mode(&self, shown: &Shown, size: Size) -> Result<Mode, RandrError> {
        let connection = &self.connection;
        let resources = connection.randr_get_screen_resources_current(self.root)?.reply()?;
        let info = connection.randr_get_output_info(shown.output, resources.config_timestamp)?.reply()?;
        let fits = |mode: &&randr::ModeInfo| (mode.width, mode.height) == (size.width_px, size.height_px);
        let mut there = resources.modes.iter().filter(fits);
        if let Some(mode) = there.clone().find(|mode| info.modes.contains(&mode.id)) {
            return Ok(mode.id);
        }
        let left_behind = there.find(|mode| mode.mode_flags == modeline::mode(size).mode_flags);
        let mode = match left_behind {
            Some(mode) => mode.id,
            None => {
                let name = modeline::name(size);
                connection.randr_create_mode(self.root, modeline::mode(size), name.as_bytes())?.reply()?.mode
            }
        };
        connection.randr_add_output_mode(shown.output, mode)?.check()?;
        Ok(mode)
    }

    fn clear_away(&self, shown: &Shown, kept: Mode) -> Result<(), RandrError> {
        let connection = &self.connection;
        let resources = connection.randr_get_screen_resources_current(self.root)?.reply()?;
        let mut names = resources.names.as_slice();
        for mode in &resources.modes {
            let (name, rest) = names.split_at(usize::from(mode.name_len).min(names.len()));
            names = rest;
            if mode.id != kept && name.starts_with(modeline::PREFIX.as_bytes()) {
                connection.randr_delete_output_mode(shown.output, mode.id)?.check()?;
                connection.randr_destroy_mode(mode.id)?.check()?;
            }
        }
        Ok(())
    }
}

/// Some toolkits take their scale from the size in millimetres.
fn millimetres(pixels: u16, dpi: u32) -> u32 {
    (f64::from(pixels) * 25.4 / f64::from(dpi.max(1))).round() as u32
}
