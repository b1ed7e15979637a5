//! Decision: the numbers of the built-in TURN server for Prometheus, `vdi_turn_*`.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use vdi_protocol::status::TurnStatus;

type Labels = Vec<(&'static str, String)>;

/// Adds them to the registry.
pub fn register(registry: &mut Registry, turn: &TurnStatus) {
    let allocations: Gauge = Gauge::default();
    allocations.set(i64::try_from(turn.allocations).unwrap_or(i64::MAX));
    registry.register("vdi_turn_allocations", "Allocations of the TURN server now", allocations);
    let total: Counter = Counter::default();
    total.inc_by(turn.allocations_total);
    registry.register("vdi_turn_allocations_made", "Allocations since the start", total);
    let [refused, bytes, dropped] = std::array::from_fn(|_| Family::<Labels, Counter>::default());
    for (reason, count) in &turn.refused {
        refused.get_or_create(&vec![("reason", reason.clone())]).inc_by(*count);
    }
    for (transport, traffic) in &turn.traffic {
        let ways = [("from_client", traffic.bytes_from_clients), ("to_client", traffic.bytes_to_clients)];
        for (direction, count) in ways {
            let labels = vec![("direction", direction.to_owned()), ("transport", transport.clone())];
            bytes.get_or_create(&labels).inc_by(count);
        }
        dropped.get_or_create(&vec![("transport", transport.clone())]).inc_by(traffic.packets_dropped);
    }
    registry.register("vdi_turn_refused", "What the TURN server refused, by reason", refused);
    registry.register("vdi_turn_relayed_bytes", "Relayed bytes, without what they are wrapped in", bytes);
    registry.register(
        "vdi_turn_dropped_packets",
        "Packets that were too many, too late or too much",
        dropped,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use vdi_protocol::status::TurnTraffic;

    #[test]
    fn the_servers_figures_stand_under_their_names() {
        let traffic = TurnTraffic { bytes_from_clients: 10, bytes_to_clients: 2000, packets_dropped: 3 };
        let status = TurnStatus {
            udp_port: Some(3478),
            allocations: 2,
            allocations_total: 5,
            refused: [("forged".into(), 7)].into(),
            traffic: [("tls".into(), traffic)].into(),
        };
        let mut registry = Registry::default();
        register(&mut registry, &status);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "vdi_turn_allocations 2",
            "vdi_turn_allocations_made_total 5",
            r#"vdi_turn_refused_total{reason="forged"} 7"#,
            r#"vdi_turn_relayed_bytes_total{direction="to_client",transport="tls"} 2000"#,
            r#"vdi_turn_relayed_bytes_total{direction="from_client",transport="tls"} 10"#,
            r#"vdi_turn_dropped_packets_total{transport="tls"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
