//! Shell: the fifth verb: makes the API server hold what was built, and writes only where that changes something.
//!
//! Two ways, by what Kubernetes lets change. Service, route and policy are *applied*: what differs is put right again
//! whoever has changed it. Homes, Secrets, claims and pods are *made once*, by a creation that fails if they are there, so
//! that of two operators one makes the password and the pod; of theirs only metadata and data follow.
//!
//! Nothing is taken over that is not ours: what stands under a name of ours and has another owner is waited for if it is the
//! leftover of a session that was deleted, and told of otherwise.

use crate::{
    api::VDISession,
    api_server::ApiServer,
    build,
    credentials::Credentials,
    desktop::Desktop,
    error::Error,
    fits::fits,
    metrics::Metrics,
    names,
    object::{Child, Kind, is_controlled_by},
    phase::{self, Refusal},
    settings::Settings,
    watch::Known,
};
use futures_util::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::{Resource, ResourceExt, api::ObjectMeta};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Annotation with the hash of the spec that was applied last: a field that is no longer wanted shows in nothing else.
const ANNOTATION_APPLIED: &str = "vdi.kasm.io/applied";

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The pod that is there now.
    pub pod: Option<Arc<Pod>>,
    /// Why the API server refused an object.
    pub refusal: Option<Refusal>,
    /// When credentials have to be renewed.
    pub renew_at: Option<Timestamp>,
}

/// Makes the API server hold what was built for one session.
pub struct Apply<'a> {
    /// Where to.
    pub server: &'a ApiServer,
    /// What is there.
    pub known: &'a Known,
    /// What the administrator has told.
    pub settings: &'a Settings,
    /// What counts it.
    pub metrics: &'a Metrics,
    /// For what.
    pub desktop: &'a Desktop,
}

impl Apply<'_> {
    /// What stays for as long as there is the session.
    pub async fn standing(&self) -> Result<Outcome, Error> {
        let standing = build::standing(self.desktop, self.settings);
        let home = async {
            match &standing.home {
                Some(home) => self.home(home).await,
                None => Ok(()),
            }
        };
        // The policy is there before what it is for.
        let (home, network, service, route) = tokio::join!(
            home,
            self.applied(Kind::NetworkPolicy, &standing.network),
            self.applied(Kind::Service, &standing.service),
            self.applied(Kind::IngressRoute, &standing.route),
        );
        sort_out([home, network, service, route])
    }

    /// What is there while the desktop runs: around the pod that is there, or around one that is claimed or made.
    pub async fn running(
        &self,
        pod: Option<Arc<Pod>>,
        status: &crate::api::VDISessionStatus,
    ) -> Result<Outcome, Error> {
        let pod = match pod {
            None if self.desktop.fits_pool() => self.claim(status).await?,
            pod => pod,
        };
        let name = pod.as_ref().map_or_else(|| names::objects(&self.desktop.session), |pod| pod.name_any());
        let credentials = self.credentials(&name)?;
        let running = build::running(self.desktop, &name, &credentials, status);
        let secret = self.made_once(Kind::Secret, &running.secret);
        let claim = async {
            match &running.claim {
                Some(claim) => self.made_once(Kind::ResourceClaim, claim).await,
                None => Ok(()),
            }
        };
        let (secret, claim) = tokio::join!(secret, claim);
        let mut outcome = sort_out([secret, claim])?;
        outcome.renew_at = credentials.renew_at(self.settings.turn_with_credentials());
        if outcome.refusal.is_some() {
            return Ok(Outcome { pod, ..outcome });
        }
        outcome.pod = match pod {
            Some(pod) => Some(self.tell_limits(pod, &phase::limits_annotation(self.desktop, status)).await?),
            None => match self.make_pod(&running.pod).await {
                Ok(pod) => Some(pod),
                Err(error) => {
                    outcome.refusal = Some(error.refusal().ok_or(error)?);
                    None
                }
            },
        };
        Ok(outcome)
    }

    fn credentials(&self, name: &str) -> Result<Credentials, Error> {
        let existing = self.known.child(Kind::Secret, &self.desktop.namespace, name);
        let existing: Option<Secret> = existing.map(|secret| secret.parse()).transpose()?;
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Setup(format!("the system gives no random bytes: {error}")))?;
        let user = format!("{}/{}", self.desktop.namespace, self.desktop.session);
        let turn = self.settings.turn_with_credentials();
        Ok(Credentials::current(existing.as_ref(), &user, turn, Timestamp::now(), &random))
    }

    /// A desktop that waits, if there is one: of those that want the same one, the API server lets one win.
    async fn claim(&self, status: &crate::api::VDISessionStatus) -> Result<Option<Arc<Pod>>, Error> {
        let pool = names::label(&self.desktop.template);
        let mut waiting = self.known.pods.store().state_filter(|pod| {
            let meta = &pod.metadata;
            let label = |key| meta.labels.as_ref().and_then(|labels| labels.get(key));
            meta.namespace.as_deref() == Some(&self.desktop.namespace)
                && label(names::LABEL_POOL) == Some(&pool)
                && label(names::LABEL_SESSION).is_none()
                && meta.deletion_timestamp.is_none()
                && is_ready(pod)
        });
        // The one that has waited longest has warmed up best.
        waiting.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        for pod in waiting {
            let version = pod.metadata.resource_version.clone().unwrap_or_default();
            let patch = build::claimed(self.desktop, &version, status, Timestamp::now());
            match self.server.merge_pod(&self.desktop.namespace, &pod.name_any(), &patch).await {
                Ok(pod) => {
                    self.metrics.claimed(true);
                    tracing::info!(
                        "session {}/{} has claimed {}",
                        self.desktop.namespace,
                        self.desktop.session,
                        pod.name_any()
                    );
                    return Ok(Some(pod));
                }
                Err(error) if matches!(error.code(), Some(404 | 409)) => self.metrics.claimed(false),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn make_pod(&self, pod: &Pod) -> Result<Arc<Pod>, Error> {
        let name = pod.name_any();
        if let Some(there) = self.known.pods.get(Some(&self.desktop.namespace), &name) {
            return Err(self.not_ours(Kind::Pod, &there.metadata).await);
        }
        self.server.create_pod(pod).await
    }

    /// The launcher warns of the limits that the pod's annotation tells it.
    async fn tell_limits(&self, pod: Arc<Pod>, limits: &str) -> Result<Arc<Pod>, Error> {
        let key = vdi_protocol::session_limits::ANNOTATION;
        if pod.metadata.deletion_timestamp.is_some()
            || pod.annotations().get(key).map(String::as_str) == Some(limits)
        {
            return Ok(pod);
        }
        let patch = json!({ "metadata": { "uid": pod.metadata.uid, "annotations": { key: limits } } });
        self.server.merge_pod(&self.desktop.namespace, &pod.name_any(), &patch).await
    }

    /// The user's home: made if it is absent, and otherwise left as it is.
    async fn home(&self, home: &PersistentVolumeClaim) -> Result<(), Error> {
        let (kind, name) = (Kind::PersistentVolumeClaim, home.name_any());
        self.known.may_use(kind)?;
        let Some(there) = self.known.child(kind, &self.desktop.namespace, &name) else {
            return self.server.create(kind, &self.desktop.namespace, &json(home)?).await.map(drop);
        };
        if !build::is_home_of(&there.parse()?, &self.desktop.user) {
            return Err(taken(kind, &name, "it is not this user's home"));
        }
        if there.meta().deletion_timestamp.is_some() {
            return Err(Error::Refused(Refusal {
                reason: "HomeBeingDeleted",
                message: format!("the home {name} is being deleted; a new one is made when it is gone"),
            }));
        }
        Ok(())
    }

    /// An object that is kept as it was built.
    async fn applied(&self, kind: Kind, object: &(impl Serialize + Sync)) -> Result<(), Error> {
        self.known.may_use(kind)?;
        let mut wanted = json(object)?;
        let stamp = names::hash(&wanted["spec"].to_string(), 16);
        wanted["metadata"]["annotations"][ANNOTATION_APPLIED] = stamp.into();
        let name = wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if let Some(there) = self.known.child(kind, &self.desktop.namespace, &name) {
            if !is_controlled_by(there.meta(), &self.desktop.uid) || there.meta().deletion_timestamp.is_some()
            {
                return Err(self.not_ours(kind, there.meta()).await);
            }
            if is_as_wanted(&wanted, &there.value()?) {
                return Ok(());
            }
            // Of another UID it would be another object: then there is a conflict, and nothing is made.
            wanted["metadata"]["uid"] = json!(there.meta().uid);
        }
        self.server.apply(kind, &self.desktop.namespace, &name, &wanted).await.map(drop)
    }

    /// An object that is made once; what can follow of it follows.
    async fn made_once(&self, kind: Kind, object: &(impl Serialize + Sync)) -> Result<(), Error> {
        self.known.may_use(kind)?;
        let wanted = json(object)?;
        let name = wanted["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let Some(there) = self.known.child(kind, &self.desktop.namespace, &name) else {
            return self.server.create(kind, &self.desktop.namespace, &wanted).await.map(drop);
        };
        // A desktop that was claimed brings its Secret along.
        let claimed = there.label(names::LABEL_POOL).is_some();
        if !(claimed || is_controlled_by(there.meta(), &self.desktop.uid))
            || there.meta().deletion_timestamp.is_some()
        {
            return Err(self.not_ours(kind, there.meta()).await);
        }
        let follows = json!({
            "metadata": {
                "labels": wanted["metadata"]["labels"],
                "annotations": wanted["metadata"]["annotations"],
                "ownerReferences": wanted["metadata"]["ownerReferences"],
            },
            "data": wanted.get("data"),
        });
        if fits(&follows, &there.value()?) {
            return Ok(());
        }
        let mut patch = follows;
        patch["metadata"]["resourceVersion"] = json!(there.meta().resource_version);
        if kind != Kind::Secret {
            patch.as_object_mut().map(|patch| patch.remove("data"));
        }
        self.server.merge(kind, &self.desktop.namespace, &name, &patch).await.map(drop)
    }

    /// What to do about an object under a name of ours that this session does not control, or that is being deleted.
    async fn not_ours(&self, kind: Kind, there: &ObjectMeta) -> Error {
        let name = there.name.as_deref().unwrap_or_default();
        let owner = there.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let of_namesake = owner.is_some_and(|owner| {
            owner.kind == VDISession::kind(&())
                && owner.name == self.desktop.session
                && owner.uid != self.desktop.uid
        });
        if there.deletion_timestamp.is_some() {
            return Error::Stale { what: format!("{} {name}, which is being deleted,", kind.name()) };
        }
        if !of_namesake {
            return taken(kind, name, "it belongs to something else");
        }
        // The garbage collector would do it too, later.
        let deleted = match kind {
            Kind::Pod => self.server.delete_pod(there, false).await,
            _ => self.server.delete(kind, there).await,
        };
        match deleted {
            Ok(()) => Error::Stale { what: format!("{} {name} of an earlier session", kind.name()) },
            Err(error) => error,
        }
    }
}

/// Deletes the Secrets and claims of a session that is not to run, whatever its desktop was called.
pub async fn clear(server: &ApiServer, known: &Known, namespace: &str, uid: &str) -> Result<(), Error> {
    let ours = [Kind::Secret, Kind::ResourceClaim].into_iter().flat_map(|kind| {
        let theirs = known.controlled(kind, namespace, uid);
        theirs.into_iter().map(move |there| (kind, there))
    });
    let ours: Vec<(Kind, Arc<Child>)> = ours.collect();
    let deleted = join_all(ours.iter().map(|(kind, there)| server.delete(*kind, there.meta()))).await;
    deleted.into_iter().collect()
}

/// The first refusal, unless something went wrong that another try may put right.
fn sort_out<const N: usize>(results: [Result<(), Error>; N]) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let mut failed = None;
    for error in results.into_iter().filter_map(Result::err) {
        match error.refusal() {
            Some(refusal) => outcome.refusal = outcome.refusal.or(Some(refusal)),
            None => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(outcome), Err)
}

fn taken(kind: Kind, name: &str, why: &str) -> Error {
    Error::Refused(Refusal {
        reason: "NameTaken",
        message: format!("there is a {} {name} already, and {why}: it has to be removed", kind.name()),
    })
}

fn json(object: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(object).map_err(|source| Error::Json { what: "what was built".to_owned(), source })
}

/// Whether an object is there as it is wanted. Its kind is not compared: what a list has tells none.
pub fn is_as_wanted(wanted: &Value, there: &Value) -> bool {
    let Value::Object(fields) = wanted else { return false };
    let parts = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind"));
    parts.into_iter().all(|(key, wanted)| fits(wanted, there.get(key).unwrap_or(&Value::Null)))
}

/// Whether a pod is ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_shows_without_its_kind_is_as_wanted() {
        let wanted = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "desktop-work" }, "spec": { "type": "ClusterIP" },
        });
        let there = json!({
            "metadata": { "name": "desktop-work", "uid": "1" },
            "spec": { "type": "ClusterIP", "clusterIP": "10.0.0.1" },
        });
        assert!(is_as_wanted(&wanted, &there));
        let other = json!({ "metadata": { "name": "desktop-work" }, "spec": { "type": "NodePort" } });
        assert!(!is_as_wanted(&wanted, &other));
    }
}
