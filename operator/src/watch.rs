//! Shell: what the operator knows of the cluster: a reflector for each kind, and who is to be looked at when it changes.
//!
//! Each kind has a watch of its own with a back-off of its own, so that a kind that is missing or forbidden holds up no
//! other. They watch only what is labelled as ours, trimmed, and they say in words what is wrong with them.

use crate::{
    api::{VDISession, VDITemplate},
    backoff,
    dereference::shares_home,
    error::Error,
    given::Given,
    hindrance, names,
    object::{Child, Kind, is_controlled_by, trim},
    phase::Refusal,
    seen::Seen,
    words,
};
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, ObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fmt::Debug,
    hash::Hash,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch as channel},
    task::JoinSet,
};

/// Objects of one page of a list: a page is held twice for a moment.
const PAGE: u32 = 200;
/// Longest wait before a watch is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// Objects to be looked at that may wait for the controller, which takes them faster than they come.
const QUEUE: usize = 1_024;

/// What is wrong with the watches and the lease, by kind; empty if nothing is.
#[derive(Default)]
pub struct Complaints(Mutex<BTreeMap<String, String>>);

impl Complaints {
    /// What is wrong, one line for each kind.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Nobody watches any more.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is wrong with a kind, or that nothing is; what is new is logged.
    pub fn set(&self, kind: &str, complaint: Option<String>) {
        let mut complaints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match complaint {
            Some(complaint) => {
                if complaints.get(kind) != Some(&complaint) {
                    tracing::warn!("{complaint}");
                }
                complaints.insert(kind.to_owned(), complaint);
            }
            None => {
                if complaints.remove(kind).is_some() {
                    tracing::info!("what was wrong with {kind} is over");
                }
            }
        }
    }
}

/// What the operator knows of the cluster.
pub struct Known {
    /// Sessions of all namespaces.
    pub sessions: Seen<VDISession>,
    /// Templates.
    pub templates: Seen<VDITemplate>,
    /// Desktops, claimed and waiting.
    pub pods: Seen<Pod>,
    /// What sessions were given that only one can have.
    pub given: Given,
    children: BTreeMap<Kind, Seen<Child>>,
    /// Kinds that cannot be watched: what there is of them is not known, and no session can be given its own.
    hindrances: channel::Sender<BTreeMap<Kind, Refusal>>,
}

impl Known {
    /// What stands in the way of looking after objects of a kind, if anything does.
    #[expect(clippy::disallowed_methods, reason = "the lock is gone when this returns")]
    pub fn may_use(&self, kind: Kind) -> Result<(), Error> {
        self.hindrances.borrow().get(&kind).map_or(Ok(()), |refusal| Err(Error::Refused(refusal.clone())))
    }

    /// Something stands in the way, or nothing any more; says whether that is new.
    fn hinder(&self, kind: Kind, hindrance: Option<Refusal>) -> bool {
        self.hindrances.send_if_modified(|all| match hindrance {
            Some(refusal) => all.insert(kind, refusal.clone()).as_ref() != Some(&refusal),
            None => all.remove(&kind).is_some(),
        })
    }

    /// The latest that is known of an object.
    pub fn child(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Child>> {
        self.children.get(&kind)?.get(Some(namespace), name)
    }

    /// The API server has answered to a write with this.
    pub fn wrote(&self, kind: Kind, child: Child) -> Arc<Child> {
        match self.children.get(&kind) {
            Some(seen) => seen.wrote(child),
            None => Arc::new(child),
        }
    }

    /// Objects of a kind that somebody controls and that stay.
    pub fn controlled(&self, kind: Kind, namespace: &str, uid: &str) -> Vec<Arc<Child>> {
        let mut theirs = self.controlled_anywhere(kind, uid);
        theirs.retain(|child| child.meta().namespace.as_deref() == Some(namespace));
        theirs
    }

    /// The same in all namespaces.
    pub fn controlled_anywhere(&self, kind: Kind, uid: &str) -> Vec<Arc<Child>> {
        let theirs =
            |child: &Child| child.meta().deletion_timestamp.is_none() && is_controlled_by(child.meta(), uid);
        self.children.get(&kind).map(|seen| seen.store().state_filter(theirs)).unwrap_or_default()
    }

    /// Waits until everything has been listed once, so that what is not known does not exist, or cannot be listed, so that
    /// sessions are told why.
    pub async fn ready(&self) {
        // An error says that the watch has ended: of a kind that the cluster lacks, or of all when the process ends.
        let _ = self.sessions.store().wait_until_ready().await;
        let _ = self.templates.store().wait_until_ready().await;
        let _ = self.pods.store().wait_until_ready().await;
        for (kind, seen) in &self.children {
            let mut hindrances = self.hindrances.subscribe();
            tokio::select! {
                _ = seen.store().wait_until_ready() => {}
                _ = hindrances.wait_for(|all| all.contains_key(kind)) => {}
            }
        }
    }
}

/// Who is to be looked at.
#[derive(Debug, Clone)]
pub enum Look {
    /// A session.
    Session(ObjectRef<VDISession>),
    /// A template's warm pool.
    Template(ObjectRef<VDITemplate>),
}

/// Who is to be looked at, for the controllers.
pub struct Looks {
    /// Sessions.
    pub sessions: mpsc::Receiver<ObjectRef<VDISession>>,
    /// All sessions, since something may have been missed.
    pub all_sessions: mpsc::Receiver<()>,
    /// Templates.
    pub templates: mpsc::Receiver<ObjectRef<VDITemplate>>,
    /// All templates, likewise.
    pub all_templates: mpsc::Receiver<()>,
}

/// Where to say who is to be looked at.
#[derive(Clone)]
pub struct Trigger {
    sessions: mpsc::Sender<ObjectRef<VDISession>>,
    all_sessions: mpsc::Sender<()>,
    templates: mpsc::Sender<ObjectRef<VDITemplate>>,
    all_templates: mpsc::Sender<()>,
}

impl Trigger {
    fn new() -> (Self, Looks) {
        let (sessions, session_looks) = mpsc::channel(QUEUE);
        let (all_sessions, all_session_looks) = mpsc::channel(1);
        let (templates, template_looks) = mpsc::channel(QUEUE);
        let (all_templates, all_template_looks) = mpsc::channel(1);
        let looks = Looks {
            sessions: session_looks,
            all_sessions: all_session_looks,
            templates: template_looks,
            all_templates: all_template_looks,
        };
        (Self { sessions, all_sessions, templates, all_templates }, looks)
    }

    /// Asks for a look. Nobody hears it once the controllers have ended, which is well.
    pub async fn look(&self, look: Look) {
        match look {
            Look::Session(session) => {
                let _ = self.sessions.send(session).await;
            }
            Look::Template(template) => {
                let _ = self.templates.send(template).await;
            }
        }
    }

    /// Asks for a look at everything. A message that waits already says the same.
    pub fn everything(&self) {
        let _ = self.all_sessions.try_send(());
        let _ = self.all_templates.try_send(());
    }
}

/// The session and the template that a labelled object belongs to.
fn owners(meta: &ObjectMeta, label: impl Fn(&str) -> Option<String>) -> Vec<Look> {
    let session = label(names::LABEL_SESSION).zip(meta.namespace.as_ref());
    let session = session.map(|(name, namespace)| Look::Session(ObjectRef::new(&name).within(namespace)));
    // A desktop that was claimed has its session for an owner, and leaves a place in the pool.
    let pool = label(names::LABEL_POOL).map(|name| Look::Template(ObjectRef::new(&name)));
    session.into_iter().chain(pool).collect()
}

/// One watch.
struct Watch<K: Resource + Clone + 'static>
where
    K::DynamicType: Eq + Hash + Clone,
{
    api: Api<K>,
    name: String,
    config: watcher::Config,
    /// Where to say that objects of sessions cannot be watched, if it is them.
    children: Option<(Kind, Arc<Known>)>,
    writer: Writer<K>,
    /// Drops what nobody reads.
    trim: fn(&mut K),
    complaints: Arc<Complaints>,
    trigger: Trigger,
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone + Send + Sync,
{
    /// Follows the objects; `seen` hears of each event after the store has it, and says who is to be looked at.
    async fn follow(self, seen: impl Fn(&Event<K>) -> Vec<Look> + Send) {
        if let Some((kind, known)) = self.children.as_ref().filter(|(kind, _)| kind.optional())
            && self.is_lacking().await
        {
            tracing::info!("the cluster has no {}; nothing needs it so far", self.name);
            known.hinder(*kind, Some(hindrance::lacking(*kind)));
            return;
        }
        let mut failures = 0;
        let mut listed = false;
        let trim = self.trim;
        let children = self.children;
        let hinder =
            |hindrance| children.as_ref().is_some_and(|(kind, known)| known.hinder(*kind, hindrance));
        let events = watcher(self.api, self.config).map_ok(|event| event.modify(trim)).reflect(self.writer);
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if !matches!(event, Event::Init) {
                        failures = 0;
                        self.complaints.set(&self.name, None);
                    }
                    if matches!(event, Event::InitDone) {
                        let was_hindered = hinder(None);
                        // What was deleted while nobody watched is told by nobody.
                        if listed || was_hindered {
                            self.trigger.everything();
                        }
                        listed = true;
                    }
                    for look in seen(&event) {
                        self.trigger.look(look).await;
                    }
                }
                Err(error) => {
                    failures += 1;
                    self.complaints.set(&self.name, hindrance::complaint(&self.name, &error));
                    let refusal = children.as_ref().zip(hindrance::answer(&error));
                    let refusal = refusal.and_then(|((kind, _), it)| hindrance::of_watch(*kind, it, listed));
                    if refusal.is_some() && hinder(refusal) {
                        self.trigger.everything();
                    }
                    let wait = backoff::after(failures, backoff::random()).min(LONGEST_BACKOFF);
                    tracing::debug!(
                        "the watch of {} is tried again in {}: {error}",
                        self.name,
                        words::span(wait)
                    );
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn is_lacking(&self) -> bool {
        let mut failures = 0;
        loop {
            match self.api.list(&ListParams::default().limit(1)).await {
                Ok(_) => return false,
                Err(kube::Error::Api(status)) if status.code == 404 => return true,
                Err(error) => {
                    failures += 1;
                    tracing::debug!("cannot ask for {}: {error}", self.name);
                    let wait = backoff::after(failures, backoff::random()).min(LONGEST_BACKOFF);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

/// Conditions of pods that are read.
const CONDITIONS: [&str; 3] = ["Ready", "PodScheduled", "DisruptionTarget"];

/// Of a pod's spec only the node is read, and of its containers only their image and how they fare.
fn trim_pod(pod: &mut Pod) {
    trim(pod);
    if let Some(spec) = pod.spec.take() {
        pod.spec = Some(PodSpec { node_name: spec.node_name, ..PodSpec::default() });
    }
    if let Some(status) = &mut pod.status {
        (status.host_ip, status.host_ips, status.pod_ips, status.qos_class) = (None, None, None, None);
        // Those that kubelets add beside the ones that are decided by.
        let conditions = status.conditions.iter_mut();
        conditions.for_each(|all| all.retain(|one| CONDITIONS.contains(&one.type_.as_str())));
    }
    for container in pod.status.iter_mut().flat_map(|status| status.container_statuses.iter_mut().flatten()) {
        container.image_id = String::new();
        container.container_id = None;
        container.volume_mounts = None;
        container.resources = None;
        container.allocated_resources = None;
    }
}

/// Starts the watches; they end with the set. `forget` hears the UIDs of sessions that are gone.
pub fn start(
    client: &Client,
    complaints: &Arc<Complaints>,
    forget: impl Fn(&str) + Send + Sync + 'static,
    tasks: &mut JoinSet<()>,
) -> (Arc<Known>, Trigger, Looks) {
    let (trigger, looks) = Trigger::new();
    let (sessions, session_writer) = reflector::store();
    let (templates, template_writer) = reflector::store();
    let (pods, pod_writer) = reflector::store();
    let writers = Kind::CHILDREN.map(|kind| (kind, Writer::<Child>::new(kind)));
    let children =
        writers.iter().map(|(kind, writer)| (*kind, Seen::new(*kind, writer.as_reader()))).collect();
    let known = Arc::new(Known {
        sessions: Seen::new((), sessions),
        templates: Seen::new((), templates),
        pods: Seen::new((), pods),
        given: Given::default(),
        children,
        hindrances: channel::Sender::default(),
    });
    let all = watcher::Config::default().page_size(PAGE);
    let ours = all.clone().labels(&format!("{}={}", names::LABEL_MANAGED_BY, names::FIELD_MANAGER));

    let watch = Watch {
        api: Api::all(client.clone()),
        name: "VDISession".to_owned(),
        config: all.clone(),
        children: None,
        writer: session_writer,
        trim,
        complaints: complaints.clone(),
        trigger: trigger.clone(),
    };
    let k = known.clone();
    tasks.spawn(watch.follow(move |event: &Event<VDISession>| {
        k.sessions.watched(event);
        let Some(session) = touched(event) else { return Vec::new() };
        let mut looks = vec![Look::Session(ObjectRef::from_obj(session))];
        if matches!(event, Event::Delete(_)) {
            // Another one of the same user may wait for the home.
            let waiting = k.sessions.store().state_filter(|other| shares_home(other, session));
            looks.extend(waiting.iter().map(|other| Look::Session(ObjectRef::from_obj(&**other))));
            let uid = session.metadata.uid.as_deref().unwrap_or_default();
            k.given.forget(uid);
            (forget)(uid);
        }
        looks
    }));

    let watch = Watch {
        api: Api::all(client.clone()),
        name: "VDITemplate".to_owned(),
        config: all,
        children: None,
        writer: template_writer,
        trim,
        complaints: complaints.clone(),
        trigger: trigger.clone(),
    };
    let k = known.clone();
    tasks.spawn(watch.follow(move |event: &Event<VDITemplate>| {
        k.templates.watched(event);
        let Some(template) = touched(event) else { return Vec::new() };
        let name = template.name_any();
        let of_it = k.sessions.store().state_filter(|session| session.spec.template == name);
        let sessions = of_it.iter().map(|session| Look::Session(ObjectRef::from_obj(&**session)));
        sessions.chain([Look::Template(ObjectRef::new(&name))]).collect()
    }));

    let watch = Watch {
        api: Api::all(client.clone()),
        name: Kind::Pod.name().to_owned(),
        config: ours.clone(),
        children: None,
        writer: pod_writer,
        trim: trim_pod,
        complaints: complaints.clone(),
        trigger: trigger.clone(),
    };
    let k = known.clone();
    tasks.spawn(watch.follow(move |event: &Event<Pod>| {
        k.pods.watched(event);
        let label = |pod: &Pod, key: &str| pod.labels().get(key).cloned();
        touched(event).map(|pod| owners(pod.meta(), |key| label(pod, key))).unwrap_or_default()
    }));

    for (kind, writer) in writers {
        let watch = Watch {
            api: Api::all_with(client.clone(), &kind),
            name: kind.name().to_owned(),
            config: ours.clone(),
            children: Some((kind, known.clone())),
            writer,
            trim,
            complaints: complaints.clone(),
            trigger: trigger.clone(),
        };
        let k = known.clone();
        tasks.spawn(watch.follow(move |event: &Event<Child>| {
            if let Some(seen) = k.children.get(&kind) {
                seen.watched(event);
            }
            touched(event).map(|child| owners(child.meta(), |key| child.label(key))).unwrap_or_default()
        }));
    }
    (known, trigger, looks)
}

/// The object of an event, but for a first list: then everything is looked at anyway.
fn touched<K>(event: &Event<K>) -> Option<&K> {
    match event {
        Event::Apply(object) | Event::Delete(object) => Some(object),
        Event::InitApply(_) | Event::Init | Event::InitDone => None,
    }
}
