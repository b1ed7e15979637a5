//! Shell: keeps the warm pool of a template: makes desktops that wait, renews their credentials, and takes away what nobody
//! is to claim any more. It claims none: each session does that itself.
//!
//! Pod and Secret of one name belong together. One without the other was left behind by an operator that was killed, and
//! goes: a password is never used for a second desktop.

mod plan;

use crate::{
    api::VDITemplate,
    apply::{is_as_wanted, is_ready},
    backoff, build,
    credentials::Credentials,
    error::Error,
    events,
    fits::fits,
    names,
    object::{Kind, is_controlled_by},
    phase::Told,
    reconcile::Operator,
    words,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Resource, ResourceExt, runtime::controller::Action};
use plan::{Plan, Waiting, plan};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a pool is looked at without a reason.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// After so long the event of a refusal that lasts is written again: the API server keeps events for an hour.
const TELL_AGAIN: Duration = Duration::from_secs(3_660);

/// Looks at a template's pool once.
#[expect(clippy::disallowed_methods, reason = "this shell reads the clock for the decisions")]
pub async fn reconcile(template: Arc<VDITemplate>, operator: Arc<Operator>) -> Result<Action, Error> {
    let template = operator.known.templates.latest(template);
    if template.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let pool = Pool {
        uid: template.metadata.uid.clone().unwrap_or_default(),
        template: &template,
        operator: &operator,
    };
    let now = Instant::now();
    let result = pool.look(now).await;
    match &result {
        Ok(_) => {
            operator.memory.with(&pool.uid, |memo| (memo.failures, memo.refusal, memo.told) = (0, None, None))
        }
        Err(error) => pool.tell(error, now).await,
    }
    result
}

/// When to look at a pool again after a look that has failed.
pub fn try_again(template: Arc<VDITemplate>, error: &Error, operator: Arc<Operator>) -> Action {
    operator.metrics.failed(error);
    let uid = template.metadata.uid.as_deref().unwrap_or_default();
    let failures = operator.memory.with(uid, |memo| {
        memo.failures = memo.failures.saturating_add(1);
        memo.failures
    });
    let wait = backoff::after(failures, backoff::random()).max(error.retry_after().unwrap_or_default());
    let (of, again) = (template.name_any(), words::span(wait));
    // Of a refusal an event has told already.
    if error.is_stale() || error.refusal().is_some() || failures < 3 {
        tracing::debug!("the warm pool of template {of} is looked at again in {again}: {error}");
    } else {
        tracing::warn!("the warm pool of template {of} is looked at again in {again}: {error}");
    }
    Action::requeue(wait)
}

struct Pool<'a> {
    uid: String,
    template: &'a VDITemplate,
    operator: &'a Operator,
}

impl Pool<'_> {
    async fn look(&self, now: Instant) -> Result<Action, Error> {
        let name = self.template.name_any();
        let wanted = self.template.spec.warm_pool.as_ref();
        let size = wanted.map_or(0, |pool| usize::try_from(pool.size).unwrap_or_default());
        let pods = self.pods();
        let waiting: Vec<Waiting> = pods.iter().map(|pod| self.waiting(pod)).collect();
        let plan = plan(&waiting, size);
        let ready = waiting.iter().filter(|waiting| waiting.ready).count();
        let failed = waiting.iter().any(|waiting| waiting.failed);
        match wanted {
            Some(_) => self.operator.metrics.pool(&name, ready, waiting.len() - ready),
            None => self.operator.metrics.no_pool(&name),
        }
        if size > 0 {
            self.operator.known.may_use(Kind::Secret)?;
            self.operator.known.may_use(Kind::NetworkPolicy)?;
        }
        self.remove(&pods, &plan).await?;
        self.sweep(&pods).await?;
        let patience = self.patience(ready > 0, failed, now);
        let mut next = LOOK_AGAIN;
        if size > 0 {
            self.policy().await?;
            match patience {
                Some(wait) if plan.make > 0 => next = next.min(wait),
                _ => {
                    for _ in 0..plan.make {
                        self.make().await?;
                    }
                }
            }
            if let Some(at) = self.renew(&pods).await? {
                next = next.min(Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default());
            }
        }
        Ok(if size > 0 { Action::requeue(next) } else { Action::await_change() })
    }

    /// Tells of a refusal, once: `kubectl describe vdit` shows why nothing waits.
    async fn tell(&self, error: &Error, now: Instant) {
        let Some(refusal) = error.refusal() else { return };
        let is_known = self.operator.memory.with(&self.uid, |memo| {
            let lately = memo.told.is_some_and(|told| now.duration_since(told) < TELL_AGAIN);
            // The words may name a pod that was to be made, another one each time.
            let is_known = lately && memo.refusal.as_ref().is_some_and(|told| told.reason == refusal.reason);
            if !is_known {
                (memo.refusal, memo.told) = (Some(refusal.clone()), Some(now));
            }
            is_known
        });
        if is_known {
            return;
        }
        let note = format!("The warm pool cannot be filled: {}. It is tried again.", refusal.message);
        tracing::warn!("template {}: {}: {note}", self.template.name_any(), refusal.reason);
        let told = Told { warning: true, reason: refusal.reason.to_owned(), note };
        events::tell(&self.operator.server, self.template, &self.operator.reporter, &[told]).await;
    }

    /// The desktops that wait and stay, the oldest first.
    fn pods(&self) -> Vec<Arc<Pod>> {
        let store = self.operator.known.pods.store();
        let names = store.state_filter(|pod| is_controlled_by(&pod.metadata, &self.uid));
        // What was claimed or removed a moment ago is known before the watch shows it.
        let latest = names.into_iter().map(|pod| self.operator.known.pods.latest(pod));
        let mut pods: Vec<Arc<Pod>> = latest
            .filter(|pod| {
                is_controlled_by(&pod.metadata, &self.uid) && pod.metadata.deletion_timestamp.is_none()
            })
            .collect();
        pods.sort_by_key(|pod| (pod.metadata.creation_timestamp.as_ref().map(|time| time.0), pod.name_any()));
        pods
    }

    fn waiting(&self, pod: &Pod) -> Waiting {
        let namespace = pod.namespace().unwrap_or_default();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let secret = self.operator.known.child(Kind::Secret, &namespace, &pod.name_any());
        let elsewhere = self.template.spec.warm_pool.as_ref().is_none_or(|pool| pool.namespace != namespace);
        Waiting {
            ready: is_ready(pod),
            failed: matches!(phase, "Failed" | "Succeeded") || secret.is_none() || elsewhere,
            current: build::template_generation(pod) == self.template.metadata.generation,
        }
    }

    async fn remove(&self, pods: &[Arc<Pod>], plan: &Plan) -> Result<(), Error> {
        for pod in plan.remove.iter().filter_map(|i| pods.get(*i)) {
            // Only as it was seen: a session may have claimed it since.
            self.operator.server.delete_unchanged_pod(&pod.metadata).await?;
            let namespace = pod.namespace().unwrap_or_default();
            self.remove_secret(&namespace, &pod.name_any()).await?;
        }
        Ok(())
    }

    async fn remove_secret(&self, namespace: &str, name: &str) -> Result<(), Error> {
        let secret = self.operator.known.child(Kind::Secret, namespace, name);
        match secret.filter(|secret| is_controlled_by(secret.meta(), &self.uid)) {
            Some(secret) => self.operator.server.delete(Kind::Secret, secret.meta()).await,
            None => Ok(()),
        }
    }

    /// Removes Secrets whose pod was never made, or is gone.
    async fn sweep(&self, pods: &[Arc<Pod>]) -> Result<(), Error> {
        for secret in self.operator.known.controlled_anywhere(Kind::Secret, &self.uid) {
            let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
            let has_pod = pods.iter().any(|pod| pod.name_any() == name)
                || self.operator.known.pods.get(Some(&namespace), &name).is_some();
            if !has_pod && self.operator.server.pod(&namespace, &name).await?.is_none() {
                self.operator.server.delete(Kind::Secret, secret.meta()).await?;
            }
        }
        Ok(())
    }

    /// How long to wait before others are made in place of those that have failed; longer each time, until one is ready.
    fn patience(&self, ready: bool, failed: bool, now: Instant) -> Option<Duration> {
        self.operator.memory.with(&self.uid, |memo| {
            if failed {
                memo.refusals = memo.refusals.saturating_add(1);
                memo.ask_at = Some(now + backoff::after(memo.refusals.saturating_add(4), backoff::random()));
            } else if ready {
                (memo.refusals, memo.ask_at) = (0, None);
            }
            memo.ask_at.map(|at| at.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
        })
    }

    async fn policy(&self) -> Result<(), Error> {
        let Some(policy) = build::pool_network(self.template, &self.operator.settings) else { return Ok(()) };
        let (namespace, name) = (policy.namespace().unwrap_or_default(), policy.name_any());
        let wanted = serde_json::to_value(&policy)
            .map_err(|source| Error::Json { what: "what was built".to_owned(), source })?;
        let there = self.operator.known.child(Kind::NetworkPolicy, &namespace, &name);
        if there.is_some_and(|there| there.value().is_ok_and(|there| is_as_wanted(&wanted, &there))) {
            return Ok(());
        }
        self.operator.server.apply(Kind::NetworkPolicy, &namespace, &name, &wanted).await.map(drop)
    }

    async fn make(&self) -> Result<(), Error> {
        let name = names::pool_pod(&self.template.name_any(), &random_name()?);
        let credentials = self.credentials(None, &name)?;
        let Some(pooled) = build::pool(self.template, &name, &credentials) else { return Ok(()) };
        let secret = serde_json::to_value(&pooled.secret)
            .map_err(|source| Error::Json { what: "what was built".to_owned(), source })?;
        let namespace = pooled.pod.namespace().unwrap_or_default();
        self.operator.server.create(Kind::Secret, &namespace, &secret).await?;
        self.operator.server.create_pod(&pooled.pod).await?;
        Ok(())
    }

    /// Keeps credentials good while a desktop waits; says when they are next to be renewed.
    async fn renew(&self, pods: &[Arc<Pod>]) -> Result<Option<Timestamp>, Error> {
        let mut next: Option<Timestamp> = None;
        for pod in pods {
            let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
            let Some(there) = self.operator.known.child(Kind::Secret, &namespace, &name) else { continue };
            if !is_controlled_by(there.meta(), &self.uid) {
                continue;
            }
            let secret: Secret = there.parse()?;
            let credentials = self.credentials(Some(&secret), &name)?;
            let at = credentials.renew_at(self.operator.settings.turn_with_credentials());
            next = next.into_iter().chain(at).min();
            let Some(pooled) = build::pool(self.template, &name, &credentials) else { continue };
            let patch = json!({
                "metadata": { "annotations": pooled.secret.metadata.annotations },
                "data": pooled.secret.data,
            });
            if !fits(&patch, &there.value()?) {
                let mut patch = patch;
                patch["metadata"]["resourceVersion"] = json!(there.meta().resource_version);
                self.operator.server.merge(Kind::Secret, &namespace, &name, &patch).await?;
            }
        }
        Ok(next)
    }

    fn credentials(&self, existing: Option<&Secret>, name: &str) -> Result<Credentials, Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(no_random)?;
        let turn = self.operator.settings.turn_with_credentials();
        Ok(Credentials::current(existing, name, turn, Timestamp::now(), &random))
    }
}

/// Five letters and digits, as Kubernetes' own generated names have.
fn random_name() -> Result<String, Error> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 5];
    getrandom::fill(&mut random).map_err(no_random)?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

fn no_random(error: getrandom::Error) -> Error {
    Error::Setup(format!("the system gives no random bytes: {error}"))
}
