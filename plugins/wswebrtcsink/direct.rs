//! Decision: the direct paths that are offered: which addresses of this machine, and under which other addresses they are
//! reached (1-to-1 NAT, as clouds and port-forwarding routers have it).

use std::{net::IpAddr, str::FromStr};

/// Addresses that one consumer's agent listens on. Each costs sockets and checks; machines with hundreds of virtual
/// interfaces have a filter for them.
pub const MAX_ADDRESSES: usize = 32;

/// Which ways are direct.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectPaths {
    /// First and last port.
    pub ports: Ports,
    /// Addresses of ours that only others see.
    pub announced: Vec<String>,
    /// Names of interfaces, or networks; all if empty.
    pub interfaces: Vec<String>,
}

/// A range of ports; with the defaults of GstWebRTCICE, 0 and 65535, any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// First.
    pub min: u16,
    /// Last.
    pub max: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { min: 0, max: u16::MAX }
    }
}

impl DirectPaths {
    /// Whether all of it makes sense.
    pub fn check(&self) -> Result<(), String> {
        let Ports { min, max } = self.ports;
        if min > max {
            return Err(format!("min-rtp-port is {min} and max-rtp-port {max}: no port is in between"));
        }
        for address in &self.announced {
            address
                .parse::<IpAddr>()
                .map_err(|_| format!("announced-addresses: \"{address}\" is no IP address"))?;
        }
        for interface in &self.interfaces {
            interface.parse::<Filter>().map_err(|why| format!("interfaces: \"{interface}\": {why}"))?;
        }
        Ok(())
    }

    /// The addresses to listen on, of all that this machine has: (interface, address).
    pub fn select(&self, all: &[(String, IpAddr)]) -> Result<Vec<IpAddr>, String> {
        let filters: Vec<Filter> = self.interfaces.iter().filter_map(|text| text.parse().ok()).collect();
        let mut selected = Vec::new();
        for (name, address) in all {
            // A link-local address means nothing without its link, which a candidate cannot name.
            let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
            let wanted = filters.is_empty() || filters.iter().any(|filter| filter.takes(name, *address));
            if wanted && !is_link_local && !selected.contains(address) {
                selected.push(*address);
            }
        }
        selected.truncate(MAX_ADDRESSES);
        if selected.is_empty() && !filters.is_empty() {
            let names: Vec<_> = all.iter().map(|(name, address)| format!("{name} {address}")).collect();
            return Err(format!(
                "none of the interfaces {} is there; this machine has {}",
                self.interfaces.join(", "),
                names.join(", ")
            ));
        }
        Ok(selected)
    }

    /// The candidates by which others reach the address of this one: (RFC 8839, 5.1) of the type server-reflexive, since
    /// that is what a STUN server at their place would see. The port is the same, as in 1-to-1 NAT.
    pub fn announced_for(&self, candidate: &str) -> Vec<String> {
        let own = Host::parse(candidate);
        let addresses = self.announced.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        let others = addresses
            .enumerate()
            .filter_map(|(index, announced)| own.as_ref()?.announced_as(announced, index));
        others.collect()
    }
}

/// What an entry of `interfaces` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    Name(String),
    Network(IpAddr, u8),
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "an interface's name such as eth0, an address, or a network such as 10.0.0.0/8 is taken";
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        if let Ok(address) = address.parse::<IpAddr>() {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| wrong)?;
            return if prefix <= bits { Ok(Self::Network(address, prefix)) } else { Err(wrong.into()) };
        }
        // Linux: at most 15 bytes, no slash and no white space.
        let is_name =
            (1..16).contains(&text.len()) && !text.contains(|c: char| c == '/' || c.is_whitespace());
        if is_name { Ok(Self::Name(text.to_owned())) } else { Err(wrong.into()) }
    }
}

impl Filter {
    fn takes(&self, name: &str, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Name(wanted), _) => wanted == name,
            (Self::Network(IpAddr::V4(network), prefix), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            (Self::Network(IpAddr::V6(network), prefix), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                (network.to_bits() ^ address.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// Whether this may stand in `interfaces`: a name, an address, or a network.
pub fn check_interface(text: &str) -> Result<(), String> {
    text.parse::<Filter>().map(|_| ())
}

/// A host candidate.
struct Host<'a> {
    foundation: &'a str,
    component: &'a str,
    transport: &'a str,
    priority: u32,
    address: IpAddr,
    port: u16,
    extensions: Vec<&'a str>,
}

/// Recommended type preference of server-reflexive candidates (RFC 8445, 5.1.2.2).
const SERVER_REFLEXIVE_PREFERENCE: u32 = 100;

impl<'a> Host<'a> {
    fn parse(candidate: &'a str) -> Option<Self> {
        let fields: Vec<&str> = candidate.strip_prefix("candidate:")?.split_ascii_whitespace().collect();
        let [foundation, component, transport, priority, address, port, "typ", "host", ref extensions @ ..] =
            fields[..]
        else {
            return None;
        };
        Some(Self {
            foundation,
            component,
            transport,
            priority: priority.parse().ok()?,
            address: address.parse().ok()?,
            port: port.parse().ok()?,
            extensions: extensions.to_vec(),
        })
    }

    fn announced_as(&self, announced: IpAddr, index: usize) -> Option<String> {
        // What dials out needs no address, and nobody is sent to our loopback from outside.
        let is_active = self.extensions.windows(2).any(|pair| pair == ["tcptype", "active"]);
        let same_family = self.address.is_ipv4() == announced.is_ipv4();
        if is_active || !same_family || self.address.is_loopback() || self.address == announced {
            return None;
        }
        let Self { foundation, component, transport, address, port, .. } = self;
        // The local preference and the component stay; only the type is another.
        let priority = SERVER_REFLEXIVE_PREFERENCE << 24 | self.priority & 0x00ff_ffff;
        // Another type has another foundation (RFC 8445, 5.1.1.3): at most 32 letters and digits.
        let foundation: String = format!("{foundation}a{index}").chars().rev().take(32).collect();
        let foundation: String = foundation.chars().rev().collect();
        let mut line = format!(
            "candidate:{foundation} {component} {transport} {priority} {announced} {port} typ srflx raddr {address} rport {port}"
        );
        for extension in &self.extensions {
            line.push(' ');
            line += extension;
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(announced: &[&str], interfaces: &[&str]) -> DirectPaths {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        DirectPaths { announced: owned(announced), interfaces: owned(interfaces), ..DirectPaths::default() }
    }

    fn machine() -> Vec<(String, IpAddr)> {
        [
            ("lo", "127.0.0.1"),
            ("eth0", "10.0.0.5"),
            ("eth0", "2001:db8::5"),
            ("eth0", "fd00::5"),
            ("eth0", "fe80::5"),
            ("docker0", "172.17.0.1"),
        ]
        .map(|(name, address)| (name.into(), address.parse().unwrap()))
        .into()
    }

    fn selected(interfaces: &[&str]) -> Vec<String> {
        let addresses = paths(&[], interfaces).select(&machine()).unwrap();
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_addresses_are_listened_on_but_link_local_ones() {
        assert_eq!(selected(&[]), ["127.0.0.1", "10.0.0.5", "2001:db8::5", "fd00::5", "172.17.0.1"]);
    }

    #[test]
    fn interfaces_are_chosen_by_name_by_address_or_by_network() {
        assert_eq!(selected(&["eth0"]), ["10.0.0.5", "2001:db8::5", "fd00::5"]);
        assert_eq!(selected(&["10.0.0.0/8", "fd00::/8"]), ["10.0.0.5", "fd00::5"]);
        assert_eq!(selected(&["0.0.0.0/0"]), ["127.0.0.1", "10.0.0.5", "172.17.0.1"]);
        assert_eq!(selected(&["172.17.0.1", "lo"]), ["127.0.0.1", "172.17.0.1"]);
        let err = paths(&[], &["wlan0"]).select(&machine()).unwrap_err();
        assert!(err.contains("wlan0") && err.contains("eth0 10.0.0.5"), "{err}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (paths, wanted) in [
            (DirectPaths { ports: Ports { min: 9, max: 8 }, ..DirectPaths::default() }, "min-rtp-port is 9"),
            (paths(&["example.com"], &[]), "announced-addresses: \"example.com\""),
            (paths(&[], &["10.0.0.0/33"]), "interfaces: \"10.0.0.0/33\""),
            (paths(&[], &["a name with spaces"]), "interfaces"),
            (paths(&[], &[""]), "interfaces"),
        ] {
            let err = paths.check().unwrap_err();
            assert!(err.contains(wanted), "{err}");
        }
        assert!(paths(&["192.0.2.1", "2001:db8::1"], &["eth0", "::/0", "10.1.2.3"]).check().is_ok());
    }

    #[test]
    fn host_candidate_is_offered_under_the_announced_address_of_its_family_as_well() {
        let paths = paths(&["192.0.2.1", "2001:db8:1::1"], &[]);
        assert_eq!(
            paths.announced_for("candidate:1 1 UDP 2015363327 10.0.0.5 54321 typ host"),
            // 100 × 2^24 + (2015363327 mod 2^24)
            ["candidate:1a0 1 UDP 1679819007 192.0.2.1 54321 typ srflx raddr 10.0.0.5 rport 54321"]
        );
        assert_eq!(2_015_363_327 % (1 << 24) + 100 * (1 << 24), 1_679_819_007);
        let v6 = paths.announced_for("candidate:7 1 UDP 2015363327 fd00::5 54321 typ host");
        assert_eq!(
            v6,
            ["candidate:7a1 1 UDP 1679819007 2001:db8:1::1 54321 typ srflx raddr fd00::5 rport 54321"]
        );
    }

    #[test]
    fn passive_tcp_keeps_its_kind_and_active_tcp_is_not_announced() {
        let paths = paths(&["192.0.2.1"], &[]);
        let passive =
            paths.announced_for("candidate:3 1 TCP 1010827775 10.0.0.5 50001 typ host tcptype passive");
        assert_eq!(passive.len(), 1);
        assert!(passive[0].ends_with("typ srflx raddr 10.0.0.5 rport 50001 tcptype passive"), "{passive:?}");
        assert!(
            paths.announced_for("candidate:2 1 TCP 1015021823 10.0.0.5 9 typ host tcptype active").is_empty()
        );
    }

    #[test]
    fn nothing_is_made_of_other_candidates_loopback_or_what_is_announced_already() {
        let paths = paths(&["192.0.2.1"], &[]);
        for candidate in [
            "",
            "candidate:1 1 UDP 2015363327 127.0.0.1 54321 typ host",
            "candidate:1 1 UDP 2015363327 192.0.2.1 54321 typ host",
            "candidate:4 1 UDP 1677722111 203.0.113.9 54321 typ srflx raddr 10.0.0.5 rport 54321",
            "candidate:1 1 UDP many 10.0.0.5 54321 typ host",
            "a line",
        ] {
            assert!(paths.announced_for(candidate).is_empty(), "{candidate}");
        }
    }
}
