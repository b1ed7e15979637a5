//! Decision: one allocation: how long it lives, whom it has permissions for, which channels it has, how much it carries.
//! And the places that all of them take.

use super::{
    counters::Counters,
    limits::{Bucket, Limits, MAX_PERMISSIONS, REQUESTS_PER_SECOND},
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use stun_proto::types::{
    attribute::ErrorCode,
    message::{IntegrityKey, TransactionId},
};

/// How long a permission holds (RFC 8656, 9).
const PERMISSION_LIFE: Duration = Duration::from_secs(300);
/// How long a channel holds (RFC 8656, 12).
const CHANNEL_LIFE: Duration = Duration::from_secs(600);

/// One allocation.
#[derive(Debug)]
pub struct Allocation {
    username: String,
    consumer: String,
    key: IntegrityKey,
    relayed: SocketAddr,
    transaction: TransactionId,
    until: Instant,
    permissions: Vec<(IpAddr, Instant)>,
    channels: Vec<Channel>,
    bytes: Bucket,
    requests: Bucket,
    _place: Place,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    until: Instant,
}

impl Allocation {
    /// An allocation of this user (name, consumer, key), on this socket, made by this request.
    pub fn new(
        (username, consumer, key): (String, String, IntegrityKey),
        (relayed, transaction): (SocketAddr, TransactionId),
        until: Instant,
        bytes_per_second: u64,
        place: Place,
        now: Instant,
    ) -> Self {
        Self {
            username,
            consumer,
            key,
            relayed,
            transaction,
            until,
            permissions: Vec::new(),
            channels: Vec::new(),
            // A quarter of a second at once: a key frame is a burst.
            bytes: Bucket::new(bytes_per_second, bytes_per_second / 4, now),
            requests: Bucket::new(REQUESTS_PER_SECOND, 2 * REQUESTS_PER_SECOND, now),
            _place: place,
        }
    }

    /// The user who made it; nobody else may change it.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Whose session it belongs to.
    pub fn consumer(&self) -> &str {
        &self.consumer
    }

    /// What its messages are signed with.
    pub fn key(&self) -> &IntegrityKey {
        &self.key
    }

    /// Its relay socket.
    pub fn relayed(&self) -> SocketAddr {
        self.relayed
    }

    /// The request that made it.
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// Whether it has expired.
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// For how long it lives without a refresh.
    pub fn seconds_left(&self, now: Instant) -> u32 {
        u32::try_from(self.until.saturating_duration_since(now).as_secs()).unwrap_or(u32::MAX)
    }

    /// It lives on.
    pub fn refresh(&mut self, until: Instant) {
        self.until = until;
    }

    /// Whether another request is answered now.
    pub fn takes_request(&mut self, now: Instant) -> bool {
        self.requests.take(1, now)
    }

    /// Whether this much more is carried now.
    pub fn carries(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes.take(bytes as u64, now)
    }

    /// Makes or renews permissions for the addresses of these peers; false if they are too many.
    pub fn permit(&mut self, peers: &[SocketAddr], now: Instant) -> bool {
        self.permissions.retain(|(_, until)| *until > now);
        for peer in peers {
            let (until, full) = (now + PERMISSION_LIFE, self.permissions.len() >= MAX_PERMISSIONS);
            match self.permissions.iter_mut().find(|(ip, _)| *ip == peer.ip()) {
                Some(known) => known.1 = until,
                None if full => return false,
                None => self.permissions.push((peer.ip(), until)),
            }
        }
        true
    }

    /// Whether there is a permission for this address.
    pub fn permits(&self, ip: IpAddr, now: Instant) -> bool {
        self.permissions.iter().any(|(known, until)| *known == ip && *until > now)
    }

    /// Binds a channel to a peer, or renews it; an error code if either has another partner.
    pub fn bind(&mut self, number: u16, peer: SocketAddr, now: Instant) -> Result<(), u16> {
        self.channels.retain(|channel| channel.until > now);
        let (until, full) = (now + CHANNEL_LIFE, self.channels.len() >= MAX_PERMISSIONS);
        let involved = |channel: &&mut Channel| channel.number == number || channel.peer == peer;
        match self.channels.iter_mut().find(involved) {
            Some(known) if (known.number, known.peer) == (number, peer) => known.until = until,
            Some(_) => return Err(ErrorCode::BAD_REQUEST),
            None if full => return Err(ErrorCode::INSUFFICIENT_CAPACITY),
            None => self.channels.push(Channel { number, peer, until }),
        }
        // A channel brings its permission with it (RFC 8656, 12.2).
        if self.permit(&[peer], now) { Ok(()) } else { Err(ErrorCode::INSUFFICIENT_CAPACITY) }
    }

    /// The peer behind a channel.
    pub fn peer_of(&self, number: u16, now: Instant) -> Option<SocketAddr> {
        let channel = self.channels.iter().find(|channel| channel.number == number && channel.until > now);
        channel.map(|channel| channel.peer)
    }

    /// The channel of a peer.
    pub fn channel_of(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let channel = self.channels.iter().find(|channel| channel.peer == peer && channel.until > now);
        channel.map(|channel| channel.number)
    }
}

/// The places that there are for allocations.
#[derive(Debug)]
pub struct Places {
    limits: Limits,
    counters: Arc<Counters>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_consumer: HashMap<String, usize>,
}

impl Places {
    /// All of them are free.
    pub fn new(limits: Limits, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self { limits, counters, taken: Mutex::default() })
    }

    /// Takes one for this consumer; an error code if there is none.
    pub fn take(self: &Arc<Self>, consumer: &str) -> Result<Place, u16> {
        let mut taken = self.taken();
        if taken.in_all >= self.limits.in_all {
            return Err(ErrorCode::INSUFFICIENT_CAPACITY);
        }
        if taken.by_consumer.get(consumer).is_some_and(|own| *own >= self.limits.per_consumer) {
            return Err(ErrorCode::ALLOCATION_QUOTA_REACHED);
        }
        taken.in_all += 1;
        *taken.by_consumer.entry(consumer.to_owned()).or_default() += 1;
        self.counters.allocations.store(taken.in_all as u64, Relaxed);
        self.counters.allocations_total.fetch_add(1, Relaxed);
        Ok(Place { places: self.clone(), consumer: consumer.to_owned() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    consumer: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.in_all -= 1;
        self.places.counters.allocations.store(taken.in_all as u64, Relaxed);
        if let Some(own) = taken.by_consumer.get_mut(&self.consumer) {
            *own -= 1;
            if *own == 0 {
                taken.by_consumer.remove(&self.consumer);
            }
        }
    }
}
