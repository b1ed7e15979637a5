//! Decision: networks as CIDR writes them, and which lies in which.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// Reads `10.0.0.0/8` or `fd00::/8`, and a single address as a network of one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, prefix.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                (address, width(address))
            }
        };
        (prefix <= width(address)).then_some(Self { address, prefix })
    }

    /// Whether the other lies in this one, or is the same.
    pub(super) fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix
            && match (self.address, other.address) {
                (IpAddr::V4(mine), IpAddr::V4(its)) => {
                    let mask = u32::MAX.checked_shl(u32::from(32 - self.prefix)).unwrap_or(0);
                    mine.to_bits() & mask == its.to_bits() & mask
                }
                (IpAddr::V6(mine), IpAddr::V6(its)) => {
                    let mask = u128::MAX.checked_shl(u32::from(128 - self.prefix)).unwrap_or(0);
                    mine.to_bits() & mask == its.to_bits() & mask
                }
                _ => false,
            }
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn width(address: IpAddr) -> u8 {
    // An address has 32 or 128 bits, which fit.
    (if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS }) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_contains_itself_and_what_is_smaller_and_of_its_family() {
        let contains =
            |one: &str, other: &str| Subnet::parse(one).unwrap().contains(Subnet::parse(other).unwrap());
        for (one, other) in [
            ("0.0.0.0/0", "169.254.169.254/32"),
            ("10.0.0.0/8", "10.96.0.1"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::/0", "fd00:ec2::254/128"),
            ("192.0.2.1", "192.0.2.1/32"),
        ] {
            assert!(contains(one, other), "{one} {other}");
        }
        for (one, other) in
            [("10.0.0.0/8", "11.0.0.0/16"), ("10.0.0.0/16", "10.0.0.0/8"), ("::/0", "10.0.0.0/8")]
        {
            assert!(!contains(one, other), "{one} {other}");
        }
        for text in ["10.0.0.0/33", "10.0.0/8", "::/129", "all", ""] {
            assert_eq!(Subnet::parse(text), None, "{text}");
        }
    }
}
