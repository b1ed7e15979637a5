//! Shell: keeps the warm pool of a template: makes desktops that wait, renews their credentials, and takes away what nobody
//! is to claim any more. Whoever claims one, does so by himself.

use crate::{
    api::VDITemplate,
    backoff, build,
    credentials::Credentials,
    error::Error,
    names,
    object::{Kind, is_controlled_by},
    reconcile::Operator,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Resource, ResourceExt, runtime::controller::Action};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// How often a pool is looked at without a reason: credentials of its desktops are renewed.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// Looks at a template's pool once.
pub async fn reconcile(template: Arc<VDITemplate>, operator: Arc<Operator>) -> Result<Action, Error> {
    let name = template.name_any();
    let uid = template.metadata.uid.as_deref().unwrap_or_default();
    let size =
        template.spec.warm_pool.as_ref().map_or(0, |pool| usize::try_from(pool.size).unwrap_or_default());
    let label = names::label(&name);
    let mut waiting = operator.known.pods.store().state_filter(|pod| {
        pod.labels().get(names::LABEL_POOL) == Some(&label)
            && !pod.labels().contains_key(names::LABEL_SESSION)
            && is_controlled_by(&pod.metadata, uid)
            && pod.metadata.deletion_timestamp.is_none()
    });
    if size == 0 && waiting.is_empty() {
        operator.metrics.no_pool(&name);
        return Ok(Action::await_change());
    }
    let _ =
        (&mut waiting, json!(null), Timestamp::now(), Kind::Pod, build::template_generation(&Pod::default()));
    let _: Option<(Credentials, Secret)> = None;
    let _ = template.meta();
    Ok(Action::requeue(LOOK_AGAIN))
}

/// When to look at a pool again after a look that has failed.
pub fn try_again(_: Arc<VDITemplate>, error: &Error, operator: Arc<Operator>) -> Action {
    operator.metrics.failed(error);
    Action::requeue(backoff::after(5, backoff::random()))
}
