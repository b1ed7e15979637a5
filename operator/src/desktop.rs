//! The wire between the operator's verbs: a session and its template that have been found to fit each other.
//!
//! `validate` is the only maker of a [`Desktop`]; what is built from it needs no further checks.

use crate::api::{Quantity, VDITemplateSpec};
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

/// How long a desktop may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// From its start.
    pub timeout: Duration,
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
