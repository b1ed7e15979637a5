//! Wire: the kinds of objects that belong to a session, as the operator keeps them: trimmed to what it compares.
//!
//! At 5,000 sessions there are 25,000 of them, so what is kept is whose they are, and all of it as text. Pods are not
//! among them: what a kubelet says of them is read all the time, so they keep their type.

use crate::error::Error;
use kube::{
    Resource,
    api::{ApiResource, DynamicObject, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::HashMap};

/// A kind that belongs to sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Password and TURN credentials.
    Secret,
    /// A user's home.
    PersistentVolumeClaim,
    /// What may reach a desktop, and what it may reach.
    NetworkPolicy,
    /// What the route leads to.
    Service,
    /// Traefik's route.
    IngressRoute,
    /// A GPU by dynamic resource allocation.
    ResourceClaim,
    /// The desktop.
    Pod,
}

/// Group, version, kind and plural of a kind.
type Names = (&'static str, &'static str, &'static str, &'static str);

impl Kind {
    /// The kinds that are kept as [`Child`].
    pub const CHILDREN: [Self; 6] = [
        Self::Secret,
        Self::PersistentVolumeClaim,
        Self::NetworkPolicy,
        Self::Service,
        Self::IngressRoute,
        Self::ResourceClaim,
    ];

    fn names(self) -> Names {
        match self {
            Self::Secret => ("", "v1", "Secret", "secrets"),
            Self::PersistentVolumeClaim => ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::IngressRoute => ("traefik.io", "v1alpha1", "IngressRoute", "ingressroutes"),
            Self::ResourceClaim => ("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims"),
            Self::Pod => ("", "v1", "Pod", "pods"),
        }
    }

    /// Its name, for people and metrics.
    pub fn name(self) -> &'static str {
        self.names().2
    }

    /// Whether clusters may lack it.
    pub fn optional(self) -> bool {
        self == Self::ResourceClaim
    }

    /// As the client takes it.
    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.names();
        ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: if group.is_empty() { version.into() } else { format!("{group}/{version}") },
            kind: kind.into(),
            plural: plural.into(),
        }
    }
}

/// An object of a session, as far as the operator compares it.
#[derive(Debug, Clone)]
pub struct Child {
    /// Only what makes it known: maps of labels and annotations take more memory than all the rest.
    meta: ObjectMeta,
    /// Everything but its status and who manages which field, as JSON.
    text: Box<str>,
}

/// What is looked for in the text.
#[derive(Deserialize)]
struct Labelled<'a> {
    #[serde(borrow)]
    metadata: Labels<'a>,
}

#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(borrow, default)]
    labels: HashMap<Cow<'a, str>, Cow<'a, str>>,
}

impl Child {
    fn new(mut object: Map<String, Value>) -> Result<Self, serde_json::Error> {
        object.remove("status");
        let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            for name in ["managedFields", "selfLink", "generateName"] {
                metadata.remove(name);
            }
        }
        let all: ObjectMeta = Deserialize::deserialize(&*metadata)?;
        let meta = ObjectMeta {
            name: all.name,
            namespace: all.namespace,
            uid: all.uid,
            resource_version: all.resource_version,
            deletion_timestamp: all.deletion_timestamp,
            owner_references: all.owner_references,
            ..ObjectMeta::default()
        };
        Ok(Self { meta, text: Value::Object(object).to_string().into() })
    }

    /// All that is known of it.
    pub fn value(&self) -> Result<Value, Error> {
        serde_json::from_str(&self.text).map_err(|source| self.unreadable(source))
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<String> {
        let mut labelled: Labelled<'_> = serde_json::from_str(&self.text).ok()?;
        labelled.metadata.labels.remove(key).map(Cow::into_owned)
    }

    /// As its type.
    pub fn parse<K: DeserializeOwned>(&self) -> Result<K, Error> {
        serde_json::from_str(&self.text).map_err(|source| self.unreadable(source))
    }

    fn unreadable(&self, source: serde_json::Error) -> Error {
        Error::Json { what: self.meta.name.clone().unwrap_or_default(), source }
    }
}

impl TryFrom<DynamicObject> for Child {
    type Error = serde_json::Error;

    fn try_from(object: DynamicObject) -> Result<Self, Self::Error> {
        match serde_json::to_value(object)? {
            Value::Object(object) => Self::new(object),
            _ => Self::new(Map::new()),
        }
    }
}

impl<'de> Deserialize<'de> for Child {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Map::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl Resource for Child {
    type DynamicType = Kind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.names().2.into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.names().0.into()
    }

    fn version(kind: &Kind) -> Cow<'_, str> {
        kind.names().1.into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.names().3.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Drops what no decision reads from metadata.
pub fn trim<K: Resource>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Whether the session or template with this UID is the object's controller.
pub fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    meta.owner_references.iter().flatten().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// Which of two versions of one object is the later. Since Kubernetes 1.35 resource versions are documented to be
/// numbers that grow; what is no number counts as older.
pub fn is_older(version: &ObjectMeta, than: &ObjectMeta) -> bool {
    let number =
        |meta: &ObjectMeta| meta.resource_version.as_deref().and_then(|text| text.parse::<u64>().ok());
    number(version) < number(than)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_child_keeps_what_is_compared_and_drops_the_rest() {
        let object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "desktop-work",
                "labels": { "vdi.kasm.io/session": "work" },
                "managedFields": [{ "manager": "vdi-operator" }],
            },
            "spec": { "type": "ClusterIP" },
            "status": { "loadBalancer": {} },
        });
        let child: Child = serde_json::from_value(object).unwrap();
        let value = child.value().unwrap();
        assert_eq!(value["spec"]["type"], "ClusterIP");
        assert_eq!(value["metadata"]["name"], "desktop-work");
        assert_eq!(value["metadata"].get("managedFields"), None);
        assert_eq!(child.meta().name.as_deref(), Some("desktop-work"));
        assert_eq!(child.label("vdi.kasm.io/session").as_deref(), Some("work"));
        assert_eq!(child.label("vdi.kasm.io/pool"), None);
        assert_eq!(value.get("status"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let version =
            |text: &str| ObjectMeta { resource_version: Some(text.to_owned()), ..ObjectMeta::default() };
        assert!(is_older(&version("99"), &version("100")));
        assert!(!is_older(&version("100"), &version("100")));
        assert!(is_older(&ObjectMeta::default(), &version("1")));
    }
}
