//! Decision: what is mounted into a desktop's container: its root is read-only, so every folder that anything writes to
//! is a volume of its own.

use super::metadata::Texts;
use crate::api::{Persistence, VDITemplateSpec};
use k8s_openapi::{
    api::core::v1::{
        DownwardAPIVolumeFile, DownwardAPIVolumeSource, EmptyDirVolumeSource, ObjectFieldSelector,
        PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use vdi_protocol::session_limits;

/// The user's home.
pub(super) const HOME: &str = "/home/user";
/// What programs keep while they run: sockets, cookies.
pub(super) const RUNTIME: &str = "/run/user/1000";
/// The Secret.
pub(super) const SECRETS: &str = "/run/secrets/vdi";
/// What the operator tells the launcher.
pub(super) const POD_INFO: &str = "/run/vdi";
/// The file in it.
pub(super) const LIMITS_FILE: &str = "limits";

/// Pictures between X server, its clients and the launcher: 64 MiB, the usual default, are too few for 4K. It counts as
/// the container's memory as far as it is used.
const SHM: &str = "2Gi";
/// Sockets and cookies are small.
const RUNTIME_SIZE: &str = "64Mi";
/// Programs' temporary files, on the node's disk.
const TMP: &str = "4Gi";

/// Volumes, and where they are mounted.
pub(super) fn volumes(spec: &VDITemplateSpec, home: &str, secret: &str) -> (Vec<Volume>, Vec<VolumeMount>) {
    let named = |name: &str| Volume { name: name.to_owned(), ..Volume::default() };
    let empty = |name: &str, medium: Option<&str>, size: String| Volume {
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(str::to_owned),
            size_limit: Some(Quantity(size)),
        }),
        ..named(name)
    };
    let home = match spec.storage.persistence {
        Persistence::Claim => Volume {
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: home.to_owned(),
                read_only: None,
            }),
            ..named("home")
        },
        Persistence::None => empty("home", None, spec.storage.size.to_string()),
    };
    let limits = DownwardAPIVolumeFile {
        path: LIMITS_FILE.to_owned(),
        field_ref: Some(ObjectFieldSelector {
            api_version: Some("v1".to_owned()),
            field_path: format!("metadata.annotations['{}']", session_limits::ANNOTATION),
        }),
        ..DownwardAPIVolumeFile::default()
    };
    let volumes = [
        (home, HOME, false),
        (empty("tmp", None, TMP.to_owned()), "/tmp", false),
        (empty("runtime", Some("Memory"), RUNTIME_SIZE.to_owned()), RUNTIME, false),
        (empty("shm", Some("Memory"), SHM.to_owned()), "/dev/shm", false),
        (
            Volume {
                secret: Some(SecretVolumeSource {
                    secret_name: Some(secret.to_owned()),
                    // For the group, which is the pod's fsGroup.
                    default_mode: Some(0o440),
                    ..SecretVolumeSource::default()
                }),
                ..named("secrets")
            },
            SECRETS,
            true,
        ),
        (
            Volume {
                downward_api: Some(DownwardAPIVolumeSource {
                    items: Some(vec![limits]),
                    default_mode: Some(0o444),
                }),
                ..named("pod-info")
            },
            POD_INFO,
            true,
        ),
    ];
    let mount = |volume: &Volume, path: &str, read_only: bool| VolumeMount {
        name: volume.name.clone(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    volumes
        .into_iter()
        .map(|(volume, path, read_only)| {
            let mount = mount(&volume, path, read_only);
            (volume, mount)
        })
        .unzip()
}

/// What autoscalers read: a desktop is not moved while somebody works at it.
pub(super) fn keep_on_node() -> Texts {
    super::metadata::texts([
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false".to_owned()),
        ("karpenter.sh/do-not-disrupt", "true".to_owned()),
    ])
}
