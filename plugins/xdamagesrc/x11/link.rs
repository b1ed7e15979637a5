//! Shell: the connection to an X server that never hangs: every wait for the server ends when the element is stopped, or when the
//! server has not answered for [`ANSWER_TIMEOUT`]. It refuses to know any request.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use x11rb::{
    errors::ConnectError,
    reexports::x11rb_protocol::{parse_display::parse_display, xauth},
    rust_connection::{DefaultStream, PollMode, RustConnection, Stream},
    utils::RawFdContainer,
};

/// A server that is silent for so long is taken for dead. A living one is busy with one request of another client for a fraction of
/// a second, but window managers of old grab it while a window is dragged.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Wakes the streaming thread out of its waits.
#[derive(Debug)]
pub struct Doorbell {
    fd: OwnedFd,
    stopping: AtomicBool,
}

impl Doorbell {
    /// One that nobody has rung.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { fd, stopping: AtomicBool::new(false) })
    }

    /// There is something to look at.
    pub fn ring(&self) {
        // It fails only when it has been rung 2^64 times.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Whoever waits, waits no longer; or may again.
    pub fn set_stopping(&self, stopping: bool) {
        self.stopping.store(stopping, Ordering::SeqCst);
        if stopping {
            self.ring();
        }
    }

    /// Whether the streaming thread is to come back.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn quieten(&self) {
        let mut count = [0; 8];
        // It fails when nobody has rung.
        let _ = rustix::io::read(&self.fd, &mut count);
    }
}

/// Waits until the file descriptor is ready, the bell rings or the time is over; tells whether the former is so.
fn wait(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    bell: &Doorbell,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let mut fds = [PollFd::from_borrowed_fd(fd, events), PollFd::new(&bell.fd, PollFlags::IN)];
    match rustix::event::poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if !fds[1].revents().is_empty() {
        bell.quieten();
    }
    Ok(!fds[0].revents().is_empty())
}

/// The socket.
#[derive(Debug)]
pub struct Link {
    socket: DefaultStream,
    bell: Arc<Doorbell>,
}

impl Link {
    /// Waits until the server has said something, the bell rings, or the time is over. All that has been read already must
    /// have been looked at.
    pub fn wait_for_event(&self, timeout: Option<Duration>) -> io::Result<()> {
        if !self.bell.is_stopping() {
            wait(self.socket.as_fd(), PollFlags::IN, &self.bell, timeout)?;
        }
        Ok(())
    }
}

impl AsRawFd for Link {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

impl Stream for Link {
    #[expect(clippy::disallowed_methods, reason = "this shell bounds its own wait")]
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, mode.readable());
        events.set(PollFlags::OUT, mode.writable());
        let began = Instant::now();
        loop {
            if self.bell.is_stopping() {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the element is being stopped"));
            }
            let Some(left) = ANSWER_TIMEOUT.checked_sub(began.elapsed()) else {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer any more"));
            };
            if wait(self.socket.as_fd(), events, &self.bell, Some(left))? {
                return Ok(());
            }
        }
    }

    fn read(&self, buf: &mut [u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.socket.read(buf, fds)
    }

    fn write(&self, buf: &[u8], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.socket.write(buf, fds)
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>], fds: &mut Vec<RawFdContainer>) -> io::Result<usize> {
        self.socket.write_vectored(bufs, fds)
    }
}

/// A connection whose waits are bounded.
pub type Connection = RustConnection<Link>;

/// Connects to a display; no name is `$DISPLAY`. Gives the number of the screen too.
pub fn connect(name: Option<&str>, bell: &Arc<Doorbell>) -> Result<(Connection, usize), ConnectError> {
    let parsed = parse_display(name)?;
    let screen = usize::from(parsed.screen);
    let mut failure = None;
    for address in parsed.connect_instruction() {
        match DefaultStream::connect(&address) {
            Ok((socket, (family, peer))) => {
                // Without a cookie the server decides.
                let (name, data) =
                    xauth::get_auth(family, &peer, parsed.display).ok().flatten().unwrap_or_default();
                let link = Link { socket, bell: bell.clone() };
                let connection = RustConnection::connect_to_stream_with_auth_info(link, screen, name, data)?;
                return Ok((connection, screen));
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::other("the name leads to no address")).into())
}
