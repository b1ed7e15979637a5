//! Decision: desktops that wait, started, for a session to claim them.

use super::{metadata, secret};
use crate::{api::VDITemplate, credentials::Credentials, settings::Settings};
use k8s_openapi::api::{
    core::v1::{Pod, Secret},
    networking::v1::NetworkPolicy,
};

/// A desktop that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Password and TURN credentials, which are renewed while it waits too.
    pub secret: Secret,
    /// The pod.
    pub pod: Pod,
}

/// A desktop that waits under this name, of [`crate::names::pool_pod`]; `None` if the template has no pool.
pub fn pool(
    template: &VDITemplate,
    settings: &Settings,
    name: &str,
    credentials: &Credentials,
) -> Option<Pooled> {
    let _ = settings;
    let pool = template.spec.warm_pool.as_ref()?;
    let metadata = metadata::pooled(template, &pool.namespace, name);
    Some(Pooled {
        secret: secret::filled(metadata.clone(), credentials),
        pod: Pod { metadata, spec: None, status: None },
    })
}

/// The policy for a template's desktops while they wait, and for as long as there is the template; `None` if it has no pool.
pub fn pool_network(template: &VDITemplate, settings: &Settings) -> Option<NetworkPolicy> {
    let _ = settings;
    let pool = template.spec.warm_pool.as_ref()?;
    let name = crate::names::pool_policy(template.metadata.name.as_deref().unwrap_or_default());
    Some(NetworkPolicy { metadata: metadata::pooled(template, &pool.namespace, &name), spec: None })
}
