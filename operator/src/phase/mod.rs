//! Decision: where a session stands, and what is to be done about it, from what is known of it and the time.

use crate::{
    api::{VDISession, VDISessionStatus},
    desktop::{Desktop, Invalid},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::time::Duration;

/// What is known of a session when it is looked at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The session as the API server has it, with the status that was written last.
    pub session: &'a VDISession,
    /// What it comes to with its template.
    pub desktop: Result<&'a Desktop, &'a Invalid>,
    /// Its pod.
    pub pod: Option<&'a Pod>,
    /// What its launcher last said; `None` if it was not asked or did not answer.
    pub report: Option<&'a Report>,
    /// Why the API server refused one of its objects at the last try.
    pub refusal: Option<&'a Refusal>,
}

/// What a launcher says of its session, at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When it was asked.
    pub at: Timestamp,
    /// Seconds since the last input; `None` before the first.
    pub last_input_seconds_ago: Option<f64>,
    /// Pages connected.
    pub pages: usize,
    /// Encoder at work.
    pub encoder: Option<String>,
    /// Whether it is hardware.
    pub hardware: bool,
    /// Its phase and, when it has failed, reason and sentence.
    pub status: vdi_protocol::status::Status,
}

/// Why the API server refused an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reason for the condition: `QuotaExceeded`, `Forbidden`, `Invalid`.
    pub reason: &'static str,
    /// What it said.
    pub message: String,
}

/// What is to be done about a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status to write; equal to the one that is there if nothing has changed.
    pub status: VDISessionStatus,
    /// What its pod is to be.
    pub pod: PodAction,
    /// Why the whole session is to be deleted, as an event's reason and note.
    pub end: Option<Ending>,
    /// Events for people.
    pub events: Vec<Told>,
    /// When to look again at the latest; `None` waits for a change.
    pub look_again: Option<Duration>,
    /// Whether the launcher is to be asked before the next look.
    pub ask: bool,
}

/// What is to be done about a session's pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodAction {
    /// It is to exist: create it if it does not.
    Keep,
    /// It is to be gone. `force` does not wait for a node that is lost.
    Remove {
        /// Without waiting for the kubelet.
        force: bool,
    },
    /// Leave it as it is: it shows why the session failed.
    Leave,
}

/// Why a session is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// `IdleTimeout`, `DisconnectedTimeout`, `TimeoutReached`, `LoggedOut`.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// An event for people, on the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whether it is a warning.
    pub warning: bool,
    /// CamelCase reason.
    pub reason: &'static str,
    /// A sentence.
    pub note: String,
}
