//! Shell: every overlay of `deploy/` on the real API server, with the custom resources of Traefik, the Prometheus operator
//! and the GPU operator: nothing is refused, nothing is warned about, and nothing changes the second time.

use crate::{
    control_plane::{Cluster, with_cluster},
    stack::{self, DEPLOY, OVERLAYS},
};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};
use tokio::sync::Mutex;

/// The overlays are of the same objects, so that one test at a time applies them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// What has to be there before `deploy` is applied, other than custom resources.
async fn namespace(cluster: &Cluster, name: &str) {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(namespace)).await.unwrap();
}

/// Applies an overlay, and gives what was said on stdout. Nothing may be said on stderr: Pod Security warns there.
pub async fn apply(cluster: &Cluster, overlay: &str, words: &[&str]) -> String {
    let folder = stack::path(overlay);
    let mut all = vec!["apply", "-k", &folder, "--validate=strict"];
    all.extend(words);
    let output = cluster.kubectl(&all).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.is_empty(), "{overlay}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

const SERVER_SIDE: [&str; 3] = ["--server-side", "--force-conflicts", "--field-manager=platform-engineer"];

#[test]
fn each_overlay_is_taken_by_the_api_server_word_for_word() {
    with_cluster(async |cluster| {
        let _alone = ONE_AT_A_TIME.lock().await;
        namespace(cluster, "gpu-operator").await;
        for overlay in OVERLAYS {
            let applied = apply(cluster, overlay, &SERVER_SIDE).await;
            let documents = stack::documents(cluster, overlay).await;
            assert_eq!(applied.lines().count(), documents.len(), "{overlay}");
            let dry = [&SERVER_SIDE[..], &["--dry-run=server"]].concat();
            apply(cluster, overlay, &dry).await;
            // Nothing was dropped, renamed or filled in otherwise than it was written.
            let diff = ["diff", "-k", &stack::path(overlay)];
            let diff = cluster.kubectl(&[&diff[..], &SERVER_SIDE].concat()).await;
            let (said, told) = (String::from_utf8_lossy(&diff.stdout), String::from_utf8_lossy(&diff.stderr));
            assert_eq!(diff.status.code(), Some(0), "{overlay}: {said}{told}");
        }
    });
}

/// As people apply it who have not heard of server-side apply.
#[test]
fn applied_again_it_changes_nothing() {
    with_cluster(async |cluster| {
        let _alone = ONE_AT_A_TIME.lock().await;
        namespace(cluster, "gpu-operator").await;
        let folder = stack::path("overlays/monitored");
        cluster.kubectl_ok(&["apply", "-k", &folder]).await;
        let again = cluster.kubectl_ok(&["apply", "-k", &folder]).await;
        // kubectl replaces a budget's selector as a whole each time, and says so of everybody's.
        let differs =
            |line: &&str| !line.ends_with(" unchanged") && !line.starts_with("poddisruptionbudget.");
        let changed: Vec<&str> = again.lines().filter(differs).collect();
        assert!(again.lines().count() > 30 && changed.is_empty(), "{changed:?}");
    });
}

#[test]
fn misspelled_field_is_refused_by_its_path() {
    with_cluster(async |cluster| {
        let _alone = ONE_AT_A_TIME.lock().await;
        namespace(cluster, "gpu-operator").await;
        apply(cluster, "overlays/small", &SERVER_SIDE).await;
        let file = cluster.folder().join("misspelled.yaml");
        let changes: [(&str, &str, &str); 2] = [
            ("Middleware vdi-sessions/vdi-rate", "/spec/rateLimit/averag", ".spec.rateLimit.averag"),
            (
                "Deployment vdi-system/vdi-operator",
                "/spec/template/spec/hostNetwrk",
                ".spec.template.spec.hostNetwrk",
            ),
        ];
        for (name, pointer, complaint) in changes {
            let documents = stack::documents(cluster, "overlays/small").await;
            let mut document = documents.into_iter().find(|document| stack::name(document) == name).unwrap();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            document.pointer_mut(parent).unwrap()[field] = json!(true);
            std::fs::write(&file, document.to_string()).unwrap();
            let words = ["apply", "--validate=strict", "-f", file.to_str().unwrap()];
            let output = cluster.kubectl(&[&words[..], &SERVER_SIDE].concat()).await;
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && told.contains(complaint), "{name}: {told}");
        }
    });
}

#[test]
fn no_image_is_without_a_version_and_no_secret_is_in_the_tree() {
    with_cluster(async |cluster| {
        for overlay in OVERLAYS {
            let documents = stack::documents(cluster, overlay).await;
            for document in &documents {
                let name = stack::name(document);
                assert_ne!(document["kind"], "Secret", "{overlay}: {name}");
                let text = document.to_string();
                assert!(!text.contains("PRIVATE KEY"), "{overlay}: {name}");
                // Where start.sh writes it, a quote follows.
                for (at, found) in text.match_indices("static-auth-secret=") {
                    assert!(text[at + found.len()..].starts_with('\''), "{overlay}: {name}");
                }
            }
            let pods = stack::pods(&documents);
            assert!(pods.len() >= 2, "{overlay}");
            for (name, pod) in pods {
                for container in pod["containers"].as_array().unwrap() {
                    let image = container["image"].as_str().unwrap();
                    let tag = image.rsplit_once('/').map_or(image, |(_, last)| last).split_once(':');
                    assert!(
                        tag.is_some_and(|(_, tag)| tag.starts_with(|c: char| c.is_ascii_digit())),
                        "{overlay}: {name}: {image}"
                    );
                    for variable in container["env"].as_array().into_iter().flatten() {
                        let secret = ["SECRET", "PASSWORD", "TOKEN"]
                            .iter()
                            .any(|end| variable["name"].as_str().unwrap().ends_with(end));
                        assert!(!secret || variable.get("value").is_none(), "{overlay}: {name}: {variable}");
                    }
                }
            }
        }
    });
}

/// Pod Security sees to what a namespace enforces; coturn's enforces nothing, and read-only roots, limits and probes are
/// nobody's business but ours.
#[test]
fn each_pod_has_a_read_only_root_bounds_probes_and_no_rights_on_its_machine() {
    with_cluster(async |cluster| {
        let documents = stack::documents(cluster, "overlays/production").await;
        let pods = stack::pods(&documents);
        assert_eq!(pods.len(), 3, "operator, coturn and the page");
        for (name, pod) in pods {
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{name}");
            assert_eq!(pod["enableServiceLinks"], false, "{name}");
            assert_eq!(pod["hostNetwork"] == true, name.ends_with("/coturn"), "{name}");
            assert_eq!(pod["automountServiceAccountToken"], name.ends_with("/vdi-operator"), "{name}");
            assert!(!pod.to_string().contains("hostPath"), "{name}");
            for container in pod["containers"].as_array().unwrap() {
                let context = &container["securityContext"];
                assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{name}");
                assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
                assert!(container["resources"]["requests"]["cpu"].is_string(), "{name}");
                assert!(container["livenessProbe"].is_object(), "{name}");
                assert!(container["readinessProbe"].is_object(), "{name}");
            }
        }
    });
}

/// Runs a script of `deploy/` with the tests' kubectl.
async fn script(cluster: &Cluster, name: &str, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let wrapper: PathBuf = cluster.folder().join("kubectl");
    let program = cluster.program().display();
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec {program} kubectl \"$@\"\n")).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(format!("{DEPLOY}/{name}"));
    command.args(words).env("KUBECTL", &wrapper).env("KUBECONFIG", cluster.kubeconfig());
    command.env("HOME", cluster.folder()).envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn time_slicing_script_names_the_config_in_the_cluster_policy_and_waits_for_the_slices() {
    const SCRIPT: &str = "gpu/time-slicing.sh";
    with_cluster(async |cluster| {
        let _alone = ONE_AT_A_TIME.lock().await;
        let output = script(cluster, SCRIPT, &[], &[]).await;
        assert!(
            !output.status.success() && told(&output).contains("GPU operator installed"),
            "{}",
            told(&output)
        );

        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("nvidia.com", "v1", "ClusterPolicy"));
        let policies: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &kind);
        // Somebody else's settings are to stay.
        let policy = json!({
            "apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": { "name": "cluster-policy" },
            "spec": {
                "operator": { "defaultRuntime": "containerd" }, "daemonsets": {}, "driver": { "enabled": false },
                "toolkit": { "enabled": true }, "devicePlugin": { "version": "v0.17.4" }, "dcgm": {},
                "dcgmExporter": {}, "gfd": {}, "nodeStatusExporter": {},
            },
        });
        let force = PatchParams::apply("helm").force();
        policies.patch("cluster-policy", &force, &Patch::Apply(policy)).await.unwrap();
        namespace(cluster, "gpu-operator").await;
        let words =
            ["delete", "configmap", "time-slicing-config", "-n", "gpu-operator", "--ignore-not-found"];
        cluster.kubectl_ok(&words).await;
        let output = script(cluster, SCRIPT, &[], &[]).await;
        assert!(
            !output.status.success() && told(&output).contains("apply deploy/gpu first"),
            "{}",
            told(&output)
        );

        apply(cluster, "gpu", &SERVER_SIDE).await;
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "spec": { "unschedulable": true },
            "metadata": { "name": "sliced", "labels": { "nvidia.com/gpu.present": "true", "nvidia.com/gpu.replicas": "1" } },
        });
        let nodes: Api<Node> = Api::all(cluster.client.clone());
        nodes.patch("sliced", &force, &Patch::Apply(node)).await.unwrap();
        let output = script(cluster, SCRIPT, &[], &[("TIME_SLICING_WAIT", "1")]).await;
        let words: Vec<_> = told(&output).split_whitespace().map(str::to_owned).collect();
        assert!(!output.status.success() && words.join(" ").contains("sliced 1 <none>"), "{}", told(&output));
        let device_plugin = policies.get("cluster-policy").await.unwrap().data["spec"].clone();
        assert_eq!(
            device_plugin["devicePlugin"],
            json!({ "version": "v0.17.4", "config": { "name": "time-slicing-config", "default": "any" } })
        );
        assert_eq!(device_plugin["driver"]["enabled"], false);

        // What GPU feature discovery and the device plugin would do.
        let labels = json!({ "metadata": { "labels": { "nvidia.com/gpu.replicas": "8" } } });
        nodes.patch("sliced", &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
        let status = json!({ "status": { "allocatable": { "nvidia.com/gpu": "16" }, "capacity": { "nvidia.com/gpu": "16" } } });
        nodes.patch_status("sliced", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        let output = script(cluster, SCRIPT, &[], &[]).await;
        assert!(
            output.status.success() && told(&output).contains("node/sliced offers 16 slices"),
            "{}",
            told(&output)
        );

        let output = script(cluster, SCRIPT, &["--off"], &[]).await;
        assert!(output.status.success(), "{}", told(&output));
        let off =
            policies.get("cluster-policy").await.unwrap().data["spec"]["devicePlugin"]["config"].clone();
        assert_eq!(off, json!({ "name": "", "default": "" }));
        nodes.delete("sliced", &Default::default()).await.unwrap();
    });
}

#[test]
fn scripts_tell_their_usage_and_hand_kubectl_what_they_do_not_know() {
    with_cluster(async |cluster| {
        for name in ["gpu/time-slicing.sh", "coturn/turn-secret.sh"] {
            for help in ["--help", "-h"] {
                let output = script(cluster, name, &[help], &[("KUBECTL", "/bin/false")]).await;
                assert!(output.status.success(), "{}", told(&output));
                let said = told(&output);
                assert!(said.contains(&format!("deploy/{name} [--")) && !said.contains('#'), "{said}");
            }
            let output = script(cluster, name, &["--context=absent"], &[]).await;
            assert!(
                !output.status.success() && told(&output).contains("context: absent"),
                "{}",
                told(&output)
            );
        }
    });
}

#[test]
fn time_slices_are_what_the_device_plugin_reads() {
    with_cluster(async |cluster| {
        let documents = stack::documents(cluster, "gpu").await;
        let config: Value = serde_saphyr::from_str(documents[0]["data"]["any"].as_str().unwrap()).unwrap();
        // Field by field as k8s-device-plugin's api/config/v1 has them; it passes over what it does not know.
        let expected = json!({
            "version": "v1",
            "flags": { "migStrategy": "none" },
            "sharing": { "timeSlicing": {
                "renameByDefault": false,
                "failRequestsGreaterThanOne": true,
                "resources": [{ "name": "nvidia.com/gpu", "replicas": 8 }],
            }},
        });
        assert_eq!(config, expected);
    });
}

#[test]
fn turn_secret_is_random_the_same_in_both_namespaces_kept_and_rotated() {
    const SCRIPT: &str = "coturn/turn-secret.sh";
    with_cluster(async |cluster| {
        let _alone = ONE_AT_A_TIME.lock().await;
        namespace(cluster, "gpu-operator").await;
        apply(cluster, "overlays/production", &SERVER_SIDE).await;
        let secret = async |namespace| {
            let template = "go-template={{index .data \"static-auth-secret\" | base64decode}}";
            cluster.kubectl_ok(&["get", "secret", "turn-secret", "-n", namespace, "-o", template]).await
        };
        let made = async |words: &[&str]| {
            let output = script(cluster, SCRIPT, words, &[]).await;
            assert!(output.status.success(), "{}", told(&output));
            let [first, second] = [secret("vdi-turn").await, secret("vdi-system").await];
            assert_eq!(first, second);
            assert!(!told(&output).contains(&first), "it is printed");
            assert_eq!(first.len(), 43, "32 random bytes");
            first
        };
        let first = made(&[]).await;
        assert_eq!(made(&[]).await, first);
        cluster.kubectl_ok(&["delete", "secret", "turn-secret", "-n", "vdi-turn"]).await;
        assert_eq!(made(&[]).await, first, "what one of them has is what the other gets");
        assert_ne!(made(&["--rotate"]).await, first);
        cluster.kubectl_ok(&["delete", "secret", "turn-secret", "-n", "vdi-turn"]).await;
        cluster.kubectl_ok(&["delete", "secret", "turn-secret", "-n", "vdi-system"]).await;
    });
}
