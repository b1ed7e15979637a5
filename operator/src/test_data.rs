//! Setup: what the unit tests begin with: a session, a template and an administrator's settings, each with what a test
//! adds as YAML.

use crate::{
    api::{VDISession, VDITemplate},
    credentials::{Credentials, TurnCredentials},
    desktop::Desktop,
    settings::{Peer, Settings, Turn},
    validate,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A session `work` of alice, with these fields in its spec.
pub fn session(spec: &str) -> VDISession {
    object(
        json!({
            "apiVersion": "vdi.kasm.io/v1alpha1",
            "kind": "VDISession",
            "metadata": { "name": "work", "namespace": "team-a", "uid": "6f1c0a52-0000-4000-8000-000000000001" },
            "spec": { "user": "alice@example.com", "template": "office" },
        }),
        spec,
    )
}

/// A template `office`, with these fields in its spec.
pub fn template(spec: &str) -> VDITemplate {
    object(
        json!({
            "apiVersion": "vdi.kasm.io/v1alpha1",
            "kind": "VDITemplate",
            "metadata": { "name": "office", "uid": "6f1c0a52-0000-4000-8000-000000000002", "generation": 3 },
            "spec": { "image": "registry.example.com/vdi/desktop:1.0", "displayName": "Office" },
        }),
        spec,
    )
}

/// The desktop of both.
pub fn desktop(of_session: &str, of_template: &str) -> Desktop {
    validate::desktop(&session(of_session), &template(of_template), "alice").unwrap()
}

/// A small installation: Traefik and the operator in the cluster, no TURN servers.
pub fn settings() -> Settings {
    let peer = |namespace: &str, name: &str| Peer {
        namespace: namespace.to_owned(),
        labels: [("app.kubernetes.io/name".to_owned(), name.to_owned())].into(),
    };
    Settings {
        domain: "vdi.example.com".to_owned(),
        entry_point: "websecure".to_owned(),
        tls_secret: None,
        cert_resolver: None,
        middlewares: vec![],
        traefik: peer("traefik", "traefik"),
        traefik_networks: vec![],
        operator: peer("vdi-system", "vdi-operator"),
        turn: None,
        forbidden_networks: vec!["169.254.169.254/32".to_owned(), "10.96.0.1/32".to_owned()],
    }
}

/// TURN servers on the hosts' network.
pub fn turn() -> Turn {
    Turn {
        hosts: vec!["turn.example.com".to_owned()],
        port: 3478,
        tls_port: None,
        shared_secret: "north".to_owned(),
        lifetime: Duration::from_secs(3600),
        peer: None,
        networks: vec!["203.0.113.7/32".to_owned()],
    }
}

/// Secrets that a snapshot may show.
pub fn credentials() -> Credentials {
    Credentials { username: "user".to_owned(), password: "not-random".to_owned(), turn: None }
}

/// Secrets with those of TURN servers.
pub fn credentials_with_turn() -> Credentials {
    let turn = TurnCredentials { rtc: "{}".to_owned(), expires_at: "2026-11-21T10:00:00Z".parse().unwrap() };
    Credentials { turn: Some(turn), ..credentials() }
}

fn object<T: serde::de::DeserializeOwned>(mut object: Value, spec: &str) -> T {
    let more: serde_json::Map<String, Value> = serde_saphyr::from_str(spec).unwrap();
    object["spec"].as_object_mut().unwrap().extend(more);
    serde_json::from_value(object).unwrap()
}
