//! The three limits, in minutes and seconds.

use super::tests::{World, at};
use crate::api::{Phase, Span};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::Duration;

const ALL: &str = "{timeout: 4h, idleTimeout: 20m, disconnectedTimeout: 10m}";

#[test]
fn longest_time_is_counted_from_the_start_and_moves_with_the_spec() {
    let mut world = World::running(ALL, "{}");
    assert_eq!(world.status().expires_at, Some(Time(at("13:00:00"))));
    world.desktop.as_mut().unwrap().limits.timeout = Duration::from_secs(5 * 3600);
    world.session.spec.timeout = Span::from("5h");
    world.now = at("13:30:00");
    assert_eq!(world.reconcile().end, None);
    assert_eq!(world.status().expires_at, Some(Time(at("14:00:00"))));
    world.now = at("14:00:00");
    let decision = world.reconcile();
    let end = decision.end.unwrap();
    assert_eq!((end.reason, world.status().phase), ("TimeoutReached", Phase::Terminating));
    assert_eq!(end.message, "The desktop has reached its longest time (5h) and is ended.");
    assert_eq!(decision.events.len(), 1);
}

/// The launcher says that whoever is in control has extended the longest time by so much.
fn extended(world: &mut World, seconds: u64) {
    world.says(Some(1.0), None);
    world.report.as_mut().unwrap().extended_seconds = seconds;
}

#[test]
fn longest_time_is_extended_by_what_the_launcher_says_as_far_as_the_template_goes() {
    let mut world = World::running(ALL, "{policy: {limits: {extensions: {count: 2, by: 30m}}}}");
    world.now = at("12:58:00");
    extended(&mut world, 1800);
    let events = world.reconcile().events;
    let until = |time: &str| Some(Time(at(time)));
    assert_eq!(
        (world.status().expires_at.clone(), world.status().extended_seconds),
        (until("13:30:00"), Some(1800))
    );
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].reason.as_str(), events[0].warning), ("Extended", false));
    assert_eq!(
        events[0].note,
        format!("Its longest time was extended in its page, by 30m in all, to {}.", at("13:30:00"))
    );
    let told = super::limits_annotation(world.desktop.as_ref().unwrap(), world.status());
    assert!(told.contains(r#""extendedSeconds":1800"#), "{told}");
    // The same once more is nothing new, and a launcher that was started anew takes nothing back.
    for seconds in [1800, 0] {
        extended(&mut world, seconds);
        assert!(world.reconcile().events.is_empty());
        assert_eq!(world.status().extended_seconds, Some(1800));
    }
    extended(&mut world, 86_400);
    world.reconcile();
    assert_eq!(world.status().expires_at, until("14:00:00"), "two of them, whatever a pod says");
    world.report = None;
    world.now = at("14:00:00");
    let end = world.reconcile().end.unwrap();
    assert_eq!(end.message, "The desktop has reached its longest time (5h) and is ended.");
}

#[test]
fn a_click_in_the_last_moment_is_in_the_report_that_is_asked_for_when_the_time_is_over() {
    let mut world = World::running(ALL, "{policy: {limits: {extensions: {count: 1, by: 10m}}}}");
    world.now = at("12:59:00");
    extended(&mut world, 0);
    let decision = world.reconcile();
    assert_eq!((decision.look_again, decision.ask), (Some(Duration::from_secs(60)), true));
    world.now = at("13:00:00");
    let decision = world.reconcile();
    let second = Some(Duration::from_secs(1));
    assert_eq!(
        (decision.end, decision.look_again, decision.ask),
        (None, second, true),
        "the report is older"
    );
    let (mut clicked, mut silent) = (world.clone(), world.clone());
    extended(&mut clicked, 600);
    assert_eq!(clicked.reconcile().end, None);
    assert_eq!(clicked.status().expires_at, Some(Time(at("13:10:00"))));
    extended(&mut world, 0);
    assert_eq!(world.reconcile().end.unwrap().reason, "TimeoutReached");
    silent.now = at("13:00:29");
    assert_eq!(silent.reconcile().end, None);
    silent.now = at("13:00:30");
    assert_eq!(silent.reconcile().end.unwrap().reason, "TimeoutReached", "nobody's word is waited for long");
}

#[test]
fn extension_counts_as_far_as_the_pod_was_told_while_there_is_no_template_to_say() {
    let mut world = World::running(ALL, "{policy: {limits: {extensions: {count: 1, by: 10m}}}}");
    extended(&mut world, 0);
    world.reconcile();
    let told = super::limits_annotation(world.desktop.as_ref().unwrap(), world.status());
    assert!(told.contains(r#""mostExtendedSeconds":600"#), "{told}");
    let pod = world.pod.as_mut().unwrap();
    pod.metadata
        .annotations
        .get_or_insert_default()
        .insert(vdi_protocol::session_limits::ANNOTATION.into(), told);
    world.desktop = Err(crate::validate::template_not_found("office"));
    extended(&mut world, 86_400);
    world.reconcile();
    assert_eq!(world.status().expires_at, Some(Time(at("13:10:00"))));
    world.reconcile();
    assert_eq!(world.status().expires_at, Some(Time(at("13:10:00"))), "once");
}

#[test]
fn what_a_template_does_not_allow_is_no_extension_and_another_run_has_its_own() {
    let mut world = World::running(ALL, "{}");
    extended(&mut world, 1800);
    world.reconcile();
    let (end, by) = (world.status().expires_at.clone(), world.status().extended_seconds);
    assert_eq!((end, by), (Some(Time(at("13:00:00"))), None));
    let mut world = World::running(ALL, "{policy: {limits: {extensions: {count: 1}}}}");
    extended(&mut world, 1800);
    world.reconcile();
    assert_eq!(world.status().extended_seconds, Some(1800));
    world.session.spec.suspended = true;
    world.reconcile();
    assert_eq!(world.status().extended_seconds, None);
}

#[test]
fn idle_strikes_by_a_report_that_was_asked_for_after_it_came_due() {
    let mut world = World::running(ALL, "{}");
    world.now = at("09:15:00");
    world.says(Some(300.0), None);
    let decision = world.reconcile();
    // Last input at 09:10:00.
    assert_eq!(decision.look_again, Some(Duration::from_secs(15 * 60)));
    assert_eq!(world.status().last_input_time, Some(Time(at("09:10:00"))));
    world.now = at("09:40:00");
    let decision = world.reconcile();
    assert!(decision.end.is_none() && decision.ask, "the report is too old to say so");
    world.report = None;
    assert_eq!(world.reconcile().end, None, "silence says nothing");
    world.says(Some(1800.0), None);
    let end = world.reconcile().end.unwrap();
    assert_eq!(
        (end.reason, end.message.as_str()),
        ("IdleTimeout", "The desktop was not used for 20m and is ended.")
    );
}

#[test]
fn one_key_at_the_last_moment_keeps_it() {
    let mut world = World::running(ALL, "{}");
    world.now = at("09:20:00");
    world.says(Some(1.0), None);
    let decision = world.reconcile();
    assert_eq!((decision.end, decision.look_again), (None, Some(Duration::from_secs(20 * 60 - 1))));
}

#[test]
fn last_input_moves_in_steps_so_that_a_busy_user_is_no_stream_of_writes() {
    let mut world = World::running("{idleTimeout: 30m}", "{}");
    let mut writes = 0;
    for poll in 1..=120 {
        world.now = at("09:00:00") + Duration::from_secs(30 * poll);
        world.says(Some(0.5), None);
        let before = world.status().clone();
        world.reconcile();
        writes += usize::from(*world.status() != before);
    }
    // An hour in steps of three minutes, the tenth part of the limit.
    assert!((15..=20).contains(&writes), "{writes}");
}

#[test]
fn nobody_at_the_page_is_counted_from_when_the_last_one_left() {
    let mut world = World::running(ALL, "{}");
    world.now = at("09:05:00");
    world.says(Some(1.0), None);
    world.reconcile();
    assert_eq!(world.status().disconnected_since, None);
    world.now = at("09:06:30");
    world.says(Some(91.0), Some(40.0));
    assert_eq!(world.reconcile().look_again, Some(Duration::from_secs(560)));
    let since = Some(Time(at("09:05:50")));
    assert_eq!(world.status().disconnected_since, since);
    world.now = at("09:07:00");
    world.says(Some(121.0), Some(69.2));
    world.reconcile();
    assert_eq!(world.status().disconnected_since, since, "two reports of one moment are one moment");
    world.now = at("09:15:51");
    world.says(Some(652.0), Some(601.0));
    let end = world.reconcile().end.unwrap();
    assert_eq!(end.message, "The desktop had no page connected for 10m and is ended.");
    assert_eq!(end.reason, "DisconnectedTimeout");
}

#[test]
fn page_that_came_and_went_between_two_polls_counts() {
    let mut world = World::running(ALL, "{}");
    world.now = at("09:09:00");
    world.says(None, Some(540.0));
    world.reconcile();
    world.now = at("09:11:00");
    world.says(None, Some(50.0));
    assert_eq!(world.reconcile().end, None);
    assert_eq!(world.status().disconnected_since, Some(Time(at("09:10:10"))));
}

#[test]
fn desktop_that_was_away_is_not_ended_for_the_time_in_which_nobody_could_use_it() {
    let mut world = World::running(ALL, "{}");
    world.now = at("09:30:00");
    world.pod = None;
    world.settle();
    world.now = at("09:31:00");
    world.settle();
    world.runs(true);
    world.now = at("09:32:00");
    world.says(None, Some(60.0));
    assert_eq!(world.reconcile().end, None);
    assert_eq!(world.status().disconnected_since, Some(Time(at("09:31:00"))));
}

#[test]
fn clock_that_jumps_ahead_ends_no_session_in_use_and_one_that_jumps_back_waits_for_nothing_for_ever() {
    let mut world = World::running("{timeout: 700h, idleTimeout: 20m, disconnectedTimeout: 10m}", "{}");
    world.now = at("09:05:00");
    world.says(Some(1.0), None);
    world.reconcile();
    // Ten days ahead.
    world.now = at("09:05:30") + Duration::from_secs(10 * 86_400);
    world.says(Some(2.0), None);
    assert_eq!(world.reconcile().end, None);
    world.says(Some(2.0), Some(3.0));
    assert_eq!(world.reconcile().end, None);
    // And back again: the times that were written then are in the future now.
    world.now = at("09:06:30");
    world.says(Some(62.0), Some(60.0));
    assert_eq!(world.reconcile().end, None);
    assert_eq!(world.status().last_input_time, Some(Time(at("09:05:28"))));
    assert_eq!(world.status().disconnected_since, Some(Time(at("09:05:30"))));
    world.now = at("09:25:28");
    world.says(Some(1200.0), None);
    assert_eq!(world.reconcile().end.unwrap().reason, "IdleTimeout");
    // Before its own start.
    let mut world = World::running(ALL, "{}");
    world.now = at("07:00:00");
    world.says(Some(1.0), None);
    assert_eq!(world.reconcile().end, None);
    world.exits(15, "Error", "PIPELINE_ERROR: lost");
    world.now = at("09:00:01");
    world.settle();
    world.now = at("07:00:00");
    world.settle();
    assert_eq!(world.pods_made, 2, "a back-off that began in the future is over");
}

#[test]
fn end_that_was_decided_stays_decided() {
    let mut world = World::running(ALL, "{}");
    world.now = at("13:00:00");
    let decision = world.decide();
    // The operator is killed after the status was written.
    world.carry_out(&decision, 1);
    world.desktop.as_mut().unwrap().limits.timeout = Duration::from_secs(9 * 3600);
    let again = world.decide();
    assert_eq!((again.end, again.status.phase), (decision.end, Phase::Terminating));
    assert!(again.events.is_empty(), "it was told already");
}
