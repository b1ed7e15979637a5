//! Decision: how much is enough. Bounds on allocations, on what one of them carries, and on what strangers are answered, so
//! that the server can neither be filled up nor be used to flood somebody else.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// What one server allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Allocations of one consumer. A browser makes one for each of its networks and each address of ours, and as many
    /// again for a second peer connection.
    pub per_consumer: usize,
    /// Allocations in all.
    pub in_all: usize,
    /// Bytes per second that one allocation carries, both ways together.
    pub bytes_per_second: u64,
}

impl Limits {
    /// Limits for a stream of up to this many bits per second: twice that, for repeated packets, sound, and what comes
    /// back, and 60 Mbit/s at least.
    pub fn for_bitrate(bits_per_second: u64) -> Self {
        let bits_per_second = bits_per_second.saturating_mul(2).max(60_000_000);
        Self { bytes_per_second: bits_per_second / 8, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_consumer: 32, in_all: 512, bytes_per_second: 60_000_000 / 8 }
    }
}

/// Permissions of one allocation, and channels of one: an agent has no more addresses (see `peers`).
pub const MAX_PERMISSIONS: usize = 64;
/// Requests per second of a client that has proven who it is. An agent that tries each pair of candidates makes some
/// tens at its start.
pub const REQUESTS_PER_SECOND: u64 = 100;
/// Answers per second to one address that has proven nothing yet. A browser asks once for each server and network.
const STRANGER_PER_SECOND: u64 = 20;
/// Answers per second to all such addresses. At 130 bytes each it is 0.5 Mbit/s: nobody's flood.
const STRANGERS_PER_SECOND: u64 = 500;
/// Such addresses that are told from each other; beyond that only the limit on all holds.
const MAX_STRANGERS: usize = 1024;

/// A token bucket. It holds what `burst` lets it, and fills at `rate` per second.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// In billionths, so that slow rates add up.
    left: u128,
    since: Instant,
    rate: u64,
    burst: u64,
}

const UNIT: u128 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub fn new(rate: u64, burst: u64, now: Instant) -> Self {
        Self { left: u128::from(burst) * UNIT, since: now, rate, burst }
    }

    /// Takes this much out, if it is there.
    pub fn take(&mut self, amount: u64, now: Instant) -> bool {
        self.fill(now);
        let amount = u128::from(amount) * UNIT;
        let enough = self.left >= amount;
        if enough {
            self.left -= amount;
        }
        enough
    }

    /// Whether nothing has been taken out for a while.
    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left == u128::from(self.burst) * UNIT
    }

    fn fill(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.since).as_nanos() * u128::from(self.rate);
        self.left = (self.left + grown).min(u128::from(self.burst) * UNIT);
        self.since = self.since.max(now);
    }
}

/// What those who have proven nothing are answered. The address of a datagram can be a lie, and then the answer goes to
/// somebody who never asked.
#[derive(Debug)]
pub struct Strangers {
    all: Bucket,
    by_address: HashMap<IpAddr, Bucket>,
}

impl Strangers {
    /// Nobody has asked anything.
    pub fn new(now: Instant) -> Self {
        Self {
            all: Bucket::new(STRANGERS_PER_SECOND, 2 * STRANGERS_PER_SECOND, now),
            by_address: HashMap::new(),
        }
    }

    /// Whether this address may be answered.
    pub fn may_be_answered(&mut self, address: IpAddr, now: Instant) -> bool {
        let address = network(address);
        if self.by_address.len() >= MAX_STRANGERS && !self.by_address.contains_key(&address) {
            self.by_address.retain(|_, bucket| !bucket.is_full(now));
        }
        let own = if self.by_address.len() < MAX_STRANGERS || self.by_address.contains_key(&address) {
            let full = Bucket::new(STRANGER_PER_SECOND, 5 * STRANGER_PER_SECOND, now);
            self.by_address.entry(address).or_insert(full).take(1, now)
        } else {
            true
        };
        own && self.all.take(1, now)
    }
}

/// Whoever has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        ip => ip,
    }
}

/// Time for a connection to get an allocation; what is slower holds connections for their own sake.
pub const STRANGER_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers on a connection without an allocation: a client needs two, and some more when its nonce was stale.
pub const MAX_STRANGER_ANSWERS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        Instant::now()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let now = start();
        let mut bucket = Bucket::new(1000, 2000, now);
        assert!(bucket.take(2000, now) && !bucket.take(1, now));
        assert!(bucket.take(500, now + SECOND / 2) && !bucket.take(1, now + SECOND / 2));
        assert!(
            bucket.take(2000, now + 60 * SECOND) && !bucket.take(1, now + 60 * SECOND),
            "no more than the burst"
        );
        let mut slow = Bucket::new(1, 1, now);
        assert!(slow.take(1, now));
        let taken = (1..=10_000u32).filter(|step| slow.take(1, now + *step * (SECOND / 1000))).count();
        assert_eq!(taken, 10, "looking often neither loses nor gains");
    }

    #[test]
    fn one_address_cannot_use_up_what_others_are_answered() {
        let now = start();
        let mut strangers = Strangers::new(now);
        let loud = IpAddr::from([192, 0, 2, 1]);
        let answered = (0..100_000).filter(|_| strangers.may_be_answered(loud, now)).count();
        assert_eq!(answered, 100);
        assert!(strangers.may_be_answered([192, 0, 2, 2].into(), now));
    }

    #[test]
    fn lying_about_the_address_gets_no_flood() {
        let now = start();
        let mut strangers = Strangers::new(now);
        let asked = (0..100_000u32).filter(|n| strangers.may_be_answered(n.to_be_bytes().into(), now));
        assert_eq!(asked.count() as u64, 2 * STRANGERS_PER_SECOND);
        assert!(strangers.by_address.len() <= MAX_STRANGERS);
        let later = now + 10 * SECOND;
        assert!(strangers.may_be_answered([192, 0, 2, 1].into(), later), "and it passes");
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let now = start();
        let mut strangers = Strangers::new(now);
        let answered = (0..1000u128)
            .filter(|n| strangers.may_be_answered(Ipv6Addr::from_bits((0x2001_0db8 << 96) + n).into(), now));
        assert_eq!(answered.count(), 100);
    }

    #[test]
    fn the_bound_on_bytes_grows_with_the_video() {
        assert_eq!(Limits::for_bitrate(8_000_000).bytes_per_second * 8, 60_000_000);
        assert_eq!(Limits::for_bitrate(100_000_000).bytes_per_second * 8, 200_000_000);
    }
}
