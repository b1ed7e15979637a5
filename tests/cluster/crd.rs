//! Shell: what users write, before a real API server: good samples are accepted, each bad one is refused with a sentence
//! that names the field, and what the operator builds of the good ones is admitted under the strictest Pod Security.

use crate::{
    control_plane::{Cluster, with_cluster},
    place::Place,
};
use kube::{
    Api, Resource,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vdi_operator::{
    api::{GpuMode, VDISession, VDITemplate},
    build::{self, Running, Standing},
    credentials::Credentials,
    settings::{Peer, Settings},
    validate,
};

/// The only dry run that there is leaves everything as it was.
const DRY: &str = "&dryRun=All";

/// Files with samples of a kind.
fn samples(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/samples").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|err| panic!("{}: {err}", file.display()))
}

/// Sends an object with strict validation, as `kubectl apply` does: to be created, or as a change of the one that is there.
async fn send(
    cluster: &Cluster,
    namespace: &str,
    object: &impl Serialize,
    query: &str,
) -> Result<(), String> {
    let object = serde_json::to_value(object).unwrap();
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
    let namespace = (kind.kind != "VDITemplate").then_some(namespace);
    let path = DynamicObject::url_path(&kind, namespace);
    let name = text("/metadata/name");
    let known =
        cluster.client.request_text(hyper::Request::get(format!("{path}/{name}")).body(vec![]).unwrap());
    let request = match known.await {
        Ok(_) => hyper::Request::patch(format!("{path}/{name}?fieldValidation=Strict{query}"))
            .header("content-type", "application/merge-patch+json"),
        Err(_) => hyper::Request::post(format!("{path}?fieldValidation=Strict{query}"))
            .header("content-type", "application/json"),
    };
    let request = request.body(serde_json::to_vec(&object).unwrap()).unwrap();
    cluster.client.request_text(request).await.map(drop).map_err(|err| err.to_string())
}

#[test]
fn good_samples_are_accepted() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "good").await;
        let files = samples("good");
        assert!(files.len() >= 12, "{files:?}");
        for file in &files {
            for object in documents(file) {
                let answer = send(cluster, &place.name, &object, DRY).await;
                assert_eq!(answer, Ok(()), "{}", file.display());
            }
        }
        let folder = files[0].parent().unwrap().to_str().unwrap();
        let told = cluster
            .kubectl_ok(&["apply", "-n", &place.name, "--dry-run=server", "--validate=strict", "-f", folder])
            .await;
        assert_eq!(told.lines().count(), files.len(), "{told}");
    });
}

/// The first line of each file says which field is refused and with what words; where a file has several objects, the
/// last one is refused as a change of those before.
#[test]
fn bad_samples_are_refused_with_the_field_and_readable_words() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "bad").await;
        let mut wrong = vec![];
        let files = samples("bad");
        assert!(files.len() >= 90, "{}", files.len());
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            let expected = text.lines().next().unwrap().strip_prefix("# ").unwrap();
            let mut objects = documents(file);
            let refused = objects.pop().unwrap();
            for object in objects {
                assert_eq!(send(cluster, &place.name, &object, "").await, Ok(()), "{}", file.display());
            }
            let (field, words) = expected.split_once(": ").unwrap_or((expected, expected));
            match send(cluster, &place.name, &refused, DRY).await {
                Err(told) if told.contains(field) && told.contains(words) => {}
                answer => wrong.push(format!("{}: expected {expected:?}: {answer:?}", file.display())),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        // One of them as people see it.
        let file = files.iter().find(|file| file.ends_with("session-memory-unit.yaml")).unwrap();
        let output = cluster.kubectl(&["apply", "-n", &place.name, "-f", file.to_str().unwrap()]).await;
        assert_eq!(
            String::from_utf8(output.stderr).unwrap().trim(),
            r#"The VDISession "work" is invalid: spec.resources.memory: Invalid value: "4GB": must be a quantity such as "4Gi""#
        );
    });
}

#[test]
fn kubectl_shows_sessions_by_their_short_name_and_explains_every_field() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "columns").await;
        place.session("work", "office", json!({})).await;
        let sessions: Api<VDISession> = place.api();
        let now = jiff::Timestamp::now();
        let status = json!({ "status": {
            "phase": "Running", "url": "https://alice.vdi.test/", "encoder": "nvh264enc",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": now,
            }],
        }});
        sessions.patch_status("work", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();

        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let told = cluster.kubectl_ok(&["get", "vdi", "-n", &place.name]).await;
        let mut lines = told.lines();
        assert_eq!(words(lines.next().unwrap()), ["NAME", "USER", "PHASE", "URL", "AGE"]);
        let row = words(lines.next().unwrap());
        assert_eq!(row[..4], ["work", "alice@example.com", "Running", "https://alice.vdi.test/"]);
        let told = cluster.kubectl_ok(&["get", "vdi", "work", "-n", &place.name, "-o", "wide"]).await;
        assert_eq!(words(told.lines().next().unwrap())[5..], ["REASON", "TEMPLATE", "ENCODER", "EXPIRES"]);
        cluster
            .kubectl_ok(&["wait", "vdi/work", "-n", &place.name, "--for=condition=Ready", "--timeout=60s"])
            .await;

        let told = cluster.kubectl_ok(&["explain", "vdi.spec.timeout"]).await;
        assert!(told.contains("Longest life of the desktop") && told.contains("Default: \"8h\""), "{told}");
        let told = cluster.kubectl_ok(&["explain", "vdit.spec.gpu.mode"]).await;
        for mode in ["none", "exclusive", "shared", "mig", "dra"] {
            assert!(told.contains(mode), "{told}");
        }
    });
}

#[test]
fn whatever_a_good_template_asks_for_is_admitted_under_the_restricted_profile() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "restricted").await;
        let mut session = documents(&samples("good")[0].with_file_name("session-minimal.yaml")).remove(0);
        session["metadata"] = json!({ "name": "work", "namespace": place.name, "uid": "0-0-0-0-1" });
        session["spec"]["timeout"] = json!("8h");
        let session: VDISession = serde_json::from_value(session).unwrap();
        let mut modes = vec![];
        for file in samples("good") {
            let mut sample = documents(&file).remove(0);
            if sample["kind"] != "VDITemplate" {
                continue;
            }
            sample["metadata"]["uid"] = json!("0-0-0-0-2");
            // Classes are the administrator's, and this cluster has none of them.
            sample["spec"].as_object_mut().unwrap().retain(|key, _| !key.ends_with("ClassName"));
            let mut template: VDITemplate = serde_json::from_value(sample).unwrap();
            if let Some(pool) = &mut template.spec.warm_pool {
                pool.namespace.clone_from(&place.name);
            }
            modes.push(template.spec.gpu.mode);
            for object in objects(&session, &template) {
                let answer = send(cluster, &place.name, &object, DRY).await;
                assert_eq!(answer, Ok(()), "{}: {object}", file.display());
            }
        }
        for mode in [GpuMode::None, GpuMode::Exclusive, GpuMode::Shared, GpuMode::Mig, GpuMode::Dra] {
            assert!(modes.contains(&mode), "no sample has {mode:?}");
        }
    });
}

/// All that the operator makes of them.
fn objects(session: &VDISession, template: &VDITemplate) -> Vec<Value> {
    let settings = settings();
    let desktop = validate::desktop(session, template, "alice").unwrap();
    let credentials = Credentials::current(None, "work", None, jiff::Timestamp::now(), &[7; 32]);
    let Standing { home, service, route, network } = build::standing(&desktop, &settings);
    let Running { secret, claim, pod } =
        build::running(&desktop, "desktop-work", &credentials, &Default::default());
    let waiting = build::pool(template, "pool-kiosk-x7k2p", &credentials);
    let (waiting_secret, waiting_pod) = waiting.map(|waiting| (waiting.secret, waiting.pod)).unzip();
    let all = [
        value(&home),
        value(&service),
        value(&route),
        value(&network),
        value(&secret),
        value(&claim),
        value(&pod),
        value(&waiting_secret),
        value(&waiting_pod),
        value(&build::pool_network(template, &settings)),
    ];
    all.into_iter().filter(|object| !object.is_null()).collect()
}

fn value(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap()
}

fn settings() -> Settings {
    let peer = |name: &str| Peer {
        namespace: name.to_owned(),
        labels: [("app.kubernetes.io/name".to_owned(), name.to_owned())].into(),
    };
    Settings {
        domain: "vdi.test".to_owned(),
        entry_point: "websecure".to_owned(),
        tls_secret: Some("wildcard".to_owned()),
        cert_resolver: None,
        middlewares: vec![("traefik".to_owned(), "headers".to_owned())],
        traefik: peer("traefik"),
        traefik_networks: vec!["192.0.2.0/24".to_owned()],
        operator: peer("vdi-operator"),
        turn: None,
        forbidden_networks: vec!["169.254.169.254/32".to_owned()],
    }
}
