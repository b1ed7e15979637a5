//! Decision: what a place holds, as text that two runs of the same have in common: without times, UIDs and secrets.

use crate::place::Place;
use k8s_openapi::api::{
    core::v1::{Event, PersistentVolumeClaim, Pod, Secret, Service},
    networking::v1::NetworkPolicy,
    resource::v1::ResourceClaim,
};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use vdi_operator::{api::VDISession, build::ingress_route};

/// Fields that differ from run to run, whatever the operator does.
const OF_ONE_RUN: [&str; 22] = [
    // A hash over what names the place.
    "vdi.kasm.io/applied",
    // Others write them, in their own time.
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "clusterIP",
    "clusterIPs",
    "podIP",
    "podIPs",
    "hostIP",
    "hostIPs",
    "nodeName",
    "containerID",
    "volumeName",
    "lastInputTime",
    "podUid",
    "podUID",
    "imageID",
    "observedGeneration",
];

/// The objects of a place by kind and name, each as it would be in any run.
pub async fn objects(place: &Place<'_>) -> BTreeMap<String, Value> {
    let mut found = raw(place).await;
    let uid = |object: &Value| object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let owners = found.iter().map(|(name, object)| (uid(object), name.clone())).collect();
    for object in found.values_mut() {
        normalise(object, &place.name, &owners);
    }
    found.into_iter().map(|(name, object)| (without_hash(&name), object)).collect()
}

/// The name of a home without its hash, which templates of another name make another.
fn without_hash(text: &str) -> String {
    let Some(start) = text.find("home-") else { return text.to_owned() };
    match text.rsplit_once('-') {
        Some((name, hash))
            if hash.len() == 10
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
                && name.len() > start =>
        {
            format!("{name}-<hash>")
        }
        _ => text.to_owned(),
    }
}

/// The objects of a place by kind and name, as they are.
pub async fn raw(place: &Place<'_>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    macro_rules! all {
        ($($kind:ident),*) => {$(
            for object in place.all::<$kind>().await {
                put(&mut found, stringify!($kind), &object.name_any(), &object);
            }
        )*};
    }
    all!(VDISession, Pod, PersistentVolumeClaim, Secret, Service, NetworkPolicy, ResourceClaim);
    let routes: Api<DynamicObject> =
        Api::namespaced_with(place.cluster.client.clone(), &place.name, &ingress_route());
    for route in routes.list(&ListParams::default()).await.unwrap() {
        put(&mut found, "IngressRoute", &route.name_any(), &route);
    }
    found
}

fn put(found: &mut BTreeMap<String, Value>, kind: &str, name: &str, object: &impl Serialize) {
    let twice = found.insert(format!("{kind}/{name}"), serde_json::to_value(object).unwrap());
    assert_eq!(twice, None);
}

/// What was told of the sessions of a place: reason and note.
pub async fn events(place: &Place<'_>) -> Vec<String> {
    let text = |text: Option<String>| text.unwrap_or_default();
    let events = place.all::<Event>().await.into_iter();
    events.map(|event| format!("{}: {}", text(event.reason), text(event.message))).collect()
}

fn normalise(value: &mut Value, namespace: &str, owners: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            // A reference has to lead to what is there.
            if let Some(owner) =
                fields.get("uid").and_then(Value::as_str).filter(|_| fields.contains_key("controller"))
            {
                let known = owners.get(owner).cloned().unwrap_or_else(|| "nothing that is there".to_owned());
                fields.insert("leads to".to_owned(), known.into());
            }
            OF_ONE_RUN.into_iter().for_each(|field| drop(fields.remove(field)));
            if let Some(Value::Object(data)) = fields.get_mut("data") {
                data.values_mut().for_each(|secret| *secret = secret.as_str().map_or(0, str::len).into());
            }
            fields.values_mut().for_each(|field| normalise(field, namespace, owners));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(item, namespace, owners)),
        Value::String(text) => {
            *text = without_hash(&without_times(text)).replace(namespace, "<place>");
            // Which node it is, the scheduler decides.
            for node in ["node-a", "node-b", "node-c"] {
                *text = text.replace(node, "<node>");
            }
        }
        _ => (),
    }
}

/// Times in RFC 3339 are told as what they are.
fn without_times(text: &str) -> String {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let is_time = |at: usize| {
        bytes.get(at..at + FORM.len()).is_some_and(|part| {
            part.iter()
                .zip(FORM)
                .all(|(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form })
        })
    };
    let Some(at) = (0..bytes.len()).find(|at| is_time(*at)) else { return text.to_owned() };
    let end = bytes[at..].iter().position(|byte| *byte == b'Z').map_or(bytes.len(), |z| at + z + 1);
    format!("{}<time>{}", &text[..at], without_times(&text[end..]))
}

/// What differs between two dumps, for people; empty if nothing does.
pub fn difference(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> String {
    let mut told = String::new();
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let text = |object: Option<&Value>| {
            object.map_or_else(String::new, |it| serde_json::to_string_pretty(it).unwrap())
        };
        let (first, second) = (text(one.get(name)), text(other.get(name)));
        if first != second {
            told.push_str(&format!("{name}:\n"));
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
            let (first, second) = (lines(&first), lines(&second));
            for line in first.iter().filter(|line| !second.contains(line)) {
                told.push_str(&format!("  - {line}\n"));
            }
            for line in second.iter().filter(|line| !first.contains(line)) {
                told.push_str(&format!("  + {line}\n"));
            }
            if first.len() == second.len() && first.iter().all(|line| second.contains(line)) {
                told.push_str("  (another order)\n");
            }
        }
    }
    told
}

#[test]
fn dumps_of_two_runs_have_no_times_in_them_and_show_what_else_differs() {
    assert_eq!(
        without_times("{\"expiresAt\":\"2026-11-21T17:00:00.123Z\",\"x\":1}"),
        "{\"expiresAt\":\"<time>\",\"x\":1}"
    );
    assert_eq!(without_times("at 2026-11-21T17:00:00Z and 2026-11-21T18:00:00Z"), "at <time> and <time>");
    assert_eq!(without_times("no time"), "no time");
    assert_eq!(without_hash("Pod/home-alice-0123456789"), "Pod/home-alice-<hash>");
    assert_eq!(without_hash("desktop-0123456789"), "desktop-0123456789");
    let mut object = serde_json::json!({ "metadata": { "uid": "1", "name": "a" }, "data": { "password": "abc" }, "ownerReferences": [{ "uid": "7", "controller": true }] });
    normalise(&mut object, "here", &[("7".to_owned(), "VDISession/work".to_owned())].into());
    let expected = serde_json::json!({ "metadata": { "name": "a" }, "data": { "password": 3 }, "ownerReferences": [{ "controller": true, "leads to": "VDISession/work" }] });
    assert_eq!(object, expected);
    let dump = |value: Value| BTreeMap::from([("Pod/a".to_owned(), value)]);
    assert_eq!(difference(&dump(expected.clone()), &dump(expected.clone())), "");
    assert!(difference(&dump(expected), &BTreeMap::new()).starts_with("Pod/a:\n  - {"));
}
