//! Shell: a piece of loopback for one cluster: 127.N.0.0/16, held by a lock on its first address.
//! Addresses are never shared with another cluster on the machine, so ports are fixed and nothing races for them.

use std::net::{Ipv4Addr, TcpListener};

/// Port that is held on the first address for as long as the piece is ours.
const LOCK: u16 = 26000;

/// 127.N.0.0/16.
pub struct Loopback {
    n: u8,
    _lock: TcpListener,
}

impl Loopback {
    /// The first piece that nobody has.
    pub fn take() -> Self {
        let held = |n| Some(Self { n, _lock: TcpListener::bind((Ipv4Addr::new(127, n, 0, 1), LOCK)).ok()? });
        (1..=250).find_map(held).expect("250 clusters run on this machine, or loopback is not 127.0.0.0/8")
    }

    /// Address of the control plane.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.n, 0, 1)
    }

    /// Address of the pod with that number.
    pub fn pod(&self, number: u16) -> Ipv4Addr {
        let [high, low] = (number.checked_add(256).expect("65,000 pods were started")).to_be_bytes();
        Ipv4Addr::new(127, self.n, high, low)
    }
}
