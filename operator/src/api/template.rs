//! The wire: `VDITemplate`, a kind of desktop that the administrator offers, with the limits that no session can pass.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a type and a path")]

use super::{Network, Policy, Quantity, Toleration};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What its desktops are made of, and what they may do.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vdi.kasm.io",
    version = "v1alpha1",
    kind = "VDITemplate",
    plural = "vditemplates",
    singular = "vditemplate",
    shortname = "vdit",
    derive = "PartialEq",
    doc = "A kind of desktop that sessions are made from: its image, what it gets by default, and the limits that no session can pass. A change reaches a session when its pod is made anew.",
    printcolumn(name = "Display Name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(
        name = "GPU",
        type_ = "string",
        json_path = ".spec.gpu.mode",
        description = "How a desktop gets its GPU"
    ),
    printcolumn(
        name = "Warm Pool",
        type_ = "integer",
        json_path = ".spec.warmPool.size",
        description = "Desktops that wait for a session"
    ),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.gpu.mode != 'none' || self.encoderPolicy != 'require-hardware'").message("cannot be require-hardware where gpu.mode is none").field_path(".encoderPolicy"),
    validation = Rule::new("self.gpu.mode != 'shared' || self.resources.defaultGPU <= 1").message("must be 0 or 1 where gpu.mode is shared: a second slice may be of another GPU, and brings nothing").field_path(".resources.defaultGPU"),
    validation = Rule::new("!has(self.policy.limits.gpu) || self.gpu.mode == 'none' || self.resources.defaultGPU <= self.policy.limits.gpu").message("must not be above policy.limits.gpu").field_path(".resources.defaultGPU"),
    validation = Rule::new("!has(self.policy.limits.memory) || !isQuantity(string(self.resources.defaultMemory)) || !isQuantity(string(self.policy.limits.memory)) || quantity(string(self.resources.defaultMemory)).compareTo(quantity(string(self.policy.limits.memory))) <= 0").message("must not be above policy.limits.memory").field_path(".resources.defaultMemory"),
    validation = Rule::new("!has(self.policy.limits.cpu) || !isQuantity(string(self.resources.defaultCPU)) || !isQuantity(string(self.policy.limits.cpu)) || quantity(string(self.resources.defaultCPU)).compareTo(quantity(string(self.policy.limits.cpu))) <= 0").message("must not be above policy.limits.cpu").field_path(".resources.defaultCPU"),
    validation = Rule::new("!has(self.warmPool) || self.warmPool.size == 0 || self.storage.persistence == 'none'").message("needs storage.persistence none: a pod that waits for its user cannot mount that user's home").field_path(".warmPool"),
    validation = Rule::new("!has(self.warmPool) || self.warmPool.size == 0 || self.gpu.mode != 'dra'").message("cannot be used where gpu.mode is dra").field_path(".warmPool")
)]
pub struct VDITemplateSpec {
    /// Container image with desktop, launcher and plugin.
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9][a-zA-Z0-9._/:@-]*$')").message("must be a reference to an image such as registry.example.com/vdi/desktop:1.0"))]
    pub image: String,
    /// When the image is pulled.
    #[serde(default)]
    pub image_pull_policy: PullPolicy,
    /// Secrets in the session's namespace with which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 253)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(name, !format.dns1123Subdomain().validate(name).hasValue())").message("must be names of Secrets: lower-case letters, digits, hyphens and dots")
    )]
    pub image_pull_secrets: Vec<String>,
    /// Name for people.
    #[schemars(length(min = 1, max = 100))]
    pub display_name: String,
    /// A few sentences for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub description: Option<String>,
    /// What a desktop gets if its session does not say.
    #[serde(default)]
    pub resources: TemplateResources,
    /// Program that is the desktop, with its arguments; the image's own if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Variables of the desktop's environment, the launcher's options (`SELKIES_*`) among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,
    /// How a desktop gets its GPU.
    #[serde(default)]
    pub gpu: GpuPolicy,
    /// What happens when no hardware encoder works.
    #[serde(default)]
    pub encoder_policy: EncoderPolicy,
    /// Where `/home/user` is kept.
    #[serde(default)]
    pub storage: Storage,
    /// What people may do, and for how long.
    #[serde(default)]
    pub policy: Policy,
    /// What a desktop may reach beside DNS and TURN.
    #[serde(default)]
    pub network: Network,
    /// Labels that the node must have.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    #[schemars(schema_with = "node_selector")]
    #[x_kube(validation = Rule::new("self.all(key, !format.qualifiedName().validate(key).hasValue() && !format.labelValue().validate(self[key]).hasValue())").message("must be labels of nodes, such as nvidia.com/gpu.product: NVIDIA-L4"))]
    pub node_selector: std::collections::BTreeMap<String, String>,
    /// Taints that the pod tolerates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Name of the RuntimeClass, such as `nvidia`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()").message("must be the name of a RuntimeClass: lower-case letters, digits, hyphens and dots"))]
    pub runtime_class_name: Option<String>,
    /// Name of the PriorityClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()").message("must be the name of a PriorityClass: lower-case letters, digits, hyphens and dots"))]
    pub priority_class_name: Option<String>,
    /// Desktops that wait, started, for sessions to claim them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_pool: Option<WarmPool>,
}

/// Bounded values, so that the cost of the rule about them is bounded too.
fn node_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

impl VDITemplateSpec {
    /// GPUs of a desktop whose session does not say.
    pub fn default_gpu(&self) -> i32 {
        if self.gpu.mode == GpuMode::None { 0 } else { self.resources.default_gpu }
    }
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// If the node does not have it.
    #[default]
    IfNotPresent,
    /// At each start.
    Always,
    /// Never: it must be on the node.
    Never,
}

/// What a desktop gets if its session does not say.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateResources {
    /// GPUs, or slices of one. Without effect where `gpu.mode` is none.
    #[serde(rename = "defaultGPU", default = "default_gpu")]
    #[schemars(range(min = 0, max = 16))]
    pub default_gpu: i32,
    /// Memory.
    #[serde(default = "default_memory")]
    #[schemars(schema_with = "super::quantity::memory")]
    pub default_memory: Quantity,
    /// Processors.
    #[serde(rename = "defaultCPU", default = "default_cpu")]
    #[schemars(schema_with = "super::quantity::cpu")]
    pub default_cpu: Quantity,
}

fn default_gpu() -> i32 {
    1
}

fn default_memory() -> Quantity {
    "4Gi".into()
}

fn default_cpu() -> Quantity {
    "2".into()
}

impl Default for TemplateResources {
    fn default() -> Self {
        Self { default_gpu: default_gpu(), default_memory: default_memory(), default_cpu: default_cpu() }
    }
}

/// A variable of the desktop's environment: a value, or the key of a Secret.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.value) != has(self.secretKeyRef)").message("needs either value or secretKeyRef"),
    validation = Rule::new("!has(self.value) || !self.name.matches('(PASSWORD|SECRET|TOKEN)$')").message("a secret has no place in a template: use secretKeyRef")
)]
pub struct EnvVar {
    /// Its name.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z_][A-Za-z0-9_]*$')").message("must be the name of a variable: letters, digits and underscores"),
        validation = Rule::new("!(self in ['SELKIES_ADDR', 'SELKIES_PORT', 'SELKIES_BASIC_AUTH_USER', 'SELKIES_BASIC_AUTH_PASSWORD', 'SELKIES_ENABLE_BASIC_AUTH', 'SELKIES_RTC_CONFIG_JSON', 'SELKIES_ENCODER_POLICY', 'SELKIES_SESSION_LIMITS', 'SELKIES_ENABLE_METRICS_HTTP', 'SELKIES_METRICS_HTTP_PORT', 'HOME', 'XDG_RUNTIME_DIR', 'DISPLAY', 'PULSE_SERVER', 'NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES'])").message("is set by the operator itself")
    )]
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// The key of a Secret in the session's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKey>,
}

/// A key of a Secret.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()").message("must be the name of a Secret: lower-case letters, digits, hyphens and dots"))]
    pub name: String,
    /// Its key.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("must be a key of a Secret: letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

/// How a desktop gets its GPU.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'mig' || has(self.migProfile)").message("must be given where mode is mig, such as 1g.10gb").field_path(".migProfile"),
    validation = Rule::new("self.mode == 'mig' || !has(self.migProfile)").message("is for mode mig only").field_path(".migProfile"),
    validation = Rule::new("self.mode == 'dra' || !has(self.deviceClassName)").message("is for mode dra only").field_path(".deviceClassName"),
    validation = Rule::new("self.mode in ['exclusive', 'shared', 'mig'] || !has(self.resourceName)").message("is for modes exclusive, shared and mig only").field_path(".resourceName")
)]
pub struct GpuPolicy {
    /// The way.
    #[serde(default)]
    pub mode: GpuMode,
    /// The extended resource, where the device plugin names it otherwise: `nvidia.com/gpu.shared` for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')").message("must be an extended resource such as nvidia.com/gpu.shared"))]
    pub resource_name: Option<String>,
    /// Profile of the MIG device, such as `1g.10gb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]+g[.][0-9]+gb$')").message("must be a MIG profile such as 1g.10gb"))]
    pub mig_profile: Option<String>,
    /// Group ids that own the GPU's device files on the nodes, where not everybody may open them:
    /// `stat -c %g /dev/dri/renderD128`. NVIDIA's need none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(range(min = 1, max = 2_147_483_647)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<i64>,
    /// DeviceClass for dynamic resource allocation; `gpu.nvidia.com` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()").message("must be the name of a DeviceClass: lower-case letters, digits, hyphens and dots"))]
    pub device_class_name: Option<String>,
}

/// The ways to a GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GpuMode {
    /// None: software encodes.
    None,
    /// A whole one, by the device plugin.
    Exclusive,
    /// A time slice of one, by the device plugin.
    #[default]
    Shared,
    /// A MIG device.
    Mig,
    /// Dynamic resource allocation.
    Dra,
}

/// What happens when no hardware encoder works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderPolicy {
    /// Software encodes, with a warning.
    #[default]
    PreferHardware,
    /// The session fails with GPU_INIT_ERROR.
    RequireHardware,
    /// Hardware is not looked for.
    Software,
}

/// Where `/home/user` is kept.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Whether the home outlives the pod.
    #[serde(default)]
    pub persistence: Persistence,
    /// Its size.
    #[serde(default = "default_size")]
    #[schemars(schema_with = "super::quantity::storage")]
    pub size: Quantity,
    /// Its StorageClass; the cluster's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()").message("must be the name of a StorageClass: lower-case letters, digits, hyphens and dots"))]
    pub storage_class_name: Option<String>,
    /// What becomes of it when the session is deleted.
    #[serde(default)]
    pub retention: Retention,
}

fn default_size() -> Quantity {
    "10Gi".into()
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            persistence: Persistence::default(),
            size: default_size(),
            storage_class_name: None,
            retention: Retention::default(),
        }
    }
}

/// Whether a home outlives the pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Persistence {
    /// A PersistentVolumeClaim for each user and template.
    #[default]
    Claim,
    /// The home is gone with the pod.
    None,
}

/// What becomes of a home when its session is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// It stays, and the same user's next session of this template finds it again.
    #[default]
    Retain,
    /// It is deleted with the session.
    Delete,
}

/// Desktops that wait, started, for sessions to claim them.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarmPool {
    /// How many wait.
    #[schemars(range(min = 0, max = 100))]
    pub size: i32,
    /// The namespace in which they wait, and whose sessions may claim them.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("must be the name of a namespace"))]
    pub namespace: String,
}
