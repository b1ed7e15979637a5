//! Shell: a cache of one kind of object that never falls behind this operator's own writes.
//!
//! A watch is late by some milliseconds. Whoever decided on what it shows would do twice what was just done. So what the
//! API server answered to a write counts until the watch has caught up with it.

use crate::object::is_older;
use kube::{
    Resource,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::Event,
    },
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long the answer to a write counts while the watch says nothing of it: the watch may have been down when the object
/// was deleted again.
const BELIEVE: Duration = Duration::from_secs(10);

/// What was written, and when.
type Written<K> = HashMap<ObjectRef<K>, (Arc<K>, Instant)>;

/// The objects of one kind.
pub struct Seen<K: Resource + Clone + 'static>
where
    K::DynamicType: Eq + Hash + Clone,
{
    kind: K::DynamicType,
    store: Store<K>,
    written: Mutex<Written<K>>,
}

impl<K: Resource + Clone + 'static> Seen<K>
where
    K::DynamicType: Eq + Hash + Clone,
{
    /// A cache over what a reflector writes.
    pub fn new(kind: K::DynamicType, store: Store<K>) -> Self {
        Self { kind, store, written: Mutex::default() }
    }

    /// The objects as the watch shows them.
    pub fn store(&self) -> &Store<K> {
        &self.store
    }

    /// The latest that is known of an object.
    #[expect(clippy::disallowed_methods, reason = "how old an answer is, is this shell's to know")]
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Option<Arc<K>> {
        let key = self.key(namespace, name);
        let watched = self.store.get(&key);
        let mut written = self.written();
        let Some((object, at)) = written.get(&key) else { return watched };
        let newer = watched.as_ref().is_none_or(|watched| is_older(watched.meta(), object.meta()));
        if newer && Instant::now().duration_since(*at) < BELIEVE {
            return Some(object.clone());
        }
        written.remove(&key);
        watched
    }

    /// The latest of an object that somebody holds already: it, or what was written since.
    pub fn latest(&self, object: Arc<K>) -> Arc<K> {
        let meta = object.meta();
        match self.get(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default()) {
            Some(other) if is_older(object.meta(), other.meta()) => other,
            _ => object,
        }
    }

    /// The API server has answered to a write with this.
    #[expect(clippy::disallowed_methods, reason = "how old an answer is, is this shell's to know")]
    pub fn wrote(&self, object: K) -> Arc<K> {
        let object = Arc::new(object);
        let key = ObjectRef::from_obj_with(&*object, self.kind.clone());
        self.written().insert(key, (object.clone(), Instant::now()));
        object
    }

    /// What the watch says makes older answers void.
    pub fn watched(&self, event: &Event<K>) {
        match event {
            Event::Apply(object) | Event::InitApply(object) => {
                let key = ObjectRef::from_obj_with(object, self.kind.clone());
                let mut written = self.written();
                if written.get(&key).is_some_and(|(other, _)| !is_older(object.meta(), other.meta())) {
                    written.remove(&key);
                }
            }
            Event::Delete(object) => {
                let key = ObjectRef::from_obj_with(object, self.kind.clone());
                self.written().remove(&key);
            }
            Event::Init | Event::InitDone => {}
        }
    }

    fn key(&self, namespace: Option<&str>, name: &str) -> ObjectRef<K> {
        let key = ObjectRef::new_with(name, self.kind.clone());
        match namespace {
            Some(namespace) => key.within(namespace),
            None => key,
        }
    }

    fn written(&self) -> MutexGuard<'_, Written<K>> {
        // Each change is one insertion or removal, so a panic elsewhere leaves nothing half done.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use kube::runtime::reflector;

    fn pod(version: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some("desktop-work".into());
        pod.metadata.namespace = Some("users".into());
        pod.metadata.resource_version = Some(version.into());
        pod
    }

    fn version(seen: &Seen<Pod>) -> Option<String> {
        seen.get(Some("users"), "desktop-work")?.metadata.resource_version.clone()
    }

    #[test]
    fn what_was_written_counts_until_the_watch_has_it() {
        let (store, mut writer) = reflector::store();
        let seen = Seen::new((), store);
        let mut watch = |event| {
            seen.watched(&event);
            writer.apply_watcher_event(&event);
        };
        watch(Event::Apply(pod("5")));
        seen.wrote(pod("9"));
        assert_eq!(version(&seen).as_deref(), Some("9"), "the watch is behind");
        watch(Event::Apply(pod("7")));
        assert_eq!(version(&seen).as_deref(), Some("9"), "and still is");
        watch(Event::Apply(pod("12")));
        assert_eq!(version(&seen).as_deref(), Some("12"));
        seen.wrote(pod("13"));
        watch(Event::Delete(pod("14")));
        assert_eq!(version(&seen), None, "what was deleted is not believed in");
    }
}
