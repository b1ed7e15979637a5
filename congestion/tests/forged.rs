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

/// What a browser does to one message of honest feedback.
#[derive(Debug, Clone)]
enum Lie {
    None,
    Nothing,
    Lose(u8),
    Late(i64),
    Stretch(u8),
    Repeat,
    Reverse,
    Old,
    Heavy(u64),
    Numbers(u16),
}

/// One twentieth of a second: so many packets leave, in a message such a lie is told, and perhaps other bounds count from then on.
#[derive(Debug, Clone)]
struct Moment {
    packets: u64,
    lie: Lie,
    max_kbps: Option<u64>,
    key_frame: bool,
    pause: Duration,
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        4 => Just(Lie::None),
        1 => Just(Lie::Nothing),
        2 => (1..=4_u8).prop_map(Lie::Lose),
        2 => prop_oneof![-200..400_i64, any::<i64>()].prop_map(Lie::Late),
        2 => (0..8_u8).prop_map(Lie::Stretch),
        1 => Just(Lie::Repeat),
        1 => Just(Lie::Reverse),
        1 => Just(Lie::Old),
        1 => any::<u64>().prop_map(Lie::Heavy),
        1 => any::<u16>().prop_map(Lie::Numbers),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    let max_kbps = proptest::option::weighted(0.05, 50..20_000_u64);
    let pause = prop_oneof![9 => Just(0), 1 => 0..60_000_u64].prop_map(Duration::from_millis);
    (0..120_u64, lie(), max_kbps, proptest::bool::weighted(0.05), pause).prop_map(
        |(packets, lie, max_kbps, key_frame, pause)| Moment { packets, lie, max_kbps, key_frame, pause },
    )
}

/// Tells the lie of packets that left, by number, time and size; `old` is the message before.
fn tell(lie: &Lie, honest: Vec<Report>, old: &[Report]) -> Vec<Report> {
    let arrived = |report: &mut Report, change: &dyn Fn(Duration) -> Duration| {
        report.arrived = report.arrived.map(change);
    };
    let mut told = honest;
    match lie {
        Lie::None => {}
        Lie::Nothing => told.clear(),
        Lie::Lose(each) => {
            told.iter_mut().step_by(usize::from(*each)).for_each(|report| report.arrived = None)
        }
        Lie::Late(ms) => told.iter_mut().for_each(|report| {
            let by = Duration::from_millis(ms.unsigned_abs());
            arrived(report, &|at| if *ms < 0 { at.saturating_sub(by) } else { at.saturating_add(by) });
        }),
        Lie::Stretch(ms) => told.iter_mut().enumerate().for_each(|(index, report)| {
            arrived(report, &|at| at + Duration::from_millis(index as u64 * u64::from(*ms)));
        }),
        Lie::Repeat => told.extend(told.clone()),
        Lie::Reverse => told.reverse(),
        Lie::Old => told = old.to_vec(),
        Lie::Heavy(bytes) => told.iter_mut().for_each(|report| report.size = DataSize::from_bytes(*bytes)),
        Lie::Numbers(by) => {
            told.iter_mut().for_each(|report| report.sequence = report.sequence.wrapping_add(*by))
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Unlike the above this reaches every state: most of what is told is told of packets that did leave.
    #[test]
    fn lies_about_packets_that_left_lead_nowhere_either(moments in proptest::collection::vec(moment(), 1..300)) {
        let (mut now, mut number, mut bounds) = (Duration::from_secs(5), 0_u64, BOUNDS);
        let mut controller = Controller::new(bounds, Bitrate::from_kbps(4000), now);
        let mut old = Vec::new();
        for moment in moments {
            let mut honest = Vec::new();
            for packet in 0..moment.packets {
                let sent = now + Duration::from_micros(packet * 50_000 / moment.packets);
                let size = DataSize::from_bytes(1250);
                controller.sent(size, sent);
                let arrived = Some(sent + Duration::from_secs(7777) + Duration::from_millis(20));
                honest.push(Report { sequence: number as u16, sent, arrived, size, is_picture: packet % 2 == 0 });
                number += 1;
            }
            now += Duration::from_millis(50);
            let told = tell(&moment.lie, honest, &old);
            controller.feedback(&told, now);
            old = told;
            if let Some(kbps) = moment.max_kbps {
                bounds = Bounds { min: BOUNDS.min.min(Bitrate::from_kbps(kbps)), max: Bitrate::from_kbps(kbps) };
                controller.set_bounds(bounds);
            }
            if moment.key_frame {
                controller.key_frame_comes(now);
            }
            controller.wants_key_frame(now);
            controller.poll(now);
            now += moment.pause;
            controller.poll(now);
            let output = controller.output();
            prop_assert!((bounds.min..=bounds.max).contains(&output.estimate), "{output:?}");
            prop_assert!((bounds.min..=output.estimate).contains(&output.target), "{output:?}");
            prop_assert!(output.pacing_rate >= output.target && output.pacing_rate <= bounds.max.scaled(3.0));
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
