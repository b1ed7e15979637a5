//! Decision: where a session stands, and what is to be done about it, from what is known of it and the time.
//! (facts, now) → decision; no clock, no I/O, and no memory but the status that was written last.
//!
//! ```text
//!             no pod        the pod is there        it is ready
//! Pending ◀──────────▶ Creating ─────────────▶ Running ──┐ a limit strikes, the user logs out
//!    ▲                    ▲   │                  │       ▼
//!    │ suspended, pod gone│   │ it will not do   │   Terminating ─▶ (the object is deleted)
//!    └── Terminating ◀────┼───┼──────────────────┤ suspended, deleted
//!                         │   ▼                  │
//!                         └─ Failed ◀────────────┘ fails for good, or for the fourth time
//!              spec, template or retry-at changed
//! ```
//!
//! Two rules make the order of writes unimportant. The status is written first, then the pod is acted on, then
//! the session is deleted; and what has been counted once is named in the status by the pod's UID. So an operator
//! that is killed in between decides the same again, and `decide` of its own outcome changes nothing.

mod conditions;
mod course;
mod encoder;
#[cfg(test)]
mod ends_tests;
mod failure;
mod limits;
#[cfg(test)]
mod limits_tests;
mod news;
mod passing;
mod pod;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use passing::is_in_passing;

use crate::{
    api::{VDISession, VDISessionStatus},
    desktop::{Desktop, Invalid},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::time::Duration;
use vdi_protocol::status::Status;

/// What is known of a session when it is looked at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The session as the API server has it, with the status that was written last.
    pub session: &'a VDISession,
    /// What it comes to with its template.
    pub desktop: Result<&'a Desktop, &'a Invalid>,
    /// Its pod.
    pub pod: Option<&'a Pod>,
    /// What its launcher last said; `None` if it was not asked or has not answered yet.
    pub report: Option<&'a Report>,
    /// Why its launcher did not answer when it was last asked; `None` if it did, or was not asked.
    pub silence: Option<&'a str>,
    /// Where the session is opened, by what it comes to; the status keeps the one that it has.
    pub url: Option<&'a str>,
    /// Why the API server refused one of its objects at the last try.
    pub refusal: Option<&'a Refusal>,
}

/// What a launcher says of its session, at a time: of all that it tells, what is decided by. One is kept for each session.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When it was asked.
    pub at: Timestamp,
    /// Seconds since the last input; `None` before the first.
    pub last_input_seconds_ago: Option<f64>,
    /// Seconds since it started.
    pub uptime_seconds: f64,
    /// Seconds since no page is connected; `None` while one is.
    pub seconds_without_page: Option<f64>,
    /// Pages connected.
    pub pages: usize,
    /// By how much whoever was in control has extended the longest time.
    pub extended_seconds: u64,
    /// What it says of itself.
    pub message: Option<String>,
    /// Encoder at work.
    pub encoder: Option<Box<EncoderAtWork>>,
}

/// The encoder of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderAtWork {
    /// GStreamer factory name.
    pub name: String,
    /// Whether it is hardware.
    pub hardware: bool,
    /// `H264`, `VP8`, … as in SDP.
    pub codec: String,
    /// Those that were tried before it, and why they did not do.
    pub tried: String,
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
    /// When to look again at the latest; `None` waits for a change. A limit that comes due is only found to have
    /// struck with a report that is asked for then: if `ask` is set, ask before this look.
    pub look_again: Option<Duration>,
    /// Whether the launcher is to be asked before the next look, and each `--poll-interval`.
    pub ask: bool,
}

/// What is to be done about a session's pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodAction {
    /// It is to exist: create it if it does not, or claim one that waits.
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
    /// The reason, as in the condition.
    pub reason: String,
    /// A sentence.
    pub note: String,
}

/// Reasons of [`Ending`]s.
pub const ENDINGS: [&str; 4] = ["TimeoutReached", "IdleTimeout", "DisconnectedTimeout", "LoggedOut"];

/// Where a session stands, and what is to be done about it.
pub fn decide(facts: &Facts<'_>, now: Timestamp) -> Decision {
    course::Course::find(facts, now)
}

impl Report {
    /// What a launcher said when it was asked at this time.
    pub fn new(at: Timestamp, status: Status) -> Self {
        let encoder = status.encoder.map(|encoder| {
            let tried = encoder.rejections.iter().map(|it| format!("{} ({})", it.encoder, it.reason));
            Box::new(EncoderAtWork {
                tried: tried.collect::<Vec<_>>().join(", "),
                name: encoder.name,
                hardware: encoder.hardware,
                codec: encoder.codec,
            })
        });
        Self {
            at,
            last_input_seconds_ago: status.last_input_seconds_ago,
            uptime_seconds: status.uptime_seconds,
            seconds_without_page: status.seconds_without_page,
            pages: status.consumers.iter().filter(|page| page.connected).count(),
            extended_seconds: status.limits.extended_seconds,
            message: status.message,
            encoder,
        }
    }
}

/// What a desktop's pod is made from, in a few characters: the same for the same. Names for people and limits of
/// time are not in it, since no pod need be made anew for them.
pub fn made_from(desktop: &Desktop) -> String {
    let mut spec = desktop.spec.clone();
    (spec.display_name, spec.description, spec.warm_pool) = (String::new(), None, None);
    spec.network = crate::api::Network::default();
    spec.policy.limits.timeout = None;
    spec.policy.limits.idle_timeout = None;
    spec.policy.limits.disconnected_timeout = None;
    (spec.policy.limits.gpu, spec.policy.limits.memory, spec.policy.limits.cpu) = (None, None, None);
    let parts = (&spec, desktop.gpu, &desktop.memory, &desktop.cpu);
    // These types are made of strings, numbers and lists, which JSON always takes.
    let json = serde_json::to_vec(&parts).unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, &json);
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The annotation [`vdi_protocol::session_limits::ANNOTATION`] of a session's pod.
pub fn limits_annotation(desktop: &Desktop, status: &VDISessionStatus) -> String {
    let limits = vdi_protocol::session_limits::SessionLimits {
        expires_at: status.expires_at.as_ref().map(|time| time.0.to_string()),
        idle_timeout_seconds: desktop.limits.idle.map(|span| span.as_secs()),
        disconnected_timeout_seconds: desktop.limits.disconnected.map(|span| span.as_secs()),
        most_extended_seconds: Some(desktop.limits.extensions.as_secs()),
        extended_seconds: status
            .extended_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or_default(),
    };
    serde_json::to_string(&limits).unwrap_or_default()
}

/// Times in the API have whole seconds; with a finer one a status would never equal what was read back.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Annotation of a pod: what it was made from, as [`made_from`] tells. A pod that has never run, and one that has
/// failed for good, is made anew when this is no longer the same.
pub const ANNOTATION_MADE_FROM: &str = "vdi.kasm.io/made-from";
/// Annotation of a session: whoever changes it asks for another try of a session that has failed.
pub const ANNOTATION_RETRY_AT: &str = "vdi.kasm.io/retry-at";
/// Annotation of a pod from the warm pool: when a session claimed it, as RFC 3339.
pub const ANNOTATION_CLAIMED_AT: &str = "vdi.kasm.io/claimed-at";
