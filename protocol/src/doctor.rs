//! The wire: what the doctor found, as `GET /doctor` and `vdi-launcher doctor --json` give it. The page joins it with what
//! the browser sees.

use serde::{Deserialize, Serialize};

/// What was looked at, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// No check failed. Warnings and skipped checks leave it healthy.
    pub healthy: bool,
    /// The server's clock when the report was made, in seconds since 1970; a page compares its own with it.
    pub unix_seconds: f64,
    /// In the order in which they should be read.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at.
    pub name: CheckName,
    /// What came of it.
    pub outcome: Outcome,
    /// The server, host or page that was looked at, where there may be several. Never with credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Stable name of what is wrong, such as `GPU_INIT_ERROR`, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence, for people: what was found.
    pub message: String,
    /// A sentence, for people: what to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckName {
    /// A GPU, by NVML.
    Gpu,
    /// An encoder, by encoding with it.
    Encoder,
    /// Whether a page that watches decodes frames, and how evenly packets reach it.
    Media,
    /// How long frames take from the desktop to the screen.
    Latency,
    /// The addresses that are offered to pages.
    Candidates,
    /// The list of STUN and TURN servers: the file or the service that it comes from.
    Servers,
    /// A STUN server, by asking it.
    Stun,
    /// A TURN server over UDP, by an allocation.
    TurnUdp,
    /// A TURN server over TCP, by an allocation.
    TurnTcp,
    /// A TURN server over TLS, by an allocation.
    TurnTls,
    /// The names of the servers.
    Dns,
    /// The clocks on which credentials that expire depend.
    Clock,
    /// The sound server to which programs on the desktop play.
    Sound,
    /// The microphone from which programs on the desktop record.
    Microphone,
    /// The device in which programs on the desktop see a camera.
    Webcam,
    /// How programs on the desktop find gamepads.
    Gamepads,
}

impl CheckName {
    /// Name on the wire and in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Encoder => "encoder",
            Self::Media => "media",
            Self::Latency => "latency",
            Self::Candidates => "candidates",
            Self::Servers => "servers",
            Self::Stun => "stun",
            Self::TurnUdp => "turnUdp",
            Self::TurnTcp => "turnTcp",
            Self::TurnTls => "turnTls",
            Self::Dns => "dns",
            Self::Clock => "clock",
            Self::Sound => "sound",
            Self::Microphone => "microphone",
            Self::Webcam => "webcam",
            Self::Gamepads => "gamepads",
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// It works, and could be better.
    Warning,
    /// It does not work.
    Failed,
    /// There was nothing to look at; the message says why.
    Skipped,
}
