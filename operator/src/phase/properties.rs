//! What holds for every life of a session: any order of events, an operator that is killed after any step, and clocks
//! that jump.

use super::{tests::World, *};
use crate::api::Phase;
use proptest::prelude::*;
use serde_json::json;

/// What befalls a session, its pod and its operator.
#[derive(Debug, Clone, Copy)]
enum Event {
    Unschedulable,
    Pulls,
    Starts,
    Ready,
    Unready,
    Exits(i32),
    OutOfMemory,
    Evicted,
    PodDeleted,
    PodVanishes,
    PodLeaves,
    Input,
    PageLeaves,
    Silent,
    Suspend(bool),
    TemplateGone(bool),
    SpecChanges,
    Pass(u32),
}

fn event() -> impl Strategy<Value = Event> {
    use Event as E;
    let pod = [E::Unschedulable, E::Pulls, E::Starts, E::Unready, E::OutOfMemory, E::Evicted];
    let gone = [E::PodDeleted, E::PodVanishes, E::PodLeaves, E::PodLeaves];
    let asked =
        [E::Suspend(true), E::Suspend(false), E::TemplateGone(true), E::TemplateGone(false), E::SpecChanges];
    let told = [E::Input, E::PageLeaves, E::Silent];
    let exits = [1, 2, 10, 12, 15, 137].map(E::Exits);
    let pass = [1, 3, 30, 61, 700, 4000].map(E::Pass);
    // What leads on comes more often, so that lives get far.
    let on = [E::Starts, E::Ready, E::Ready, E::Ready, E::Ready, E::Pass(61), E::Pass(61)];
    let all = [&pod[..], &gone, &asked, &told, &exits, &pass, &on].concat();
    prop::sample::select(all)
}

fn happens(world: &mut World, event: Event) {
    let ended = world
        .pod
        .as_ref()
        .and_then(|pod| pod.status.as_ref())
        .is_some_and(|status| matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")));
    let generation = world.session.metadata.generation.unwrap_or_default();
    match event {
        // A pod that has ended does not come to life again, and one that has run does not wait again.
        Event::Starts
        | Event::Ready
        | Event::Unready
        | Event::Exits(_)
        | Event::OutOfMemory
        | Event::Evicted
            if ended => {}
        Event::Unschedulable | Event::Pulls if world.pod.as_ref().is_some_and(pod::has_run) => {}
        Event::Unschedulable => world.pod_is(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]})),
        Event::Pulls => world.waits("ErrImagePull", "not found"),
        Event::Starts | Event::Unready => world.runs(false),
        Event::Ready => world.runs(true),
        Event::Exits(code) => world.exits(code, "Error", ""),
        Event::OutOfMemory => world.exits(137, "OOMKilled", ""),
        Event::Evicted => world.pod_is(json!({"phase": "Failed", "reason": "Evicted", "message": "low"})),
        Event::PodDeleted => world.delete_pod(),
        Event::PodVanishes => world.pod = None,
        Event::PodLeaves => {
            if world.pod.as_ref().is_some_and(|pod| pod.metadata.deletion_timestamp.is_some()) {
                world.pod = None;
            }
        }
        Event::Input => world.says(Some(0.5), None),
        Event::PageLeaves => world.says(Some(90.0), Some(1.5)),
        Event::Silent => world.report = None,
        Event::Suspend(suspended) => {
            world.session.spec.suspended = suspended;
            world.session.metadata.generation = Some(generation + 1);
        }
        Event::TemplateGone(true) => {
            world.desktop = Err(Invalid {
                reason: "TemplateNotFound",
                message: "there is no VDITemplate \"office\"".into(),
            });
        }
        Event::TemplateGone(false) => world.desktop = World::new(LIMITS, "{}").desktop,
        Event::SpecChanges => world.session.metadata.generation = Some(generation + 1),
        Event::Pass(seconds) => world.now += std::time::Duration::from_secs(seconds.into()),
    }
}

const LIMITS: &str = "{timeout: 2h, idleTimeout: 20m, disconnectedTimeout: 10m}";

/// Decides, and checks what has to hold of each decision.
fn checked(world: &mut World) -> Decision {
    let old = world.session.status.clone();
    let decision = world.decide();
    let status = &decision.status;

    // Its own outcome is nothing new to it.
    world.session.status = Some(status.clone());
    let again = world.decide();
    assert_eq!((&again.status, again.pod, &again.end), (status, decision.pod, &decision.end));
    assert!(again.events.is_empty(), "{:?}", again.events);
    // Nor after a way through the API server.
    let stored = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
    assert_eq!(*status, stored);
    world.session.status = old.clone();

    assert_eq!(status.conditions.len(), 5);
    for condition in &status.conditions {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(!condition.reason.is_empty() && condition.reason.chars().all(sound), "{condition:?}");
        assert!(condition.message.ends_with(['.', '"']) || condition.message.contains(':'), "{condition:?}");
        let before = old.as_ref().and_then(|old| conditions::find(old, &condition.type_));
        if let Some(before) = before.filter(|before| before.status == condition.status) {
            assert_eq!(before.last_transition_time, condition.last_transition_time);
        }
    }
    assert!(status.restarts.unwrap_or_default() <= 3);
    if let (Some(start), Some(end), Ok(_)) = (&status.start_time, &status.expires_at, &world.desktop) {
        assert_eq!(end.0.duration_since(start.0), jiff::SignedDuration::from_hours(2));
    }
    let ready = conditions::find(status, crate::api::CONDITION_READY).unwrap().status == "True";
    assert!(!ready || status.phase == Phase::Running);
    let leaves = status.phase == Phase::Terminating && !world.session.spec.suspended;
    assert!(decision.end.is_some() == leaves || decision.end.is_some() && status.phase == Phase::Terminating);
    if let (Some(old), false) = (&old, world.session.spec.suspended) {
        assert!(
            old.start_time.is_none()
                || old.start_time == status.start_time
                || conditions::find(old, crate::api::CONDITION_SUSPENDED).unwrap().status == "True",
            "a run has one start"
        );
        assert!(old.url.is_none() || old.url == status.url);
    }
    decision
}

/// Reconciles until it comes to rest, without the help of anybody.
fn rest(world: &mut World) {
    for _ in 0..20 {
        let before = (world.session.status.clone(), world.pod.clone());
        let decision = checked(world);
        world.carry_out(&decision, 2);
        if before == (world.session.status.clone(), world.pod.clone()) {
            return;
        }
    }
    panic!("it does not come to rest: {:#?}", world.session.status);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_life_is_told_soundly_and_an_operator_that_is_killed_anywhere_ends_where_one_that_lives_does(
        life in prop::collection::vec((event(), 0_usize..3), 1..40),
    ) {
        let (mut lives, mut killed) = (World::new(LIMITS, "{}"), World::new(LIMITS, "{}"));
        for (event, steps) in life {
            happens(&mut lives, event);
            happens(&mut killed, event);
            let decision = checked(&mut killed);
            killed.carry_out(&decision, steps);
            rest(&mut lives);
            rest(&mut killed);
            prop_assert_eq!(&lives.session.status, &killed.session.status, "after {:?} cut after {} steps", event, steps);
            prop_assert_eq!(&lives.pod, &killed.pod);
            prop_assert_eq!(lives.pods_made, killed.pods_made);
        }
    }

    #[test]
    fn nobody_at_work_is_ended_for_being_idle_whatever_the_clock_does(
        jumps in prop::collection::vec(-200_000_i64..200_000, 1..20),
    ) {
        let mut world = World::running("{timeout: 700h, idleTimeout: 20m, disconnectedTimeout: 10m}", "{}");
        for seconds in jumps {
            world.now += jiff::SignedDuration::from_secs(seconds);
            world.says(Some(3.0), None);
            let decision = world.reconcile();
            let idle = decision.end.filter(|end| end.reason != "TimeoutReached");
            prop_assert_eq!(idle, None);
        }
    }
}
