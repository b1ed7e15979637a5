//! Decision: which of the three limits has struck, or comes due when. Times are absolute and in the status; what
//! a launcher reports only moves them on.
//!
//! The longest time is over when it is over, but for what whoever is in control has added to it by then, of which a report tells.
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

/// How long an answer is waited for when the longest time is over, and how soon it is looked for again.
const LAST_WORD: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(1);

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
    /// By how much that may be extended in all.
    pub extensions: Duration,
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
        let (extended, more) = self.extended(status);
        status.expires_at = match (self.timeout, &status.expires_at) {
            (Some(timeout), _) => after(start, timeout.saturating_add(extended)).map(Time),
            (None, told) => told.as_ref().and_then(|told| after(told.0, more)).map(Time),
        };
        let mut found = Found::default();
        if let Some(expires) = status.expires_at.as_ref().map(|time| time.0) {
            if let Some(again) = self.last_word(expires, extended) {
                found.next = Some(again);
                return found;
            }
            if self.now >= expires {
                let all = self.timeout.map(|timeout| timeout.saturating_add(extended));
                found.struck = Some(ended(ENDINGS[0], "has reached its longest time", all));
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

    /// When to look again at a longest time that is over, if a click in its last moment may not have been told of yet: that is in a report
    /// that was asked for since, and who does not answer is not waited for long.
    fn last_word(&self, expires: Timestamp, extended: Duration) -> Option<Timestamp> {
        let may_grow = extended < self.extensions && self.running_since.is_some();
        let asked = self.report().is_some_and(|report| report.at >= expires);
        let until = after(expires, LAST_WORD)?;
        let waits = self.now >= expires && self.now < until && may_grow && !asked;
        waits.then(|| after(self.now, SOON).map_or(until, |soon| soon.min(until)))
    }

    /// What was added to the longest time, and how much of that is news. The user's programs run beside the launcher that says so, so it
    /// counts as far as the template goes and no further; what has counted stays.
    fn extended(&self, status: &mut VDISessionStatus) -> (Duration, Duration) {
        let known =
            status.extended_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
        let said = self.report().map(|report| report.extended_seconds).unwrap_or_default();
        let seconds = known.max(said.min(self.extensions.as_secs()));
        status.extended_seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        (Duration::from_secs(seconds), Duration::from_secs(seconds - known))
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
