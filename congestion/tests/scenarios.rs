//! What the controller must show on simulated links, with several seeds each. Each bound is the requirement's.

#![expect(dead_code, reason = "the benchmark needs more of the simulation than the tests")]

mod link;

use link::{
    figures::{Figures, s},
    ours::Ours,
    path::Loss,
    scenarios::{all, mbps, ms, narrows, on, steady},
    session::{Setup, play},
    source::Content,
    trace::Trace,
};
use std::time::Duration;
use vdi_congestion::Bitrate;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Plays it with each seed, and looks at what came of it.
fn each(setup: &Setup, look: impl Fn(u64, &Figures)) {
    for seed in SEEDS {
        let setup = Setup { seed, ..setup.clone() };
        look(seed, &play(&setup, &mut Ours::new(&setup)));
    }
}

#[test]
fn a_link_that_narrows_twentyfold_is_followed_and_used() {
    for one_way in [ms(5), ms(25)] {
        each(&narrows(one_way), |seed, figures| {
            let of_arriving = figures.least_of_arriving(19.0, 40.0);
            assert!(of_arriving > 0.7, "seed {seed}: the estimate fell to {of_arriving:.2} of what came");
            let waited = figures.waited(95.0, 23.0, 40.0);
            assert!(waited < ms(50), "seed {seed}: {waited:?} in the queue");
            let used = figures.used(25.0, 40.0);
            assert!(used > 0.85, "seed {seed}: {used:.2} used");
        });
    }
}

#[test]
fn a_link_that_opens_again_is_used_within_five_seconds() {
    for one_way in [ms(5), ms(25), ms(125)] {
        each(&narrows(one_way), |seed, figures| {
            let took = figures.reached(mbps(12.0).scaled(0.8), 40.0);
            assert!(took.is_some_and(|took| took < 5.0), "seed {seed}: {took:?} s");
        });
    }
}

#[test]
fn a_narrowing_freezes_the_picture_once_at_most() {
    // A queue of a usual access router: 270 ms at the narrow rate, 13 ms at the wide one.
    let mut setup = narrows(ms(5));
    setup.there.discipline = link::path::Discipline::DropTail(50_000);
    each(&setup, |seed, figures| {
        let frozen = figures.freezes(ms(500), 19.0, 40.0);
        assert!(frozen.is_empty(), "seed {seed}: {frozen:?}");
        let short = figures.freezes(ms(300), 19.0, 40.0);
        assert!(short.len() <= 1, "seed {seed}: {short:?}");
    });
}

#[test]
fn a_steady_link_is_used_without_a_queue() {
    for (rate, fps) in [(4.0, 60), (8.0, 60), (12.0, 60), (4.0, 30), (8.0, 30), (12.0, 30)] {
        each(&Setup { fps, ..steady(rate, ms(20)) }, |seed, figures| {
            let what = format!("seed {seed}, {rate} Mbit/s, {fps} frames a second");
            let used = figures.used(5.0, 60.0);
            assert!(used > 0.9, "{what}: {used:.3} used");
            let waited = figures.waited(95.0, 5.0, 60.0);
            assert!(waited < ms(30), "{what}: {waited:?} in the queue");
            assert_eq!(figures.freezes(ms(300), 1.0, 60.0), [], "{what}");
        });
    }
}

#[test]
fn the_length_of_the_way_changes_little() {
    for one_way in [2, 25, 125] {
        let mut setup = steady(8.0, Duration::from_millis(one_way));
        setup.length = s(90.0);
        each(&setup, |seed, figures| {
            let used = figures.used(10.0, 90.0);
            assert!(used > 0.85, "seed {seed}, {one_way} ms: {used:.3} used");
            let waited = figures.waited(95.0, 10.0, 90.0);
            assert!(waited < ms(60), "seed {seed}, {one_way} ms: {waited:?} in the queue");
        });
    }
}

#[test]
fn random_loss_on_a_wide_link_is_not_taken_for_a_limit() {
    for (loss, least) in [(0.02, 0.9), (0.1, 0.6)] {
        let mut setup = steady(30.0, ms(20));
        setup.there.loss = Loss::Random(loss);
        each(&setup, |seed, figures| {
            let used = figures.used(5.0, 60.0);
            assert!(used > least, "seed {seed}, {loss}: {used:.3} used");
            assert_eq!(figures.freezes(ms(300), 1.0, 60.0), [], "seed {seed}, {loss}");
        });
    }
}

#[test]
fn loss_of_a_buffer_too_shallow_to_be_seen_is_taken_for_a_limit() {
    let mut setup = steady(8.0, ms(20));
    setup.there.discipline = link::path::Discipline::DropTail(15_000);
    each(&setup, |seed, figures| {
        let (used, lost) = (figures.used(5.0, 60.0), figures.lost(5.0, 60.0));
        assert!(used > 0.75 && lost < 0.04, "seed {seed}: {used:.3} used, {lost:.3} lost");
    });
}

#[test]
fn a_policer_without_any_queue_is_taken_for_a_limit() {
    for limit in [8.0, 5.0] {
        let mut setup = steady(limit, ms(20));
        setup.there.discipline = link::path::Discipline::Police(10_000);
        each(&setup, |seed, figures| {
            let (used, lost) = (figures.used(10.0, 60.0), figures.lost(10.0, 60.0));
            assert!(used > 0.7 && lost < 0.06, "seed {seed}, {limit}: {used:.3} used, {lost:.3} lost");
        });
    }
}

#[test]
fn a_link_of_next_to_nothing_is_not_flooded() {
    let trace = Trace::steps(&[(15.0, mbps(8.0)), (45.0, mbps(0.08))]);
    let mut setup = on(trace, mbps(8.0), ms(250), ms(20), 60.0);
    setup.bounds.min = mbps(0.1);
    each(&setup, |seed, figures| {
        let (_, mean) = figures.estimate(25.0, 60.0);
        assert!(mean < mbps(0.4), "seed {seed}: {mean:?}");
    });
}

#[test]
fn an_idle_screen_neither_raises_nor_lowers_the_estimate_and_what_comes_after_it_is_quick() {
    let picture = 150_000;
    let mut setup = on(Trace::constant(mbps(8.0)), mbps(8.0), ms(200), ms(20), 80.0);
    // First everything moves, so that something is known of the link.
    setup.content = Content::Rest { from: s(10.0), picture_at: s(70.0), bytes: picture };
    each(&setup, |seed, figures| {
        let (least, mean) = figures.estimate(11.0, 69.0);
        assert!(least > mbps(7.0) && mean < mbps(8.5), "seed {seed}: {least:?}, {mean:?}");
        // With its headers, on the link alone.
        let needed = ms(40) + s(picture as f64 * 1.05 * 8.0 / 8e6);
        let took = figures.late(100.0, 69.9, 70.1);
        assert!(took < needed.mul_f64(1.5), "seed {seed}: {took:?}, and the link needs {needed:?}");
    });
}

/// A screen that rests for as long as the link is looked at, but for a small picture now and then.
fn resting(rate: f64, seconds: f64) -> Setup {
    let mut setup = on(Trace::constant(mbps(rate)), mbps(rate), ms(200), ms(20), seconds);
    setup.content = Content::Still { bytes: 5000, every: s(7.0) };
    setup
}

#[test]
fn a_screen_that_never_moved_has_learnt_what_the_link_carries_for_its_first_picture() {
    let mut setup = resting(30.0, 20.0);
    for has_sound in [true, false] {
        setup.has_sound = has_sound;
        each(&setup, |seed, figures| {
            let took = figures.reached(mbps(9.0), 0.0);
            assert!(took.is_some_and(|took| took < 15.0), "seed {seed}, sound {has_sound}: {took:?} s");
        });
    }
}

#[test]
fn packets_that_are_lost_of_a_resting_screen_are_no_silence_and_no_limit() {
    for loss in [Loss::Random(0.1), Loss::Bursts(0.01, 0.1, 0.8)] {
        for has_sound in [true, false] {
            let mut setup = resting(8.0, 120.0);
            (setup.has_sound, setup.there.loss, setup.back_loss) = (has_sound, loss, 0.1);
            each(&setup, |seed, figures| {
                let (least, _) = figures.estimate(1.0, 120.0);
                assert!(
                    least > setup.start.scaled(0.9),
                    "seed {seed}, sound {has_sound}, {loss:?}: {least:?}"
                );
            });
        }
    }
}

#[test]
fn one_large_picture_after_a_rest_does_not_lower_the_estimate() {
    for has_sound in [true, false] {
        let mut setup = on(Trace::constant(mbps(20.0)), mbps(20.0), ms(300), ms(20), 40.0);
        setup.has_sound = has_sound;
        setup.content = Content::Rest { from: s(10.0), picture_at: s(30.0), bytes: 300_000 };
        each(&setup, |seed, figures| {
            let (least, _) = figures.estimate(30.0, 40.0);
            assert!(least > mbps(12.0).scaled(0.85), "seed {seed}, sound {has_sound}: {least:?}");
            let after = figures.last_output();
            assert!(
                after.queue_delay.unwrap_or_default() < ms(5),
                "seed {seed}, sound {has_sound}: {after:?}"
            );
            assert!(after.target == after.estimate, "seed {seed}, sound {has_sound}: {after:?}");
        });
    }
}

#[test]
fn who_uses_little_does_not_yield_all_to_somebody_elses_queue() {
    let mut setup = on(Trace::constant(mbps(20.0)), mbps(20.0), ms(60), ms(20), 40.0);
    setup.content = Content::Upto(mbps(3.0));
    setup.rival = Some((10.0, 30.0));
    each(&setup, |seed, figures| {
        let (least, _) = figures.estimate(8.0, 40.0);
        assert!(least > mbps(1.0), "seed {seed}: {least:?}");
        let used = figures.delivered(12.0, 30.0);
        assert!(used > mbps(2.0), "seed {seed}: {used:?}");
    });
}

#[test]
fn what_arrives_is_never_undercut_by_much_whatever_is_lost() {
    let mut lossy = steady(30.0, ms(20));
    lossy.there.loss = Loss::Random(0.4);
    let mut shallow = narrows(ms(25));
    shallow.there.discipline = link::path::Discipline::DropTail(8_000);
    for (name, setup) in [("40 % loss", lossy), ("a shallow buffer", shallow)] {
        each(&setup, |seed, figures| {
            let least = figures.least_of_arriving(2.0, setup.length.as_secs_f64());
            assert!(least > 0.65, "seed {seed}, {name}: {least:.2}");
        });
    }
}

#[test]
fn a_download_leaves_a_quarter_of_a_fair_share_and_the_delay_is_its_buffers() {
    let mut setup = on(Trace::constant(mbps(10.0)), mbps(10.0), ms(150), ms(20), 60.0);
    setup.rival = Some((10.0, 50.0));
    each(&setup, |seed, figures| {
        let (ours, theirs) = (figures.delivered(15.0, 50.0), figures.rival(15.0, 50.0));
        assert!(ours > mbps(10.0 / 2.0 / 4.0), "seed {seed}: {ours:?} against {theirs:?}");
        assert!(theirs > mbps(10.0 / 2.0 / 4.0), "seed {seed}: it has rights too: {theirs:?}");
        let waited = figures.waited(100.0, 15.0, 50.0);
        assert!(waited < ms(160), "seed {seed}: {waited:?}");
        // And when it has gone, the queue has.
        let after = figures.waited(95.0, 55.0, 60.0);
        assert!(after < ms(50), "seed {seed}: {after:?}");
    });
}

#[test]
fn a_download_on_a_lossy_link_does_not_drive_it_to_the_floor() {
    for queue in [ms(150), ms(60)] {
        let mut setup = on(Trace::constant(mbps(10.0)), mbps(10.0), queue, ms(20), 60.0);
        (setup.rival, setup.there.loss) = (Some((10.0, 50.0)), Loss::Random(0.02));
        each(&setup, |seed, figures| {
            let ours = figures.delivered(15.0, 50.0);
            assert!(ours > mbps(1.25), "seed {seed}, {queue:?}: {ours:?}");
        });
    }
}

#[test]
fn a_download_behind_codel_leaves_a_share() {
    let mut setup = steady(8.0, ms(20));
    setup.there.discipline = link::path::Discipline::CoDel;
    setup.rival = Some((10.0, 50.0));
    each(&setup, |seed, figures| {
        let (ours, theirs) = (figures.delivered(15.0, 50.0), figures.rival(15.0, 50.0));
        assert!(ours > mbps(1.0), "seed {seed}: {ours:?} against {theirs:?}");
        let after = figures.used(56.0, 60.0);
        assert!(after > 0.7, "seed {seed}: {after:.2} used when it has gone");
    });
}

#[test]
fn a_lossy_way_that_becomes_longer_is_still_used() {
    let mut setup = steady(8.0, ms(20));
    setup.there.detour = Some((s(15.0), ms(60)));
    setup.there.loss = Loss::Random(0.02);
    setup.length = s(120.0);
    each(&setup, |seed, figures| {
        let used = figures.used(20.0, 120.0);
        assert!(used > 0.5, "seed {seed}: {used:.2}");
    });
}

#[test]
fn a_way_that_becomes_longer_is_no_reason_to_fill_a_buffer() {
    let mut setup = steady(8.0, ms(20));
    setup.there.detour = Some((s(15.0), ms(60)));
    setup.there.discipline = link::path::Discipline::DropTail(mbps(8.0).over(ms(1000)).bytes());
    setup.length = s(120.0);
    each(&setup, |seed, figures| {
        let waited = figures.waited(95.0, 20.0, 120.0);
        assert!(waited < ms(150), "seed {seed}: {waited:?}");
        let used = figures.used(20.0, 120.0);
        assert!(used > 0.8, "seed {seed}: {used:.2}");
    });
}

#[test]
fn a_browser_without_a_processor_for_a_moment_is_no_congestion() {
    let mut setup = steady(8.0, ms(20));
    setup.there.stalls = Some((s(2.0), ms(250)));
    each(&setup, |seed, figures| {
        let used = figures.used(5.0, 60.0);
        assert!(used > 0.75, "seed {seed}: {used:.3} used");
    });
}

#[test]
fn a_sleep_of_thirty_seconds_is_no_congestion() {
    let mut setup = steady(10.0, ms(20));
    setup.content = Content::Sleep(s(15.0), s(45.0));
    each(&setup, |seed, figures| {
        let (before, after) = (figures.estimate(12.0, 15.0).1, figures.estimate(45.0, 46.0).0);
        assert!(after > before.scaled(0.8), "seed {seed}: {after:?} after {before:?}");
    });
}

#[test]
fn feedback_that_gets_lost_costs_little() {
    let mut setup = steady(6.0, ms(20));
    setup.back_loss = 0.3;
    each(&setup, |seed, figures| {
        let used = figures.used(5.0, 60.0);
        assert!(used > 0.75, "seed {seed}: {used:.3} used");
    });
}

#[test]
fn feedback_that_stops_lowers_the_rate_to_its_floor_and_its_return_brings_it_back() {
    let mut setup = steady(8.0, ms(20));
    setup.back_gap = Some((s(20.0), s(30.0)));
    each(&setup, |seed, figures| {
        let (floor, _) = figures.estimate(26.0, 30.0);
        assert_eq!(floor, setup.bounds.min, "seed {seed}");
        let back = figures.reached(mbps(8.0).scaled(0.8), 30.0);
        assert!(back.is_some_and(|back| back < 10.0), "seed {seed}: {back:?}");
    });
}

#[test]
fn it_is_worth_more_than_gcc_on_each_link_and_none_has_a_queue_of_ours() {
    let worths: Vec<_> = all(1)
        .into_iter()
        .map(|scenario| {
            let length = scenario.setup.length.as_secs_f64();
            let ours = play(&scenario.setup, &mut Ours::new(&scenario.setup));
            let mut draft = link::gcc::Gcc::new(scenario.setup.bounds, scenario.setup.start);
            let gcc = play(&scenario.setup, &mut draft);
            let queue = ours.waited(50.0, 5.0, length);
            let is_others = scenario.setup.rival.is_some();
            assert!(is_others || queue < ms(30), "{}: {queue:?} in the queue", scenario.name);
            (scenario.name, ours.utility(5.0, length), gcc.utility(5.0, length))
        })
        .collect();
    // Chance decides where both are equal. Of a screen that rests the rate says nothing: that has a test of its own.
    let moving = worths.iter().filter(|(name, ..)| !name.starts_with("still"));
    let worse: Vec<_> = moving.filter(|(_, ours, gcc)| ours < &(gcc - 0.5)).collect();
    assert!(worse.is_empty(), "{worse:?}");
    let sum = |of: fn(&(String, f64, f64)) -> f64| worths.iter().map(of).sum::<f64>();
    assert!(sum(|worth| worth.1) > sum(|worth| worth.2), "{worths:?}");
}

#[test]
fn a_trace_of_mahimahi_is_read_and_a_bad_line_is_named() {
    // One packet of 1500 bytes each 2 ms for 20 ms: 6 Mbit/s.
    let text: String = (0..10).map(|n| format!("{}\n", 2 * n)).collect();
    let trace = Trace::mahimahi(&text).unwrap();
    assert_eq!(trace.mean(s(0.0), s(0.02)), Bitrate::from_kbps(6000));
    assert_eq!(Trace::mahimahi("1\nx\n").unwrap_err(), "line 2: \"x\" is no number of ms");
    assert_eq!(Trace::mahimahi("50\n3\n").unwrap_err(), "line 2: 3 ms is before the line above");
    assert_eq!(Trace::mahimahi("\n").unwrap_err(), "it has no line");
}
