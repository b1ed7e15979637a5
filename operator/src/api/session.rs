//! The wire: `VDISession`, one person's desktop. Creating one starts it, deleting it ends it.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a type and a path")]

use super::{Quantity, Span};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Condition that sums up: the desktop runs and its URL works. What `kubectl wait --for=condition=Ready` waits for.
pub const CONDITION_READY: &str = "Ready";
/// Condition: template and session fit each other.
pub const CONDITION_VALID: &str = "Valid";
/// Condition: the pod has a node.
pub const CONDITION_SCHEDULED: &str = "Scheduled";
/// Condition: the launcher has an encoder; it names it, and says if it is software although hardware was preferred.
pub const CONDITION_ENCODER: &str = "EncoderReady";
/// Condition: the session has no pod, because `spec.suspended` says so.
pub const CONDITION_SUSPENDED: &str = "Suspended";

/// What is wanted: whose desktop, of what kind, and for how long.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vdi.kasm.io",
    version = "v1alpha1",
    kind = "VDISession",
    plural = "vdisessions",
    singular = "vdisession",
    shortname = "vdi",
    namespaced,
    status = "VDISessionStatus",
    derive = "PartialEq",
    doc = "One person's desktop: a pod with a display, sound and an encoder, behind a URL of its own. Creating one starts it, deleting it ends it.",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.user", description = "Whose desktop it is"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "Pending, Creating, Running, Terminating or Failed"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", description = "Where it is opened"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is not ready", priority = 1),
    printcolumn(name = "Template", type_ = "string", json_path = ".spec.template", priority = 1),
    printcolumn(name = "Encoder", type_ = "string", json_path = ".status.encoder", priority = 1),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expiresAt", priority = 1, description = "When it is ended in any case"),
    selectable = ".spec.user",
    selectable = ".spec.template",
    validation = Rule::new("size(self.metadata.name) <= 52").message("metadata.name must have at most 52 characters: the names of the session's objects are made from it"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be a DNS label that begins with a letter: lower-case letters, digits and hyphens, since the session's Service is named after it")
)]
#[serde(rename_all = "camelCase")]
pub struct VDISessionSpec {
    /// E-mail address of the person whose desktop it is. Their home is found again by it, and the name before the `@`
    /// becomes the host in the URL. It cannot be changed.
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]+@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$')").message("must be an e-mail address such as alice@example.com"),
        validation = Rule::new("self == oldSelf").message("cannot be changed: create another session for another user")
    )]
    pub user: String,
    /// Name of the VDITemplate that the desktop is made from. It cannot be changed.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')").message("must be the name of a VDITemplate: lower-case letters, digits, hyphens and dots"),
        validation = Rule::new("self == oldSelf").message("cannot be changed: create another session from the other template")
    )]
    pub template: String,
    /// What this desktop gets instead of what the template says. A change reaches it when its pod is made anew, as
    /// after a suspension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Longest life of the desktop, counted from its start: it is ended then, and its page warns before. Of
    /// this and the template's limit the shorter holds.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// Time without key, button or motion after which the desktop is ended; the page warns before. Of this and the
    /// template's limit the shorter holds; never if there is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// Time without a connected page after which the desktop is ended. Of this and the template's limit the shorter
    /// holds; never if there is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_timeout: Option<Span>,
    /// Whether the desktop is to have no pod. Its home, its address and this object stay; `false` starts it again.
    #[serde(default)]
    pub suspended: bool,
}

fn default_timeout() -> Span {
    "8h".into()
}

/// What one desktop gets; what is absent is the template's.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// GPUs, or slices of one. The template's `defaultGPU` if absent, which is 1 if it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16))]
    pub gpu: Option<i32>,
    /// Memory, requested and limit at once. The template's `defaultMemory` if absent, which is 4Gi if it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::quantity::memory")]
    pub memory: Option<Quantity>,
    /// Limit of processors; one of them is requested. The template's `defaultCPU` if absent, which is 2 if it says
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::quantity::cpu")]
    pub cpu: Option<Quantity>,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Phase {
    /// Nothing runs yet: the operator has not looked, the template is missing, the quota is used up, or it is
    /// suspended. The condition Ready says which.
    #[default]
    Pending,
    /// The pod is there, and is being scheduled or started.
    Creating,
    /// The desktop can be used.
    Running,
    /// It ends: it was deleted or suspended, or a limit has struck.
    Terminating,
    /// It cannot go on without a change; the condition Ready says why.
    Failed,
}

/// What the operator says of a session.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VDISessionStatus {
    /// Where it stands.
    #[serde(default)]
    pub phase: Phase,
    /// Where it is opened, once it has an address; it stays the same for the session's life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// Its Secret, in which `username` and `password` open the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// When this run of the desktop started: the first time that its pod was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it is ended because of `spec.timeout`, extensions included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// By how much whoever was in control has extended its longest time in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub extended_seconds: Option<i64>,
    /// The last key, button or motion, to a minute or a tenth of the idle limit, whichever is longer; `startTime` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_input_time: Option<Time>,
    /// Since when no page is connected; absent while one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_since: Option<Time>,
    /// The encoder at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// How often its pod was replaced after a failure within this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<i32>,
    /// When its pod was last replaced after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_restart_time: Option<Time>,
    /// UID of its pod; absent while it has none, or only one that is to go.
    #[serde(default, rename = "podUID", skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// The last failure of a pod in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Valid, Scheduled, EncoderReady and Suspended, each with a reason and a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A pod of the session that failed.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// UID of the pod, so that no failure is counted twice.
    #[serde(rename = "podUID")]
    pub pod_uid: String,
    /// Why, as the reason of the condition Ready.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Whether the session waits for a change of its spec, of its template or of the annotation
    /// `vdi.kasm.io/retry-at` before it is tried again.
    #[serde(default)]
    pub permanent: bool,
    /// Generation of the spec that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// What the pod was made from, as its annotation `vdi.kasm.io/made-from` tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<String>,
    /// The annotation `vdi.kasm.io/retry-at` at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<String>,
}
