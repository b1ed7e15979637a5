//! The wire: `VDISession` and `VDITemplate` in `vdi.kasm.io/v1alpha1`, as users write them and `kubectl` shows them.
//!
//! The types here are the only definition: the CRDs under `deploy/crd/` are generated from them
//! (`vdi-operator crd`), with every bound and every rule, so that the API server refuses what the operator
//! could not carry out, with a sentence that names the field.

mod crd;
mod network;
mod policy;
mod quantity;
mod session;
mod template;
mod toleration;

pub use crd::{crds, yaml};
pub use network::{EgressPort, EgressRule, Network, Protocol};
pub use policy::{ClipboardPolicy, Extensions, Limits, Policy};
pub use quantity::{Quantity, Span};
pub use session::{
    CONDITION_ENCODER, CONDITION_READY, CONDITION_SCHEDULED, CONDITION_SUSPENDED, CONDITION_VALID,
    LastFailure, Phase, Resources, VDISession, VDISessionSpec, VDISessionStatus,
};
pub use template::{
    EncoderPolicy, EnvVar, GpuMode, GpuPolicy, Persistence, PullPolicy, Retention, SecretKey, Storage,
    TemplateResources, VDITemplate, VDITemplateSpec, WarmPool,
};
pub use toleration::{TaintEffect, Toleration, TolerationOperator};

/// API group of both kinds.
pub const GROUP: &str = "vdi.kasm.io";
