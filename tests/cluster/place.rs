//! Shell: one test's piece of the cluster: a namespace, templates, sessions, and operators that see nothing else.

use crate::{
    children::Program,
    control_plane::Cluster,
    launcher::Launcher,
    pod::Kubelet,
    proxy::{LABEL_PLACE, Proxy},
    wait::{SOON, until},
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Namespace, Pod, ServiceAccount},
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use vdi_operator::api::{Phase, VDISession, VDITemplate};

/// Domain of the desktops.
pub const DOMAIN: &str = "vdi.test";
/// coturn's shared secret.
pub const TURN_SECRET: &str = "the-shared-secret-of-coturn";

/// A namespace in which pods must be as restricted as Pod Security can ask.
pub struct Place<'c> {
    /// Where it is.
    pub cluster: &'c Cluster,
    /// The namespace.
    pub name: String,
    operators: AtomicUsize,
}

/// A running operator and its way to the API server.
pub struct Operator {
    /// The process.
    pub program: Arc<Program>,
    /// Its way.
    pub proxy: Arc<Proxy>,
}

impl<'c> Place<'c> {
    /// A new one.
    pub async fn new(cluster: &'c Cluster, name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let namespace = json!({ "metadata": {
            "name": name, "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
        }});
        let namespace: Namespace = serde_json::from_value(namespace).unwrap();
        Api::all(cluster.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let place = Self { cluster, name, operators: AtomicUsize::new(0) };
        let accounts: Api<ServiceAccount> = place.api();
        until("the default service account", SOON, async || accounts.get("default").await).await;
        place
    }

    /// The same one, for another who uses it.
    pub fn again(other: &Self) -> Self {
        let used = other.operators.load(Ordering::Relaxed);
        Self { cluster: other.cluster, name: other.name.clone(), operators: AtomicUsize::new(used) }
    }

    /// Objects of a kind in this namespace.
    pub fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.cluster.client.clone(), &self.name)
    }

    /// All objects of a kind in this namespace.
    pub async fn all<K>(&self) -> Vec<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        self.api::<K>().list(&ListParams::default()).await.unwrap().items
    }

    /// Name of a template of this place.
    pub fn template_name(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// Makes a template, or changes it; `spec` is laid over one that works and has no home.
    pub async fn template(&self, name: &str, spec: Value) -> String {
        let mut all = json!({
            "image": "desktop.test/works:1", "displayName": "A desktop", "storage": { "persistence": "none" },
        });
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let name = self.template_name(name);
        let template = json!({
            "apiVersion": "vdi.kasm.io/v1alpha1", "kind": "VDITemplate",
            "metadata": { "name": name, "labels": { LABEL_PLACE: self.name } }, "spec": all,
        });
        let templates: Api<VDITemplate> = Api::all(self.cluster.client.clone());
        templates.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(template)).await.unwrap();
        name
    }

    /// Creates a session of `alice@example.com`, or of who `spec` says.
    pub async fn session(&self, name: &str, template: &str, spec: Value) -> VDISession {
        let mut all = json!({ "user": "alice@example.com", "template": self.template_name(template) });
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let session = json!({
            "apiVersion": "vdi.kasm.io/v1alpha1", "kind": "VDISession", "metadata": { "name": name }, "spec": all,
        });
        let session = serde_json::from_value(session).unwrap();
        self.api().create(&PostParams::default(), &session).await.unwrap()
    }

    /// Changes a session.
    pub async fn change(&self, session: &str, patch: Value) {
        let sessions: Api<VDISession> = self.api();
        sessions.patch(session, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes a session, without waiting.
    pub async fn delete(&self, session: &str) {
        self.api::<VDISession>().delete(session, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until a session is as it should be.
    pub async fn session_until(
        &self,
        session: &str,
        what: &str,
        is_so: impl Fn(&VDISession) -> bool,
    ) -> VDISession {
        let sessions: Api<VDISession> = self.api();
        until(&format!("{what} of session {session} in {}", self.name), SOON, async || {
            let seen = sessions.get(session).await.map_err(|err| err.to_string())?;
            if is_so(&seen) { Ok(seen) } else { Err(serde_json::to_string(&seen.status).unwrap()) }
        })
        .await
    }

    /// Waits until a session runs.
    pub async fn running(&self, session: &str) -> VDISession {
        self.session_until(session, "the running", |seen| phase(seen) == Phase::Running).await
    }

    /// Waits until Ready has this reason.
    pub async fn reason(&self, session: &str, reason: &str) -> VDISession {
        self.session_until(session, &format!("reason {reason}"), |seen| ready_reason(seen) == reason).await
    }

    /// Waits until a session is gone.
    pub async fn gone(&self, session: &str) {
        let sessions: Api<VDISession> = self.api();
        until(&format!("the end of session {session} in {}", self.name), SOON, async || {
            match sessions.get_opt(session).await.map_err(|err| err.to_string())? {
                None => Ok(()),
                Some(seen) => Err(serde_json::to_string(&seen).unwrap()),
            }
        })
        .await;
    }

    /// The pod of a session, as its status names it.
    pub async fn pod(&self, session: &VDISession) -> Pod {
        let name = session.status.as_ref().and_then(|status| status.pod_name.clone()).unwrap();
        self.api().get(&name).await.unwrap()
    }

    /// The launcher of a session's pod.
    pub fn launcher(&self, session: &VDISession) -> Arc<Launcher> {
        let pod = session.status.as_ref().and_then(|status| status.pod_name.clone()).unwrap();
        self.cluster.nodes.launcher(&self.name, &pod).expect("the pod runs no launcher")
    }

    /// What tells the API server of a session's pod.
    pub async fn kubelet(&self, session: &VDISession) -> Kubelet {
        Kubelet::of(self.cluster.client.clone(), &self.pod(session).await)
    }

    /// Starts an operator that asks launchers each second.
    pub async fn operator(&self, options: &[&str]) -> Operator {
        let address = self.cluster.nodes.loopback().first();
        let proxy = Proxy::start(self.cluster.client.clone(), &self.name, address).await;
        let program = self.operator_through(&proxy, options, &[]);
        Operator { program, proxy }
    }

    /// Starts another operator on the same way, with variables in its environment.
    pub fn operator_through(
        &self,
        proxy: &Proxy,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Arc<Program> {
        let number = self.operators.fetch_add(1, Ordering::Relaxed);
        let folder = self.cluster.folder();
        let file = |end: &str| folder.join(format!("operator-{}-{number}{end}", self.name));
        let kubeconfig = file(".kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: \"{}\"}}}}]\n\
             users: [{{name: c, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n",
            proxy.url()
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let address = self.cluster.nodes.loopback().first();
        let program = Path::new(env!("CARGO_BIN_EXE_vdi-operator"));
        Arc::new(Program::start("the operator", &file(".log"), program, |command| {
            command.env("KUBECONFIG", &kubeconfig).env("VDI_DEBUG", "true").envs(variables.iter().copied());
            command.arg(format!("--domain={DOMAIN}")).arg(format!("--pod-namespace={}", self.name));
            command
                .arg(format!("--pod-name=operator-{number}"))
                .arg(format!("--addr={address}"))
                .arg("--port=0");
            if !options.iter().any(|option| option.starts_with("--poll-interval")) {
                command.arg("--poll-interval=1s");
            }
            command.args(options);
        }))
    }
}

/// Where a session stands.
pub fn phase(session: &VDISession) -> Phase {
    session.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

/// Status and reason of a session's condition, as `False Unschedulable`.
pub fn condition(session: &VDISession, kind: &str) -> String {
    let conditions = session.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|condition| condition.type_ == kind);
    found.next().map(|found| format!("{} {}", found.status, found.reason)).unwrap_or_default()
}

/// The reason of a session's Ready.
pub fn ready_reason(session: &VDISession) -> String {
    condition(session, "Ready").split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Whether something has this label.
pub fn has_label<K: ResourceExt>(object: &K, label: &str, value: &str) -> bool {
    object.labels().get(label).is_some_and(|found| found == value)
}

/// Waits for an event with this reason.
pub async fn told(place: &Place<'_>, reason: &str) {
    until(&format!("the event {reason} in {}", place.name), SOON, async || {
        let events = crate::dump::events(place).await;
        if events.iter().any(|event| event.starts_with(reason)) { Ok(()) } else { Err(events.join("\n")) }
    })
    .await;
}
