//! Shell: every request of the operator but watches goes through here: one field manager, a time limit, a bound on how
//! many at once, and no write without the lease.
//!
//! It decides nothing. What was written is believed before the watch shows it.

use crate::{
    api::{VDISession, VDISessionStatus},
    error::Error,
    leader::Fence,
    metrics::Metrics,
    names::FIELD_MANAGER,
    object::{Child, Kind},
    watch::Known,
};
use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    fmt::{Debug, Display},
    future::Future,
    sync::Arc,
    time::Duration,
};
use tokio::sync::Semaphore;

/// How long an answer is waited for. The API server itself gives up after a minute; a session that is looked at again
/// sooner finds out what was done.
const LIMIT: Duration = Duration::from_secs(15);
/// ApiServer at once: enough to keep an API server busy, and few enough to leave it to others.
const AT_ONCE: usize = 32;

/// The way to the API server.
pub struct ApiServer {
    client: Client,
    fence: Fence,
    metrics: Arc<Metrics>,
    known: Arc<Known>,
    permits: Semaphore,
}

impl ApiServer {
    /// ApiServer while the fence is open.
    pub fn new(client: Client, fence: Fence, metrics: Arc<Metrics>, known: Arc<Known>) -> Self {
        Self { client, fence, metrics, known, permits: Semaphore::new(AT_ONCE) }
    }

    /// Creates an object of a kind that is made once. [`Error::Stale`] if it was there already; then it is known from
    /// here on.
    pub async fn create(&self, kind: Kind, namespace: &str, object: &Value) -> Result<Arc<Child>, Error> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let api = self.objects(kind, namespace);
        let what = Tried("create", kind.name(), namespace, name);
        let object: DynamicObject =
            serde_json::from_value(object.clone()).map_err(|source| unreadable(&what, source))?;
        match self.write("create", kind.name(), &what, api.create(&post(), &object)).await {
            Err(error) if error.code() == Some(409) => {
                let found = self.read(&what, api.get_opt(name)).await?;
                if let Some(found) = found {
                    self.believe(kind, &what, found)?;
                }
                Err(error)
            }
            written => self.believe(kind, &what, written?),
        }
    }

    /// Creates a pod. [`Error::Stale`] if it was there already; then it is known from here on.
    pub async fn create_pod(&self, pod: &Pod) -> Result<Arc<Pod>, Error> {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        let what = Tried("create", "Pod", &namespace, &name);
        match self.write("create", "Pod", &what, api.create(&post(), pod)).await {
            Err(error) if error.code() == Some(409) => {
                if let Some(found) = self.read(&what, api.get_opt(&name)).await? {
                    self.known.pods.wrote(found);
                }
                Err(error)
            }
            written => Ok(self.known.pods.wrote(written?)),
        }
    }

    /// Applies an object: what others have set in it stays.
    pub async fn apply(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        object: &Value,
    ) -> Result<Arc<Child>, Error> {
        let what = Tried("apply", kind.name(), namespace, name);
        let api = self.objects(kind, namespace);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written =
            self.write("apply", kind.name(), &what, api.patch(name, &params, &Patch::Apply(object))).await?;
        self.believe(kind, &what, written)
    }

    /// Merges into an object; with a resource version in it, only if that is still the latest.
    pub async fn merge(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Arc<Child>, Error> {
        let what = Tried("patch", kind.name(), namespace, name);
        let api = self.objects(kind, namespace);
        let written = self
            .write("patch", kind.name(), &what, api.patch(name, &patching(), &Patch::Merge(patch)))
            .await?;
        self.believe(kind, &what, written)
    }

    /// Merges into a pod, likewise.
    pub async fn merge_pod(&self, namespace: &str, name: &str, patch: &Value) -> Result<Arc<Pod>, Error> {
        let what = Tried("patch", "Pod", namespace, name);
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let written =
            self.write("patch", "Pod", &what, api.patch(name, &patching(), &Patch::Merge(patch))).await?;
        Ok(self.known.pods.wrote(written))
    }

    /// Deletes exactly this object; that it is gone already is success.
    pub async fn delete(&self, kind: Kind, object: &ObjectMeta) -> Result<(), Error> {
        self.remove(&self.objects(kind, namespace(object)), kind.name(), object, None).await
    }

    /// Deletes exactly this pod, likewise. `at_once` does not wait for a kubelet.
    pub async fn delete_pod(&self, pod: &ObjectMeta, at_once: bool) -> Result<(), Error> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace(pod));
        self.remove(&api, "Pod", pod, at_once.then_some(0)).await
    }

    /// Deletes this pod if nobody has changed it; if somebody has, that is a conflict, and it stays.
    pub async fn delete_unchanged_pod(&self, pod: &ObjectMeta) -> Result<(), Error> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace(pod));
        let version = pod.resource_version.clone();
        let preconditions = Preconditions { uid: pod.uid.clone(), resource_version: version };
        match self.remove_if(&api, "Pod", pod, None, preconditions).await {
            Err(error) if error.code() == Some(404) => Ok(()),
            deleted => deleted,
        }
    }

    /// Deletes exactly this session, likewise.
    pub async fn delete_session(&self, session: &ObjectMeta) -> Result<(), Error> {
        let api = Api::<VDISession>::namespaced(self.client.clone(), namespace(session));
        self.remove(&api, "VDISession", session, None).await
    }

    async fn remove<K: Clone + DeserializeOwned + Debug>(
        &self,
        api: &Api<K>,
        kind: &'static str,
        object: &ObjectMeta,
        grace: Option<u32>,
    ) -> Result<(), Error> {
        let preconditions = Preconditions { uid: object.uid.clone(), resource_version: None };
        match self.remove_if(api, kind, object, grace, preconditions).await {
            // Of another UID it is another object, and this one is gone.
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
            deleted => deleted,
        }
    }

    async fn remove_if<K: Clone + DeserializeOwned + Debug>(
        &self,
        api: &Api<K>,
        kind: &'static str,
        object: &ObjectMeta,
        grace: Option<u32>,
        preconditions: Preconditions,
    ) -> Result<(), Error> {
        let name = object.name.as_deref().unwrap_or_default();
        let what = Tried("delete", kind, namespace(object), name);
        let params = DeleteParams {
            grace_period_seconds: grace,
            preconditions: Some(preconditions),
            ..DeleteParams::background()
        };
        self.write("delete", kind, &what, api.delete(name, &params)).await.map(drop)
    }

    /// ApiServer a session's status, if the session is still the one that was looked at.
    pub async fn status(
        &self,
        session: &VDISession,
        status: &VDISessionStatus,
    ) -> Result<Arc<VDISession>, Error> {
        let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
        let api = Api::<VDISession>::namespaced(self.client.clone(), &namespace);
        let what = Tried("write the status of", "VDISession", &namespace, &name);
        let patch = json!({
            "apiVersion": VDISession::api_version(&()),
            "kind": VDISession::kind(&()),
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": session.metadata.uid,
                "resourceVersion": session.metadata.resource_version,
            },
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = self
            .write("status", "VDISession", &what, api.patch_status(&name, &params, &Patch::Apply(&patch)))
            .await?;
        Ok(self.known.sessions.wrote(written))
    }

    /// Merges into a session itself, if it is still the one that was looked at.
    pub async fn merge_session(
        &self,
        session: &VDISession,
        mut metadata: Value,
    ) -> Result<Arc<VDISession>, Error> {
        let (namespace, name) = (session.namespace().unwrap_or_default(), session.name_any());
        let api = Api::<VDISession>::namespaced(self.client.clone(), &namespace);
        let what = Tried("patch", "VDISession", &namespace, &name);
        metadata["resourceVersion"] = json!(session.metadata.resource_version);
        let patch = json!({ "metadata": metadata });
        let written = self
            .write("patch", "VDISession", &what, api.patch(&name, &patching(), &Patch::Merge(&patch)))
            .await?;
        Ok(self.known.sessions.wrote(written))
    }

    /// Creates an event; one of this name that is there already is the same event.
    pub async fn event(&self, event: &Event) -> Result<(), Error> {
        let (namespace, name) = (event.namespace().unwrap_or_default(), event.name_any());
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        let what = Tried("create", "Event", &namespace, &name);
        match self.write("create", "Event", &what, api.create(&post(), event)).await {
            Err(error) if error.code() == Some(409) => Ok(()),
            written => written.map(drop),
        }
    }

    /// Asks for a pod itself, where the cache will not do.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Option<Arc<Pod>>, Error> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let what = Tried("read", "Pod", namespace, name);
        let found = self.read(&what, api.get_opt(name)).await?;
        Ok(found.map(|pod| self.known.pods.wrote(pod)))
    }

    /// Asks for an object itself, likewise.
    pub async fn fresh(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Arc<Child>>, Error> {
        let what = Tried("read", kind.name(), namespace, name);
        let api = self.objects(kind, namespace);
        let found = self.read(&what, api.get_opt(name)).await?;
        found.map(|object| self.believe(kind, &what, object)).transpose()
    }

    fn objects(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.resource())
    }

    fn believe(&self, kind: Kind, what: &Tried<'_>, object: DynamicObject) -> Result<Arc<Child>, Error> {
        let child = Child::try_from(object).map_err(|source| unreadable(what, source))?;
        Ok(self.known.wrote(kind, child))
    }

    /// One write.
    async fn write<T>(
        &self,
        verb: &'static str,
        kind: &'static str,
        what: &Tried<'_>,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        if !self.fence.is_open() {
            return Err(Error::NotLeading { what: what.to_string() });
        }
        self.metrics.wrote(verb, kind);
        tracing::debug!("{what}");
        self.read(what, request).await
    }

    /// One request within the time limit.
    async fn read<T>(
        &self,
        what: &Tried<'_>,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(LIMIT, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(Error::Api { what: what.to_string(), source: Box::new(source) }),
            Err(_) => Err(Error::Late { what: what.to_string(), limit: LIMIT }),
        }
    }
}

/// What is tried, in words: verb, kind, namespace and name.
struct Tried<'a>(&'a str, &'a str, &'a str, &'a str);

impl Display for Tried<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(verb, kind, namespace, name) = self;
        write!(f, "{verb} {kind} {namespace}/{name}")
    }
}

fn namespace(object: &ObjectMeta) -> &str {
    object.namespace.as_deref().unwrap_or_default()
}

fn unreadable(what: &Tried<'_>, source: serde_json::Error) -> Error {
    Error::Json { what: what.to_string(), source }
}

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn patching() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}
