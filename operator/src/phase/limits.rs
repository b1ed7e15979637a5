//! Decision: which of the three limits has struck, or comes due when. Times are absolute and in the status; what
//! a launcher reports only moves them on.
//!
//! Idle and disconnected strike by a report that was asked for after the limit came due, never by silence: an
//! operator that was away, a launcher that does not answer and a clock that jumps end nobody's work.

use super::{ENDINGS, Ending, Report, whole_seconds};
use crate::api::VDISessionStatus;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

/// Least step of `lastInputTime`: a finer one would be a write for each poll.
const LEAST_STEP: Duration = Duration::from_secs(60);
/// By how much two reports of the same moment may differ.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The limit that has struck.
    pub struck: Option<Ending>,
    /// When the next one comes due.
    pub next: Option<Timestamp>,
}

/// What the limits of one run are judged by.
pub struct Run<'a> {
    /// Longest life, if it is known.
    pub timeout: Option<Duration>,
    /// Longest time without input.
    pub idle: Option<Duration>,
    /// Longest time without a page.
    pub disconnected: Option<Duration>,
    /// Since when the container runs, if it does.
    pub running_since: Option<Timestamp>,
    /// What its launcher last said.
    pub report: Option<&'a Report>,
    /// The time.
    pub now: Timestamp,
}

impl Run<'_> {
    /// Moves the status' times on, and finds what is due.
    pub fn judge(&self, status: &mut VDISessionStatus) -> Found {
        let Some(start) = status.start_time.as_ref().map(|time| time.0) else { return Found::default() };
        if let Some(timeout) = self.timeout {
            status.expires_at = after(start, timeout).map(Time);
        }
        let mut found = Found::default();
        if let Some(expires) = status.expires_at.as_ref().map(|time| time.0) {
            if self.now >= expires {
                found.struck = Some(ended(ENDINGS[0], "has reached its longest time", self.timeout));
                return found;
            }
            found.next = Some(expires);
        }
        let quiet_since = self.input(status, start);
        let alone_since = self.pages(status, start);
        for (limit, since, name, what) in [
            (self.idle, Some(quiet_since), ENDINGS[1], "was not used for"),
            (self.disconnected, alone_since, ENDINGS[2], "had no page connected for"),
        ] {
            let (Some(limit), Some(since)) = (limit, since) else { continue };
            let Some(due) = after(since, limit) else { continue };
            if self.report().is_some_and(|report| report.at >= due) {
                found.struck = found.struck.or(Some(ended(name, what, Some(limit))));
            } else if due > self.now {
                found.next = Some(found.next.map_or(due, |next| next.min(due)));
            }
        }
        found
    }

    /// The report, if it is about the container that runs now.
    fn report(&self) -> Option<&Report> {
        self.report.filter(|report| self.running_since.is_some_and(|since| report.at >= since))
    }

    /// The last input, exactly; the status gets it in steps.
    fn input(&self, status: &mut VDISessionStatus, start: Timestamp) -> Timestamp {
        let told = status.last_input_time.get_or_insert(Time(start)).0;
        let mut last = told.max(start).max(self.running_since.unwrap_or(start));
        if let Some(report) = self.report() {
            let seconds = report.last_input_seconds_ago.unwrap_or(report.uptime_seconds);
            let reported = before(report.at, seconds);
            let step = self.idle.map_or(LEAST_STEP, |idle| LEAST_STEP.max(idle / 10));
            // One from the future was written by a clock that has been set back since.
            let behind = after(told, step).is_some_and(|due| reported >= due);
            if told > report.at || (behind && report.last_input_seconds_ago.is_some()) {
                status.last_input_time = Some(Time(whole_seconds(reported.max(start.min(report.at)))));
            }
            last = if told > report.at { reported } else { last.max(reported) };
        }
        last
    }

    /// Since when no page is connected.
    fn pages(&self, status: &mut VDISessionStatus, start: Timestamp) -> Option<Timestamp> {
        let told = status.disconnected_since.as_ref().map(|time| time.0);
        let Some(report) = self.report() else { return told };
        if report.pages > 0 {
            status.disconnected_since = None;
            return None;
        }
        let since = match report.seconds_without_page {
            Some(seconds) => before(report.at, seconds),
            None => told.unwrap_or(report.at),
        };
        let since = whole_seconds(since.max(start.min(report.at)));
        let since = match told {
            Some(told) if told <= report.at && since <= told + TOLERANCE => told,
            _ => since,
        };
        status.disconnected_since = Some(Time(since));
        Some(since)
    }
}

fn ended(reason: &'static str, what: &str, limit: Option<Duration>) -> Ending {
    let limit = limit.map(words).unwrap_or_default();
    let message = match reason {
        "TimeoutReached" => format!("The desktop {what} ({limit}) and is ended.").replace(" ()", ""),
        _ => format!("The desktop {what} {limit} and is ended."),
    };
    Ending { reason, message }
}

/// A span as people write it: `1h30m`.
pub fn words(span: Duration) -> String {
    let all = span.as_secs();
    let parts = [(all / 3600, "h"), (all / 60 % 60, "m"), (all % 60, "s")];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn after(time: Timestamp, span: Duration) -> Option<Timestamp> {
    time.checked_add(span).ok()
}

fn before(time: Timestamp, seconds: f64) -> Timestamp {
    Duration::try_from_secs_f64(seconds).ok().and_then(|span| time.checked_sub(span).ok()).unwrap_or(time)
}
