//! Shell: the sockets. A path has one that the page's side sends to, and for each address of the page's side one that stands
//! for it before the target, so that answers find their way back. Times are the kernel's: a relay that is late reads the
//! same ones. It delays nothing.

use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        socket::{
            ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
            sockopt::{RcvBuf, ReceiveTimestampns},
        },
        time::TimeSpec,
    },
    time::{ClockId, clock_gettime},
};
use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::Duration,
};

/// Paths, and addresses of the page's side of all of them; more are refused, or not heard.
const MAX_PATHS: usize = 64;
const MAX_FLOWS: usize = 256;
/// Datagrams that are read from one socket at a time: more than it holds.
const MAX_BATCH: usize = 4096;
/// What a socket holds while the relay has no processor: 100 ms at 80 Mbit/s. The kernel may give less.
const SOCKET_BYTES: usize = 1 << 20;
/// A time stamp that is older has been overtaken by a change of the clock.
const OLDEST: Duration = Duration::from_secs(1);

/// CLOCK_MONOTONIC, which is also the browser's clock.
pub fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// Towards whom a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the page.
    Down,
    /// To the server.
    Up,
}

/// A datagram that has come.
#[derive(Debug)]
pub struct Datagram {
    /// Towards whom it goes.
    pub direction: Direction,
    /// Between whom.
    pub flow: usize,
    /// What it is.
    pub bytes: Vec<u8>,
    /// When it came.
    pub arrived: Duration,
}

#[derive(Debug)]
struct Path {
    near: UdpSocket,
    target: SocketAddr,
}

#[derive(Debug)]
struct Flow {
    path: usize,
    page: SocketAddr,
    far: UdpSocket,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Sockets {
    paths: Vec<Path>,
    flows: Vec<Flow>,
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    // More than the kernel allows is what it allows.
    let _ = setsockopt(&socket, RcvBuf, &SOCKET_BYTES);
    Ok(socket)
}

impl Sockets {
    /// Opens a path to this target, and tells at which address it begins.
    pub fn path(&mut self, near: IpAddr, target: SocketAddr) -> io::Result<SocketAddr> {
        if self.paths.len() >= MAX_PATHS {
            return Err(io::Error::other(format!("there are {MAX_PATHS} paths already")));
        }
        let near = open((near, 0).into())?;
        let address = near.local_addr()?;
        self.paths.push(Path { near, target });
        Ok(address)
    }

    /// What there is to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let near = self.paths.iter().map(|path| path.near.as_fd());
        near.chain(self.flows.iter().map(|flow| flow.far.as_fd()))
    }

    /// Everything that has come, in the order of its coming.
    pub fn receive(&mut self) -> Vec<Datagram> {
        let offset = realtime_ahead();
        let now = now();
        let arrived = |stamp: Option<Duration>| {
            let told = stamp.map_or(now, |stamp| stamp.saturating_sub(offset));
            told.clamp(now.saturating_sub(OLDEST), now)
        };
        let mut datagrams = Vec::new();
        for (flow, one) in self.flows.iter().enumerate() {
            for (bytes, _, stamp) in std::iter::from_fn(|| receive(&one.far)).take(MAX_BATCH) {
                datagrams.push(Datagram { direction: Direction::Down, flow, bytes, arrived: arrived(stamp) });
            }
        }
        for path in 0..self.paths.len() {
            for _ in 0..MAX_BATCH {
                let Some((bytes, from, stamp)) = receive(&self.paths[path].near) else { break };
                if let Some(flow) = from.and_then(|from| self.flow(path, from)) {
                    datagrams.push(Datagram {
                        direction: Direction::Up,
                        flow,
                        bytes,
                        arrived: arrived(stamp),
                    });
                }
            }
        }
        datagrams.sort_by_key(|datagram| datagram.arrived);
        datagrams
    }

    /// Hands a datagram on. One that cannot be sent is lost, as on any network.
    pub fn send(&self, direction: Direction, flow: usize, bytes: &[u8]) {
        let Some(Flow { path, page, far }) = self.flows.get(flow) else { return };
        let _ = match direction {
            Direction::Down => self.paths[*path].near.send_to(bytes, page),
            Direction::Up => far.send(bytes),
        };
    }

    fn flow(&mut self, path: usize, page: SocketAddr) -> Option<usize> {
        let known = self.flows.iter().position(|flow| flow.path == path && flow.page == page);
        if known.is_some() || self.flows.len() >= MAX_FLOWS {
            return known;
        }
        let target = self.paths[path].target;
        let any: IpAddr = match target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let far = open((any, 0).into()).ok()?;
        far.connect(target).ok()?;
        self.flows.push(Flow { path, page, far });
        Some(self.flows.len() - 1)
    }
}

/// By how much the clock of the kernel's time stamps is ahead of CLOCK_MONOTONIC.
fn realtime_ahead() -> Duration {
    let realtime = clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from);
    realtime.saturating_sub(now())
}

/// The next datagram of a socket, who has sent it and when the kernel got it.
fn receive(socket: &UdpSocket) -> Option<(Vec<u8>, Option<SocketAddr>, Option<Duration>)> {
    let mut buffer = [0; 65_536];
    loop {
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let mut control = cmsg_space!(TimeSpec);
        let flags = MsgFlags::MSG_DONTWAIT;
        let (length, from, stamp) =
            match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags) {
                Ok(message) => {
                    let stamp = message.cmsgs().ok().and_then(|mut all| {
                        all.find_map(|one| match one {
                            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                            _ => None,
                        })
                    });
                    (message.bytes, message.address.as_ref().and_then(address), stamp)
                }
                // What an earlier packet met at its target is told here; what follows it is still to be read.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => continue,
                Err(_) => return None,
            };
        return Some((buffer[..length].to_vec(), from, stamp));
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}
