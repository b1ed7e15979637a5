//! Decision: how often an address may give a wrong password. Time is an argument.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Wrong passwords in one [`WINDOW`] after which an address has to wait. With 100 bits of password the exact figure
/// matters little; a person who mistypes needs a few.
pub const MAX_FAILURES: u32 = 10;
/// Time after which failures are forgotten.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond that the one whose window began first is forgotten.
pub const MAX_ADDRESSES: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Duration,
    failures: u32,
}

/// The failures of all addresses.
#[derive(Debug, Default)]
pub struct Limiter {
    windows: HashMap<IpAddr, Window>,
}

impl Limiter {
    /// How long this address has to wait before it may try again; none if it may try now.
    pub fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let window = self.windows.get(&network(address))?;
        let left = (window.began + WINDOW).checked_sub(now)?;
        (window.failures >= MAX_FAILURES && !left.is_zero()).then_some(left)
    }

    /// This address has given a wrong password.
    pub fn failed(&mut self, address: IpAddr, now: Duration) {
        let address = network(address);
        if !self.windows.contains_key(&address) && self.windows.len() >= MAX_ADDRESSES {
            self.forget(now);
        }
        let window = self.windows.entry(address).or_insert(Window { began: now, failures: 0 });
        if now.saturating_sub(window.began) >= WINDOW {
            *window = Window { began: now, failures: 0 };
        }
        window.failures += 1;
    }

    /// This address has given the right password.
    pub fn succeeded(&mut self, address: IpAddr) {
        self.windows.remove(&network(address));
    }

    fn forget(&mut self, now: Duration) {
        self.windows.retain(|_, window| now.saturating_sub(window.began) < WINDOW);
        if self.windows.len() >= MAX_ADDRESSES
            && let Some(oldest) =
                self.windows.iter().min_by_key(|(_, window)| window.began).map(|(key, _)| *key)
        {
            self.windows.remove(&oldest);
        }
    }
}

/// One customer of a provider gets a /64 of IPv6 addresses, so that is what counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(limiter: &mut Limiter, address: &str, times: u32, now: Duration) {
        for _ in 0..times {
            limiter.failed(address.parse().unwrap(), now);
        }
    }

    #[test]
    fn tenth_failure_within_a_minute_makes_the_address_wait_for_the_rest_of_it() {
        let mut limiter = Limiter::default();
        let address = "192.0.2.1".parse().unwrap();
        fail(&mut limiter, "192.0.2.1", 9, s(100));
        assert_eq!(limiter.wait(address, s(110)), None);
        fail(&mut limiter, "192.0.2.1", 1, s(110));
        assert_eq!(limiter.wait(address, s(110)), Some(s(50)));
        assert_eq!(limiter.wait("192.0.2.2".parse().unwrap(), s(110)), None, "others may go on");
        assert_eq!(limiter.wait(address, s(160)), None);
    }

    #[test]
    fn success_forgets_the_failures_before_it() {
        let mut limiter = Limiter::default();
        let address = "192.0.2.1".parse().unwrap();
        fail(&mut limiter, "192.0.2.1", 9, s(0));
        limiter.succeeded(address);
        fail(&mut limiter, "192.0.2.1", 9, s(1));
        assert_eq!(limiter.wait(address, s(1)), None);
    }

    #[test]
    fn ipv6_neighbours_count_as_one_and_a_mapped_address_is_its_ipv4_address() {
        let mut limiter = Limiter::default();
        for host in 1..=10 {
            fail(&mut limiter, &format!("2001:db8:1:2::{host:x}"), 1, s(0));
        }
        assert!(limiter.wait("2001:db8:1:2:ffff::1".parse().unwrap(), s(1)).is_some());
        fail(&mut limiter, "::ffff:192.0.2.9", 10, s(0));
        assert!(limiter.wait("192.0.2.9".parse().unwrap(), s(1)).is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = Limiter::default();
        for index in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 10 {
            limiter.failed(IpAddr::from(index.to_be_bytes()), s(index.into()) / 1000);
        }
        assert_eq!(limiter.windows.len(), MAX_ADDRESSES);
    }
}
