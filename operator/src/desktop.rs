//! The wire between the operator's verbs: a session and its template that have been found to fit each other.
//!
//! `validate` is the only maker of a [`Desktop`]; what is built from it needs no further checks.

use crate::api::{Persistence, Quantity, VDITemplateSpec};
use std::time::Duration;

/// What a session asks for, with every default filled in and every limit kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Desktop {
    /// Name of the session.
    pub session: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// Whose it is.
    pub user: String,
    /// Name of the template.
    pub template: String,
    /// Generation of the template.
    pub template_generation: i64,
    /// What the template says.
    pub spec: VDITemplateSpec,
    /// GPUs or slices.
    pub gpu: i32,
    /// Memory.
    pub memory: Quantity,
    /// Limit of processors.
    pub cpu: Quantity,
    /// How long it may live.
    pub limits: Spans,
    /// Name of the host under the domain, without the domain: `alice`.
    pub host: String,
}

impl Desktop {
    /// Whether a desktop that waits in the template's pool would do: it is in the same namespace, keeps no home, and has
    /// what the template gives by default.
    pub fn fits_pool(&self) -> bool {
        let spec = &self.spec;
        let pool = spec.warm_pool.as_ref().filter(|pool| pool.size > 0 && pool.namespace == self.namespace);
        let given = &spec.resources;
        pool.is_some()
            && spec.storage.persistence == Persistence::None
            && self.gpu == spec.default_gpu()
            && self.memory.value() == given.default_memory.value()
            && self.cpu.value() == given.default_cpu.value()
    }
}

/// How long a desktop may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// From its start.
    pub timeout: Duration,
    /// By how much that may be extended in all.
    pub extensions: Duration,
    /// Without input.
    pub idle: Option<Duration>,
    /// Without a page.
    pub disconnected: Option<Duration>,
}

/// Why session and template do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// Reason of the conditions Valid and Ready, in CamelCase: `TemplateNotFound`, `AboveLimit`, `HomeInUse`.
    pub reason: &'static str,
    /// A sentence that names what was wrong and what is accepted.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use crate::test_data::desktop;

    #[test]
    fn only_what_the_template_gives_by_default_fits_a_pool() {
        let pool = "{storage: {persistence: none}, warmPool: {size: 2, namespace: team-a}}";
        assert!(desktop("{}", pool).fits_pool());
        assert!(desktop("{resources: {memory: 4096Mi}}", pool).fits_pool());
        assert!(!desktop("{resources: {memory: 8Gi}}", pool).fits_pool());
        assert!(!desktop("{resources: {gpu: 0}}", pool).fits_pool());
        for other in [
            "{}",
            "{storage: {persistence: none}, warmPool: {size: 2, namespace: team-b}}",
            "{storage: {persistence: none}, warmPool: {size: 0, namespace: team-a}}",
        ] {
            assert!(!desktop("{}", other).fits_pool(), "{other}");
        }
    }
}
