//! Decision: desktops that wait, started, for a session to claim them.

use super::{metadata, pod, secret};
use crate::{api::VDITemplate, credentials::Credentials};
use k8s_openapi::api::core::v1::{Pod, Secret};
use vdi_protocol::session_limits;

/// A desktop that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Password and TURN credentials, which are renewed while it waits too.
    pub secret: Secret,
    /// The pod.
    pub pod: Pod,
}

/// A desktop that waits under this name, of [`crate::names::pool_pod`]; `None` if the template has no pool.
pub fn pool(template: &VDITemplate, name: &str, credentials: &Credentials) -> Option<Pooled> {
    let spec = &template.spec;
    let namespace = &spec.warm_pool.as_ref()?.namespace;
    let mut of_pod = metadata::pooled(template, namespace, name);
    // The file is there from the start; what it says comes with the session.
    let no_limits = metadata::texts([(session_limits::ANNOTATION, "{}".to_owned())]);
    pod::annotate(&mut of_pod, template.metadata.generation.unwrap_or_default(), no_limits);
    let parts = pod::Parts {
        spec,
        gpu: spec.default_gpu(),
        memory: &spec.resources.default_memory,
        cpu: &spec.resources.default_cpu,
        name,
        // Not looked at: a template with a pool keeps no homes.
        home: name,
    };
    Some(Pooled {
        secret: secret::filled(metadata::pooled(template, namespace, name), credentials),
        pod: Pod { metadata: of_pod, spec: Some(pod::pod_spec(&parts)), status: None },
    })
}
