//! Shell: how sessions end by themselves: by length, without input, without a page; and when they do not.

use crate::{
    control_plane::with_cluster,
    place::{Place, phase, told},
    wait::{SOON, until},
};
use serde_json::json;
use std::time::Duration;
use vdi_operator::api::Phase;
use vdi_protocol::{control::Role, session_limits, status::ConsumerStatus};

fn page() -> ConsumerStatus {
    ConsumerStatus { id: "page".into(), role: Role::Controller, connected: true, media: None, network: None }
}

#[test]
fn session_ends_when_its_time_is_over() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "length").await;
        place.template("office", json!({})).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({ "timeout": "10s" })).await;
        let session = place.running("work").await;
        let status = session.status.unwrap();
        let length = status.expires_at.unwrap().0.as_second() - status.start_time.unwrap().0.as_second();
        assert_eq!(length, 10);
        place.gone("work").await;
        told(&place, "TimeoutReached").await;
    });
}

#[test]
fn longest_time_is_extended_in_the_page_as_far_as_the_template_allows() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "extended").await;
        let extensions = json!({ "extensions": { "count": 2, "by": "10m" } });
        place.template("office", json!({ "policy": { "limits": extensions } })).await;
        let _operator = place.operator(&[]).await;
        place.session("work", "office", json!({ "timeout": "60s" })).await;
        let session = place.running("work").await;
        let launcher = place.launcher(&session);
        let lasts = |seconds: i64| {
            place.session_until("work", "its longest time to be extended", move |session| {
                session.status.as_ref().is_some_and(|status| {
                    let times = status.expires_at.as_ref().zip(status.start_time.as_ref());
                    times.is_some_and(|(end, start)| end.0.as_second() - start.0.as_second() == seconds)
                })
            })
        };
        launcher.says(|status| status.limits.extended_seconds = 600);
        let status = lasts(660).await.status.unwrap();
        assert_eq!(status.extended_seconds, Some(600));
        told(&place, "Extended").await;
        launcher.says(|status| status.limits.extended_seconds = 1_000_000);
        lasts(60 + 2 * 600).await;
        let pod = place.pod(&session).await;
        let container = &pod.spec.unwrap().containers[0];
        let variable = |name: &str| {
            container.env.iter().flatten().find(|it| it.name == name).and_then(|it| it.value.clone())
        };
        assert_eq!(variable("SELKIES_SESSION_EXTENSIONS").as_deref(), Some("2"));
        assert_eq!(variable("SELKIES_SESSION_EXTENSION").as_deref(), Some("600"));
        // What the launcher finds in its file, so that it neither counts twice nor grants it again.
        until("the launcher to be told", SOON, async || {
            let annotations = place.pod(&session).await.metadata.annotations.unwrap_or_default();
            let limits = annotations.get(session_limits::ANNOTATION).cloned().unwrap_or_default();
            if limits.contains(r#""extendedSeconds":1200"#) { Ok(()) } else { Err(limits) }
        })
        .await;
    });
}

#[test]
fn session_without_input_ends_and_one_with_input_stays() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "idle").await;
        place.template("office", json!({ "policy": { "limits": { "idleTimeout": "10s" } } })).await;
        let _operator = place.operator(&[]).await;
        for name in ["idle", "busy", "silent"] {
            place.session(name, "office", json!({ "user": format!("{name}@example.com") })).await;
        }
        // Somebody types in one; nobody knows of another; the third is left alone.
        let busy = async {
            let busy = place.launcher(&place.running("busy").await);
            let typing = tokio::spawn(async move {
                loop {
                    busy.input_was(Duration::ZERO);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            });
            typing.abort_handle()
        };
        let silent = async {
            let silent = place.launcher(&place.running("silent").await);
            silent.is_silent(true);
            silent
        };
        let (_, typing, silent) = tokio::join!(place.running("idle"), busy, silent);
        place.gone("idle").await;
        told(&place, "IdleTimeout").await;
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(phase(&place.running("busy").await), Phase::Running);
        assert_eq!(phase(&place.running("silent").await), Phase::Running, "silence is no idleness");
        typing.abort();
        place.gone("busy").await;
        silent.is_silent(false);
        place.gone("silent").await;
    });
}

#[test]
fn session_without_a_page_ends_and_one_with_a_page_stays() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "unseen").await;
        place.template("office", json!({})).await;
        let _operator = place.operator(&[]).await;
        for name in ["left", "seen"] {
            let spec = json!({ "user": format!("{name}@example.com"), "disconnectedTimeout": "15s" });
            place.session(name, "office", spec).await;
        }
        let seen = place.launcher(&place.running("seen").await);
        seen.says(|status| status.consumers = vec![page()]);
        let left = place.launcher(&place.running("left").await);
        left.says(|status| status.consumers = vec![page()]);
        let since = |name: &'static str, is: bool| {
            let what = if is { "the last page's leaving" } else { "a page" };
            place.session_until(name, what, move |session| {
                session.status.as_ref().is_some_and(|status| status.disconnected_since.is_some() == is)
            })
        };
        since("seen", false).await;
        since("left", false).await;
        left.says(|status| status.consumers.clear());
        since("left", true).await;
        place.gone("left").await;
        told(&place, "DisconnectedTimeout").await;
        assert_eq!(phase(&place.running("seen").await), Phase::Running);
    });
}

#[test]
fn operator_that_comes_back_counts_on_from_the_times_in_the_status() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "absolute").await;
        place.template("office", json!({})).await;
        let operator = place.operator(&["--lease-duration=2s"]).await;
        place.session("work", "office", json!({ "timeout": "75s" })).await;
        let before = place.running("work").await.status.unwrap();
        operator.program.kill();
        let _other = place.operator_through(&operator.proxy, &["--lease-duration=2s"], &[]);
        // It has looked at the session as soon as it has said so of another.
        place.session("later", "office", json!({ "user": "bob@example.com" })).await;
        place.running("later").await;
        let after = place.running("work").await.status.unwrap();
        assert_eq!(before.expires_at, after.expires_at);
        assert_eq!(before.start_time, after.start_time);
        place.gone("work").await;
    });
}
