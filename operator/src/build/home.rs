//! Decision: the claim for a user's home. Nobody owns it, so it outlives its session.

use super::metadata::{labels, texts};
use crate::{api::Persistence, desktop::Desktop, names};
use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

/// The home, where the template keeps homes.
pub(super) fn home(desktop: &Desktop) -> Option<PersistentVolumeClaim> {
    let storage = &desktop.spec.storage;
    (storage.persistence == Persistence::Claim).then(|| PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(names::home(&desktop.user, &desktop.template)),
            namespace: Some(desktop.namespace.clone()),
            // Not the session's name: the user's next one has another.
            labels: Some(labels(&desktop.template)),
            annotations: Some(texts([(names::ANNOTATION_USER, desktop.user.clone())])),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(storage.size.to_string()))].into()),
                ..VolumeResourceRequirements::default()
            }),
            storage_class_name: storage.storage_class_name.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    })
}

/// Whether a claim is the home of this user: what else has that name must be neither mounted nor deleted.
pub fn is_home_of(home: &PersistentVolumeClaim, user: &str) -> bool {
    let says = |texts: &Option<std::collections::BTreeMap<String, String>>, key: &str, value: &str| {
        texts.as_ref().and_then(|texts| texts.get(key)).is_some_and(|text| text.eq_ignore_ascii_case(value))
    };
    says(&home.metadata.labels, names::LABEL_MANAGED_BY, names::FIELD_MANAGER)
        && says(&home.metadata.annotations, names::ANNOTATION_USER, user)
}
