//! Wire: what `/status` tells of the devices that programs on the desktop have from the page in control.

use serde::{Deserialize, Serialize};

/// The microphone that programs on the desktop have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MicrophoneStatus {
    /// Whether programs can record from it now, be it that somebody speaks or not.
    pub running: bool,
    /// Why not, if not.
    pub message: Option<String>,
}

/// The webcam that programs on the desktop have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebcamStatus {
    /// Whether programs can see it now, be it that somebody shows something or not.
    pub running: bool,
    /// Why not, if not.
    pub message: Option<String>,
}
