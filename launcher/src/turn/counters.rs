//! Decision: what the server has done, in numbers, for status and metrics.

use super::{Refusal, Transport};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use vdi_protocol::status::{TurnStatus, TurnTraffic};

/// Numbers that only grow, except the first.
#[derive(Debug, Default)]
pub struct Counters {
    /// Allocations now.
    pub allocations: AtomicU64,
    /// Allocations since the start.
    pub allocations_total: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    traffic: [Traffic; Transport::ALL.len()],
}

#[derive(Debug, Default)]
struct Traffic {
    from_client: AtomicU64,
    to_client: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    /// Something was refused.
    pub fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    /// Bytes went from a client to its peer.
    pub fn client_sent(&self, transport: Transport, bytes: usize) {
        self.traffic[transport as usize].from_client.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes went from a peer to its client.
    pub fn client_got(&self, transport: Transport, bytes: usize) {
        self.traffic[transport as usize].to_client.fetch_add(bytes as u64, Relaxed);
    }

    /// Packets were dropped: too many, too late, or the socket was full.
    pub fn dropped(&self, transport: Transport, packets: usize) {
        self.traffic[transport as usize].dropped.fetch_add(packets as u64, Relaxed);
    }

    /// All of them, for `/status`.
    pub fn status(&self) -> TurnStatus {
        let refused = Refusal::ALL
            .map(|refusal| (refusal.as_str().to_owned(), self.refused[refusal as usize].load(Relaxed)));
        let traffic = Transport::ALL.map(|transport| {
            let traffic = &self.traffic[transport as usize];
            let told = TurnTraffic {
                bytes_from_clients: traffic.from_client.load(Relaxed),
                bytes_to_clients: traffic.to_client.load(Relaxed),
                packets_dropped: traffic.dropped.load(Relaxed),
            };
            (transport.as_str().to_owned(), told)
        });
        TurnStatus {
            udp_port: None,
            allocations: self.allocations.load(Relaxed),
            allocations_total: self.allocations_total.load(Relaxed),
            refused: BTreeMap::from(refused),
            traffic: BTreeMap::from(traffic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_and_transport_is_counted_under_its_own_name() {
        let counters = Counters::default();
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index);
            for _ in 0..=index {
                counters.refused(refusal);
            }
        }
        for (index, transport) in Transport::ALL.into_iter().enumerate() {
            assert_eq!(transport as usize, index);
            counters.client_got(transport, 100 * (index + 1));
        }
        let status = counters.status();
        assert_eq!(status.refused.len(), Refusal::ALL.len());
        assert_eq!((status.refused["expired"], status.refused["forged"]), (1, 2));
        assert_eq!(
            (status.traffic["udp"].bytes_to_clients, status.traffic["tls"].bytes_to_clients),
            (100, 300)
        );
    }
}
