//! What the phases say of pods that others end, that are lost, suspended, refused and claimed.

use super::{
    PodAction::*,
    tests::{World, at},
    *,
};
use crate::{
    api::{CONDITION_READY, CONDITION_SUSPENDED, CONDITION_VALID, Phase},
    test_data,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

#[test]
fn what_is_done_to_a_pod_is_told_apart_from_what_it_does() {
    let target = |reason: &str| json!([{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "m"}]);
    for (status, reason) in [
        (json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}), "Evicted"),
        (json!({"phase": "Failed", "reason": "NodeAffinity", "message": "m"}), "NodeRejected"),
        (json!({"phase": "Failed", "reason": "OutOfnvidia.com/gpu", "message": "m"}), "NodeRejected"),
        (json!({"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "m"}), "NodeRejected"),
        (json!({"phase": "Failed", "reason": "Terminated", "message": "m"}), "NodeShutdown"),
        (json!({"phase": "Failed", "reason": "Preempting", "message": "m"}), "Preempted"),
        (json!({"phase": "Failed", "message": "m"}), "PodFailed"),
        (json!({"phase": "Failed", "conditions": target("PreemptionByScheduler")}), "Preempted"),
        (json!({"phase": "Failed", "conditions": target("DeletionByTaintManager")}), "NodeLost"),
        (json!({"phase": "Failed", "conditions": target("DeletionByPodGC")}), "NodeLost"),
        (json!({"phase": "Succeeded", "conditions": target("EvictionByEvictionAPI")}), "Evicted"),
        (
            json!({"phase": "Failed", "reason": "Evicted", "conditions": target("TerminationByKubelet")}),
            "Evicted",
        ),
    ] {
        let mut world = World::running("{}", "{}");
        world.pod_is(status.clone());
        let decision = world.reconcile();
        assert_eq!(
            (world.reason(), decision.pod),
            ((Phase::Creating, reason), Remove { force: false }),
            "{status}"
        );
        assert_eq!(world.status().restarts, Some(1));
    }
}

#[test]
fn only_who_leaves_the_desktop_has_logged_out() {
    let mut world = World::running("{}", "{}");
    world.exits(0, "Completed", "LOGGED_OUT: the desktop's command has ended\n");
    let decision = world.reconcile();
    assert_eq!(decision.end.unwrap().reason, "LoggedOut");
    assert_eq!(world.reason(), (Phase::Terminating, "LoggedOut"));
    assert!(!decision.events[0].warning);
    // A probe, or the node's shutdown, ends a launcher that says so.
    let mut world = World::running("{}", "{}");
    world.exits(0, "Completed", "STOPPED: the session was stopped");
    assert_eq!(world.reconcile().end, None);
    assert_eq!(world.reason(), (Phase::Creating, "Stopped"));
    // Somebody deleted the pod.
    let mut world = World::running("{}", "{}");
    world.delete_pod();
    world.exits(0, "Completed", "");
    assert_eq!(world.reconcile().end, None);
    assert_eq!(world.reason(), (Phase::Creating, "PodDeleted"));
}

#[test]
fn pod_that_is_gone_is_one_failure_and_is_made_anew() {
    let mut world = World::running("{}", "{}");
    world.pod = None;
    let waits = world.settle();
    assert_eq!((world.reason(), world.status().restarts), ((Phase::Creating, "PodLost"), Some(1)));
    world.now += waits.look_again.unwrap();
    world.settle();
    assert_eq!((world.pods_made, world.status().restarts), (2, Some(1)));
}

#[test]
fn node_that_is_lost_is_said_and_its_pod_forced_away_only_long_after_its_grace() {
    let mut world = World::running("{}", "{}");
    // The node's controller takes the readiness; nobody is there to take the container's.
    world.pod_is(json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at("09:30:00")}],
        "containerStatuses": [{"name": "desktop", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": at("09:00:00")}}}],
    }));
    world.now = at("09:30:00");
    assert_eq!(world.reconcile().pod, Keep);
    assert_eq!(world.reason(), (Phase::Running, "NodeUnreachable"));
    // The taint manager deletes the pod after its toleration; the time is that of the end of its grace.
    world.now = at("09:35:00");
    world.delete_pod();
    let decision = world.reconcile();
    assert_eq!((world.reason(), decision.pod), ((Phase::Creating, "PodDeleted"), Remove { force: false }));
    assert_eq!(decision.look_again, Some(Duration::from_secs(60)));
    world.now = at("09:35:59");
    assert_eq!(world.reconcile().pod, Remove { force: false });
    world.now = at("09:36:00");
    assert_eq!(world.reconcile().pod, Remove { force: true });
    world.settle();
    assert_eq!(world.pods_made, 2);
    // On a node that answers nothing is forced, however long it takes.
    let mut world = World::running("{}", "{}");
    world.delete_pod();
    world.now = at("12:00:00");
    assert_eq!(world.reconcile().pod, Remove { force: false });
}

#[test]
fn readiness_that_is_lost_is_said_while_the_session_stays_in_its_phase() {
    let mut world = World::running("{}", "{}");
    world.runs(false);
    world.now = at("09:10:00");
    world.reconcile();
    assert_eq!(world.reason(), (Phase::Running, "NotReady"));
    assert_eq!(world.condition(CONDITION_READY).last_transition_time, Time(at("09:10:00")));
    world.now = at("09:20:00");
    world.reconcile();
    assert_eq!(world.condition(CONDITION_READY).last_transition_time, Time(at("09:10:00")));
}

#[test]
fn pod_that_never_ran_is_made_anew_when_session_or_template_change_and_one_that_runs_is_not() {
    let mut world = World::new("{}", "{}");
    world.reconcile();
    world.waits("ErrImagePull", "not found");
    world.reconcile();
    world.desktop.as_mut().unwrap().spec.image = "b".into();
    assert_eq!(world.reconcile().pod, Remove { force: false });
    world.settle();
    assert_eq!((world.pods_made, world.status().restarts), (2, None));
    world.desktop = Ok(test_data::desktop("{resources: {memory: 8Gi}}", "{}"));
    world.settle();
    assert_eq!(world.pods_made, 3);
    world.runs(true);
    world.reconcile();
    world.desktop.as_mut().unwrap().spec.image = "c".into();
    assert_eq!(world.settle().pod, Keep);
    assert_eq!(world.pods_made, 3);
}

#[test]
fn what_is_refused_or_invalid_is_pending_with_its_reason() {
    let mut world = World::new("{}", "{}");
    world.refusal = Some(Refusal { reason: "QuotaExceeded", message: "exceeded quota: gpus".into() });
    world.reconcile();
    assert_eq!(world.ready(), (Phase::Pending, "QuotaExceeded", "exceeded quota: gpus"));
    world.refusal = None;
    world.desktop = Err(Invalid { reason: "TemplateNotFound", message: "no VDITemplate \"office\"".into() });
    assert_eq!(world.reconcile().pod, Leave);
    assert_eq!(world.reason(), (Phase::Pending, "TemplateNotFound"));
    assert_eq!(world.condition(CONDITION_VALID).status, "False");
    // One that runs goes on without its template.
    let mut world = World::running("{}", "{}");
    world.desktop = Err(Invalid { reason: "TemplateNotFound", message: "no VDITemplate \"office\"".into() });
    assert_eq!(world.reconcile().pod, Keep);
    assert_eq!(world.reason(), (Phase::Running, "Ready"));
    assert_eq!(world.condition(CONDITION_VALID).reason, "TemplateNotFound");
    world.now = at("17:00:00");
    assert_eq!(world.reconcile().end.unwrap().reason, "TimeoutReached", "and ends when it was told to");
}

#[test]
fn suspended_session_has_no_pod_keeps_its_address_and_begins_anew() {
    let mut world = World::running("{}", "{}");
    world.session.spec.suspended = true;
    world.now = at("10:00:00");
    let decision = world.reconcile();
    assert_eq!((world.reason(), decision.pod), ((Phase::Terminating, "Suspended"), Remove { force: false }));
    assert_eq!(world.condition(CONDITION_SUSPENDED).status, "False");
    world.settle();
    assert_eq!(world.reason(), (Phase::Pending, "Suspended"));
    assert_eq!(world.condition(CONDITION_SUSPENDED).status, "True");
    let status = world.status().clone();
    assert_eq!(
        (status.start_time, status.expires_at, status.pod_name, status.secret_name),
        (None, None, None, None)
    );
    assert_eq!(status.url.as_deref(), Some("https://alice.vdi.example.com/"));
    // Long after its old time is over.
    world.now = at("20:00:00");
    assert_eq!(world.settle().end, None);
    world.session.spec.suspended = false;
    world.settle();
    world.runs(true);
    world.reconcile();
    assert_eq!((world.reason(), world.status().restarts), ((Phase::Running, "Ready"), None));
    assert_eq!(world.status().start_time, Some(Time(at("20:00:00"))));
    // Suspended while it starts, and resumed while the pod is still leaving.
    let mut world = World::new("{}", "{}");
    world.reconcile();
    world.session.spec.suspended = true;
    world.reconcile();
    world.session.spec.suspended = false;
    world.reconcile();
    assert_eq!(world.reason(), (Phase::Creating, "Stopping"));
    world.settle();
    assert_eq!((world.pods_made, world.status().restarts), (2, None));
}

#[test]
fn deleted_session_loses_its_pod_and_keeps_the_reason_of_its_end() {
    let mut world = World::running("{}", "{}");
    world.session.metadata.deletion_timestamp = Some(Time(world.now));
    let decision = world.reconcile();
    assert_eq!((world.reason(), decision.pod), ((Phase::Terminating, "Deleted"), Remove { force: false }));
    let mut world = World::running("{}", "{}");
    world.now = at("17:00:00");
    world.reconcile();
    world.reconcile();
    assert_eq!(world.reason(), (Phase::Terminating, "TimeoutReached"));
}

#[test]
fn address_follows_the_domain() {
    let mut world = World::running("{}", "{}");
    world.session.status.as_mut().unwrap().url = Some("https://alice.old.example/".to_owned());
    world.reconcile();
    assert_eq!(world.status().url.as_deref(), Some("https://alice.vdi.example.com/"));
    world.desktop = Err(Invalid { reason: "TemplateNotFound", message: "m".to_owned() });
    world.reconcile();
    assert_eq!(world.status().url.as_deref(), Some("https://alice.vdi.example.com/"));
}

#[test]
fn claimed_desktop_starts_when_it_was_claimed() {
    let mut world = World::new("{}", "{}");
    world.reconcile();
    world.runs(true);
    world.now = at("11:00:07");
    let annotations = world.pod.as_mut().unwrap().metadata.annotations.as_mut().unwrap();
    annotations.insert(ANNOTATION_CLAIMED_AT.to_owned(), at("11:00:00").to_string());
    world.reconcile();
    assert_eq!(world.status().start_time, Some(Time(at("11:00:00"))));
}
