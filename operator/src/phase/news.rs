//! Decision: which of a session's news are events for people.

use super::{Told, conditions, encoder, limits};
use crate::api::{CONDITION_ENCODER, CONDITION_READY, VDISessionStatus};
use std::time::Duration;

/// Reasons of Ready that need nobody's attention.
const CALM: &[&str] = &[
    "Ready",
    "Creating",
    "Scheduling",
    "Starting",
    "Changed",
    "Stopping",
    "Suspended",
    "Deleted",
    "LoggedOut",
    "IdleTimeout",
    "DisconnectedTimeout",
    "TimeoutReached",
];

/// Reason of the event that the longest time was extended.
const EXTENDED: &str = "Extended";

/// What people are told: each new reason of Ready once, that software encodes where hardware was wanted, and each extension.
pub(super) fn news(old: Option<&VDISessionStatus>, new: &VDISessionStatus) -> Vec<Told> {
    let changed = |kind: &str| {
        let now = conditions::find(new, kind)?;
        let before = old.and_then(|old| conditions::find(old, kind));
        (before.is_none_or(|before| before.reason != now.reason)).then_some(now)
    };
    let ready = changed(CONDITION_READY).map(|it| Told {
        warning: !CALM.contains(&it.reason.as_str()),
        reason: it.reason.clone(),
        note: it.message.clone(),
    });
    let encoder = changed(CONDITION_ENCODER).filter(|it| it.reason == encoder::FALLBACK).map(|it| Told {
        warning: true,
        reason: it.reason.clone(),
        note: it.message.clone(),
    });
    let extended = (new.extended_seconds > old.and_then(|old| old.extended_seconds)).then(|| Told {
        warning: false,
        reason: EXTENDED.into(),
        note: extension(new),
    });
    ready.into_iter().chain(encoder).chain(extended).collect()
}

fn extension(status: &VDISessionStatus) -> String {
    let by = Duration::from_secs(status.extended_seconds.unwrap_or_default().unsigned_abs());
    let until = status.expires_at.as_ref().map(|time| format!(", to {}", time.0)).unwrap_or_default();
    format!("Its longest time was extended in its page, by {} in all{until}.", limits::words(by))
}
