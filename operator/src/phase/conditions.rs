//! Decision: the five conditions. Their times move only when their status does, as Kubernetes' conventions want it.

use super::pod::Word;
use crate::api::VDISessionStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Longest sentence; the API allows 32768 bytes, and people read less.
const MAX_MESSAGE_CHARS: usize = 2000;

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows yet.
    Unknown,
}

impl Truth {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// The condition of this type, if the status has it.
pub fn find<'a>(status: &'a VDISessionStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Sets one condition.
pub fn set(status: &mut VDISessionStatus, kind: &str, truth: Truth, word: Word, now: Timestamp) {
    let old = find(status, kind).filter(|old| old.status == truth.as_str());
    let since = old.map_or(now, |old| old.last_transition_time.0);
    let message = match word.message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &word.message[..end]),
        None => word.message,
    };
    let condition = Condition {
        type_: kind.to_owned(),
        status: truth.as_str().to_owned(),
        reason: word.reason,
        message,
        last_transition_time: Time(since),
        observed_generation: status.observed_generation,
    };
    match status.conditions.iter_mut().find(|condition| condition.type_ == kind) {
        Some(place) => *place = condition,
        None => status.conditions.push(condition),
    }
}
