//! Shell: what provisions volumes: each claim gets a volume, which goes with the claim. The cluster binds them.

use futures_util::TryStreamExt;
use k8s_openapi::api::{
    core::v1::{
        HostPathVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
    },
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};

/// The default StorageClass.
pub const CLASS: &str = "homes";

/// Starts to serve the default StorageClass.
pub async fn start(client: Client) {
    let class = StorageClass {
        metadata: kube::api::ObjectMeta {
            name: Some(CLASS.into()),
            annotations: Some([("storageclass.kubernetes.io/is-default-class".into(), "true".into())].into()),
            ..Default::default()
        },
        provisioner: "homes.test".into(),
        reclaim_policy: Some("Retain".into()),
        ..Default::default()
    };
    Api::all(client.clone()).create(&PostParams::default(), &class).await.unwrap();
    tokio::spawn(async move {
        let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
        let volumes: Api<PersistentVolume> = Api::all(client);
        let mut seen = Box::pin(watcher(claims, watcher::Config::default()).default_backoff());
        loop {
            match seen.try_next().await {
                Ok(Some(Event::Apply(claim) | Event::InitApply(claim))) => provision(&volumes, &claim).await,
                Ok(Some(Event::Delete(claim))) => {
                    let name = claim.spec.and_then(|spec| spec.volume_name);
                    if let Some(name) = name {
                        // It may be gone already.
                        let _ = volumes.delete(&name, &DeleteParams::default()).await;
                    }
                }
                Ok(Some(_)) | Err(_) => (),
                Ok(None) => return,
            }
        }
    });
}

async fn provision(volumes: &Api<PersistentVolume>, claim: &PersistentVolumeClaim) {
    let Some(spec) = claim
        .spec
        .clone()
        .filter(|spec| spec.volume_name.is_none() && spec.storage_class_name.as_deref() == Some(CLASS))
    else {
        return;
    };
    let name = format!("volume-{}", claim.uid().unwrap());
    let volume = PersistentVolume {
        metadata: kube::api::ObjectMeta { name: Some(name.clone()), ..Default::default() },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: spec.resources.and_then(|resources| resources.requests),
            claim_ref: Some(ObjectReference {
                kind: Some("PersistentVolumeClaim".into()),
                api_version: Some("v1".into()),
                namespace: claim.namespace(),
                name: claim.metadata.name.clone(),
                uid: claim.uid(),
                ..Default::default()
            }),
            host_path: Some(HostPathVolumeSource { path: format!("/nowhere/{name}"), type_: None }),
            persistent_volume_reclaim_policy: Some("Retain".into()),
            storage_class_name: spec.storage_class_name,
            ..Default::default()
        }),
        status: None,
    };
    // A claim is told of several times before it is bound: its volume is there from the second on.
    let _ = volumes.create(&PostParams::default(), &volume).await;
}
