//! The wire: `GET /status`, what a process says of its session. The operator reads it, and so do people.

use crate::{control::Role, phase::Phase, reason::FailureReason};
use serde::{Deserialize, Serialize};

/// The body of `/status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Version of the launcher.
    pub version: String,
    /// Where the session stands.
    pub phase: Phase,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// A sentence about the phase or the failure.
    pub message: Option<String>,
    /// Seconds since the process started.
    pub uptime_seconds: f64,
    /// Seconds since the last key, button, wheel or motion; `null` before the first.
    pub last_input_seconds_ago: Option<f64>,
    /// The X display that is streamed.
    pub display: Option<String>,
    /// The encoder at work; `null` before the first frame.
    pub encoder: Option<EncoderStatus>,
    /// The sound.
    pub audio: AudioStatus,
    /// NVIDIA devices seen by NVML.
    pub gpu: GpuStatus,
    /// Connected pages.
    pub consumers: Vec<ConsumerStatus>,
}

/// The encoder at work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EncoderStatus {
    /// GStreamer factory name.
    pub name: String,
    /// Whether it runs on a GPU.
    pub hardware: bool,
    /// Bit rate asked of it.
    pub bitrate_bps: u64,
    /// Encoders that were tried before it and why each was rejected.
    pub rejections: Vec<Rejection>,
}

/// A candidate that was not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rejection {
    /// GStreamer factory name.
    pub encoder: String,
    /// Stable name of the reason, such as `no-factory`.
    pub reason: String,
    /// A sentence, for people.
    pub message: String,
}

/// The sound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AudioStatus {
    /// Whether sound is being captured now.
    pub running: bool,
    /// Why not, if not.
    pub message: Option<String>,
}

/// NVIDIA devices seen by NVML.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GpuStatus {
    /// Devices, in NVML's order.
    pub devices: Vec<GpuDevice>,
    /// Why there are none, if there are none.
    pub message: Option<String>,
}

/// One NVIDIA device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GpuDevice {
    /// Marketing name.
    pub name: String,
    /// Load of the compute and graphics engines, 0 to 1.
    pub utilization: f64,
    /// Load of the encoder engine, 0 to 1; `null` where the device has none.
    pub encoder_utilization: Option<f64>,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
    /// Memory in use in bytes.
    pub memory_used_bytes: u64,
}

/// One connected page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStatus {
    /// The server's name for it.
    pub id: String,
    /// What it may do.
    pub role: Role,
    /// Whether its media path is up.
    pub connected: bool,
}
