//! Shell: what no owner reference can collect: a home that its template wants deleted with the session.
//!
//! Only such sessions have the finalizer, so that all others go at once, with or without an operator. It stands before the
//! home does, and it speaks for the template where that is gone by then.

use crate::{
    api::{Persistence, Retention, VDISession, VDITemplate},
    api_server::ApiServer,
    build,
    desktop::Desktop,
    error::Error,
    names::{self, FINALIZER},
    object::Kind,
    words::full_name,
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Resource, ResourceExt};
use serde_json::json;
use std::sync::Arc;

/// Whether a session has it.
pub fn is_on(session: &VDISession) -> bool {
    session.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Puts it on a session that needs it, or takes it off one that does not any more.
pub async fn keep(
    server: &ApiServer,
    session: Arc<VDISession>,
    desktop: &Desktop,
) -> Result<Arc<VDISession>, Error> {
    let storage = &desktop.spec.storage;
    let needed = storage.persistence == Persistence::Claim && storage.retention == Retention::Delete;
    if session.metadata.deletion_timestamp.is_some() || needed == is_on(&session) {
        return Ok(session);
    }
    let mut finalizers = others(&session);
    if needed {
        finalizers.push(FINALIZER.to_owned());
    }
    server.merge_session(&session, json!({ "finalizers": finalizers })).await
}

/// Deletes the home of a session that is being deleted, and lets the session go. The home waits for its pod by itself.
pub async fn clean_up(
    server: &ApiServer,
    session: &VDISession,
    template: Option<&VDITemplate>,
) -> Result<(), Error> {
    let delete = template.is_none_or(|template| template.spec.storage.retention == Retention::Delete);
    if delete {
        let kind = Kind::PersistentVolumeClaim;
        let name = names::home(&session.spec.user, &session.spec.template);
        let namespace = session.namespace().unwrap_or_default();
        // The watch may not have shown a home that was made a moment ago.
        if let Some(home) = server.fresh(kind, &namespace, &name).await? {
            let claim: PersistentVolumeClaim = home.parse()?;
            let deleted = home.meta().deletion_timestamp.is_some();
            if !deleted && build::is_home_of(&claim, &session.spec.user) {
                server.delete(kind, home.meta()).await?;
                tracing::info!("session {}: deleted the home {namespace}/{name} with it", full_name(session));
            }
        }
    }
    match server.merge_session(session, json!({ "finalizers": others(session) })).await {
        Err(error) if error.code() == Some(404) => Ok(()),
        done => done.map(drop),
    }
}

fn others(session: &VDISession) -> Vec<String> {
    session.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect()
}
