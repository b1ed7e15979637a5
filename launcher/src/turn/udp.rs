//! Shell: the UDP listener. Datagrams of one address are one client; only those with an allocation are remembered, so whoever
//! sends under a false address costs nothing. Data goes from socket to socket at once, in whichever task received it.

use super::{
    Transport,
    client::{Client, Now, Outcome, Rules},
    framing::MAX_MESSAGE,
    peers::canonical,
    socket,
    wire::{HEADROOM, TAILROOM, wrap},
};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::{net::UdpSocket, task::AbortHandle, time::MissedTickBehavior};

/// Datagrams that one task takes from its socket before others have their turn.
const BATCH: usize = 64;
/// How often it is looked for what has expired.
const TICK: Duration = Duration::from_secs(1);

/// A client with an allocation.
#[derive(Debug)]
struct Entry {
    client: Arc<Mutex<Client>>,
    relay: Arc<UdpSocket>,
    pump: AbortHandle,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Serves all clients of the socket, until the future is dropped.
pub async fn serve(rules: Arc<Rules>, listener: UdpSocket) {
    socket::enlarge(&listener);
    let listener = Arc::new(listener);
    let mut server = Server { rules, listener: listener.clone(), clients: HashMap::new() };
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ready = listener.readable() => if ready.is_err() { return },
            _ = ticks.tick() => {
                server.tick();
                continue;
            }
        }
        for _ in 0..BATCH {
            match listener.try_recv_from(&mut buffer) {
                Ok((length, from)) => server.receive(&buffer[..length], from),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                // What Linux tells here is about a datagram that was sent before.
                Err(err) => tracing::debug!("TURN over UDP: {err}"),
            }
        }
        tokio::task::yield_now().await;
    }
}

struct Server {
    rules: Arc<Rules>,
    listener: Arc<UdpSocket>,
    clients: HashMap<SocketAddr, Entry>,
}

impl Server {
    fn receive(&mut self, bytes: &[u8], from: SocketAddr) {
        let Some(entry) = self.clients.get(&from) else { return self.receive_from_stranger(bytes, from) };
        let mut client = lock(&entry.client);
        match client.receive(bytes, now()) {
            Outcome::ToPeer(peer, range) => {
                drop(client);
                if !socket::send(&entry.relay, &bytes[range], peer) {
                    self.rules.counters.dropped(Transport::Udp, 1);
                }
            }
            Outcome::Answer(answer) => {
                let gone = !client.has_allocation();
                drop(client);
                socket::send(&self.listener, &answer, from);
                if gone {
                    self.clients.remove(&from);
                }
            }
            // A client that has an allocation is not given another.
            Outcome::Allocate(_) | Outcome::Nothing | Outcome::Garbage => {}
        }
    }

    fn receive_from_stranger(&mut self, bytes: &[u8], from: SocketAddr) {
        let now = now();
        let mut client = Client::new(self.rules.clone(), Transport::Udp, from);
        match client.receive(bytes, now) {
            Outcome::Answer(answer) => {
                socket::send(&self.listener, &answer, from);
            }
            Outcome::Allocate(wanted) => {
                let relay = socket::relay(&wanted).ok();
                let relayed = relay.as_ref().and_then(|relay| relay.local_addr().ok());
                let answer = client.allocated(*wanted, relayed, now);
                if let (Some(relay), true) = (relay, client.has_allocation()) {
                    self.insert(client, relay, from);
                }
                if let Some(answer) = answer {
                    socket::send(&self.listener, &answer, from);
                }
            }
            Outcome::ToPeer(..) | Outcome::Nothing | Outcome::Garbage => {}
        }
    }

    fn insert(&mut self, client: Client, relay: UdpSocket, from: SocketAddr) {
        let (client, relay) = (Arc::new(Mutex::new(client)), Arc::new(relay));
        let pump = pump(relay.clone(), self.listener.clone(), client.clone(), self.rules.clone(), from);
        let pump = tokio::spawn(pump).abort_handle();
        tracing::debug!(client = %canonical(from), "a TURN allocation over UDP");
        self.clients.insert(from, Entry { client, relay, pump });
    }

    fn tick(&mut self) {
        let now = now();
        self.clients.retain(|_, entry| {
            let mut client = lock(&entry.client);
            client.tick(now);
            client.has_allocation()
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        tracing::debug!("the TURN server no longer listens on UDP; {} allocations end", self.clients.len());
    }
}

/// Takes what the peer sends to the relay socket to the client.
async fn pump(
    relay: Arc<UdpSocket>,
    listener: Arc<UdpSocket>,
    client: Arc<Mutex<Client>>,
    rules: Arc<Rules>,
    to: SocketAddr,
) {
    let mut buffer = vec![0; HEADROOM + MAX_MESSAGE + TAILROOM];
    while relay.readable().await.is_ok() {
        for _ in 0..BATCH {
            let received = relay.try_recv_from(&mut buffer[HEADROOM..HEADROOM + MAX_MESSAGE]);
            let (length, peer) = match received {
                Ok(received) => received,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => continue,
            };
            let wrapping = lock(&client).peer_sent(peer, length, now());
            let Some(wrapping) = wrapping else { continue };
            let message = wrap(&mut buffer, length, wrapping, false);
            if !socket::send(&listener, &buffer[message], to) {
                rules.counters.dropped(Transport::Udp, 1);
            }
        }
        tokio::task::yield_now().await;
    }
}

fn lock(client: &Mutex<Client>) -> MutexGuard<'_, Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time, which decisions take as an argument.
#[expect(clippy::disallowed_methods, reason = "this is a shell")]
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { monotonic: Instant::now(), wall }
}
