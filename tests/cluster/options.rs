//! Shell: what the operator says at its start of options that are wrong or misspelt.

use crate::{
    control_plane::with_cluster,
    place::Place,
    proxy::Proxy,
    wait::{SOON, until},
};

#[test]
fn option_that_is_wrong_ends_it_with_a_sentence() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "wrong").await;
        let proxy = Proxy::start(cluster.client.clone(), &place.name, cluster.nodes.loopback().first()).await;
        let options = ["--turn-networks=10.0.0.0", "--tls-secret=one", "--cert-resolver=two"];
        let program = place.operator_through(&proxy, &options, &[]);
        let status = until("its end", SOON, async || program.ended().ok_or("it runs")).await;
        assert!(!status.success());
        let log = program.log();
        assert!(log.contains("10.0.0.0/32") && log.contains("--tls-secret and --cert-resolver"), "{log}");
    });
}

#[test]
fn misspelt_variable_is_told_and_those_of_services_are_not() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "misspelt").await;
        let proxy = Proxy::start(cluster.client.clone(), &place.name, cluster.nodes.loopback().first()).await;
        let variables = [
            ("VDI_TREAFIK_NAMESPACE", "kube-system"),
            ("VDI_OPERATOR_SERVICE_HOST", "10.96.7.7"),
            ("VDI_OPERATOR_PORT_8081_TCP", "tcp://10.96.7.7:8081"),
        ];
        let program = place.operator_through(&proxy, &[], &variables);
        until("its work", SOON, async || {
            let log = program.log();
            if log.contains("looking after 0 sessions of 0 templates") { Ok(()) } else { Err(log) }
        })
        .await;
        let log = program.log();
        assert!(
            log.contains("VDI_TREAFIK_NAMESPACE") && log.contains("Is VDI_TRAEFIK_NAMESPACE meant?"),
            "{log}"
        );
        assert!(!log.contains("VDI_OPERATOR_"), "{log}");
    });
}
