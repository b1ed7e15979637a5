//! The wire: how long a session may live, as the operator tells its launcher in a file, so that the launcher can
//! warn. Who ends the session is the operator alone.

use serde::{Deserialize, Serialize};

/// Annotation of a pod that holds [`SessionLimits`] as JSON; the pod sees it as a file.
pub const ANNOTATION: &str = "vdi.kasm.io/limits";

/// How long a session may live.
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
    /// By how much it may be extended in all; as the launcher's options say if absent, and never by more than those say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_extended_seconds: Option<u64>,
    /// How much of what the session was extended by (`limits.extendedSeconds` at `/status`) is in `expires_at` already.
    #[serde(skip_serializing_if = "is_zero")]
    pub extended_seconds: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}
