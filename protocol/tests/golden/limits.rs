//! Examples of how long a session may live.

use vdi_protocol::{
    control::{SessionLimit, ToPage},
    status::LimitsStatus,
};

/// A longest time that was extended once, and can be once more.
pub fn limits() -> LimitsStatus {
    LimitsStatus {
        expires_at: Some("2026-03-01T17:30:00Z".into()),
        idle_timeout_seconds: Some(3600),
        disconnected_timeout_seconds: None,
        extended_seconds: 1800,
        extension_seconds: 1800,
        extensions_left: 1,
    }
}

/// Its longest time is over soon, and can be extended.
pub fn ending() -> ToPage {
    ToPage::Ending { limit: Some(SessionLimit::Timeout), seconds: 299.0, extension_seconds: Some(1800) }
}
