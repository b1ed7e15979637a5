//! Shell: what goes wrong with a desktop, and what the session says of it: a reason, a sentence, and another try where
//! that may help.

use crate::{
    control_plane::{Cluster, with_cluster},
    place::{Place, condition, phase, ready_reason, told},
    wait::{SOON, until},
};
use k8s_openapi::{
    api::core::v1::{Pod, ResourceQuota},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, EvictParams, ObjectMeta, PostParams},
};
use serde_json::json;
use vdi_operator::{
    api::{Phase, VDISession},
    build::ingress_route,
};
use vdi_protocol::reason::FailureReason;

fn restarts(session: &VDISession) -> i32 {
    session.status.as_ref().and_then(|status| status.restarts).unwrap_or_default()
}

#[test]
fn what_another_pod_would_not_change_fails_the_session_with_the_launchers_reason() {
    with_cluster(async |cluster| {
        use FailureReason as R;
        let place = Place::new(cluster, "for-good").await;
        let _operator = place.operator(&[]).await;
        let permanent = [R::ConfigInvalid, R::GpuInitError, R::EncoderUnavailable, R::DesktopFailed];
        let names = permanent.map(|reason| reason.as_str().to_lowercase().replace('_', "-"));
        for name in &names {
            place.template(name, json!({ "image": format!("desktop.test/{name}:1") })).await;
            place.session(name, name, json!({ "user": format!("{name}@example.com") })).await;
        }
        for (name, reason) in names.iter().zip(permanent) {
            let session = place.reason(name, reason.as_str()).await;
            assert_eq!(phase(&session), Phase::Failed, "{reason}");
            assert_eq!(condition(&session, "Ready"), format!("False {reason}"));
            assert_eq!(restarts(&session), 0);
            let pod: Pod = place.api().get(&format!("desktop-{name}")).await.unwrap();
            assert_eq!(pod.metadata.deletion_timestamp, None, "its pod shows why it failed");
        }

        // The template is put right.
        let name = &names[1];
        let failed: Pod = place.api().get(&format!("desktop-{name}")).await.unwrap();
        place.template(name, json!({ "image": "desktop.test/works:1" })).await;
        let session = place.running(name).await;
        assert_ne!(place.pod(&session).await.uid(), failed.uid());
    });
}

#[test]
fn asking_for_another_try_starts_a_failed_session_again() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "retry").await;
        place.template("office", json!({ "image": "desktop.test/encoder-unavailable:1" })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        place.reason("work", "ENCODER_UNAVAILABLE").await;
        let before: Pod = place.api().get("desktop-work").await.unwrap();
        place
            .change("work", json!({ "metadata": { "annotations": { "vdi.kasm.io/retry-at": "now" } } }))
            .await;
        until("another pod", SOON, async || {
            let after: Option<Pod> = place.api().get_opt("desktop-work").await.unwrap();
            if after.is_some_and(|after| after.uid() != before.uid()) { Ok(()) } else { Err("the old one") }
        })
        .await;
        let session = place.reason("work", "ENCODER_UNAVAILABLE").await;
        assert_eq!(phase(&session), Phase::Failed);
    });
}

#[test]
fn image_that_cannot_be_pulled_is_told_and_the_session_goes_on_when_it_is_there() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "image").await;
        let image = format!("desktop.test/absent-{}:1", place.name);
        place.template("office", json!({ "image": image })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.reason("work", "ImagePullFailed").await;
        assert_eq!(phase(&session), Phase::Creating);
        cluster.nodes.publish(&image);
        assert_eq!(restarts(&place.running("work").await), 0);
    });
}

#[test]
fn desktop_that_is_not_ready_says_so_until_it_is() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "slow").await;
        place.template("office", json!({ "image": "desktop.test/slow:1" })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.reason("work", "Starting").await;
        assert_eq!(phase(&session), Phase::Creating);
        until("a container that runs", SOON, async || {
            let status = place.pod(&session).await.status.unwrap();
            if status.pod_ip.is_some() { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
        let kubelet = place.kubelet(&session).await;
        kubelet.is_ready(true).await;
        let started = place.running("work").await.status.unwrap().start_time;
        place.reason("work", "Ready").await;
        kubelet.is_ready(false).await;
        let not_ready = |seen: &VDISession| condition(seen, "Ready").starts_with("False");
        let session = place.session_until("work", "a Ready that is false", not_ready).await;
        assert_eq!(restarts(&session), 0, "its node is still trying");
        kubelet.is_ready(true).await;
        let session = place.reason("work", "Ready").await;
        assert_eq!(session.status.unwrap().start_time, started);
    });
}

#[test]
fn pod_without_a_node_is_told_and_the_session_goes_on_when_there_is_one() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "nodeless").await;
        let own = [("vdi.test/of", &place.name as &str)];
        let spec = json!({
            "nodeSelector": { "vdi.test/of": place.name },
            "tolerations": [{ "key": "vdi.test/own", "operator": "Exists" }],
        });
        place.template("office", spec).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.reason("work", "Unschedulable").await;
        assert_eq!(condition(&session, "Scheduled"), "False Unschedulable");
        assert_eq!(phase(&session), Phase::Creating);
        cluster.nodes.add(&format!("node-of-{}", place.name), &own).await;
        let session = place.running("work").await;
        assert!(condition(&session, "Scheduled").starts_with("True"));
    });
}

#[test]
fn used_up_quota_is_told_and_the_session_goes_on_when_there_is_room() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "quota").await;
        let quotas: Api<ResourceQuota> = place.api();
        let quota =
            json!({ "metadata": { "name": "two" }, "spec": { "hard": { "requests.nvidia.com/gpu": "1" } } });
        quotas.create(&PostParams::default(), &serde_json::from_value(quota).unwrap()).await.unwrap();
        until("the quota to count", SOON, async || {
            let seen = quotas.get("two").await.unwrap();
            seen.status.and_then(|status| status.used).ok_or("nothing is counted")
        })
        .await;
        place.template("office", json!({})).await;
        let _operator = place.operator(&[]).await;
        place.session("first", "office", json!({})).await;
        place.running("first").await;
        place.session("second", "office", json!({ "user": "bob@example.com" })).await;
        let second = place.reason("second", "QuotaExceeded").await;
        assert!(matches!(phase(&second), Phase::Pending | Phase::Creating), "{:?}", second.status);
        place.delete("first").await;
        place.running("second").await;
    });
}

/// It takes the routes away from everybody in the cluster, so it has a cluster of its own.
#[test]
fn session_without_traefik_says_what_to_install_and_goes_on_when_it_is_there() {
    with_cluster(async |_| {
        let cluster = Cluster::start().await;
        let kinds: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
        let name = "ingressroutes.traefik.io";
        let mut traefik = kinds.get(name).await.unwrap();
        traefik.metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let installed = async || {
            kinds.create(&PostParams::default(), &traefik).await.unwrap();
        };
        let removed = async || {
            kinds.delete(name, &DeleteParams::default()).await.unwrap();
            until("the end of the kind", SOON, async || match kinds.get_opt(name).await.unwrap() {
                None => Ok(()),
                Some(kind) => Err(format!("{:?}", kind.status)),
            })
            .await;
        };
        removed().await;

        let place = Place::new(&cluster, "no-traefik").await;
        let operator = place.operator(&[]).await;
        place.template("office", json!({})).await;
        place.session("work", "office", json!({})).await;
        let session = place.reason("work", "TraefikMissing").await;
        assert_eq!((phase(&session), condition(&session, "Valid").as_str()), (Phase::Pending, "True Valid"));
        let conditions = session.status.unwrap().conditions;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        assert!(
            ready.message.contains("install Traefik 3 with its CustomResourceDefinitions"),
            "{}",
            ready.message
        );
        told(&place, "TraefikMissing").await;
        assert!(operator.program.log().contains("install Traefik 3"), "{}", operator.program.last_words(5));

        installed().await;
        let session = place.running("work").await;
        let pod = place.pod(&session).await;
        let routes: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &place.name, &ingress_route());
        routes.get("desktop-work").await.unwrap();

        // Somebody takes it away: whoever is at work stays there.
        removed().await;
        let session = place.reason("work", "TraefikMissing").await;
        assert_eq!((phase(&session), place.pod(&session).await.uid()), (Phase::Running, pod.uid()));
        installed().await;
        let session = place.reason("work", "Ready").await;
        assert_eq!(place.pod(&session).await.uid(), pod.uid());
        routes.get("desktop-work").await.unwrap();
    });
}

#[test]
fn template_that_comes_later_is_waited_for() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "later").await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({ "resources": { "memory": "4Gi" } })).await;
        let session = place.reason("work", "TemplateNotFound").await;
        assert_eq!(
            (phase(&session), condition(&session, "Valid").as_str()),
            (Phase::Pending, "False TemplateNotFound")
        );
        place
            .template(
                "office",
                json!({
                    "resources": { "defaultMemory": "1Gi" }, "policy": { "limits": { "memory": "2Gi" } },
                }),
            )
            .await;
        place.reason("work", "AboveLimit").await;
        place.change("work", json!({ "spec": { "resources": { "memory": "2Gi" } } })).await;
        place.running("work").await;
    });
}

#[test]
fn desktop_that_ran_out_of_memory_is_started_again() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "oom").await;
        place.template("office", json!({})).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.running("work").await;
        let before = place.pod(&session).await.uid();
        place.kubelet(&session).await.ended(137, "OOMKilled", "").await;
        let session = place
            .session_until("work", "a restart", |seen| restarts(seen) == 1 && phase(seen) == Phase::Running)
            .await;
        assert_ne!(place.pod(&session).await.uid(), before);
        told(&place, "OutOfMemory").await;
    });
}

#[test]
fn desktop_that_always_runs_out_of_memory_fails_in_the_end() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "oom-always").await;
        place.template("office", json!({ "image": "desktop.test/out-of-memory:1" })).await;
        let operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        // Its pods are made anew after 2, 10 and 50 seconds.
        let sessions: Api<VDISession> = place.api();
        until("the session to be given up", 2 * SOON, async || {
            let seen = sessions.get("work").await.unwrap();
            let given_up = phase(&seen) == Phase::Failed && ready_reason(&seen) == "OutOfMemory";
            if given_up { Ok(()) } else { Err(format!("{:?}", seen.status)) }
        })
        .await;
        let pods =
            operator.proxy.writes().iter().filter(|it| it.method == "POST" && it.resource == "pods").count();
        assert_eq!(pods, 4, "one, and three more");
    });
}

#[test]
fn evicted_desktop_is_started_again() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "evicted").await;
        place.template("office", json!({})).await;
        let _operator = place.operator(&[]).await;
        for name in ["drained", "full"] {
            place.session(name, "office", json!({ "user": format!("{name}@example.com") })).await;
        }
        let pods: Api<Pod> = place.api();
        let (drained, full) = (place.running("drained").await, place.running("full").await);
        // Ending takes its time; meanwhile the pod tells why it goes.
        cluster.nodes.hold(&place.name);
        pods.evict("desktop-drained", &EvictParams::default()).await.unwrap();
        place.reason("drained", "Evicted").await;
        cluster.nodes.let_go(&place.name).await;
        place.kubelet(&full).await.evicted().await;
        for before in [drained, full] {
            let name = before.name_any();
            let started = |seen: &VDISession| seen.status.as_ref().unwrap().start_time.clone();
            let session = place
                .session_until(&name, "a restart", |seen| {
                    restarts(seen) == 1 && phase(seen) == Phase::Running
                })
                .await;
            assert!(started(&session) >= started(&before));
        }
        until("events of both", SOON, async || {
            let told = crate::dump::events(&place).await;
            let of =
                |what: &str| told.iter().any(|event| event.starts_with("Evicted") && event.contains(what));
            if of("as when a node is drained") && of("The node evicted") {
                Ok(())
            } else {
                Err(told.join("\n"))
            }
        })
        .await;
    });
}

#[test]
fn deleted_pod_is_made_again() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "poked").await;
        place.template("office", json!({})).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.running("work").await;
        let before = place.pod(&session).await.uid();
        place.api::<Pod>().delete("desktop-work", &DeleteParams::default()).await.unwrap();
        let session = place
            .session_until("work", "a restart", |seen| restarts(seen) == 1 && phase(seen) == Phase::Running)
            .await;
        assert_ne!(place.pod(&session).await.uid(), before);
    });
}

#[test]
fn desktop_of_a_lost_node_is_started_on_another() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "lost").await;
        let label = format!("of-{}", place.name);
        let nodes = [format!("one-{label}"), format!("two-{label}")];
        cluster.nodes.add(&nodes[0], &[("vdi.test/of", &label)]).await;
        let spec = json!({
            "nodeSelector": { "vdi.test/of": label },
            "tolerations": [{ "key": "vdi.test/own", "operator": "Exists", "effect": "NoSchedule" }],
        });
        place.template("office", spec).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({})).await;
        let session = place.running("work").await;
        let before = place.pod(&session).await;
        assert_eq!(before.spec.as_ref().unwrap().node_name.as_deref(), Some(&*nodes[0]));

        cluster.nodes.lose(&nodes[0]);
        cluster.nodes.add(&nodes[1], &[("vdi.test/of", &label)]).await;
        // The node is missed after 16 seconds, and its pod given up a minute after its grace of 30.
        let sessions: Api<VDISession> = place.api();
        until("another pod elsewhere", 3 * SOON, async || {
            let seen = sessions.get("work").await.unwrap();
            let pod: Option<Pod> = place.api().get_opt("desktop-work").await.unwrap();
            let moved = pod
                .as_ref()
                .is_some_and(|pod| pod.spec.as_ref().unwrap().node_name.as_deref() == Some(&*nodes[1]));
            if moved && phase(&seen) == Phase::Running { Ok(()) } else { Err(format!("{:?}", seen.status)) }
        })
        .await;
        told(&place, "NodeLost").await;
    });
}
