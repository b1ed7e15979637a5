//! Shell: nodes and their kubelets, played: they have GPUs, run what the scheduler gives them, and fail as told.
//!
//! What a container does is in its image's name: `desktop.test/works`, `desktop.test/absent-…` (cannot be pulled until
//! it is published), `desktop.test/slow` (never ready by itself), `desktop.test/out-of-memory`, and a launcher's reason
//! for failure, such as `desktop.test/gpu-init-error`. What happens to it later is told by the test.

use crate::{
    address::Loopback,
    launcher::Launcher,
    pod,
    wait::{self, SOON},
};
use futures_util::{TryStreamExt, future::join_all};
use k8s_openapi::{
    api::core::v1::{Node, Pod},
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};
use tokio::task::AbortHandle;

/// Between two signs of life of a node.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// All nodes of a cluster.
pub struct Nodes {
    pub(crate) client: Client,
    loopback: Loopback,
    next_address: AtomicU16,
    alive: Mutex<BTreeSet<String>>,
    published: Mutex<BTreeSet<String>>,
    started: Mutex<Vec<String>>,
    held: Mutex<BTreeSet<String>>,
    pods: Mutex<HashMap<String, Running>>,
}

/// What a kubelet knows of a pod that it runs.
pub(crate) struct Running {
    name: String,
    work: Option<AbortHandle>,
    server: Option<AbortHandle>,
    launcher: Option<Arc<Launcher>>,
}

impl Running {
    fn ends(&mut self) {
        self.launcher = None;
        for task in [self.work.take(), self.server.take()].into_iter().flatten() {
            task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ends();
    }
}

impl Nodes {
    /// Starts to run pods, on no node yet.
    pub fn start(client: Client, loopback: Loopback) -> Arc<Self> {
        let nodes = Arc::new(Self {
            client,
            loopback,
            next_address: AtomicU16::new(0),
            alive: Mutex::default(),
            published: Mutex::default(),
            started: Mutex::default(),
            held: Mutex::default(),
            pods: Mutex::default(),
        });
        tokio::spawn(nodes.clone().watch());
        tokio::spawn(nodes.clone().beat());
        nodes
    }

    /// The addresses of this cluster.
    pub fn loopback(&self) -> &Loopback {
        &self.loopback
    }

    /// A node with plenty of everything, and these labels. One with labels is for those only who tolerate
    /// `vdi.test/own`.
    pub async fn add(&self, name: &str, labels: &[(&str, &str)]) {
        let mut all = json!({ "kubernetes.io/hostname": name });
        for (label, value) in labels {
            all[*label] = json!(value);
        }
        let own = json!([{ "key": "vdi.test/own", "effect": "NoSchedule" }]);
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": all },
            "spec": if labels.is_empty() { json!({}) } else { json!({ "taints": own }) },
        });
        let node: Node = serde_json::from_value(node).unwrap();
        Api::all(self.client.clone()).create(&PostParams::default(), &node).await.unwrap();
        self.find(name).await;
    }

    /// The node gives no sign of life any more, and does nothing.
    pub fn lose(&self, name: &str) {
        self.alive.lock().unwrap().remove(name);
    }

    /// The node is back.
    pub async fn find(&self, name: &str) {
        self.alive.lock().unwrap().insert(name.to_owned());
        wait::until(&format!("the return of {name}"), SOON, async || self.sign_of_life(name).await).await;
    }

    /// Puts an image into the registry.
    pub fn publish(&self, image: &str) {
        self.published.lock().unwrap().insert(image.to_owned());
    }

    pub(crate) fn has_image(&self, image: &str) -> bool {
        !image.contains("/absent") || self.published.lock().unwrap().contains(image)
    }

    /// The launcher in a pod, once it runs.
    pub fn launcher(&self, namespace: &str, pod: &str) -> Option<Arc<Launcher>> {
        let name = format!("{namespace}/{pod}");
        let pods = self.pods.lock().unwrap();
        pods.values().find(|running| running.name == name && running.launcher.is_some())?.launcher.clone()
    }

    pub(crate) async fn launch(&self, uid: &str, user: &str, password: &str) -> Option<Arc<Launcher>> {
        let address = self.loopback.pod(self.next_address.fetch_add(1, Ordering::Relaxed));
        let launcher = Launcher::new(address, user, password);
        let server = launcher.clone().listen().await;
        let mut pods = self.pods.lock().unwrap();
        let Some(running) = pods.get_mut(uid) else {
            server.abort();
            return None;
        };
        running.server = Some(server);
        running.launcher = Some(launcher.clone());
        Some(launcher)
    }

    /// How many pods of a namespace were ever started.
    pub fn started(&self, namespace: &str) -> usize {
        self.started.lock().unwrap().iter().filter(|other| *other == namespace).count()
    }

    /// Pods of a namespace take their time to end, until they are let go.
    pub fn hold(&self, namespace: &str) {
        self.held.lock().unwrap().insert(namespace.to_owned());
    }

    /// Lets the pods of a namespace end.
    pub async fn let_go(&self, namespace: &str) {
        self.held.lock().unwrap().remove(namespace);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let ending = |pod: &Pod| pod.metadata.deletion_timestamp.is_some();
        for pod in pods.list(&ListParams::default()).await.unwrap().items.into_iter().filter(ending) {
            pod::remove(self.client.clone(), pod).await;
        }
    }

    fn is_alive(&self, node: &str) -> bool {
        self.alive.lock().unwrap().contains(node)
    }

    async fn watch(self: Arc<Self>) {
        let bound = watcher::Config::default().fields("spec.nodeName!=");
        let mut seen = Box::pin(watcher(Api::<Pod>::all(self.client.clone()), bound).default_backoff());
        loop {
            match seen.try_next().await {
                Ok(Some(Event::Apply(pod) | Event::InitApply(pod))) => self.sync(pod),
                Ok(Some(Event::Delete(pod))) => {
                    self.pods.lock().unwrap().remove(&pod.uid().unwrap());
                }
                // The API server was away; the watch goes on by itself.
                Ok(Some(_)) | Err(_) => (),
                Ok(None) => return,
            }
        }
    }

    /// Brings a pod of a node that lives closer to what it is to be.
    fn sync(self: &Arc<Self>, pod: Pod) {
        let uid = pod.uid().unwrap();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        if !self.is_alive(&node) {
            return;
        }
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        let mut pods = self.pods.lock().unwrap();
        if pod.metadata.deletion_timestamp.is_some() {
            pods.remove(&uid);
            if !self.held.lock().unwrap().contains(&pod.namespace().unwrap()) {
                tokio::spawn(pod::remove(self.client.clone(), pod));
            }
        } else if phase == "Succeeded" || phase == "Failed" {
            if let Some(running) = pods.get_mut(&uid) {
                running.ends();
            }
        } else if pods.contains_key(&uid) {
            // A node whose signs of life came late had its pods marked as not ready; a kubelet takes that back.
            if pod::was_marked(&pod) {
                let kubelet = pod::Kubelet::of(self.client.clone(), &pod);
                tokio::spawn(async move { kubelet.is_ready(true).await });
            }
        } else {
            pods.entry(uid).or_insert_with(|| {
                let namespace = pod.namespace().unwrap();
                let name = format!("{namespace}/{}", pod.name_any());
                self.started.lock().unwrap().push(namespace);
                let work = tokio::spawn(pod::run(self.clone(), pod)).abort_handle();
                Running { name, work: Some(work), server: None, launcher: None }
            });
        }
    }

    async fn beat(self: Arc<Self>) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let alive = self.alive.lock().unwrap().clone();
            // What one of them could not say it says the next time.
            join_all(alive.iter().map(|node| self.sign_of_life(node))).await;
        }
    }

    /// What a kubelet says now and then: that the node is ready, what it has, and in a lease that it lives.
    async fn sign_of_life(&self, node: &str) -> Result<(), String> {
        use k8s_openapi::api::coordination::v1::Lease;
        let now = Timestamp::now();
        let amount = json!({
            "cpu": "100k", "memory": "1000Ti", "pods": "100k", "ephemeral-storage": "1000Ti",
            "nvidia.com/gpu": "100k",
        });
        let status = json!({ "status": {
            "capacity": amount, "allocatable": amount,
            "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now }],
        }});
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": node },
            "spec": {
                "holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": format!("{now:.6}"),
            },
        });
        let nodes: Api<Node> = Api::all(self.client.clone());
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), "kube-node-lease");
        let said = async {
            nodes.patch_status(node, &PatchParams::default(), &Patch::Strategic(status)).await?;
            leases.patch(node, &PatchParams::apply("kubelet").force(), &Patch::Apply(lease)).await
        };
        // An API server that goes away takes the answer with it.
        let said = tokio::time::timeout(HEARTBEAT, said).await.map_err(|_| "no answer".to_owned())?;
        said.map(|_| ()).map_err(|err| err.to_string())
    }
}
