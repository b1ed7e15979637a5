//! Shell: the connection of the clipboard to the X server: its atoms, its window, and a wait that ends when the server says
//! something, when somebody else of this process does, or when the time is over. It decides nothing.

use super::content;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};
use vdi_protocol::clipboard::{Mime, Selection};
use x11rb::{
    COPY_DEPTH_FROM_PARENT, NONE,
    connection::{Connection, RequestConnection as _},
    errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError},
    protocol::{
        Event,
        xfixes::{self, ConnectionExt as _, SelectionEventMask},
        xproto::{
            Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, EventMask,
            PropMode, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window,
            WindowClass,
        },
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// Why the clipboard cannot reach the display.
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
    /// The connection has no names for resources left.
    #[error("a request was refused: {0}")]
    Id(#[from] ReplyOrIdError),
    /// Waiting for the server failed.
    #[error("waiting failed: {0}")]
    Wait(#[from] io::Error),
    /// The server lacks an extension.
    #[error("the X server has no {0} extension")]
    Extension(&'static str),
}

x11rb::atom_manager! {
    /// Names that programs call selections and their forms by.
    pub Atoms: AtomsCookie {
        CLIPBOARD,
        TARGETS,
        TIMESTAMP,
        MULTIPLE,
        ATOM_PAIR,
        INCR,
        DATA: b"_VDI_DATA",
        TIME: b"_VDI_TIME",
        UTF8_STRING,
        TEXT,
        PLAIN: b"text/plain;charset=utf-8",
        HTML: b"text/html",
        PNG: b"image/png",
    }
}

/// Wakes the thread out of its wait.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// One that nobody has rung.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// There is something to look at.
    pub fn ring(&self) {
        // It fails only when it has been rung 2^64 times.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn quieten(&self) {
        let mut count = [0; 8];
        // It fails when nobody has rung.
        let _ = rustix::io::read(&self.0, &mut count);
    }
}

/// The connection.
pub struct X11 {
    /// Requests go here.
    pub connection: RustConnection,
    /// Names.
    pub atoms: Atoms,
    /// The window that owns selections.
    pub window: Window,
    root: Window,
}

impl X11 {
    /// Connects, and asks to be told whenever something is copied.
    pub fn connect(display: &str) -> Result<Self, X11Error> {
        let (connection, screen) = x11rb::connect(Some(display))?;
        let root = connection.setup().roots[screen].root;
        if connection.extension_information(xfixes::X11_EXTENSION_NAME)?.is_none() {
            return Err(X11Error::Extension("XFIXES"));
        }
        connection.xfixes_query_version(5, 0)?.reply()?;
        let atoms = Atoms::new(&connection)?.reply()?;
        let mut x11 = Self { connection, atoms, window: NONE, root };
        x11.window = x11.new_window()?;
        let events = SelectionEventMask::SET_SELECTION_OWNER
            | SelectionEventMask::SELECTION_WINDOW_DESTROY
            | SelectionEventMask::SELECTION_CLIENT_CLOSE;
        x11.connection.xfixes_select_selection_input(x11.window, x11.atoms.CLIPBOARD, events)?;
        x11.connection.flush()?;
        Ok(x11)
    }

    /// A window that nobody sees, which is told when its properties change.
    pub fn new_window(&self) -> Result<Window, X11Error> {
        let window = self.connection.generate_id()?;
        self.connection.create_window(
            COPY_DEPTH_FROM_PARENT,
            window,
            self.root,
            0,
            0,
            1,
            1,
            0,
            WindowClass::INPUT_OUTPUT,
            0,
            &CreateWindowAux::new().override_redirect(1).event_mask(EventMask::PROPERTY_CHANGE),
        )?;
        Ok(window)
    }

    /// A selection's name.
    pub fn selection(&self, selection: Selection) -> Atom {
        match selection {
            Selection::Clipboard => self.atoms.CLIPBOARD,
            Selection::Primary => AtomEnum::PRIMARY.into(),
        }
    }

    /// What has a form's name, as [`content::targets`] spells it.
    pub fn target(&self, name: &str) -> Atom {
        match name {
            "text/plain;charset=utf-8" => self.atoms.PLAIN,
            "UTF8_STRING" => self.atoms.UTF8_STRING,
            "TEXT" => self.atoms.TEXT,
            "text/html" => self.atoms.HTML,
            "image/png" => self.atoms.PNG,
            _ => AtomEnum::STRING.into(),
        }
    }

    /// The name of a form, if it is one of ours.
    pub fn name(&self, target: Atom) -> Option<&'static str> {
        content::MIMES
            .iter()
            .flat_map(|mime| content::targets(*mime))
            .copied()
            .find(|name| self.target(name) == target)
    }

    /// The best form of this type that is among `offered`.
    pub fn best(&self, mime: Mime, offered: &[Atom]) -> Option<(&'static str, Atom)> {
        // TEXT may be anything: its owner chooses.
        let asked = content::targets(mime).iter().filter(|name| **name != "TEXT");
        asked.map(|name| (*name, self.target(name))).find(|(_, atom)| offered.contains(atom))
    }

    /// Asks for the server's time; it comes with the event that tells of the property `TIME`.
    pub fn ask_time(&self) -> Result<(), X11Error> {
        let nothing: &[u8] = &[];
        self.connection.change_property8(
            PropMode::APPEND,
            self.window,
            self.atoms.TIME,
            AtomEnum::STRING,
            nothing,
        )?;
        Ok(())
    }

    /// Wants to be told of a foreign window's properties, and of its end.
    pub fn watch(&self, window: Window) -> Result<(), X11Error> {
        let events = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        let aux = ChangeWindowAttributesAux::new().event_mask(events);
        self.connection.change_window_attributes(window, &aux)?;
        Ok(())
    }

    /// Does not any more.
    pub fn unwatch(&self, window: Window) -> Result<(), X11Error> {
        let aux = ChangeWindowAttributesAux::new().event_mask(EventMask::default());
        self.connection.change_window_attributes(window, &aux)?;
        Ok(())
    }

    /// Answers a request; no property says that it is refused.
    pub fn answer(&self, request: &SelectionRequestEvent, property: Atom) -> Result<(), X11Error> {
        let event = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property,
        };
        self.connection.send_event(false, request.requestor, EventMask::NO_EVENT, event)?;
        Ok(())
    }

    /// The next event that is there already.
    pub fn poll(&self) -> Result<Option<Event>, X11Error> {
        Ok(self.connection.poll_for_event()?)
    }

    /// Sends what was asked for, and waits until the server says something, the bell rings or the time is over.
    pub fn wait(&self, bell: &Bell, timeout: Duration) -> Result<(), X11Error> {
        self.connection.flush()?;
        let timeout = Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let socket = self.connection.stream().as_fd();
        let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::IN), PollFd::new(&bell.0, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(X11Error::Wait(error.into())),
        }
        if !fds[1].revents().is_empty() {
            bell.quieten();
        }
        Ok(())
    }
}
