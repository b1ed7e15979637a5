//! What is tried: links as people have them.

use super::{
    figures::s,
    path::{Discipline, Loss, Path},
    session::Setup,
    source::Content,
    trace::Trace,
};
use std::time::Duration;
use vdi_congestion::{Bitrate, Bounds};

/// In Mbit/s.
pub fn mbps(mbps: f64) -> Bitrate {
    Bitrate::from_bps((mbps * 1e6) as u64)
}

/// In milliseconds.
pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One with a name.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// In the table.
    pub name: String,
    /// What is simulated.
    pub setup: Setup,
}

/// A session with full motion on a link with a queue of so long at its usual rate.
pub fn on(trace: Trace, usual: Bitrate, queue: Duration, one_way: Duration, seconds: f64) -> Setup {
    let mut there = Path::of(trace, usual, one_way);
    there.discipline = Discipline::DropTail(usual.over(queue).bytes().max(20_000));
    Setup {
        there,
        back: one_way,
        back_loss: 0.0,
        back_gap: None,
        content: Content::Motion,
        fps: 60,
        has_sound: true,
        bounds: Bounds { min: mbps(0.15), max: mbps(12.0) },
        start: mbps(4.0),
        rival: None,
        length: s(seconds),
        seed: 1,
    }
}

/// 30, then 1.5, then 30 Mbit/s, 20 s each.
pub fn narrows(one_way: Duration) -> Setup {
    let trace = Trace::steps(&[(20.0, mbps(30.0)), (20.0, mbps(1.5)), (20.0, mbps(30.0))]);
    let mut setup = on(trace, mbps(30.0), ms(50), one_way, 60.0);
    // A second of the narrow link.
    setup.there.discipline = Discipline::DropTail(187_500);
    setup
}

/// A link that does not change.
pub fn steady(rate: f64, one_way: Duration) -> Setup {
    on(Trace::constant(mbps(rate)), mbps(rate), ms(200), one_way, 60.0)
}

/// Everything that is tried, with this seed.
pub fn all(seed: u64) -> Vec<Scenario> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = vec![
        ("narrows and opens, 10 ms", narrows(ms(5))),
        ("narrows and opens, 50 ms", narrows(ms(25))),
        ("narrows and opens, 250 ms", narrows(ms(125))),
        ("steady 1.5 Mbit/s", steady(1.5, ms(20))),
        ("steady 4 Mbit/s", steady(4.0, ms(20))),
        ("steady 8 Mbit/s", steady(8.0, ms(20))),
        ("steady 12 Mbit/s", steady(12.0, ms(20))),
    ];
    let ramp = Trace::ramp(mbps(15.0), mbps(2.0), 20.0).then(&Trace::ramp(mbps(2.0), mbps(15.0), 20.0));
    all.push(("ramps 15 to 2 to 15", on(ramp, mbps(8.0), ms(200), ms(20), 40.0)));
    for (name, rate, one_way) in
        [("LTE, 6 Mbit/s", 6.0, ms(25)), ("LTE, 15 Mbit/s", 15.0, ms(20)), ("LTE, 3 Mbit/s", 3.0, ms(35))]
    {
        let trace = Trace::lte(mbps(rate), 60.0, &mut random);
        all.push((name, on(trace, mbps(rate), ms(500), one_way, 60.0)));
    }
    for (name, rate) in [("Wi-Fi, 40 Mbit/s", 40.0), ("Wi-Fi, 15 Mbit/s", 15.0)] {
        let trace = Trace::wifi(mbps(rate), 60.0, &mut random);
        let mut setup = on(trace, mbps(rate), ms(200), ms(8), 60.0);
        setup.there.jitter = ms(2);
        all.push((name, setup));
    }
    for (name, loss) in [("2 % random loss at 30", 0.02), ("10 % random loss at 30", 0.1)] {
        let mut setup = steady(30.0, ms(20));
        setup.there.loss = Loss::Random(loss);
        all.push((name, setup));
    }
    let mut bursts = steady(10.0, ms(20));
    bursts.there.loss = Loss::Bursts(0.002, 0.1, 0.6);
    all.push(("bursts of loss at 10", bursts));
    let mut bloat = steady(5.0, ms(20));
    bloat.there.discipline = Discipline::DropTail(mbps(5.0).over(ms(1000)).bytes());
    bloat.start = mbps(10.0);
    all.push(("a buffer of 1 s at 5", bloat));
    let mut shallow = steady(8.0, ms(20));
    shallow.there.discipline = Discipline::DropTail(15_000);
    all.push(("a buffer of 15 ms at 8", shallow));
    let mut codel = steady(5.0, ms(20));
    codel.there.discipline = Discipline::CoDel;
    all.push(("CoDel at 5", codel));
    let mut policed = steady(8.0, ms(20));
    policed.there.discipline = Discipline::Police(10_000);
    all.push(("a policer at 8", policed));
    let mut rival = on(Trace::constant(mbps(10.0)), mbps(10.0), ms(150), ms(20), 60.0);
    rival.rival = Some((10.0, 40.0));
    all.push(("a TCP download at 10", rival));
    let mut deep = on(Trace::constant(mbps(20.0)), mbps(20.0), ms(60), ms(20), 60.0);
    deep.rival = Some((10.0, 40.0));
    all.push(("a TCP download at 20", deep));
    let mut lossy = on(Trace::constant(mbps(10.0)), mbps(10.0), ms(150), ms(20), 60.0);
    (lossy.rival, lossy.there.loss) = (Some((10.0, 40.0)), Loss::Random(0.02));
    all.push(("a TCP download and 2 % at 10", lossy));
    let mut jitter = steady(10.0, ms(20));
    jitter.there.jitter = ms(8);
    all.push(("jitter of 8 ms at 10", jitter));
    let mut stalls = steady(8.0, ms(20));
    stalls.there.stalls = Some((ms(2000), ms(250)));
    all.push(("a browser that stalls at 8", stalls));
    let mut reorder = steady(10.0, ms(20));
    reorder.there.reordered = 0.02;
    all.push(("reordering at 10", reorder));
    let mut back = steady(6.0, ms(20));
    back.back_loss = 0.3;
    all.push(("30 % of the feedback lost at 6", back));
    let mut sleep = steady(10.0, ms(20));
    sleep.content = Content::Sleep(s(15.0), s(45.0));
    all.push(("sleep of 30 s at 10", sleep));
    let mut text = steady(6.0, ms(20));
    text.content = Content::Part(0.3);
    all.push(("a third is used at 6", text));
    let mut still = on(Trace::constant(mbps(8.0)), mbps(8.0), ms(200), ms(20), 130.0);
    still.content = Content::Still { bytes: 150_000, every: s(60.0) };
    all.push(("still, a picture each minute at 8", still));
    all.into_iter()
        .map(|(name, mut setup)| {
            setup.seed = seed;
            Scenario { name: name.to_owned(), setup }
        })
        .collect()
}
