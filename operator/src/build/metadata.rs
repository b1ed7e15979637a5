//! Decision: labels, annotations and owners of what is built, and what a desktop that waited gets when it is claimed.

use crate::{
    api::{VDISession, VDISessionStatus, VDITemplate},
    desktop::Desktop,
    names, phase,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::Resource;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vdi_protocol::session_limits;

/// Labels or annotations.
pub(super) type Texts = BTreeMap<String, String>;

pub(super) fn texts<const N: usize>(pairs: [(&str, String); N]) -> Texts {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What everything of ours has.
pub(super) fn labels(template: &str) -> Texts {
    texts([
        (names::LABEL_NAME, names::NAME.to_owned()),
        (names::LABEL_MANAGED_BY, names::FIELD_MANAGER.to_owned()),
        (names::LABEL_SESSION_TYPE, names::DESKTOP.to_owned()),
        (names::LABEL_TEMPLATE, names::label(template)),
    ])
}

/// What everything of a session has.
pub(super) fn session_labels(desktop: &Desktop) -> Texts {
    let mut labels = labels(&desktop.template);
    labels.insert(names::LABEL_SESSION.to_owned(), desktop.session.clone());
    labels
}

/// How a session's pod is found, whatever it is called.
pub(super) fn selector(desktop: &Desktop) -> Texts {
    texts([
        (names::LABEL_SESSION_TYPE, names::DESKTOP.to_owned()),
        (names::LABEL_SESSION, desktop.session.clone()),
    ])
}

/// An object of a session that goes with it.
pub(super) fn owned(desktop: &Desktop, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(desktop.namespace.clone()),
        labels: Some(session_labels(desktop)),
        annotations: Some(texts([(names::ANNOTATION_USER, desktop.user.clone())])),
        owner_references: Some(vec![owner(desktop)]),
        ..ObjectMeta::default()
    }
}

fn owner(desktop: &Desktop) -> OwnerReference {
    controller::<VDISession>(&desktop.session, &desktop.uid)
}

pub(super) fn controller<K: Resource<DynamicType = ()>>(name: &str, uid: &str) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// An object of a desktop that waits: it goes with the template.
pub(super) fn pooled(template: &VDITemplate, namespace: &str, name: &str) -> ObjectMeta {
    let owner = template.metadata.name.as_deref().unwrap_or_default();
    let mut labels = labels(owner);
    labels.insert(names::LABEL_POOL.to_owned(), names::label(owner));
    let uid = template.metadata.uid.as_deref().unwrap_or_default();
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels),
        owner_references: Some(vec![controller::<VDITemplate>(owner, uid)]),
        ..ObjectMeta::default()
    }
}

/// The merge patch with which a session claims a desktop that waits. The API server refuses it once somebody else has
/// changed the pod since `resource_version`: who comes second takes another.
pub fn claimed(
    desktop: &Desktop,
    resource_version: &str,
    status: &VDISessionStatus,
    now: Timestamp,
) -> Value {
    let mut annotations = of_pod(desktop, status);
    annotations.insert(names::ANNOTATION_USER.to_owned(), desktop.user.clone());
    annotations.insert(phase::ANNOTATION_CLAIMED_AT.to_owned(), now.to_string());
    json!({
        "metadata": {
            "resourceVersion": resource_version,
            "labels": { names::LABEL_SESSION: desktop.session },
            "annotations": annotations,
            "ownerReferences": [owner(desktop)],
        },
    })
}

/// What a session's pod tells of itself, to its launcher and to the operator.
pub(super) fn of_pod(desktop: &Desktop, status: &VDISessionStatus) -> Texts {
    texts([
        (phase::ANNOTATION_MADE_FROM, phase::made_from(desktop)),
        (session_limits::ANNOTATION, phase::limits_annotation(desktop, status)),
    ])
}

/// The generation of the template that a pod was made from.
pub fn template_generation(pod: &Pod) -> Option<i64> {
    pod.metadata.annotations.as_ref()?.get(names::ANNOTATION_TEMPLATE_GENERATION)?.parse().ok()
}
