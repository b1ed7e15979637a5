//! Shell: tells people what happened, as events on their session or their template.
//!
//! An event is a courtesy: that it cannot be written is logged and holds up nothing. Its name is made from what it is
//! about, so that it is never told twice, however often the operator is killed between telling and remembering.

use crate::{api_server::ApiServer, names, phase::Told};
use jiff::Timestamp;
use k8s_openapi::{
    api::events::v1::Event,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Resource, ResourceExt};

/// Longest note that the API server takes.
const LONGEST_NOTE: usize = 1_000;

/// Where events on objects of the whole cluster are kept.
const OF_THE_CLUSTER: &str = "default";

/// Tells of an object what its decision says. The object is as it was decided on.
pub async fn tell<K: Resource<DynamicType = ()>>(
    server: &ApiServer,
    about: &K,
    reporter: &str,
    told: &[Told],
) {
    for told in told {
        let event = event(about, reporter, told, Timestamp::now());
        if let Err(error) = server.event(&event).await {
            tracing::warn!("{error}");
        }
    }
}

fn event<K: Resource<DynamicType = ()>>(about: &K, reporter: &str, told: &Told, now: Timestamp) -> Event {
    let version = about.meta().resource_version.as_deref().unwrap_or_default();
    let uid = about.meta().uid.as_deref().unwrap_or_default();
    let what = names::hash(&format!("{uid} {version} {} {}", told.reason, told.note), 16);
    let mut note = told.note.clone();
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE));
    }
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{what}", about.name_any())),
            namespace: Some(about.namespace().unwrap_or_else(|| OF_THE_CLUSTER.to_owned())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(format!("vdi.kasm.io/{}", names::FIELD_MANAGER)),
        reporting_instance: Some(reporter.chars().take(128).collect()),
        action: Some("Reconcile".to_owned()),
        reason: Some(told.reason.clone()),
        regarding: Some(about.object_ref(&())),
        note: Some(note),
        type_: Some(if told.warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}
