//! Shell: the tests' cluster itself does what a cluster does: or else no other test here would say anything.

use crate::{
    control_plane::with_cluster,
    storage,
    wait::{SOON, until},
};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret, ServiceAccount};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

#[test]
fn pod_is_scheduled_started_answers_and_is_collected_with_its_owner() {
    with_cluster(async |cluster| {
        let name = "cluster-itself";
        let namespace = json!({ "metadata": { "name": name } });
        let namespace: Namespace = serde_json::from_value(namespace).unwrap();
        Api::all(cluster.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), name);
        until("the default service account", SOON, async || accounts.get("default").await).await;

        let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), name);
        let secret = json!({ "metadata": { "name": "door" }, "stringData": { "password": "sesame" } });
        let secret =
            secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(cluster.client.clone(), name);
        let claim = json!({
            "metadata": { "name": "home" },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
        });
        claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();

        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), name);
        let owner =
            json!({ "apiVersion": "v1", "kind": "Secret", "name": "door", "uid": secret.uid().unwrap() });
        let pod = json!({
            "metadata": { "name": "desktop", "ownerReferences": [owner] },
            "spec": {
                "containers": [{
                    "name": "desktop", "image": "desktop.test/works:1",
                    "env": [
                        { "name": "SELKIES_BASIC_AUTH_USER", "value": "ali" },
                        { "name": "SELKIES_BASIC_AUTH_PASSWORD", "valueFrom": { "secretKeyRef": { "name": "door", "key": "password" } } },
                    ],
                    "resources": { "limits": { "nvidia.com/gpu": "1" } },
                    "volumeMounts": [{ "name": "home", "mountPath": "/home/user" }],
                }],
                "volumes": [{ "name": "home", "persistentVolumeClaim": { "claimName": "home" } }],
            },
        });
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        until("a running pod", SOON, async || {
            let status = pods.get("desktop").await.unwrap().status.unwrap();
            if status.phase.as_deref() == Some("Running") { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
        let bound = claims.get("home").await.unwrap();
        assert_eq!(bound.spec.unwrap().storage_class_name.as_deref(), Some(storage::CLASS));

        assert_eq!(cluster.nodes.launcher(name, "desktop").unwrap().asked(), 0);
        assert!(cluster.kubectl_ok(&["get", "pods", "-n", name]).await.contains("1/1     Running"));

        // The claim stays while the pod uses it, and the pod goes with its owner.
        claims.delete("home", &DeleteParams::default()).await.unwrap();
        secrets.delete("door", &DeleteParams::default()).await.unwrap();
        until("the end of the pod", SOON, async || match pods.get_opt("desktop").await.unwrap() {
            None => Ok(()),
            Some(pod) => Err(format!("{:?}", pod.metadata)),
        })
        .await;
        until("the end of the home", SOON, async || match claims.get_opt("home").await.unwrap() {
            None => Ok(()),
            Some(claim) => Err(format!("{:?}", claim.metadata)),
        })
        .await;
    });
}
