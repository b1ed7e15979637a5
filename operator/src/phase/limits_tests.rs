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
