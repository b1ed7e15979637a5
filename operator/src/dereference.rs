//! Shell: the first verb: finds what a session speaks of: its template, its pod, and the sessions that it shares a name or a
//! home with. It reads the caches only.

use crate::{
    api::{Persistence, VDISession, VDITemplate},
    desktop::{Desktop, Invalid},
    names,
    object::is_controlled_by,
    settings::Settings,
    validate,
    watch::Known,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::sync::Arc;

/// What a session speaks of.
pub struct Found {
    /// Its template.
    pub template: Option<Arc<VDITemplate>>,
    /// What it comes to.
    pub desktop: Result<Desktop, Invalid>,
    /// Its pod.
    pub pod: Option<Arc<Pod>>,
    /// Pods that are its own too, which two operators at once may have brought about.
    pub surplus: Vec<Arc<Pod>>,
}

/// Finds it.
pub fn find(known: &Known, session: &VDISession, settings: &Settings) -> Found {
    let template = known.templates.get(None, &session.spec.template);
    let desktop = match &template {
        Some(template) => {
            let host = known.given.host(session, || known.sessions.store().state(), &settings.domain);
            validate::desktop(session, template, &host).and_then(|desktop| {
                match home_in_use(known, session, template) {
                    Some(other) => Err(validate::home_in_use(&other)),
                    None => Ok(desktop),
                }
            })
        }
        None => Err(validate::template_not_found(&session.spec.template)),
    };
    let mut pods = pods(known, session, template.as_deref());
    let pod = (!pods.is_empty()).then(|| pods.remove(0));
    Found { template, desktop, pod, surplus: pods }
}

/// The session of the same user and template that has the home which this one needs.
fn home_in_use(known: &Known, session: &VDISession, template: &VDITemplate) -> Option<String> {
    if template.spec.storage.persistence != Persistence::Claim {
        return None;
    }
    let others = known.sessions.store().state_filter(|other| shares_home(other, session));
    known.given.home(session, others.iter().map(|other| &**other), |session| {
        let is_told = session.status.as_ref().is_some_and(|status| status.pod_uid.is_some());
        is_told || !pods(known, session, Some(template)).is_empty()
    })
}

/// Whether two sessions have the same home.
pub fn shares_home(other: &VDISession, session: &VDISession) -> bool {
    other.spec.template == session.spec.template
        && other.metadata.namespace == session.metadata.namespace
        && other.spec.user.eq_ignore_ascii_case(&session.spec.user)
        && other.metadata.uid != session.metadata.uid
}

/// The pods of a session, the one that counts first: the one that its status names, else one that stays, else the oldest.
fn pods(known: &Known, session: &VDISession, template: Option<&VDITemplate>) -> Vec<Arc<Pod>> {
    let (namespace, name) = (session.namespace(), session.name_any());
    let uid = session.metadata.uid.as_deref().unwrap_or_default();
    let own = names::objects(&name);
    let status = session.status.as_ref();
    let named = status.and_then(|status| status.pod_name.as_deref()).filter(|pod| *pod != own);
    let mut pods: Vec<Arc<Pod>> = [Some(own.as_str()), named]
        .into_iter()
        .flatten()
        .filter_map(|pod| known.pods.get(namespace.as_deref(), pod))
        .collect();
    // One that was claimed may be known by its label only.
    if named.is_some() || template.is_some_and(|template| template.spec.warm_pool.is_some()) {
        let claimed = known.pods.store().state_filter(|pod| {
            pod.metadata.namespace == namespace && pod.labels().get(names::LABEL_SESSION) == Some(&name)
        });
        for pod in claimed {
            if !pods.iter().any(|other| other.metadata.name == pod.metadata.name) {
                pods.push(pod);
            }
        }
    }
    pods.retain(|pod| is_controlled_by(&pod.metadata, uid));
    let counts = status.and_then(|status| status.pod_uid.as_ref());
    pods.sort_by_key(|pod| {
        let meta = &pod.metadata;
        (
            counts.is_none() || meta.uid.as_ref() != counts,
            meta.deletion_timestamp.is_some(),
            meta.creation_timestamp.as_ref().map(|time| time.0),
            meta.name.clone(),
        )
    });
    pods
}
