//! Shell: tells programs of dots per inch: as XSETTINGS manager, which running programs follow at once, and in the X server's
//! resources, which programs read when they start. Where a desktop has a manager of its own, that one stays.

use super::{
    randr::{Randr, RandrError},
    settings,
    sizing::PLAIN_DPI,
};
use std::time::Duration;
use tokio::time::Instant;
use x11rb::{
    COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT,
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Window,
        WindowClass,
    },
    wrapper::ConnectionExt as _,
};

/// A desktop that is just starting brings its own XSETTINGS manager, which gives up where it finds one. So much time it has.
const DESKTOPS_TURN: Duration = Duration::from_secs(10);
/// Longest resources that are read, in units of four bytes: far more than any desktop has.
const MAX_RESOURCE_WORDS: u32 = 64 * 1024;

/// Who tells programs.
#[derive(Debug)]
enum Manager {
    /// Nobody has had to.
    None,
    /// This window of ours; the number counts changes.
    Ours(Window, u32),
    /// The desktop's own.
    Theirs,
}

/// What one display's programs are told.
#[derive(Debug)]
pub struct Dots {
    told: u32,
    wanted: u32,
    manager: Manager,
    since: Instant,
}

impl Dots {
    /// Nothing has been told on this display, which was reached at `since`.
    pub fn new(since: Instant) -> Self {
        Self { told: PLAIN_DPI, wanted: PLAIN_DPI, manager: Manager::None, since }
    }

    /// What programs were told last.
    pub fn told(&self) -> u32 {
        self.told
    }

    /// So many dots per inch from now on.
    pub fn tell(&mut self, randr: &Randr, dpi: u32) -> Result<(), RandrError> {
        self.wanted = dpi;
        if self.told == dpi {
            return Ok(());
        }
        self.told = dpi;
        write_resources(randr, dpi)?;
        if let Manager::Ours(window, serial) = &mut self.manager {
            *serial += 1;
            write_settings(randr, *window, *serial, dpi)?;
        }
        Ok(())
    }

    /// Becomes the XSETTINGS manager when that is wanted and nobody is. To be called from time to time.
    pub fn settle(&mut self, randr: &Randr, now: Instant) -> Result<(), RandrError> {
        let needed = matches!(self.manager, Manager::None) && self.wanted != PLAIN_DPI;
        if needed && now.duration_since(self.since) >= DESKTOPS_TURN {
            self.manager = become_manager(randr, self.wanted)?;
        }
        Ok(())
    }

    /// Another manager has taken our place, and has it from now on.
    pub fn replaced(&mut self, randr: &Randr) -> Result<(), RandrError> {
        if let Manager::Ours(window, _) = self.manager {
            randr.connection.destroy_window(window)?;
            tracing::info!("the desktop has an XSETTINGS manager of its own now; ours has left");
        }
        self.manager = Manager::Theirs;
        Ok(())
    }
}

fn write_resources(randr: &Randr, dpi: u32) -> Result<(), RandrError> {
    let connection = &randr.connection;
    let root = connection.setup().roots[0].root;
    let (name, kind) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
    let reply = connection.get_property(false, root, name, kind, 0, MAX_RESOURCE_WORDS)?.reply()?;
    if reply.bytes_after > 0 {
        tracing::warn!(
            "the X server's resources are too long to be changed; programs keep their dots per inch"
        );
        return Ok(());
    }
    let after = settings::resources(&latin1(&reply.value), dpi);
    let bytes: Vec<u8> = after.chars().map(|char| u8::try_from(char).unwrap_or(b'?')).collect();
    connection.change_property8(PropMode::REPLACE, root, name, kind, &bytes)?;
    connection.flush()?;
    Ok(())
}

/// Resources are in Latin-1 (ICCCM 2.7.1), of which every byte is a character.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn write_settings(randr: &Randr, window: Window, serial: u32, dpi: u32) -> Result<(), RandrError> {
    let connection = &randr.connection;
    let name = connection.intern_atom(false, b"_XSETTINGS_SETTINGS")?.reply()?.atom;
    let bytes = settings::property(serial, &settings::xsettings(dpi));
    connection.change_property8(PropMode::REPLACE, window, name, name, &bytes)?;
    connection.flush()?;
    Ok(())
}

/// Takes the selection that stands for the manager, if nobody has it (XSETTINGS, and ICCCM 2.8).
fn become_manager(randr: &Randr, dpi: u32) -> Result<Manager, RandrError> {
    let connection = &randr.connection;
    let atom = |name: String| connection.intern_atom(false, name.as_bytes());
    let selection = atom(format!("_XSETTINGS_S{}", randr.number))?.reply()?.atom;
    let announcement = atom("MANAGER".into())?.reply()?.atom;
    if connection.get_selection_owner(selection)?.reply()?.owner != x11rb::NONE {
        tracing::info!(
            "the desktop has an XSETTINGS manager of its own; dots per inch are in the resources only"
        );
        return Ok(Manager::Theirs);
    }
    let window = connection.generate_id()?;
    let (depth, class, visual) = (COPY_DEPTH_FROM_PARENT, WindowClass::INPUT_OUTPUT, COPY_FROM_PARENT);
    let aux = CreateWindowAux::new().override_redirect(1);
    connection.create_window(depth, window, randr.root, -1, -1, 1, 1, 0, class, visual, &aux)?;
    write_settings(randr, window, 0, dpi)?;
    connection.set_selection_owner(window, selection, x11rb::CURRENT_TIME)?;
    if connection.get_selection_owner(selection)?.reply()?.owner != window {
        connection.destroy_window(window)?;
        return Ok(Manager::Theirs);
    }
    let data = [x11rb::CURRENT_TIME, selection, window, 0, 0];
    let event = ClientMessageEvent::new(32, randr.root, announcement, data);
    connection.send_event(false, randr.root, EventMask::STRUCTURE_NOTIFY, event)?;
    connection.flush()?;
    Ok(Manager::Ours(window, 0))
}
