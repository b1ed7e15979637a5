//! Shell: the operator with the rights that `deploy/operator` gives it and no others: they are enough for all that it does,
//! and for nothing else.

use crate::{
    control_plane::{Cluster, with_cluster},
    place::{Place, phase},
    proxy::Proxy,
    stack,
    wait::{SOON, until},
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use kube::{
    Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use std::time::Duration;
use vdi_operator::api::Phase;

/// Who the operator is.
const ACCOUNT: &str = "system:serviceaccount:vdi-system:vdi-operator";

/// Gives the account its rights, and a token of it to a client.
async fn account(cluster: &Cluster, lease: &str) -> Client {
    for file in ["namespace.yaml", "identity.yaml", "rights.yaml"] {
        let file = stack::path(&format!("operator/{file}"));
        cluster.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "-f", &file]).await;
    }
    // Each test's operator has its lease in the test's namespace; the role is that of vdi-system, word for word.
    let role = ["get", "role", "vdi-operator-leader", "-n", "vdi-system", "-o", "json"];
    let mut role: serde_json::Value = serde_json::from_str(&cluster.kubectl_ok(&role).await).unwrap();
    role["metadata"] = json!({ "name": "vdi-operator-leader", "namespace": lease });
    let file = cluster.folder().join(format!("role-{lease}.json"));
    std::fs::write(&file, role.to_string()).unwrap();
    cluster.kubectl_ok(&["apply", "-f", file.to_str().unwrap()]).await;
    let account = "--serviceaccount=vdi-system:vdi-operator";
    cluster
        .kubectl_ok(&["create", "rolebinding", "leader", "-n", lease, "--role=vdi-operator-leader", account])
        .await;

    let token = cluster.kubectl_ok(&["create", "token", "vdi-operator", "-n", "vdi-system"]).await;
    let mut kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    kubeconfig.auth_infos[0].auth_info.as_mut().unwrap().token = Some(token.trim().to_owned().into());
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let pods = kube::Api::<Pod>::all(client.clone());
    until("the account's rights", SOON, async || {
        pods.list(&ListParams::default()).await.map_err(|e| e.to_string())
    })
    .await;
    client
}

#[test]
fn operator_can_do_all_it_does_with_the_rights_of_its_account() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "rights").await;
        let client = account(cluster, &place.name).await;
        let proxy = Proxy::start(client, &place.name, cluster.nodes.loopback().first()).await;
        let secret = cluster.folder().join("rights-turn-secret");
        std::fs::write(&secret, "a-secret-of-the-length-that-the-script-makes").unwrap();
        let file = format!("--turn-secret-file={}", secret.display());
        let program =
            place.operator_through(&proxy, &["--turn-hosts=192.0.2.1", &file, "--turn-lifetime=2m"], &[]);

        // A home that goes with its session, which needs the finalizer; suspended and resumed.
        let home = json!({ "storage": { "persistence": "claim", "retention": "delete" } });
        place.template("home", home).await;
        place.session("work", "home", json!({})).await;
        place.running("work").await;
        place.change("work", json!({ "spec": { "suspended": true } })).await;
        place.reason("work", "Suspended").await;
        until("the end of the pod", SOON, async || match place.all::<Pod>().await.len() {
            0 => Ok(()),
            count => Err(format!("{count} pods")),
        })
        .await;
        place.change("work", json!({ "spec": { "suspended": false } })).await;
        place.running("work").await;
        // A desktop that waits, and is claimed; one with a device by a claim of resources.
        place.template("pool", json!({ "warmPool": { "size": 1, "namespace": place.name } })).await;
        until("a desktop that waits", SOON, async || match place.all::<Pod>().await.len() {
            2 => Ok(()),
            count => Err(format!("{count} pods")),
        })
        .await;
        place.session("claimed", "pool", json!({ "user": "bob@example.com" })).await;
        place.running("claimed").await;
        place.template("claim", json!({ "gpu": { "mode": "dra" } })).await;
        place.session("device", "claim", json!({ "user": "carol@example.com" })).await;
        place.session_until("device", "a pod", |seen| phase(seen) == Phase::Creating).await;
        for session in ["work", "claimed", "device"] {
            place.delete(session).await;
            place.gone(session).await;
        }
        until("the end of all that was theirs", SOON, async || {
            let [homes, services] =
                [place.all::<PersistentVolumeClaim>().await.len(), place.all::<Service>().await.len()];
            // One Secret is of the desktop that waits.
            let secrets = place.all::<Secret>().await.len();
            if (homes, services, secrets) == (0, 0, 1) {
                Ok(())
            } else {
                Err(format!("{homes} {services} {secrets}"))
            }
        })
        .await;

        let events = cluster.kubectl_ok(&["get", "events.events.k8s.io", "-n", &place.name]).await;
        assert!(events.contains("vdisession"), "the operator could tell no event:\n{events}");
        let log = program.log();
        assert!(!log.to_lowercase().contains("forbidden"), "{log}");
        assert_eq!(program.ended(), None);
        let ended = program.stop(Duration::from_secs(60)).await;
        assert!(ended.success(), "{ended}");
        // It could let go of its lease.
        let holder =
            ["get", "lease", "vdi-operator", "-n", &place.name, "-o", "jsonpath={.spec.holderIdentity}"];
        assert_eq!(cluster.kubectl_ok(&holder).await, "", "{}", program.last_words(5));
    });
}

#[test]
fn operator_may_not_do_what_it_does_not_do() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "can-i").await;
        account(cluster, &place.name).await;
        let can = async |words: &str| {
            let words: Vec<_> = words.split(' ').collect();
            let asked = [&["auth", "can-i"][..], &words, &["--as", ACCOUNT, "--quiet"]].concat();
            cluster.kubectl(&asked).await.status.success()
        };
        for words in [
            "list vdisessions.vdi.kasm.io -A",
            "patch vdisessions.vdi.kasm.io/work --subresource=status -n office",
            "create pods -n office",
            "list secrets -A",
            "delete persistentvolumeclaims -n office",
            "patch ingressroutes.traefik.io -n office",
            "patch networkpolicies.networking.k8s.io -n office",
            "create events.events.k8s.io -n office",
            "update leases.coordination.k8s.io/vdi-operator -n vdi-system",
        ] {
            assert!(can(words).await, "it has to {words}");
        }
        for words in [
            // Sessions are people's, templates the administrator's.
            "create vdisessions.vdi.kasm.io -n office",
            "deletecollection vdisessions.vdi.kasm.io -n office",
            "update vdisessions.vdi.kasm.io -n office",
            "get vditemplates.vdi.kasm.io",
            "patch vditemplates.vdi.kasm.io",
            "delete vditemplates.vdi.kasm.io",
            // Into desktops nobody reaches by the API.
            "create pods --subresource=exec -n office",
            "create pods --subresource=attach -n office",
            "create pods --subresource=portforward -n office",
            "get pods --subresource=log -n office",
            "deletecollection pods -n office",
            "deletecollection secrets -n office",
            "deletecollection persistentvolumeclaims -n office",
            // Ways to more rights.
            "create serviceaccounts --subresource=token -n office",
            "create rolebindings.rbac.authorization.k8s.io -n office",
            "create clusterrolebindings.rbac.authorization.k8s.io",
            "escalate clusterroles.rbac.authorization.k8s.io",
            "bind clusterroles.rbac.authorization.k8s.io",
            "impersonate users",
            "patch customresourcedefinitions.apiextensions.k8s.io",
            "create mutatingwebhookconfigurations.admissionregistration.k8s.io",
            // What is not of sessions at all.
            "get nodes",
            "list namespaces",
            "get configmaps -n office",
            "create deployments.apps -n office",
            "patch middlewares.traefik.io -n office",
            "get persistentvolumes",
            "list events.events.k8s.io -n office",
            "patch events.events.k8s.io -n office",
            "get leases.coordination.k8s.io/kube-scheduler -n kube-system",
            "update leases.coordination.k8s.io/another -n vdi-system",
            "create leases.coordination.k8s.io -n office",
        ] {
            assert!(!can(words).await, "it may {words}");
        }
    });
}

#[test]
fn people_get_sessions_with_edit_and_view_and_templates_only_where_they_are_given() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "people").await;
        let file = stack::path("operator/roles-for-people.yaml");
        cluster.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "-f", &file]).await;
        for (user, role) in [("ed", "edit"), ("vi", "view")] {
            let (user, role) = (format!("--user={user}"), format!("--clusterrole={role}"));
            let name = role.trim_start_matches("--clusterrole=").to_owned();
            cluster.kubectl_ok(&["create", "rolebinding", &name, "-n", &place.name, &role, &user]).await;
        }
        let can = async |user: &str, words: &str| {
            let mut all = vec!["auth", "can-i", "--quiet", "--as", user, "-n", &place.name];
            all.extend(words.split(' '));
            cluster.kubectl(&all).await.status.success()
        };
        // A controller adds up the rights of roles.
        until("the rights of edit", SOON, async || {
            let both = can("ed", "create vdisessions.vdi.kasm.io").await
                && can("vi", "list vdisessions.vdi.kasm.io").await;
            if both { Ok(()) } else { Err("not yet") }
        })
        .await;
        for (user, words) in [
            ("vi", "create vdisessions.vdi.kasm.io"),
            ("ed", "patch vdisessions.vdi.kasm.io/work --subresource=status"),
            ("ed", "create vditemplates.vdi.kasm.io"),
            ("ed", "get vditemplates.vdi.kasm.io"),
            ("vi", "get secrets"),
        ] {
            assert!(!can(user, words).await, "{user} may {words}");
        }
    });
}
