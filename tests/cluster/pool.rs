//! Shell: desktops that wait, and many sessions that want one at once.

use crate::{
    control_plane::with_cluster,
    place::{Place, has_label},
    wait::{SOON, until},
};
use futures_util::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;
use std::collections::BTreeSet;

const POOL: &str = "vdi.kasm.io/pool";
const SESSION: &str = "vdi.kasm.io/session";

async fn waiting(place: &Place<'_>, template: &str, count: usize) -> Vec<Pod> {
    until(&format!("{count} desktops that wait in {}", place.name), SOON, async || {
        let pods: Vec<Pod> = place.all().await;
        let free = |pod: &Pod| has_label(pod, POOL, template) && !pod.labels().contains_key(SESSION);
        let running =
            |pod: &Pod| pod.status.as_ref().is_some_and(|it| it.phase.as_deref() == Some("Running"));
        let found: Vec<_> = pods.into_iter().filter(|pod| free(pod) && running(pod)).collect();
        if found.len() == count { Ok(found) } else { Err(format!("{} wait", found.len())) }
    })
    .await
}

#[test]
fn waiting_desktops_are_claimed_by_one_session_each_and_replaced() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "pool").await;
        let spec = json!({ "warmPool": { "size": 3, "namespace": place.name } });
        let template = place.template("office", spec).await;
        // Two operators, of which one leads: the other must not claim as well.
        let operator = place.operator(&[]).await;
        let _other = place.operator(&[]).await;
        let warm: BTreeSet<String> =
            waiting(&place, &template, 3).await.iter().map(|pod| pod.uid().unwrap()).collect();

        let names: Vec<String> = (0..6).map(|number| format!("work-{number}")).collect();
        let user = |name: &str| json!({ "user": format!("{name}@example.com") });
        join_all(names.iter().map(|name| place.session(name, "office", user(name)))).await;
        let mut pods = BTreeSet::new();
        let mut claimed = 0;
        for name in &names {
            let session = place.running(name).await;
            let pod = place.pod(&session).await;
            assert!(has_label(&pod, SESSION, name), "{:?}", pod.labels());
            let owners = pod.owner_references();
            assert_eq!(owners.len(), 1);
            assert_eq!(Some(&owners[0].uid), session.metadata.uid.as_ref());
            claimed += usize::from(warm.contains(&pod.uid().unwrap()));
            assert!(pods.insert(pod.uid().unwrap()), "two sessions have one pod");
            // The page opens with the Secret that the status names.
            let secret = session.status.as_ref().unwrap().secret_name.clone().unwrap();
            let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = place.api();
            assert_eq!(secrets.get(&secret).await.unwrap().owner_references()[0].uid, owners[0].uid);
        }
        assert_eq!(claimed, 3, "all that were ready have been taken");
        waiting(&place, &template, 3).await;

        for name in &names {
            place.delete(name).await;
            place.gone(name).await;
        }
        place.template("office", json!({ "warmPool": { "size": 1, "namespace": place.name } })).await;
        waiting(&place, &template, 1).await;
        until("the claimed pods to be gone", SOON, async || {
            let left = place.all::<Pod>().await.len();
            if left == 1 { Ok(()) } else { Err(format!("{left} pods")) }
        })
        .await;
        assert_eq!(operator.program.ended(), None);
    });
}

#[test]
fn pool_that_cannot_be_filled_says_why_on_its_template_once() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "poolless").await;
        let absent = format!("{}-absent", place.name);
        let operator = place.operator(&[]).await;
        let template =
            place.template("office", json!({ "warmPool": { "size": 2, "namespace": absent } })).await;
        let described = until("the event on the template", SOON, async || {
            let told = cluster.kubectl_ok(&["describe", "vdit", &template]).await;
            match told.split_once("Events:") {
                Some((_, events)) if events.contains("NamespaceNotFound") => Ok(events.to_owned()),
                _ => Err(told),
            }
        })
        .await;
        assert!(described.contains("Warning") && described.contains(&absent), "{described}");
        // It is looked at again and again.
        let looks = || operator.program.log().matches("is looked at again in").count();
        let before = looks();
        until("some more looks", SOON, async || {
            let more = looks() - before;
            if more >= 3 { Ok(()) } else { Err(more) }
        })
        .await;
        let events = operator.proxy.writes().iter().filter(|write| write.resource == "events").count();
        assert_eq!(events, 1, "{}", operator.program.last_words(20));
        assert_eq!(operator.program.ended(), None);
    });
}
