//! Whatever a browser tells: the controller stays within its bounds, and nothing panics.

use proptest::prelude::*;
use std::time::Duration;
use vdi_congestion::{Bitrate, Bounds, Controller, DataSize, Report};

const BOUNDS: Bounds = Bounds { min: Bitrate::from_kbps(150), max: Bitrate::from_kbps(12_000) };

/// What happens to a controller.
#[derive(Debug, Clone)]
enum Step {
    Sent(u64),
    Feedback(Vec<Report>),
    Poll,
    Wait(Duration),
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..20_000_u64).prop_map(Duration::from_millis),
        (0..u64::MAX).prop_map(Duration::from_nanos),
        Just(Duration::ZERO),
        Just(Duration::from_secs(u64::MAX / 2)),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    let size = prop_oneof![0..2000_u64, Just(u64::MAX)];
    (any::<u16>(), time(), proptest::option::of(time()), size).prop_map(|(sequence, sent, arrived, size)| {
        Report { sequence, sent, arrived, size: DataSize::from_bytes(size), is_picture: true }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop_oneof![0..2000_u64, Just(u64::MAX)].prop_map(Step::Sent),
        proptest::collection::vec(report(), 0..40).prop_map(Step::Feedback),
        Just(Step::Poll),
        (0..3000_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ]
}

proptest! {
    #[test]
    fn nothing_that_is_told_leads_out_of_bounds(steps in proptest::collection::vec(step(), 0..200)) {
        let mut now = Duration::from_secs(5);
        let mut controller = Controller::new(BOUNDS, Bitrate::from_kbps(4000), now);
        for step in steps {
            match step {
                Step::Sent(bytes) => controller.sent(DataSize::from_bytes(bytes), now),
                Step::Feedback(reports) => controller.feedback(&reports, now),
                Step::Poll => {
                    if let Some(probe) = controller.poll(now) {
                        prop_assert!(probe.rate <= BOUNDS.max.scaled(1.5));
                        prop_assert!(probe.size <= DataSize::from_bytes(100_000));
                    }
                    controller.wants_key_frame(now);
                }
                Step::Wait(time) => now += time,
            }
            let output = controller.output();
            prop_assert!((BOUNDS.min..=BOUNDS.max).contains(&output.estimate), "{output:?}");
            prop_assert!((BOUNDS.min..=output.estimate).contains(&output.target), "{output:?}");
            prop_assert!(output.pacing_rate >= output.target && output.pacing_rate <= BOUNDS.max.scaled(3.0));
            prop_assert!((0.0..=1.0).contains(&output.loss));
        }
    }
}

/// A link that carries 8 Mbit/s, and a browser that changes what it tells of it.
fn after_a_minute(tell: impl Fn(u64, &mut Vec<Report>)) -> Bitrate {
    let mut controller = Controller::new(BOUNDS, Bitrate::from_kbps(4000), Duration::ZERO);
    let (mut number, mut told) = (0_u64, Vec::new());
    for tick in 0..60_000_u64 {
        let now = Duration::from_millis(tick);
        // A packet each millisecond: 10 Mbit/s.
        controller.sent(DataSize::from_bytes(1250), now);
        let arrived = Some(now + Duration::from_secs(7777) + Duration::from_millis(20));
        told.push(Report {
            sequence: number as u16,
            sent: now,
            arrived,
            size: DataSize::from_bytes(1250),
            is_picture: true,
        });
        number += 1;
        if tick % 50 == 49 {
            tell(tick, &mut told);
            controller.feedback(&told, now + Duration::from_millis(1));
            told.clear();
        }
        controller.poll(now + Duration::from_millis(1));
    }
    controller.output().estimate
}

#[test]
fn feedback_that_is_repeated_shuffled_or_overtaken_tells_the_same() {
    let honest = after_a_minute(|_, _| {});
    assert_eq!(honest, BOUNDS.max);
    let repeated = after_a_minute(|_, told| told.extend(told.clone()));
    let shuffled = after_a_minute(|_, told| told.reverse());
    assert_eq!((repeated, shuffled), (honest, honest));
}

#[test]
fn a_browser_that_lies_about_loss_gets_the_floor_and_no_more() {
    let all_lost = after_a_minute(|_, told| told.iter_mut().for_each(|report| report.arrived = None));
    assert_eq!(all_lost, BOUNDS.min);
}
