//! Setup: what all clients of the server share, and the one handle on it that the rest of the launcher holds.

use super::{Limits, Minter, Peers, Secret, Transport, client::Rules, stream, udp};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Instant,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UdpSocket,
};
use vdi_protocol::status::TurnStatus;

/// The built-in TURN server. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Relay(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Arc<Rules>,
    /// 0 while there is no UDP listener.
    udp_port: AtomicU16,
}

impl Relay {
    /// A server that admits whom this secret's credentials name, and relays to these peers.
    pub fn new(secret: Secret, peers: Peers, limits: Limits) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the server begins now; its clients are told the time")]
        let rules = Rules::new(secret, peers, limits, Instant::now());
        Self(Arc::new(Inner { rules: Arc::new(rules), udp_port: AtomicU16::new(0) }))
    }

    /// Mints credentials, and is told which consumers are there.
    pub fn minter(&self) -> &Minter {
        &self.0.rules.minter
    }

    /// The addresses that are relayed to.
    pub fn peers(&self) -> &Peers {
        &self.0.rules.peers
    }

    /// The port on which the UDP listener is up, if it is.
    pub fn udp_port(&self) -> Option<u16> {
        Some(self.0.udp_port.load(Relaxed)).filter(|port| *port != 0)
    }

    /// What it has done so far.
    pub fn status(&self) -> TurnStatus {
        TurnStatus { udp_port: self.udp_port(), ..self.0.rules.counters.status() }
    }

    /// Serves one client on a stream whose first bytes are a STUN message, until the stream ends.
    pub async fn serve_stream<S>(&self, stream: S, from: SocketAddr, local: SocketAddr, transport: Transport)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        stream::serve(self.0.rules.clone(), stream, from, local, transport).await;
    }

    /// Serves all clients of a UDP port, until the future is dropped.
    pub async fn serve_udp(&self, socket: UdpSocket) {
        let port = socket.local_addr().map_or(0, |address| address.port());
        self.0.udp_port.store(port, Relaxed);
        udp::serve(self.0.rules.clone(), socket).await;
    }
}
