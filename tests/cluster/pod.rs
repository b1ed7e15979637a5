//! Shell: one pod on a played node, from the pull of its image to its end, as a kubelet tells of it.

use crate::nodes::Nodes;
use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use vdi_protocol::reason::FailureReason;

/// Between two tries of what cannot be done yet.
const AGAIN: Duration = Duration::from_millis(200);
/// An API server that goes away takes its answer with it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a pod until something else ends it.
pub async fn run(nodes: Arc<Nodes>, pod: Pod) {
    let kubelet = Kubelet::of(nodes.client.clone(), &pod);
    let container = &pod.spec.as_ref().unwrap().containers[0];
    let image = container.image.clone().unwrap_or_default();
    let mut told = String::new();
    while !nodes.has_image(&image) {
        kubelet
            .waits(&mut told, "ImagePullBackOff", &format!("Back-off pulling image \"{image}\": not found"))
            .await;
        tokio::time::sleep(AGAIN).await;
    }
    let environment = loop {
        match kubelet.environment(&pod).await {
            Ok(found) => break found,
            Err(missing) => kubelet.waits(&mut told, "CreateContainerConfigError", &missing).await,
        }
        tokio::time::sleep(AGAIN).await;
    };

    let behaviour = image.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let reason = FailureReason::from_name(&behaviour.to_uppercase().replace('-', "_"));
    if let Some(reason) = reason {
        kubelet.ended(reason.exit_code().into(), "Error", &format!("{reason}: as the test wants it\n")).await;
        return;
    }
    if behaviour == "out-of-memory" {
        kubelet.ended(137, "OOMKilled", "").await;
        return;
    }
    let of = |name: &str| environment.get(name).cloned().unwrap_or_default();
    let (user, password) = (of("SELKIES_BASIC_AUTH_USER"), of("SELKIES_BASIC_AUTH_PASSWORD"));
    let Some(launcher) = nodes.launch(&pod.uid().unwrap(), &user, &password).await else { return };
    kubelet.runs(&launcher.address.to_string(), behaviour != "slow").await;
}

/// Ends a pod that was asked to end.
pub async fn remove(client: Client, pod: Pod) {
    let name = pod.name_any();
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace().unwrap());
    let this = Preconditions { uid: pod.uid(), resource_version: None };
    let now = DeleteParams { grace_period_seconds: Some(0), preconditions: Some(this), ..Default::default() };
    loop {
        match tokio::time::timeout(PATIENCE, pods.delete(&name, &now)).await {
            Ok(Ok(_)) => return,
            // Another was quicker.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 || status.code == 409 => return,
            // The API server is away, and whoever asked for the end of the pod does not ask twice.
            Ok(Err(_)) => tokio::time::sleep(AGAIN).await,
            Err(_) => (),
        }
    }
}

/// Whether somebody else has marked a pod as not ready whose container is.
pub fn was_marked(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let container = status.container_statuses.iter().flatten().any(|container| container.ready);
    let mut conditions = status.conditions.iter().flatten();
    container && conditions.any(|condition| condition.type_ == "Ready" && condition.status == "False")
}

/// What tells the API server of a pod.
pub struct Kubelet {
    pods: Api<Pod>,
    secrets: Api<Secret>,
    name: String,
    uid: String,
    image: String,
}

impl Kubelet {
    /// For this pod.
    pub fn of(client: Client, pod: &Pod) -> Self {
        let namespace = pod.namespace().unwrap();
        let spec = pod.spec.as_ref().unwrap();
        Self {
            pods: Api::namespaced(client.clone(), &namespace),
            secrets: Api::namespaced(client, &namespace),
            name: pod.name_any(),
            uid: pod.uid().unwrap(),
            image: spec.containers[0].image.clone().unwrap_or_default(),
        }
    }

    /// The container runs at this address.
    pub async fn runs(&self, address: &str, ready: bool) {
        let state = json!({ "running": { "startedAt": Timestamp::now() } });
        self.tell(json!({
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }], "hostIP": "127.0.0.1",
            "startTime": Timestamp::now(),
            "conditions": readiness(ready), "containerStatuses": [self.container(state, ready)],
        }))
        .await;
    }

    /// The container runs, and is ready or is not.
    pub async fn is_ready(&self, ready: bool) {
        let state = json!({ "running": { "startedAt": Timestamp::now() } });
        let status =
            json!({ "conditions": readiness(ready), "containerStatuses": [self.container(state, ready)] });
        self.tell(status).await;
    }

    /// The container has ended.
    pub async fn ended(&self, exit_code: i32, reason: &str, message: &str) {
        let now = Timestamp::now();
        let state = json!({ "terminated": {
            "exitCode": exit_code, "reason": reason, "message": message, "startedAt": now, "finishedAt": now,
        }});
        self.tell(json!({
            "phase": if exit_code == 0 { "Succeeded" } else { "Failed" }, "startTime": now,
            "conditions": readiness(false), "containerStatuses": [self.container(state, false)],
        }))
        .await;
    }

    /// The node ran short of something, and ended the pod.
    pub async fn evicted(&self) {
        self.tell(json!({
            "phase": "Failed", "reason": "Evicted",
            "message": "The node was low on resource: ephemeral-storage.", "conditions": readiness(false),
        }))
        .await;
    }

    /// The container waits; said once for each reason.
    async fn waits(&self, told: &mut String, reason: &str, message: &str) {
        if *told != message {
            message.clone_into(told);
            let state = json!({ "waiting": { "reason": reason, "message": message } });
            self.tell(json!({
                "phase": "Pending", "startTime": Timestamp::now(), "conditions": readiness(false),
                "containerStatuses": [self.container(state, false)],
            }))
            .await;
        }
    }

    fn container(&self, state: Value, ready: bool) -> Value {
        json!({
            "name": "desktop", "image": self.image, "imageID": self.image, "restartCount": 0, "ready": ready,
            "started": ready, "containerID": format!("test://{}", self.uid), "state": state,
        })
    }

    async fn tell(&self, status: Value) {
        let patch = Patch::Strategic(json!({ "metadata": { "uid": self.uid }, "status": status }));
        let how = PatchParams::default();
        loop {
            let told = self.pods.patch_status(&self.name, &how, &patch);
            let Ok(told) = tokio::time::timeout(PATIENCE, told).await else { continue };
            match told {
                Ok(_) => return,
                // The pod is gone, or is another of that name.
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => return,
                // The API server is away.
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// The container's variables with the Secrets' values in them, or what is missing.
    async fn environment(&self, pod: &Pod) -> Result<BTreeMap<String, String>, String> {
        let spec = pod.spec.as_ref().unwrap();
        for volume in spec.volumes.iter().flatten() {
            if let Some(name) = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref()) {
                self.secret(name).await?;
            }
        }
        let mut found = BTreeMap::new();
        for variable in spec.containers[0].env.iter().flatten() {
            let key = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
            let value = match key {
                Some(key) => {
                    let data = self.secret(&key.name).await?.data.unwrap_or_default();
                    let value =
                        data.get(&key.key).ok_or_else(|| format!("no key {} in {}", key.key, key.name))?;
                    String::from_utf8_lossy(&value.0).into_owned()
                }
                None => variable.value.clone().unwrap_or_default(),
            };
            found.insert(variable.name.clone(), value);
        }
        Ok(found)
    }

    async fn secret(&self, name: &str) -> Result<Secret, String> {
        self.secrets.get(name).await.map_err(|_| format!("secret \"{name}\" not found"))
    }
}

fn readiness(ready: bool) -> Value {
    let (status, now) = (if ready { "True" } else { "False" }, Timestamp::now());
    let of = |kind| json!({ "type": kind, "status": status, "lastTransitionTime": now });
    json!([of("Initialized"), of("ContainersReady"), of("Ready")])
}
