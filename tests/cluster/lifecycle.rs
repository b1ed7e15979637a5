//! Shell: the life of a session that goes well: it comes, it is suspended and resumed, it goes, and its home stays.

use crate::{
    control_plane::with_cluster,
    dump,
    place::{DOMAIN, Place, condition, has_label, phase, ready_reason},
    wait::{SOON, until},
};
use futures_util::future::join_all;
use k8s_openapi::api::{
    core::v1::{PersistentVolumeClaim, Pod, Secret, Service},
    networking::v1::NetworkPolicy,
};
use kube::{Api, ResourceExt, api::DynamicObject};
use serde_json::json;
use std::collections::BTreeSet;
use vdi_operator::{
    api::{Phase, VDISession},
    build::ingress_route,
};

#[test]
fn session_gets_all_its_objects_and_runs_with_a_url() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "create").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        place.running("work").await;
        let asked = |seen: &VDISession| seen.status.as_ref().is_some_and(|status| status.encoder.is_some());
        let session = place.session_until("work", "an encoder", asked).await;

        let status = session.status.clone().unwrap();
        assert_eq!(status.url.as_deref(), Some(&*format!("https://alice.{DOMAIN}/")));
        assert_eq!(status.pod_name.as_deref(), Some("desktop-work"));
        assert_eq!(status.encoder.as_deref(), Some("nvh264enc"));
        assert_eq!(status.observed_generation, session.metadata.generation);
        assert!(status.start_time.is_some() && status.expires_at.is_some());
        for (kind, expected) in
            [("Ready", "True Ready"), ("Valid", "True"), ("Scheduled", "True"), ("EncoderReady", "True")]
        {
            let seen =
                place.session_until("work", kind, |seen| condition(seen, kind).starts_with(expected)).await;
            assert!(!condition(&seen, "Suspended").starts_with("True"));
        }

        let uid = session.uid().unwrap();
        let owned =
            |name: &str, owners: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference]| {
                assert_eq!(name, "desktop-work");
                assert!(
                    owners.iter().any(|owner| owner.uid == uid && owner.controller == Some(true)),
                    "{owners:?}"
                );
            };
        macro_rules! one {
            ($kind:ty) => {{
                let [object]: [$kind; 1] = place.all::<$kind>().await.try_into().unwrap();
                assert!(has_label(&object, "vdi.kasm.io/session", "work"), "{:?}", object.labels());
                assert!(has_label(&object, "vdi.kasm.io/session-type", "desktop"), "{:?}", object.labels());
                owned(&object.name_any(), object.owner_references());
                object
            }};
        }
        let pod = one!(Pod);
        let service = one!(Service);
        one!(NetworkPolicy);
        one!(Secret);
        let [home]: [PersistentVolumeClaim; 1] = place.all().await.try_into().unwrap();
        assert_eq!(home.owner_references(), [], "a home belongs to nobody");
        assert!(home.name_any().starts_with("home-alice"), "{}", home.name_any());
        assert_eq!(home.status.unwrap().phase.as_deref(), Some("Bound"));
        let routes: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &place.name, &ingress_route());
        let route = routes.get("desktop-work").await.unwrap();
        owned("desktop-work", route.owner_references());
        assert_eq!(route.data["spec"]["entryPoints"], json!(["websecure"]));
        assert!(route.data["spec"]["routes"][0]["match"].as_str().unwrap().contains("`alice.vdi.test`"));
        assert_eq!(service.spec.unwrap().selector.unwrap()["vdi.kasm.io/session"], "work");

        let container = &pod.spec.as_ref().unwrap().containers[0];
        let limits = container.resources.as_ref().unwrap().limits.as_ref().unwrap();
        assert_eq!(limits["nvidia.com/gpu"].0, "1");
        assert_eq!(limits["memory"].0, "4Gi");
        assert_eq!(operator.program.ended(), None);
    });
}

#[test]
fn deleted_session_leaves_nothing_but_its_home_which_the_same_user_finds_again() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "home").await;
        place.template("kept", json!({ "storage": { "persistence": "claim", "retention": "retain" } })).await;
        place.template("gone", json!({ "storage": { "persistence": "claim", "retention": "delete" } })).await;
        let _operator = place.operator(&[]).await;
        place.session("kept", "kept", json!({})).await;
        place.session("gone", "gone", json!({ "user": "bob@example.com" })).await;
        place.running("kept").await;
        place.running("gone").await;
        let homes: Vec<PersistentVolumeClaim> = place.all().await;
        assert_eq!(homes.len(), 2);
        let alices = homes.iter().find(|home| home.name_any().starts_with("home-alice")).unwrap();

        place.delete("kept").await;
        place.delete("gone").await;
        place.gone("kept").await;
        place.gone("gone").await;
        until("nothing but one home", SOON, async || {
            let left = dump::objects(&place).await;
            match &left.keys().collect::<Vec<_>>()[..] {
                [one] if one.starts_with("PersistentVolumeClaim/home-alice") => Ok(()),
                _ => Err(format!("{:?}", left.keys())),
            }
        })
        .await;

        place.session("again", "kept", json!({ "user": "Alice@example.com" })).await;
        let session = place.running("again").await;
        let pod = place.pod(&session).await;
        let volumes = pod.spec.unwrap().volumes.unwrap();
        let claims: Vec<_> =
            volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()).collect();
        assert_eq!(claims[0].claim_name, alices.name_any());
        let [home]: [PersistentVolumeClaim; 1] = place.all().await.try_into().unwrap();
        assert_eq!(home.uid(), alices.uid(), "it is the home of before");
    });
}

#[test]
fn second_session_of_a_user_waits_until_the_home_is_free() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "twice").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let _operator = place.operator(&[]).await;
        place.session("first", "office", json!({})).await;
        place.running("first").await;
        place.session("second", "office", json!({})).await;
        let second = place.reason("second", "HomeInUse").await;
        assert_eq!(phase(&second), Phase::Pending);
        assert_eq!(condition(&second, "Valid"), "False HomeInUse");
        place.delete("first").await;
        place.running("second").await;
    });
}

#[test]
fn of_sessions_of_one_moment_one_has_the_home_and_one_the_name() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "moment").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let _operator = place.operator(&[]).await;
        // Which of two counts as the older one is chance, and so is who is seen first: eight people try.
        let users: Vec<_> = (0..8).map(|number| format!("user{number}")).collect();
        let make = async |user: &String, which: &str, at: &str| {
            let spec = json!({ "user": format!("{user}@example.{at}") });
            place.session(&format!("{user}-{which}"), "office", spec).await;
        };
        let all = users
            .iter()
            .flat_map(|user| [("a", "com"), ("b", "com"), ("namesake", "org")].map(|it| (user, it)));
        join_all(all.map(|(user, (which, at))| make(user, which, at))).await;
        let sessions = until("one that runs and one that waits, of each", SOON, async || {
            let sessions: Vec<VDISession> = place.all().await;
            let is = |name: &str, reason: &str| {
                sessions.iter().any(|session| session.name_any() == name && ready_reason(session) == reason)
            };
            let one_of = |user: &str, has: &str, waits: &str| {
                is(&format!("{user}-{has}"), "Ready") && is(&format!("{user}-{waits}"), "HomeInUse")
            };
            let is_open = |user: &&String| {
                !(one_of(user, "a", "b") || one_of(user, "b", "a"))
                    || !is(&format!("{user}-namesake"), "Ready")
            };
            match users.iter().find(is_open) {
                None => Ok(sessions),
                Some(user) => {
                    let theirs = sessions.iter().filter(|session| session.name_any().starts_with(&**user));
                    let told = theirs.map(|session| (session.name_any(), ready_reason(session)));
                    Err(format!("{:?}", told.collect::<Vec<_>>()))
                }
            }
        })
        .await;
        let pods: Vec<Pod> = place.all().await;
        assert_eq!(pods.len(), 2 * users.len());
        let urls: Vec<_> =
            sessions.into_iter().filter_map(|session| session.status.and_then(|status| status.url)).collect();
        let hosts: BTreeSet<_> = urls.iter().collect();
        assert_eq!(hosts.len(), urls.len(), "{urls:?}");
        for user in &users {
            assert!(hosts.contains(&format!("https://{user}.{DOMAIN}/")), "{urls:?}");
        }
    });
}

#[test]
fn suspended_session_has_no_pod_and_comes_back_with_home_and_address() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "suspend").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let before = place.running("work").await;
        let password = |secret: &Secret| secret.data.as_ref().unwrap()["password"].0.clone();
        let secrets: Api<Secret> = place.api();
        let first = password(&secrets.get("desktop-work").await.unwrap());

        place.change("work", json!({ "spec": { "suspended": true } })).await;
        let suspended = place
            .session_until("work", "the suspension", |seen| {
                phase(seen) == Phase::Pending && condition(seen, "Suspended") == "True Suspended"
            })
            .await;
        assert_eq!(ready_reason(&suspended), "Suspended");
        assert_eq!(
            suspended.status.unwrap().start_time,
            None,
            "its time begins anew, in the same second or later"
        );
        until("no pod and no Secret", SOON, async || {
            let left = dump::objects(&place).await;
            let kinds: Vec<_> = left.keys().filter_map(|name| name.split('/').next()).collect();
            let expected =
                ["IngressRoute", "NetworkPolicy", "PersistentVolumeClaim", "Service", "VDISession"];
            if kinds == expected { Ok(()) } else { Err(format!("{kinds:?}")) }
        })
        .await;

        place.change("work", json!({ "spec": { "suspended": false } })).await;
        let after = place.running("work").await;
        let (before, after) = (before.status.unwrap(), after.status.unwrap());
        assert_eq!(before.url, after.url);
        assert!(after.start_time >= before.start_time && after.start_time.is_some());
        assert_ne!(before.pod_uid, after.pod_uid);
        assert_ne!(
            password(&secrets.get("desktop-work").await.unwrap()),
            first,
            "who had the old page is out"
        );
    });
}

#[test]
fn logging_out_ends_the_session() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "logout").await;
        place.template("office", json!({})).await;
        let operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.running("work").await;
        place.kubelet(&session).await.ended(0, "Completed", "").await;
        place.gone("work").await;
        until("the event", SOON, async || {
            let events = dump::events(&place).await;
            if events.iter().any(|event| event.contains("LoggedOut")) {
                Ok(())
            } else {
                Err(events.join("\n"))
            }
        })
        .await;
        drop(operator);
    });
}

#[test]
fn changed_template_reaches_a_session_when_its_pod_is_made_anew() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "template").await;
        place.template("office", json!({ "image": "desktop.test/works:1" })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.running("work").await;
        let before = place.pod(&session).await;

        place.template("office", json!({ "image": "desktop.test/works:2" })).await;
        // Another session shows that the operator knows of the change by now.
        place.session("new", "office", json!({ "user": "bob@example.com" })).await;
        let new = place.running("new").await;
        let image = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
        assert_eq!(image(&place.pod(&new).await), "desktop.test/works:2");
        let same = place.pod(&place.running("work").await).await;
        assert_eq!(same.uid(), before.uid(), "nobody's desktop ends because a template has changed");

        place.change("work", json!({ "spec": { "suspended": true } })).await;
        place.reason("work", "Suspended").await;
        place.change("work", json!({ "spec": { "suspended": false } })).await;
        assert_eq!(image(&place.pod(&place.running("work").await).await), "desktop.test/works:2");
    });
}

#[test]
fn kubectl_tells_all() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "kubectl").await;
        place.template("office", json!({})).await;
        place.template("broken", json!({ "image": "desktop.test/gpu-init-error:1" })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        place.session("broken", "broken", json!({ "user": "bob@example.com" })).await;
        let waits = ["wait", "-n", &place.name, "--for=condition=Ready", "vdi/work", "--timeout=90s"];
        assert!(cluster.kubectl_ok(&waits).await.contains("condition met"));
        place.reason("broken", "GPU_INIT_ERROR").await;

        let table = cluster.kubectl_ok(&["get", "vdi", "-n", &place.name]).await;
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(lines.next().unwrap(), ["NAME", "USER", "PHASE", "URL", "AGE"]);
        let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        for part in ["alice@example.com", "Running", "https://alice.vdi.test/"] {
            assert!(row("work").contains(part), "{table}");
        }
        assert!(row("broken").contains("Failed"), "{table}");
        let wide = cluster.kubectl_ok(&["get", "vdi", "-n", &place.name, "-o", "wide"]).await;
        assert!(
            wide.contains("REASON") && wide.contains("GPU_INIT_ERROR") && wide.contains("nvh264enc"),
            "{wide}"
        );

        let parts = "pod,service,secret,networkpolicy,ingressroute";
        let of_work = ["get", parts, "-n", &place.name, "-l", "vdi.kasm.io/session=work", "-o", "name"];
        let found = cluster.kubectl_ok(&of_work).await;
        let found: Vec<_> = found.lines().filter_map(|line| line.split_once('/')).collect();
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found.iter().all(|(_, name)| *name == "desktop-work"), "{found:?}");

        let described = until("events on the session", SOON, async || {
            let told = cluster.kubectl_ok(&["describe", "vdi", "broken", "-n", &place.name]).await;
            match told.split_once("Events:") {
                Some((_, events)) if events.contains("GPU_INIT_ERROR") => Ok(told),
                _ => Err(told),
            }
        })
        .await;
        for part in ["bob@example.com", "Failed", "Conditions:", "GPU_INIT_ERROR", "Observed Generation:"] {
            assert!(described.contains(part), "{part} is missing in:\n{described}");
        }
        let of_user = format!("--field-selector=spec.user={}", "bob@example.com");
        let found = cluster.kubectl_ok(&["get", "vdi", "-n", &place.name, &of_user, "-o", "name"]).await;
        assert_eq!(found.trim(), "vdisession.vdi.kasm.io/broken");
    });
}
