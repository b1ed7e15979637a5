//! The wire: `VDITemplate`, a kind of desktop that the administrator offers, with the limits that no session can pass.

#![allow(clippy::duplicated_attributes, reason = "each printer column has a type and a path")]

use super::{Quantity, Span};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of desktop.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "vdi.kasm.io",
    version = "v1alpha1",
    kind = "VDITemplate",
    plural = "vditemplates",
    singular = "vditemplate",
    shortname = "vdit",
    category = "vdi",
    derive = "PartialEq",
    doc = "A kind of desktop that sessions are made from: its image, what it gets by default, and the limits that no session can pass. A change reaches a session when its pod is made anew.",
    printcolumn(name = "Display Name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "GPU", type_ = "string", json_path = ".spec.gpu.mode"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.gpu) || self.gpu.mode != 'none' || !has(self.resources) || self.resources.defaultGPU == 0").message("resources.defaultGPU must be 0 where gpu.mode is none"),
    validation = Rule::new("!has(self.gpu) || self.gpu.mode != 'none' || !has(self.encoderPolicy) || self.encoderPolicy != 'require-hardware'").message("encoderPolicy cannot be require-hardware where gpu.mode is none"),
    validation = Rule::new("!has(self.warmPool) || self.warmPool.size == 0 || (has(self.storage) && self.storage.persistence == 'none')").message("warmPool needs storage.persistence none: a pod that waits for its user cannot mount that user's home")
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
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: std::collections::BTreeMap<String, String>,
    /// Taints that the pod tolerates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Name of the RuntimeClass, such as `nvidia`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// Name of the PriorityClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Desktops that wait, started, for sessions to claim them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_pool: Option<WarmPool>,
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
    /// GPUs, or slices of one.
    #[serde(rename = "defaultGPU", default = "default_gpu")]
    #[schemars(range(min = 0, max = 16))]
    pub default_gpu: i32,
    /// Memory.
    #[serde(default = "default_memory")]
    pub default_memory: Quantity,
    /// Processors.
    #[serde(rename = "defaultCPU", default = "default_cpu")]
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
        validation = Rule::new("!(self in ['SELKIES_ADDR', 'SELKIES_PORT', 'SELKIES_BASIC_AUTH_USER', 'SELKIES_BASIC_AUTH_PASSWORD', 'SELKIES_ENABLE_BASIC_AUTH', 'SELKIES_RTC_CONFIG_JSON', 'SELKIES_ENCODER_POLICY', 'HOME', 'DISPLAY', 'PULSE_SERVER', 'NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES'])").message("is set by the operator itself")
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
    pub name: String,
    /// Its key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How a desktop gets its GPU.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'mig' || has(self.migProfile)").message("migProfile must be given where mode is mig"),
    validation = Rule::new("self.mode == 'mig' || !has(self.migProfile)").message("migProfile is for mode mig only"),
    validation = Rule::new("self.mode == 'dra' || !has(self.deviceClassName)").message("deviceClassName is for mode dra only")
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
    /// DeviceClass for dynamic resource allocation; `gpu.nvidia.com` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
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
    pub size: Quantity,
    /// Its StorageClass; the cluster's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
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

/// What people may do, and for how long.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Whether the clipboard is shared, and which way.
    #[serde(default)]
    pub clipboard: ClipboardPolicy,
    /// Whether files can be exchanged.
    #[serde(default = "yes")]
    pub files: bool,
    /// Whether the browser's microphone reaches the desktop.
    #[serde(default = "yes")]
    pub microphone: bool,
    /// Whether the session may be recorded.
    #[serde(default)]
    pub recording: bool,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

fn yes() -> bool {
    true
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            clipboard: ClipboardPolicy::default(),
            files: true,
            microphone: true,
            recording: false,
            limits: Limits::default(),
        }
    }
}

/// Whether the clipboard is shared, and which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClipboardPolicy {
    /// Both ways.
    #[default]
    Both,
    /// Into the desktop.
    In,
    /// Out of the desktop.
    Out,
    /// Not at all.
    None,
}

/// Bounds that no session can pass.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.minBitrate) || !has(self.maxBitrate) || self.minBitrate <= self.maxBitrate").message("minBitrate must not be above maxBitrate"))]
pub struct Limits {
    /// Longest `spec.timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Longest `spec.idleTimeout`, and its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// Longest `spec.disconnectedTimeout`, and its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_timeout: Option<Span>,
    /// Most GPUs.
    #[serde(default, rename = "gpu", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16))]
    pub gpu: Option<i32>,
    /// Most memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Most processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Least video bit rate in kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 100_000))]
    pub min_bitrate: Option<i32>,
    /// Most video bit rate in kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 100_000))]
    pub max_bitrate: Option<i32>,
    /// Most frames a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 240))]
    pub framerate: Option<i32>,
    /// Most pages connected at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub pages: Option<i32>,
}

/// What a desktop may reach beside DNS and TURN.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Networks that may be reached; none if empty. The metadata address and the API server are left out of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub egress: Vec<EgressRule>,
}

/// A network that may be reached.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EgressRule {
    /// The network, such as `10.20.0.0/16`; `0.0.0.0/0` is everything.
    #[schemars(length(max = 49))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("must be a network such as 10.20.0.0/16"))]
    pub cidr: String,
    /// Networks in it that may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 49)))]
    #[x_kube(validation = Rule::new("self.all(network, isCIDR(network))").message("must be networks such as 10.20.30.0/24"))]
    pub except: Vec<String>,
    /// Ports; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub ports: Vec<EgressPort>,
}

/// A port that may be reached.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.endPort) || self.endPort >= self.port").message("endPort must not be below port"))]
pub struct EgressPort {
    /// TCP or UDP.
    #[serde(default)]
    pub protocol: Protocol,
    /// The port.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,
    /// The last port of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub end_port: Option<i32>,
}

/// A transport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// A taint that the pod tolerates, as in a pod.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.operator) || self.operator != 'Exists' || !has(self.value)").message("value must be absent where operator is Exists"),
    validation = Rule::new("has(self.key) || (has(self.operator) && self.operator == 'Exists')").message("key may be absent only where operator is Exists")
)]
pub struct Toleration {
    /// The taint's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 316))]
    pub key: Option<String>,
    /// Equal (if absent) or Exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// NoSchedule, PreferNoSchedule or NoExecute; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The value is the same.
    Equal,
    /// The key is there.
    Exists,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods stay away if they can.
    PreferNoSchedule,
    /// Running pods leave too.
    NoExecute,
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
