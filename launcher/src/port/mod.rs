//! Shell: the one TCP port: HTTP/1.1, HTTP/2, WebSockets, TLS and TURN on it, told apart by their first bytes. It takes the
//! connections and keeps their number in bounds; it refuses what speaks none of these.
//!
//! ```text
//! accept ─▶ places ─▶ first bytes ┬─ TLS ─▶ first bytes ┬─▶ HTTP: guard, routes
//!                                 ├─ HTTP ──────────────┤
//!                                 └─ STUN ──────────────┴─▶ relay
//! ```

mod connection;
pub mod first_bytes;
pub mod places;
mod prefixed;
pub mod tls;

use crate::{error::Error, http::service::Service, turn::Relay};
use connection::Connection;
use places::{Id, Places, Settled};
use socket2::{SockRef, TcpKeepalive};
use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tls::Certificate;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinHandle},
};
use tokio_rustls::TlsAcceptor;
use vdi_protocol::reason::FailureReason;

/// Pause after a failed accept: the usual cause, no file descriptors left, does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A peer that vanished, as in a network that changed, is found out in a minute.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;
/// Bytes that the kernel keeps before the network takes them: what is old when it leaves. 16 KiB are two frames of a
/// desktop in motion, or 16 ms at 8 Mbit/s.
const UNSENT: u32 = 16 * 1024;

/// A byte stream of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why connections were closed that had not been let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// They said too little in time.
    Silent,
    /// They speak nothing that is served here.
    Garbage,
    /// The TLS handshake failed.
    Handshake,
    /// Newer ones came.
    Displaced,
    /// There was no place for one more of their kind.
    Full,
}

impl Closed {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Silent, "silent"),
        (Self::Garbage, "garbage"),
        (Self::Handshake, "handshake"),
        (Self::Displaced, "displaced"),
        (Self::Full, "full"),
    ];
}

/// How many connections were closed, by reason; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<[AtomicU64; Closed::ALL.len()]>);

impl Counters {
    fn count(&self, why: Closed) {
        self.0[why as usize].fetch_add(1, Relaxed);
    }

    /// Name of the reason, and how often.
    pub fn get(&self) -> Vec<(&'static str, u64)> {
        Closed::ALL.iter().map(|(why, name)| (*name, self.0[*why as usize].load(Relaxed))).collect()
    }
}

/// Binds a port that this option names. The error names the address, the cause and the option.
pub async fn bind(address: IpAddr, port: u16, option: &str) -> Result<TcpListener, Error> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address).await.map_err(|err| {
        let advice = match err.kind() {
            io::ErrorKind::AddrNotAvailable => "; --addr takes an address of this machine".into(),
            _ => format!("; {option} takes another port, and with 0 any that is free"),
        };
        Error::new(FailureReason::PortUnavailable, format!("cannot listen on {address}: {err}{advice}"))
    })
}

/// What is served on the port.
pub struct Services {
    /// HTTP.
    pub http: Service,
    /// TLS.
    pub certificate: Certificate,
    /// STUN and TURN; such connections are closed if none.
    pub relay: Option<Relay>,
    /// Where closed connections are counted.
    pub counters: Counters,
}

/// The server; it runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on a bound port.
    pub fn start(listener: TcpListener, services: Services) -> Result<Self, Error> {
        let (stop, stopped) = watch::channel(false);
        let tls = services.certificate.acceptor()?;
        let Services { http, relay, counters, .. } = services;
        let port = Arc::new(Port { http, tls, relay, counters, seats: Mutex::default(), stopped });
        let task = tokio::spawn(accept(listener, port));
        Ok(Self { stop, task })
    }

    /// Takes no more connections and ends those that are there.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

/// What all connections share.
struct Port {
    http: Service,
    tls: TlsAcceptor,
    relay: Option<Relay>,
    counters: Counters,
    seats: Mutex<Seats>,
    stopped: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Seats {
    places: Places,
    tasks: HashMap<Id, AbortHandle>,
}

impl Port {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server is told to stop.
    async fn told(&self) {
        let mut stopped = self.stopped.clone();
        // An error says that the server is gone, which comes to the same. The value itself must not live on: it is a lock.
        let _ = stopped.wait_for(|stopped| *stopped).await.map(drop);
    }

    /// Takes a connection, and drops an older one if it has to.
    fn seat(self: &Arc<Self>, stream: TcpStream, from: SocketAddr) {
        // The task cannot leave before it has been noted: its seat needs the same lock for that.
        let mut seats = self.seats();
        let (id, dropped) = seats.places.arrive(from.ip());
        if let Some(task) = dropped.and_then(|dropped| seats.tasks.remove(&dropped)) {
            self.counters.count(Closed::Displaced);
            task.abort();
        }
        let seat = Seat { port: self.clone(), id };
        let task = tokio::spawn(Connection::new(seat, from).serve(stream));
        seats.tasks.insert(id, task.abort_handle());
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("seats", &self.seats).finish_non_exhaustive()
    }
}

/// The place of one connection; dropping it frees the place.
#[derive(Debug)]
struct Seat {
    port: Arc<Port>,
    id: Id,
}

impl Seat {
    /// Keeps the place, as this kind.
    fn settle(&self, kind: Settled) -> bool {
        let kept = self.port.seats().places.settle(self.id, kind);
        if !kept {
            self.port.counters.count(Closed::Full);
        }
        kept
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.port.seats();
        seats.places.leave(self.id);
        seats.tasks.remove(&self.id);
    }
}

async fn accept(listener: TcpListener, port: Arc<Port>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = port.told() => return,
        };
        match accepted {
            Ok((stream, from)) => {
                tune(&stream);
                port.seat(stream, from);
            }
            Err(err) => {
                tracing::warn!("a connection could not be taken: {err}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Sets what makes a TCP connection quick; one that refuses is served all the same.
fn tune(stream: &TcpStream) {
    // Signalling is small messages back and forth; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_PROBES);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}
