//! The wire: how long a session may live, as the operator tells its launcher in a file, so that the launcher can
//! warn. Who ends the session is the operator alone.

use serde::{Deserialize, Serialize};

/// How long a session may live: the JSON in its pod's annotation `vdi.kasm.io/limits`, which the pod sees as a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionLimits {
    /// When it is ended in any case (RFC 3339); absent before it has started, and without such a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How long it may be without key, button, wheel or motion, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u64>,
    /// How long it may be without a connected page, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnected_timeout_seconds: Option<u64>,
}
