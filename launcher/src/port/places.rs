//! Decision: who may stay when many connect. A connection that nobody has let in yet takes one of a few places, and has to
//! leave it for a newer one when they run out; one that was let in keeps its own.
//!
//! ```text
//! arrive ─▶ Unknown ──settle(Http | Relay)──▶ settled ─▶ leave
//!              └── dropped: the oldest of the address that has most
//! ```

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

/// Places for connections that have not been let in: enough for the pages of a few people who all connect at once.
const UNKNOWN: usize = 128;
/// Of those, for one address. Behind a proxy everybody has the same.
const UNKNOWN_PER_ADDRESS: usize = 64;
/// Connections of HTTP that were let in. A page needs two or three; the rest is room for tabs and scrapers.
const HTTP: usize = 384;
/// Connections that carry STUN and TURN; each consumer has one or two.
const RELAY: usize = 128;

/// Names a connection; a later one has a greater number.
pub type Id = u64;

/// What a connection turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// HTTP, and let in.
    Http,
    /// STUN or TURN.
    Relay,
}

#[derive(Debug)]
struct Place {
    /// The address, or the part of it that one party has.
    from: IpAddr,
    settled: Option<Settled>,
}

/// All places.
#[derive(Debug, Default)]
pub struct Places {
    taken: BTreeMap<Id, Place>,
    next: Id,
}

impl Places {
    /// A connection has come. The second is one that has to go for it.
    pub fn arrive(&mut self, from: IpAddr) -> (Id, Option<Id>) {
        let from = party(from);
        let dropped = self.surplus(from);
        if let Some(dropped) = dropped {
            self.taken.remove(&dropped);
        }
        let id = self.next;
        self.next += 1;
        self.taken.insert(id, Place { from, settled: None });
        (id, dropped)
    }

    /// A connection is let in, or is for the relay; false if there is no such place left, or if it has been dropped.
    pub fn settle(&mut self, id: Id, kind: Settled) -> bool {
        let most = match kind {
            Settled::Http => HTTP,
            Settled::Relay => RELAY,
        };
        let there = self.taken.values().filter(|place| place.settled == Some(kind)).count();
        match self.taken.get_mut(&id) {
            Some(place) if place.settled == Some(kind) => true,
            Some(place) if there < most => {
                place.settled = Some(kind);
                true
            }
            _ => false,
        }
    }

    /// A connection has ended.
    pub fn leave(&mut self, id: Id) {
        self.taken.remove(&id);
    }

    /// Who has to go for one more from this address.
    fn surplus(&self, from: IpAddr) -> Option<Id> {
        let mut by_party: BTreeMap<IpAddr, (usize, Id)> = BTreeMap::new();
        let mut unknown = 0;
        for (id, place) in self.taken.iter().filter(|(_, place)| place.settled.is_none()) {
            unknown += 1;
            by_party.entry(place.from).or_insert((0, *id)).0 += 1;
        }
        match by_party.get(&from) {
            Some((count, oldest)) if *count >= UNKNOWN_PER_ADDRESS => Some(*oldest),
            _ if unknown >= UNKNOWN => by_party.values().max_by_key(|(count, _)| *count).map(|(_, id)| *id),
            _ => None,
        }
    }
}

/// Whoever has one IPv6 address has the 64 bits behind it as well.
fn party(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn one_address_displaces_only_its_own_connections_oldest_first() {
        let mut places = Places::default();
        let (guest, _) = places.arrive(address(1));
        let flood: Vec<_> = (0..200).map(|_| places.arrive(address(2))).collect();
        assert!(flood[..UNKNOWN_PER_ADDRESS].iter().all(|(_, dropped)| dropped.is_none()));
        for (number, (_, dropped)) in flood[UNKNOWN_PER_ADDRESS..].iter().enumerate() {
            assert_eq!(*dropped, Some(flood[number].0));
        }
        assert!(places.settle(guest, Settled::Http), "the guest was never in danger");
    }

    #[test]
    fn many_addresses_displace_those_of_the_greediest() {
        let mut places = Places::default();
        let greedy: Vec<_> = (0..UNKNOWN_PER_ADDRESS).map(|_| places.arrive(address(1)).0).collect();
        let others = 2..UNKNOWN as u8;
        let dropped: Vec<_> = others.filter_map(|number| places.arrive(address(number)).1).collect();
        assert_eq!(dropped[..], greedy[..dropped.len()], "the oldest of address 1, in order");
        assert_eq!(dropped.len(), UNKNOWN_PER_ADDRESS - 2);
    }

    #[test]
    fn who_was_let_in_keeps_the_place() {
        let mut places = Places::default();
        let (page, _) = places.arrive(address(1));
        assert!(places.settle(page, Settled::Http));
        for _ in 0..1000 {
            assert_ne!(places.arrive(address(1)).1, Some(page));
        }
        assert!(places.settle(page, Settled::Http), "a second request changes nothing");
    }

    #[test]
    fn kinds_have_their_own_limits_and_a_dropped_connection_has_no_place() {
        let mut places = Places::default();
        for _ in 0..RELAY {
            let (id, _) = places.arrive(address(1));
            assert!(places.settle(id, Settled::Relay));
        }
        let (id, _) = places.arrive(address(1));
        assert!(!places.settle(id, Settled::Relay), "the relay is full");
        assert!(places.settle(id, Settled::Http), "and the page is not");
        places.leave(id);
        assert!(!places.settle(id, Settled::Http));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_party() {
        let mut places = Places::default();
        let from = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host));
        let first = places.arrive(from(1)).0;
        let dropped: Vec<_> =
            (0..UNKNOWN_PER_ADDRESS).filter_map(|n| places.arrive(from(n as u16)).1).collect();
        assert_eq!(dropped, [first]);
        assert_eq!(party("::ffff:192.0.2.1".parse().unwrap()), address(1));
    }
}
