//! Decision: the course of one session, from what its pod shows, what the status remembers and what was asked for.

use super::{
    ANNOTATION_CLAIMED_AT, ANNOTATION_MADE_FROM, ANNOTATION_RETRY_AT, Decision, ENDINGS, Ending, Facts,
    PodAction,
    conditions::{self, Truth},
    encoder,
    failure::Failure,
    limits::Run,
    made_from, news,
    pod::{self, Standing, Word},
    whole_seconds,
};
use crate::{
    api::{
        CONDITION_ENCODER, CONDITION_READY, CONDITION_SCHEDULED, CONDITION_SUSPENDED, CONDITION_VALID,
        LastFailure, Phase, VDISessionStatus,
    },
    desktop::Desktop,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use std::time::Duration;
use vdi_protocol::session_limits::SessionLimits;

/// How long each replacement waits after the failure before it: the first one is quick, since somebody is looking at it.
const BACK_OFF: [SignedDuration; 3] =
    [SignedDuration::from_secs(2), SignedDuration::from_secs(10), SignedDuration::from_secs(50)];
/// A pod that ran for so long before it failed begins the count anew.
const LONG_RUN: SignedDuration = SignedDuration::from_mins(10);
/// How long after its grace a pod on a lost node is waited for. Its kubelet may still be ending it.
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The course, while it is being found.
pub struct Course<'f> {
    facts: &'f Facts<'f>,
    now: Timestamp,
    status: VDISessionStatus,
    action: PodAction,
    ready: (Truth, Word),
    end: Option<Ending>,
    due: Option<Timestamp>,
    ask: bool,
}

impl<'f> Course<'f> {
    /// Finds it.
    pub fn find(facts: &'f Facts<'f>, now: Timestamp) -> Decision {
        let status = facts.session.status.clone().unwrap_or_default();
        let mut course = Course {
            facts,
            now: whole_seconds(now),
            status,
            action: PodAction::Leave,
            ready: (Truth::False, Word::new("Creating", "The desktop's objects are being made.")),
            end: None,
            due: None,
            ask: false,
        };
        course.status.observed_generation = facts.session.metadata.generation;
        // Its name stays; the domain is the administrator's, who may change it.
        course.status.url = facts.url.map(str::to_owned).or(course.status.url);
        course.run();
        course.conclude()
    }

    fn run(&mut self) {
        let standing = self.facts.pod.map(pod::look);
        if self.facts.session.metadata.deletion_timestamp.is_some() {
            let word = self.ending().map_or_else(
                || Word::new("Deleted", "The session was deleted; its desktop is being ended."),
                |ending| Word::new(ending.reason, ending.message),
            );
            self.leave_with(word, Phase::Terminating);
        } else if let Some(ending) = self.ending() {
            self.finish(ending);
        } else if self.facts.session.spec.suspended {
            self.suspend();
        } else {
            match (standing, self.facts.pod) {
                (Some(standing), Some(pod)) => self.with_pod(standing, pod),
                _ => self.without_pod(),
            }
            self.limits();
        }
    }

    /// The ending that was decided before: it stays decided.
    fn ending(&self) -> Option<Ending> {
        let old = self.facts.session.status.as_ref().filter(|status| status.phase == Phase::Terminating)?;
        let ready = conditions::find(old, CONDITION_READY)?;
        let reason = ENDINGS.into_iter().find(|reason| *reason == ready.reason)?;
        Some(Ending { reason, message: ready.message.clone() })
    }

    fn finish(&mut self, ending: Ending) {
        self.status.phase = Phase::Terminating;
        self.ready = (Truth::False, Word::new(ending.reason, ending.message.clone()));
        self.end = Some(ending);
        self.action = PodAction::Leave;
        (self.due, self.ask) = (None, false);
    }

    fn suspend(&mut self) {
        let word = Word::new(
            "Suspended",
            "The session is suspended: it has no pod, and its home and its address are kept. It starts again when spec.suspended is false.",
        );
        let left = VDISessionStatus {
            url: self.status.url.take(),
            observed_generation: self.status.observed_generation,
            conditions: std::mem::take(&mut self.status.conditions),
            ..VDISessionStatus::default()
        };
        self.status = left;
        self.leave_with(word, if self.facts.pod.is_some() { Phase::Terminating } else { Phase::Pending });
    }

    fn leave_with(&mut self, word: Word, phase: Phase) {
        self.status.phase = phase;
        self.ready = (Truth::False, word);
        match self.facts.pod {
            Some(pod) => self.remove(pod),
            None => self.action = PodAction::Leave,
        }
    }

    /// The pod is to go; without its kubelet's word if that seems lost.
    fn remove(&mut self, pod: &Pod) {
        let lost_at =
            pod.metadata.deletion_timestamp.as_ref().and_then(|at| at.0.checked_add(LOST_AFTER).ok());
        let force = match lost_at {
            Some(at) if pod::is_on_a_lost_node(pod) => {
                self.look_at(at);
                self.now >= at
            }
            _ => false,
        };
        self.action = PodAction::Remove { force };
    }

    fn without_pod(&mut self) {
        if let Some(uid) = self.status.pod_uid.take() {
            self.count(&uid, None, || {
                Failure::transient(
                    "PodLost",
                    "The desktop's pod is gone, and the operator did not delete it.",
                )
            });
        }
        (self.status.pod_name, self.status.secret_name, self.status.encoder) = (None, None, None);
        if let Err(invalid) = self.facts.desktop {
            self.status.phase = Phase::Pending;
            self.ready = (Truth::False, Word::new(invalid.reason, invalid.message.clone()));
            return;
        }
        if let Some(failure) = self.status.last_failure.clone() {
            if self.is_to_be_tried_again(&failure) {
                self.status.last_failure = None;
                (self.status.restarts, self.status.last_restart_time) = (None, None);
            } else {
                self.after_failure(&failure);
                if failure.permanent {
                    return;
                }
                if let Some(at) = self.back_off_until().filter(|at| self.now < *at) {
                    self.look_at(at);
                    return;
                }
            }
        }
        self.action = PodAction::Keep;
        self.status.phase = Phase::Creating;
        if let Some(refusal) = self.facts.refusal {
            self.status.phase = Phase::Pending;
            self.ready = (Truth::False, Word::new(refusal.reason, refusal.message.clone()));
        }
    }

    fn with_pod(&mut self, standing: Standing, pod: &Pod) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let known = self.status.pod_uid.as_deref() == Some(&uid);
        self.status.pod_name = pod.metadata.name.clone();
        self.status.secret_name = pod.metadata.name.clone();
        match standing {
            Standing::Leaving(failure) => {
                if known {
                    self.count(&uid, Some(pod), || failure);
                }
                self.status.pod_uid = None;
                self.replace(pod, &uid, Word::new("Stopping", "The desktop's former pod is being ended."));
            }
            Standing::Failed(failure) => {
                self.count(&uid, Some(pod), || failure);
                self.status.pod_uid = None;
                self.replace(pod, &uid, Word::new("Changed", "The desktop is tried again."));
            }
            Standing::LoggedOut(message) => {
                self.finish(Ending { reason: ENDINGS[3], message });
            }
            _ if self.is_outdated(pod) && !pod::has_run(pod) => {
                self.status.pod_uid = None;
                self.status.phase = Phase::Creating;
                self.ready.1 = Word::new(
                    "Changed",
                    "Session or template changed before the desktop had started; its pod is made anew.",
                );
                self.remove(pod);
            }
            Standing::Unscheduled(word) | Standing::Waiting(word) => {
                self.starting(uid, Phase::Creating, word)
            }
            Standing::Unready(word) => {
                let was_running = self.status.phase == Phase::Running && known;
                let phase = if was_running { Phase::Running } else { Phase::Creating };
                let starts = !was_running && word.reason == "NotReady";
                let word = match self.facts.report.and_then(|report| report.message.as_deref()) {
                    Some(said) if known => {
                        Word::new(&word.reason, format!("{} It says: {}", word.message, pod::short(said)))
                    }
                    _ if starts => Word::new(
                        "Starting",
                        "The desktop runs; its display and its encoder are being started.",
                    ),
                    _ => word,
                };
                self.ask = true;
                self.starting(uid, phase, word);
            }
            Standing::Ready => {
                self.starting(uid, Phase::Running, Word::new("Ready", ""));
                let sentence = match &self.status.url {
                    Some(url) => format!("The desktop runs at {url}."),
                    None => "The desktop runs.".to_owned(),
                };
                self.ready = match self.facts.refusal {
                    None => (Truth::True, Word::new("Ready", sentence)),
                    Some(refusal) => (Truth::False, Word::new(refusal.reason, refusal.message.clone())),
                };
                self.ask = true;
                if self.status.start_time.is_none() {
                    self.status.start_time = Some(Time(self.started(pod)));
                }
            }
        }
    }

    fn starting(&mut self, uid: String, phase: Phase, word: Word) {
        if self.status.pod_uid.as_ref() != Some(&uid) {
            self.status.encoder = None;
        }
        self.status.pod_uid = Some(uid);
        self.status.phase = phase;
        self.ready.1 = word;
        self.action = PodAction::Keep;
    }

    /// What becomes of a pod of no more use; `otherwise` is said of one whose failure was not counted.
    fn replace(&mut self, pod: &Pod, uid: &str, otherwise: Word) {
        self.status.phase = Phase::Creating;
        self.ready.1 = otherwise;
        self.remove(pod);
        let Some(failure) = self.status.last_failure.clone().filter(|it| it.pod_uid == uid) else { return };
        if !self.is_to_be_tried_again(&failure) {
            self.after_failure(&failure);
            if failure.permanent && pod.metadata.deletion_timestamp.is_none() {
                self.action = PodAction::Leave;
            }
        }
    }

    fn after_failure(&mut self, failure: &LastFailure) {
        let what_next = if failure.permanent {
            self.status.phase = Phase::Failed;
            format!(
                "It is tried again when the session, its template or the annotation {ANNOTATION_RETRY_AT} changes."
            )
        } else {
            self.status.phase = Phase::Creating;
            let restarts = self.status.restarts.unwrap_or_default();
            format!("Another one is started, replacement {restarts} of {}.", BACK_OFF.len())
        };
        self.ready =
            (Truth::False, Word::new(&failure.reason, format!("{} {what_next}", sentence(&failure.message))));
    }

    /// Counts the failure of a pod, once.
    fn count(&mut self, uid: &str, pod: Option<&Pod>, failure: impl FnOnce() -> Failure) {
        if self.status.last_failure.as_ref().is_some_and(|last| last.pod_uid == uid) {
            return;
        }
        let failure = failure();
        let before = if self.ran_long(pod) { 0 } else { self.status.restarts.unwrap_or_default() };
        let given_up = usize::try_from(before).unwrap_or_default() >= BACK_OFF.len();
        if !failure.permanent && !given_up {
            self.status.restarts = Some(before + 1);
            self.status.last_restart_time = Some(Time(self.now));
        }
        let message = if given_up && !failure.permanent {
            format!("{} It failed after {before} replacements too.", failure.message)
        } else {
            failure.message
        };
        self.status.last_failure = Some(LastFailure {
            pod_uid: uid.to_owned(),
            reason: failure.reason,
            message,
            permanent: failure.permanent || given_up,
            generation: self.facts.session.metadata.generation,
            made_from: pod
                .and_then(|pod| annotation(pod, ANNOTATION_MADE_FROM).map(str::to_owned))
                .or_else(|| self.facts.desktop.ok().map(made_from)),
            retry_at: self.retry_at(),
        });
    }

    fn ran_long(&self, pod: Option<&Pod>) -> bool {
        let since = |time: Timestamp| self.now.duration_since(time) >= LONG_RUN;
        let ready = conditions::find(&self.status, CONDITION_READY).filter(|it| it.status == "True");
        ready.is_some_and(|it| since(it.last_transition_time.0))
            || pod.and_then(pod::running_since).is_some_and(since)
            || pod.and_then(pod::ran_for).is_some_and(|ran| ran >= LONG_RUN)
    }

    fn back_off_until(&self) -> Option<Timestamp> {
        let last = self.status.last_restart_time.as_ref()?.0;
        // From the future it was written by a clock that has been set back since: nobody waits for that.
        let tries = usize::try_from(self.status.restarts?).ok()?.checked_sub(1)?;
        (last <= self.now).then(|| last.checked_add(*BACK_OFF.get(tries)?).ok()).flatten()
    }

    fn retry_at(&self) -> Option<String> {
        self.facts.session.metadata.annotations.as_ref()?.get(ANNOTATION_RETRY_AT).cloned()
    }

    /// Whether what failed has been changed since.
    fn is_to_be_tried_again(&self, failure: &LastFailure) -> bool {
        let made_from = self.facts.desktop.ok().map(made_from);
        failure.generation != self.facts.session.metadata.generation
            || failure.retry_at != self.retry_at()
            || made_from.is_some() && failure.made_from.is_some() && failure.made_from != made_from
    }

    /// Whether the pod would be another one if it were made now.
    fn is_outdated(&self, pod: &Pod) -> bool {
        let made = annotation(pod, ANNOTATION_MADE_FROM);
        made.is_some_and(|made| self.facts.desktop.is_ok_and(|desktop| made_from(desktop) != made))
    }

    /// When this run began: as the pod tells, so that a second look finds the same, within what the API server's
    /// own clock has said and not in the future.
    fn started(&self, pod: &Pod) -> Timestamp {
        let meta = &self.facts.session.metadata;
        let claimed = annotation(pod, ANNOTATION_CLAIMED_AT).and_then(|at| at.parse().ok());
        let bounds = [
            pod::ready_since(pod),
            claimed,
            pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            meta.creation_timestamp.as_ref().map(|time| time.0),
        ];
        whole_seconds(bounds.into_iter().flatten().max().unwrap_or(self.now).min(self.now))
    }

    fn limits(&mut self) {
        if self.end.is_some() {
            return;
        }
        let pod = self.facts.pod.filter(|_| self.status.pod_uid.is_some());
        let (timeout, extensions, idle, disconnected) = match self.facts.desktop {
            Ok(Desktop { limits, .. }) => {
                (Some(limits.timeout), limits.extensions, limits.idle, limits.disconnected)
            }
            Err(_) => {
                let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
                let told = pod.and_then(told_limits).unwrap_or_default();
                let extensions = seconds(told.most_extended_seconds).unwrap_or_default();
                let disconnected = seconds(told.disconnected_timeout_seconds);
                (None, extensions, seconds(told.idle_timeout_seconds), disconnected)
            }
        };
        let run = Run {
            timeout,
            extensions,
            idle,
            disconnected,
            running_since: pod.and_then(pod::running_since),
            report: self.facts.report,
            now: self.now,
        };
        let found = run.judge(&mut self.status);
        if let Some(next) = found.next {
            self.look_at(next);
        }
        if let Some(ending) = found.struck {
            self.finish(ending);
        }
    }

    fn look_at(&mut self, at: Timestamp) {
        if at > self.now {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
    }

    fn conclude(mut self) -> Decision {
        let now = self.now;
        let old = self.facts.session.status.as_ref();
        let pod = self.facts.pod.filter(|_| self.status.pod_uid.is_some());
        let (truth, word) = encoder::condition(self.facts, &mut self.status, pod, &self.ready.1);
        let scheduled = match pod.map(|pod| (pod::node(pod), pod::look(pod))) {
            Some((Some(node), _)) => {
                (Truth::True, Word::new("Scheduled", format!("The pod is on node {node}.")))
            }
            Some((None, Standing::Unscheduled(word))) => (Truth::False, word),
            _ => (Truth::False, Word::new("NoPod", "The session has no pod now.")),
        };
        let valid = match self.facts.desktop {
            Ok(_) => (Truth::True, Word::new("Valid", "Session and template fit each other.")),
            Err(invalid) => (Truth::False, Word::new(invalid.reason, invalid.message.clone())),
        };
        let suspended = if self.facts.session.spec.suspended {
            let gone = self.facts.pod.is_none();
            let word = if gone { "The session has no pod." } else { "The desktop is being ended." };
            (
                if gone { Truth::True } else { Truth::False },
                Word::new(if gone { "Suspended" } else { "Stopping" }, word),
            )
        } else {
            (Truth::False, Word::new("NotSuspended", "The session is not suspended."))
        };
        for (kind, (truth, word)) in [
            (CONDITION_READY, self.ready.clone()),
            (CONDITION_VALID, valid),
            (CONDITION_SCHEDULED, scheduled),
            (CONDITION_ENCODER, (truth, word)),
            (CONDITION_SUSPENDED, suspended),
        ] {
            conditions::set(&mut self.status, kind, truth, word, now);
        }
        let events = news::news(old, &self.status);
        let look_again = self.due.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        Decision { status: self.status, pod: self.action, end: self.end, events, look_again, ask: self.ask }
    }
}

fn annotation<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The limits that the pod was last told, for a session whose template is no longer there to say.
fn told_limits(pod: &Pod) -> Option<SessionLimits> {
    serde_json::from_str(annotation(pod, vdi_protocol::session_limits::ANNOTATION)?).ok()
}

/// What a process said last is not always a whole sentence.
fn sentence(words: &str) -> String {
    let words = words.trim_end();
    if words.ends_with(['.', '!', '?']) { words.to_owned() } else { format!("{words}.") }
}
