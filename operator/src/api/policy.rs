//! The wire: what people may do on a template's desktops, and the bounds that no session can pass.

use super::{Quantity, Span};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
    /// Whether the browser's camera reaches the desktop, where its pods get a v4l2loopback device.
    #[serde(default = "yes")]
    pub webcam: bool,
    /// Whether the session may be recorded, where the variable SELKIES_RECORDING_DIR names a folder.
    #[serde(default)]
    pub recording: bool,
    /// Bounds that no session can pass.
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
            webcam: true,
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
#[x_kube(validation = Rule::new("!has(self.minBitrate) || !has(self.maxBitrate) || self.minBitrate <= self.maxBitrate").message("must not be above maxBitrate").field_path(".minBitrate"))]
pub struct Limits {
    /// Longest life: of this and the session's `timeout` the shorter holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// By how much, and how often, whoever is in control may extend the longest life by a click in the warning before its end; nobody
    /// may if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Extensions>,
    /// Longest time without input: of this and the session's `idleTimeout` the shorter holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// Longest time without a page: of this and the session's `disconnectedTimeout` the shorter holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_timeout: Option<Span>,
    /// Most GPUs; a session that asks for more is refused.
    #[serde(default, rename = "gpu", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16))]
    pub gpu: Option<i32>,
    /// Most memory; a session that asks for more is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::quantity::memory")]
    pub memory: Option<Quantity>,
    /// Most processors; a session that asks for more is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::quantity::cpu")]
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

/// Extensions of the longest life, beyond every other bound of it.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.by.matches('^([0-9]+([.][0-9]+)?(h|m|s))+$') || (duration(self.by) >= duration('10m') && duration(self.by) <= duration('24h'))").message("must be between 10m and 24h").field_path(".by"))]
pub struct Extensions {
    /// How many there are.
    #[schemars(range(min = 1, max = 100))]
    pub count: i32,
    /// What one of them adds, 10m to 24h.
    #[serde(default = "half_an_hour")]
    pub by: Span,
}

fn half_an_hour() -> Span {
    Span::from("30m")
}

impl Extensions {
    /// What one of them adds, in the launcher's whole seconds.
    pub fn seconds(&self) -> u64 {
        self.by.duration().unwrap_or_default().as_secs()
    }

    /// What all of them add.
    pub fn most(&self) -> Duration {
        Duration::from_secs(self.seconds().saturating_mul(u64::try_from(self.count).unwrap_or_default()))
    }
}
