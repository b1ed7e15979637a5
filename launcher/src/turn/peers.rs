//! Decision: whom the server relays to. Exactly the UDP addresses that this process's own ICE agents receive on, each for
//! its own consumer; every other address, and every other port of the same address, is refused.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Addresses of one consumer. An agent has one per address of the machine and one per STUN server; beyond that the
/// oldest is forgotten, such as that of a peer connection that another has replaced.
const MAX_PER_CONSUMER: usize = 64;
/// Consumers with addresses; four times what a launcher serves at most.
const MAX_CONSUMERS: usize = 1024;

/// The addresses that are relayed to, by consumer. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Peers(Arc<RwLock<BTreeMap<String, Vec<SocketAddr>>>>);

impl Peers {
    /// An own candidate of this consumer's ICE agent. What can be no such thing is ignored.
    pub fn add(&self, consumer: &str, address: SocketAddr) {
        let address = canonical(address);
        if !is_ours_at_all(address) {
            return;
        }
        let mut peers = self.write();
        if peers.len() >= MAX_CONSUMERS && !peers.contains_key(consumer) {
            return;
        }
        let known = peers.entry(consumer.to_owned()).or_default();
        if known.contains(&address) {
            return;
        }
        if known.len() >= MAX_PER_CONSUMER {
            known.remove(0);
        }
        known.push(address);
    }

    /// The same, as the agent words it: a candidate line of SDP.
    pub fn add_candidate(&self, consumer: &str, line: &str) {
        if let Some(address) = candidate_address(line) {
            self.add(consumer, address);
        }
    }

    /// This consumer has gone: nothing is relayed to its agent any more.
    pub fn forget(&self, consumer: &str) {
        self.write().remove(consumer);
    }

    /// Whether data may be relayed between this consumer's page and this address.
    pub fn allows(&self, consumer: &str, address: SocketAddr) -> bool {
        let address = canonical(address);
        self.read().get(consumer).is_some_and(|known| known.contains(&address))
    }

    /// Whether a permission may be made: a permission is for all ports of an address (RFC 8656, 9), and a client may
    /// leave the port out, but one that it names must be right. Data is held to the port all the same.
    pub fn permits(&self, consumer: &str, address: SocketAddr) -> bool {
        if address.port() != 0 {
            return self.allows(consumer, address);
        }
        let ip = address.ip().to_canonical();
        self.read().get(consumer).is_some_and(|known| known.iter().any(|known| known.ip() == ip))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Vec<SocketAddr>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Vec<SocketAddr>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `::ffff:192.0.2.1` is 192.0.2.1, however it is written.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// No ICE agent receives on a link-local address without its link, on no address at all, or on everybody's. Metadata
/// services of clouds are link-local.
fn is_ours_at_all(address: SocketAddr) -> bool {
    let ip_is_good = match address.ip() {
        IpAddr::V4(ip) => {
            !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.is_link_local())
        }
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()),
    };
    ip_is_good && address.port() != 0
}

/// The address of a UDP candidate that the agent itself receives on: `host`, or `srflx`, which its router passes on to it.
/// A STUN server tells the latter, and nobody outside can see this machine as `127.0.0.1`.
fn candidate_address(line: &str) -> Option<SocketAddr> {
    let line = line.strip_prefix("a=").unwrap_or(line);
    let mut words = line.strip_prefix("candidate:")?.split_ascii_whitespace();
    let transport = words.nth(2)?;
    let address: IpAddr = words.nth(1)?.parse().ok()?;
    let port: u16 = words.next()?.parse().ok()?;
    let kind = (words.next()? == "typ").then(|| words.next()).flatten()?;
    let ours = match kind {
        "host" => true,
        "srflx" => !address.to_canonical().is_loopback(),
        _ => false,
    };
    (ours && transport.eq_ignore_ascii_case("udp")).then(|| SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_exact_address_of_the_same_consumer_is_relayed_to() {
        let peers = Peers::default();
        peers.add("c1", at("192.0.2.1:40000"));
        assert!(peers.allows("c1", at("192.0.2.1:40000")));
        for other in
            ["192.0.2.1:40001", "192.0.2.2:40000", "127.0.0.1:40000", "169.254.169.254:80", "[::1]:40000"]
        {
            assert!(!peers.allows("c1", at(other)), "{other}");
        }
        assert!(!peers.allows("c2", at("192.0.2.1:40000")), "another consumer");
        peers.forget("c1");
        assert!(!peers.allows("c1", at("192.0.2.1:40000")), "after the end");
    }

    #[test]
    fn an_ipv4_address_in_the_clothes_of_ipv6_is_the_same_address() {
        let peers = Peers::default();
        peers.add("c1", at("[::ffff:192.0.2.1]:40000"));
        assert!(peers.allows("c1", at("192.0.2.1:40000")));
        assert!(peers.allows("c1", at("[::ffff:192.0.2.1]:40000")));
        assert!(!peers.allows("c1", at("[::ffff:127.0.0.1]:40000")));
        assert!(!peers.allows("c1", at("[::192.0.2.1]:40000")), "that one is something else");
        assert!(!peers.allows("c1", at("[64:ff9b::192.0.2.1]:40000")), "and so is a NAT64's");
    }

    #[test]
    fn a_permission_may_leave_the_port_out_but_not_name_another() {
        let peers = Peers::default();
        peers.add("c1", at("192.0.2.1:40000"));
        assert!(peers.permits("c1", at("192.0.2.1:0")) && peers.permits("c1", at("192.0.2.1:40000")));
        assert!(!peers.permits("c1", at("192.0.2.1:40001")) && !peers.permits("c1", at("192.0.2.9:0")));
        assert!(!peers.allows("c1", at("192.0.2.1:0")), "no data without a port");
    }

    #[test]
    fn what_can_be_no_candidate_of_ours_is_never_relayed_to() {
        let peers = Peers::default();
        for address in [
            "0.0.0.0:1",
            "255.255.255.255:1",
            "224.0.0.1:1",
            "169.254.169.254:80",
            "[fe80::1]:1",
            "[::]:1",
            "[ff02::1]:1",
            "[::ffff:169.254.169.254]:80",
            "192.0.2.1:0",
        ] {
            peers.add("c1", at(address));
            assert!(!peers.allows("c1", at(address)), "{address}");
        }
    }

    #[test]
    fn candidates_are_read_as_agents_write_them() {
        for (line, address) in [
            ("candidate:1 1 UDP 2015363327 192.0.2.1 40000 typ host", Some("192.0.2.1:40000")),
            ("a=candidate:1 1 udp 2015363327 192.0.2.1 40000 typ host generation 0", Some("192.0.2.1:40000")),
            ("candidate:2 1 UDP 2015363327 127.0.0.1 40000 typ host", Some("127.0.0.1:40000")),
            ("candidate:3 1 UDP 2015363327 2001:db8::1 40000 typ host", Some("[2001:db8::1]:40000")),
            (
                "candidate:4 1 UDP 1677722111 203.0.113.9 50000 typ srflx raddr 192.0.2.1 rport 40000",
                Some("203.0.113.9:50000"),
            ),
            ("candidate:5 1 UDP 1677722111 127.0.0.1 53 typ srflx raddr 192.0.2.1 rport 40000", None),
            ("candidate:6 1 UDP 1677722111 203.0.113.9 50000 typ relay raddr 192.0.2.1 rport 40000", None),
            ("candidate:7 1 UDP 1677722111 203.0.113.9 50000 typ prflx raddr 192.0.2.1 rport 40000", None),
            ("candidate:8 1 TCP 1015021823 192.0.2.1 9 typ host tcptype active", None),
            ("candidate:9 1 UDP 2015363327 9b36eaac.local 40000 typ host", None),
            ("candidate:9 1 UDP 2015363327 192.0.2.1 70000 typ host", None),
            ("candidate:", None),
            ("", None),
        ] {
            assert_eq!(candidate_address(line), address.map(at), "{line}");
        }
    }

    #[test]
    fn addresses_are_bounded_and_the_oldest_goes() {
        let peers = Peers::default();
        for port in 1..=MAX_PER_CONSUMER as u16 + 1 {
            peers.add("c1", SocketAddr::new([192, 0, 2, 1].into(), port));
        }
        assert!(!peers.allows("c1", at("192.0.2.1:1")) && peers.allows("c1", at("192.0.2.1:2")));
        for number in 0..MAX_CONSUMERS + 5 {
            peers.add(&number.to_string(), at("192.0.2.1:1"));
        }
        assert_eq!(peers.read().len(), MAX_CONSUMERS);
    }
}
