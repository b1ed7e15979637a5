//! Shell: one look at one session: the verbs in their order, and who does what they decide.
//!
//! The order of writes makes it safe to be killed between any two of them. What has been counted is written before it is
//! acted on; what is made is made under a name that is found again; the status follows what is there. Each write says
//! which version it was decided on, so that who decided on an older one is refused and looks again.

use crate::{
    api::{VDISession, VDISessionStatus},
    api_server::ApiServer,
    apply::{self, Apply, Outcome},
    backoff, credentials,
    dereference::{self, Found},
    error::Error,
    events, finalizer,
    memory::{Memo, Memory},
    metrics::Metrics,
    names,
    object::{Kind, is_controlled_by},
    phase::{self, Decision, Facts, PodAction},
    probe::{self, Probe},
    settings::Settings,
    watch::{Known, Look, Trigger},
    words,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// When a session is looked at again after a write, in case that the watch has missed what came of it.
const AFTER_A_WRITE: Duration = Duration::from_secs(15);
/// Longest wait before what was refused is tried again: nobody tells when a quota has room.
const LONGEST_REFUSAL: Duration = Duration::from_secs(15);

/// How soon a launcher's turn to be asked comes again where too many are being asked.
const SOONEST_TURN: Duration = Duration::from_millis(100);
/// How long a change that only says how far a desktop's start has come waits for the next one, to be written with it.
const JOINED_WITHIN: Duration = Duration::from_secs(1);

/// What every look needs.
pub struct Operator {
    /// The way to the API server.
    pub server: ApiServer,
    /// What is known of the cluster.
    pub known: Arc<Known>,
    /// What is remembered of sessions.
    pub memory: Arc<Memory>,
    /// What the administrator has told.
    pub settings: Settings,
    /// How often launchers are asked.
    pub poll_interval: Duration,
    /// Who tells events.
    pub reporter: String,
    /// What counts.
    pub metrics: Arc<Metrics>,
    /// Asks launchers.
    pub probe: Probe,
    /// Asks for looks.
    pub trigger: Trigger,
}

/// Looks at a session once.
#[expect(clippy::disallowed_methods, reason = "this shell reads the clock for the decisions")]
pub async fn reconcile(session: Arc<VDISession>, operator: Arc<Operator>) -> Result<Action, Error> {
    let begun = Instant::now();
    let uid = session.metadata.uid.clone().unwrap_or_default();
    let session = operator.known.sessions.latest(session);
    let result = look(&operator, session, &uid, begun).await;
    operator.metrics.looked(begun.elapsed());
    if result.is_ok() {
        operator.memory.with(&uid, |memo| memo.failures = 0);
    }
    result
}

/// When to look at a session again after a look that has failed.
pub fn try_again(session: Arc<VDISession>, error: &Error, operator: Arc<Operator>) -> Action {
    operator.metrics.failed(error);
    let uid = session.metadata.uid.as_deref().unwrap_or_default();
    let failures = operator.memory.with(uid, |memo| {
        memo.failures = memo.failures.saturating_add(1);
        memo.failures
    });
    let wait = backoff::after(failures, backoff::random()).max(error.retry_after().unwrap_or_default());
    let (of, again) = (words::full_name(&*session), words::span(wait));
    // That another one was first, or that it had to wait its turn, is how it is meant to be.
    if error.is_stale() || failures < 3 {
        tracing::debug!("session {of} is looked at again in {again}: {error}");
    } else {
        tracing::warn!("session {of} is looked at again in {again}: {error}");
    }
    Action::requeue(wait)
}

async fn look(
    operator: &Arc<Operator>,
    session: Arc<VDISession>,
    uid: &str,
    begun: Instant,
) -> Result<Action, Error> {
    let mut found = dereference::find(&operator.known, &session, &operator.settings);
    confirm_loss(operator, &session, &mut found).await?;
    let pod = found.pod.as_ref().and_then(|pod| pod.metadata.uid.clone());
    let memo = operator.memory.with(uid, |memo| {
        memo.turn_to(pod.as_deref());
        memo.clone()
    });
    if memo.asking || ask_if_due(operator, &session, &found, &memo, begun) {
        // The answer, or that there is none, is followed by a look.
        return Ok(Action::requeue(2 * probe::LIMIT));
    }
    let session = match &found.desktop {
        Ok(desktop) => finalizer::keep(&operator.server, session, desktop).await?,
        Err(_) => session,
    };
    let mut course = Course { operator, session, found, memo, begun, wrote: false, renew_at: None };
    let decision = course.run().await?;
    Ok(course.conclude(&decision, uid))
}

/// A pod that the status knows and the cache does not is asked for: that it is lost counts as a failure, and a watch that
/// is behind is none.
async fn confirm_loss(operator: &Operator, session: &VDISession, found: &mut Found) -> Result<(), Error> {
    let Some(status) = session.status.as_ref().filter(|status| status.pod_uid.is_some()) else {
        return Ok(());
    };
    let Some(name) = status.pod_name.as_ref().filter(|_| found.pod.is_none()) else { return Ok(()) };
    let namespace = session.namespace().unwrap_or_default();
    let uid = session.metadata.uid.as_deref().unwrap_or_default();
    let pod = operator.server.pod(&namespace, name).await?;
    found.pod = pod.filter(|pod| is_controlled_by(&pod.metadata, uid));
    Ok(())
}

/// Has the launcher asked if it is time for that, and says whether it is being asked.
fn ask_if_due(
    operator: &Arc<Operator>,
    session: &VDISession,
    found: &Found,
    memo: &Memo,
    begun: Instant,
) -> bool {
    let Some((pod, ip)) = found.pod.as_ref().and_then(|pod| Some((pod, address(pod)?))) else { return false };
    let ready = apply::is_ready(pod);
    // Once it can be used it has an encoder: what it says of it is written together with that it runs.
    let due = ready && !memo.asked_ready || memo.ask_at.is_some_and(|at| at <= begun);
    if !due || session.metadata.deletion_timestamp.is_some() || pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let namespace = session.namespace().unwrap_or_default();
    let secret = operator.known.child(Kind::Secret, &namespace, &pod.name_any());
    let Some(secret) = secret.and_then(|secret| secret.parse::<Secret>().ok()) else { return false };
    let text = |key| credentials::text(&secret, key).unwrap_or_default();
    let (username, password) = (text(credentials::KEY_USERNAME), text(credentials::KEY_PASSWORD));
    // Where too many are being asked, the look goes on with what is known, and this one's turn comes again.
    let Some(permit) = operator.probe.permit() else { return false };
    let uid = session.metadata.uid.clone().unwrap_or_default();
    let of_pod = pod.metadata.uid.clone();
    operator.memory.with(&uid, |memo| (memo.asking, memo.asked_ready) = (true, ready));
    let (operator, session) = (operator.clone(), ObjectRef::from_obj(session));
    tokio::spawn(async move {
        let answer = operator.probe.ask(permit, ip, &username, &password).await;
        operator.memory.with(&uid, |memo| memo.answered(of_pod.as_deref(), answer, begun));
        operator.trigger.look(Look::Session(session)).await;
    });
    true
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

/// One look, as far as it has come.
struct Course<'a> {
    operator: &'a Operator,
    session: Arc<VDISession>,
    found: Found,
    memo: Memo,
    begun: Instant,
    wrote: bool,
    renew_at: Option<Timestamp>,
}

impl Course<'_> {
    async fn run(&mut self) -> Result<Decision, Error> {
        let decision = self.decide();
        let decision = match decision.pod {
            _ if decision.end.is_some() => self.end(decision).await?,
            PodAction::Keep => self.keep(decision).await?,
            PodAction::Remove { force } => self.remove(decision, force).await?,
            PodAction::Leave => self.leave(decision).await?,
        };
        if self.session.metadata.deletion_timestamp.is_some() && finalizer::is_on(&self.session) {
            let template = self.found.template.as_deref();
            finalizer::clean_up(&self.operator.server, &self.session, template).await?;
        }
        Ok(decision)
    }

    fn decide(&self) -> Decision {
        let domain = &self.operator.settings.domain;
        let url = self.found.desktop.as_ref().ok().map(|desktop| names::url(&desktop.host, domain));
        let facts = Facts {
            session: &self.session,
            desktop: self.found.desktop.as_ref(),
            pod: self.found.pod.as_deref(),
            report: self.memo.report.as_ref(),
            silence: self.memo.silence.as_deref(),
            url: url.as_deref(),
            refusal: self.memo.refusal.as_ref(),
        };
        phase::decide(&facts, Timestamp::now())
    }

    /// The desktop is to run.
    async fn keep(&mut self, decision: Decision) -> Result<Decision, Error> {
        if self.has_counted(&decision.status) {
            self.write(&decision).await?;
        }
        let outcome = match self.apply() {
            Some(apply) => {
                let standing = apply.standing().await?;
                match (standing.refusal, self.found.pod.clone()) {
                    // A desktop begins when all is there that it needs.
                    (Some(refusal), None) => Outcome { refusal: Some(refusal), ..Outcome::default() },
                    // One that runs keeps its credentials and its limits.
                    (refusal, pod) => {
                        let outcome = apply.running(pod, &decision.status).await?;
                        Outcome { refusal: refusal.or(outcome.refusal), ..outcome }
                    }
                }
            }
            None => Outcome { pod: self.found.pod.clone(), ..Outcome::default() },
        };
        self.renew_at = outcome.renew_at;
        self.memo.refusal = outcome.refusal;
        if let Some(pod) = outcome.pod {
            self.memo.turn_to(pod.metadata.uid.as_deref());
            self.found.pod = Some(pod);
        }
        for pod in &self.found.surplus {
            if pod.metadata.deletion_timestamp.is_none() {
                self.operator.server.delete_pod(&pod.metadata, false).await?;
            }
        }
        // Of what is there now, not of what was: there is a pod, or a refusal.
        let decision = self.decide();
        self.write(&decision).await?;
        Ok(decision)
    }

    /// The pod is to go. The status is written first: it has counted why.
    async fn remove(&mut self, decision: Decision, force: bool) -> Result<Decision, Error> {
        self.write(&decision).await?;
        for pod in self.found.pod.iter().chain(&self.found.surplus) {
            if force || pod.metadata.deletion_timestamp.is_none() {
                self.operator.server.delete_pod(&pod.metadata, force).await?;
                self.wrote = true;
            }
        }
        Ok(decision)
    }

    /// There is no pod to make or to end. What stays for as long as there is the session is kept right all the same.
    async fn leave(&mut self, decision: Decision) -> Result<Decision, Error> {
        let live = self.session.metadata.deletion_timestamp.is_none();
        self.memo.refusal = match self.apply().filter(|_| live) {
            Some(apply) => apply.standing().await?.refusal,
            None => None,
        };
        if live && self.session.spec.suspended && self.found.pod.is_none() {
            let namespace = self.session.namespace().unwrap_or_default();
            let uid = self.session.metadata.uid.as_deref().unwrap_or_default();
            apply::clear(&self.operator.server, &self.operator.known, &namespace, uid).await?;
        }
        self.write(&decision).await?;
        Ok(decision)
    }

    /// The session itself is to go.
    async fn end(&mut self, decision: Decision) -> Result<Decision, Error> {
        self.write(&decision).await?;
        if let Some(ending) =
            decision.end.as_ref().filter(|_| self.session.metadata.deletion_timestamp.is_none())
        {
            tracing::info!("session {} ends: {}", words::full_name(&*self.session), ending.message);
            self.operator.server.delete_session(&self.session.metadata).await?;
            self.operator.metrics.ended(ending.reason);
        }
        Ok(decision)
    }

    fn apply(&self) -> Option<Apply<'_>> {
        let Operator { server, known, settings, metrics, .. } = self.operator;
        let desktop = self.found.desktop.as_ref().ok()?;
        Some(Apply { server, known, settings, metrics, desktop })
    }

    /// Whether a status says of failures what the one that is there does not.
    fn has_counted(&self, status: &VDISessionStatus) -> bool {
        let counted = |status: &VDISessionStatus| {
            (status.restarts, status.last_restart_time.clone(), status.last_failure.clone())
        };
        self.session.status.as_ref().map(counted).unwrap_or_default() != counted(status)
    }

    /// Writes the status if it is another, and tells what has happened.
    async fn write(&mut self, decision: &Decision) -> Result<(), Error> {
        let before = self.session.clone();
        let old = before.status.clone().unwrap_or_default();
        if before.status.as_ref() == Some(&decision.status) {
            self.memo.unwritten = None;
            return Ok(());
        }
        if before.status.as_ref().is_some_and(|old| phase::is_in_passing(old, &decision.status)) {
            let since = *self.memo.unwritten.get_or_insert(self.begun);
            if self.begun.duration_since(since) < JOINED_WITHIN {
                return Ok(());
            }
        }
        self.memo.unwritten = None;
        match self.operator.server.status(&before, &decision.status).await {
            Ok(after) => self.session = after,
            // It was deleted meanwhile, and nobody reads its status any more.
            Err(error) if error.code() == Some(404) => return Ok(()),
            Err(error) => return Err(error),
        }
        self.wrote = true;
        let name = words::full_name(&*before);
        if old.phase != decision.status.phase {
            tracing::info!("session {name} is {:?}", decision.status.phase);
        }
        for told in &decision.events {
            if told.warning {
                tracing::warn!("session {name}: {}: {}", told.reason, told.note);
            } else {
                tracing::info!("session {name}: {}: {}", told.reason, told.note);
            }
        }
        if old.restarts.unwrap_or_default() < decision.status.restarts.unwrap_or_default() {
            self.operator.metrics.replaced();
        }
        if let (None, Some(started), Some(created)) =
            (&old.start_time, &decision.status.start_time, &before.metadata.creation_timestamp)
        {
            let took = started.0.duration_since(created.0);
            self.operator.metrics.started(Duration::try_from(took).unwrap_or_default());
        }
        events::tell(&self.operator.server, &*before, &self.operator.reporter, &decision.events).await;
        Ok(())
    }

    /// Remembers what is of use for the next look, and says when that is.
    fn conclude(self, decision: &Decision, uid: &str) -> Action {
        let begun = self.begun;
        let random = backoff::random();
        let now = Timestamp::now();
        let mut next = decision.look_again;
        let mut at_the_latest = |wait: Duration| next = Some(next.map_or(wait, |next| next.min(wait)));
        let ask_at = decision.ask.then(|| {
            let poll = backoff::about(self.operator.poll_interval, random);
            let turn = self.memo.asked.map_or(begun, |asked| asked + poll).max(begun + SOONEST_TURN);
            decision.look_again.map_or(turn, |due| turn.min(begun + due))
        });
        if let Some(at) = ask_at {
            at_the_latest(at.saturating_duration_since(begun));
        }
        if let Some(at) = self.renew_at {
            at_the_latest(Duration::try_from(at.duration_since(now)).unwrap_or_default());
        }
        let refusals = if self.memo.refusal.is_some() { self.memo.refusals.saturating_add(1) } else { 0 };
        if refusals > 0 {
            at_the_latest(backoff::after(refusals.saturating_add(3), random).min(LONGEST_REFUSAL));
        }
        if self.wrote {
            at_the_latest(AFTER_A_WRITE);
        }
        if let Some(since) = self.memo.unwritten {
            at_the_latest((since + JOINED_WITHIN).saturating_duration_since(begun));
        }
        let Memo { refusal, unwritten, .. } = self.memo;
        let pod = self.found.pod.as_ref().and_then(|pod| pod.metadata.uid.clone());
        self.operator.memory.with(uid, |memo| {
            memo.turn_to(pod.as_deref());
            (memo.refusal, memo.refusals, memo.ask_at) = (refusal, refusals, ask_at);
            memo.unwritten = unwritten;
        });
        next.map_or_else(Action::await_change, Action::requeue)
    }
}
