//! Tests: the whole adaptation in closed loops over hours of simulated time: a network that queues and loses, an
//! encoder and processors that have so much to give, and consumers that report it once a second.

use super::*;
use crate::adaptiveencbin::rate::FrameRate;
use proptest::prelude::*;

const SOURCE: Source =
    Source { width: 1920, height: 1080, frame_rate: FrameRate { numerator: 60, denominator: 1 } };

const LIMITS: Limits = Limits {
    rate: Request {
        target: Bitrate::from_kbps(8000),
        min: Bitrate::from_kbps(500),
        max: Bitrate::from_kbps(20_000),
    },
    max_latency: Some(Duration::from_millis(100)),
    max_cpu: Some(0.8),
    content_hint: ContentHint::Auto,
    max_framerate: None,
};

const QUARTER: Duration = Duration::from_millis(250);

/// What the outside is like.
#[derive(Debug, Clone, Copy)]
struct Outside {
    /// The network carries so much.
    capacity_kbps: f64,
    /// It queues so much before it loses.
    queue_ms: f64,
    /// To the consumer and back.
    round_trip_ms: f64,
    /// Capture, encoding, decoding and presentation without any queue.
    latency_ms: f64,
    /// Load that is not ours.
    other_cpu: f64,
    /// Load of our 1920x1080 at 60.
    our_cpu: f64,
    /// Share of the allowed bits that the picture takes.
    used: f64,
    /// All figures are off by up to this share.
    noise: f64,
    /// Whether the sink estimates the network.
    estimates: bool,
}

const FINE: Outside = Outside {
    capacity_kbps: 100_000.0,
    queue_ms: 300.0,
    round_trip_ms: 10.0,
    latency_ms: 40.0,
    other_cpu: 0.1,
    our_cpu: 0.4,
    used: 0.3,
    noise: 0.0,
    estimates: false,
};

struct World {
    adaptation: Adaptation,
    outside: Outside,
    now: Duration,
    queue_kbit: f64,
    lost_kbit: f64,
    sent_kbit: f64,
    bytes: u64,
    random: u64,
    shapes: u32,
    bitrates: u32,
}

impl World {
    fn new(outside: Outside, limits: Limits) -> Self {
        Self {
            adaptation: Adaptation::new(SOURCE, limits, Duration::ZERO),
            outside,
            now: Duration::ZERO,
            queue_kbit: 0.0,
            lost_kbit: 0.0,
            sent_kbit: 0.0,
            bytes: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            shapes: 0,
            bitrates: 0,
        }
    }

    /// A figure with its noise.
    fn noisy(&mut self, value: f64) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let unit = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        value * (1.0 + self.outside.noise * (2.0 * unit - 1.0))
    }

    fn latency_ms(&self) -> f64 {
        self.outside.latency_ms
            + self.outside.round_trip_ms / 2.0
            + self.queue_kbit / self.outside.capacity_kbps * 1000.0
    }

    fn quarter(&mut self) {
        let outside = self.outside;
        let before = self.adaptation.target();
        let sent = f64::from(before.bitrate.kbps()) * outside.used * QUARTER.as_secs_f64();
        self.bytes += (sent * 125.0) as u64;
        self.sent_kbit += sent;
        self.queue_kbit = (self.queue_kbit + sent - outside.capacity_kbps * QUARTER.as_secs_f64()).max(0.0);
        let room = outside.capacity_kbps * outside.queue_ms / 1000.0;
        self.lost_kbit += (self.queue_kbit - room).max(0.0);
        self.queue_kbit = self.queue_kbit.min(room);
        self.now += QUARTER;

        if self.now.subsec_millis() == 0 {
            let queue_ms = self.queue_kbit / outside.capacity_kbps * 1000.0;
            let feedback = Feedback {
                is_sole: false,
                consumer: "a".into(),
                estimated_bitrate: outside
                    .estimates
                    .then(|| Bitrate::from_kbps(self.noisy(outside.capacity_kbps * 0.95) as u32)),
                round_trip_time: Some(Duration::from_secs_f64(
                    self.noisy(outside.round_trip_ms + queue_ms) / 1000.0,
                )),
                queue_delay: None,
                packet_loss: Some(if self.sent_kbit > 0.0 { self.lost_kbit / self.sent_kbit } else { 0.0 }),
                latency: Some(Duration::from_secs_f64(self.noisy(self.latency_ms()) / 1000.0)),
                frames_per_second: None,
            };
            (self.lost_kbit, self.sent_kbit) = (0.0, 0.0);
            self.adaptation.feedback(&feedback, self.now);
        }
        let fps = before.shape.max_fps.map_or(60.0, f64::from);
        let pixels = f64::from(before.shape.width * before.shape.height) * fps / (1920.0 * 1080.0 * 60.0);
        let cpu = self.noisy(outside.other_cpu + outside.our_cpu * pixels).min(1.0);
        let observation = Observation { bytes_out: self.bytes, cpu: Some(cpu), ..Observation::default() };
        self.adaptation.observe(&observation, self.now);

        let after = self.adaptation.target();
        self.shapes += u32::from(after.shape != before.shape);
        self.bitrates += u32::from(after.bitrate != before.bitrate);
        let (min, max) = (Bitrate::from_kbps(500), Bitrate::from_kbps(8000));
        assert!((min..=max).contains(&after.bitrate), "{after:?}");
        assert!(after.shape.width <= 1920 && after.shape.height <= 1080);
    }

    fn run(&mut self, seconds: u64) -> Target {
        for _ in 0..seconds * 4 {
            self.quarter();
        }
        self.adaptation.target()
    }

    /// Changes of size or frame rate within so many seconds.
    fn changes_in(&mut self, seconds: u64) -> u32 {
        self.shapes = 0;
        self.run(seconds);
        self.shapes
    }

    fn durations(&self) -> Durations {
        self.adaptation.durations(self.now)
    }
}

fn with_hint(content_hint: ContentHint) -> Limits {
    Limits { content_hint, ..LIMITS }
}

#[test]
fn where_nothing_is_short_nothing_is_given_up() {
    let mut world = World::new(FINE, LIMITS);
    let target = world.run(3 * 3600);
    assert_eq!((world.shapes, world.bitrates), (0, 0));
    assert_eq!(target.limitation, Limitation::None);
    assert_eq!(world.durations(), Durations { none: 10_800.0, ..Durations::default() });
}

#[test]
fn an_overloaded_machine_sends_30_frames_and_60_again_when_there_is_room() {
    let mut world = World::new(Outside { other_cpu: 0.5, ..FINE }, LIMITS);
    let target = world.run(3);
    assert_eq!((target.shape.max_fps, target.limitation), (Some(30), Limitation::Cpu));
    assert_eq!((target.shape.width, world.adaptation.resolution_changes()), (1920, 0));
    // 0.5 + 0.4 / 2 is above 0.52, where there would be room.
    assert_eq!(world.changes_in(3600), 0);
    world.outside.other_cpu = 0.2;
    let target = world.run(11);
    assert_eq!((target.shape.max_fps, target.limitation), (None, Limitation::None));
}

#[test]
fn a_narrow_link_is_found_by_loss_and_the_picture_suits_it() {
    for (hint, width, max_fps) in [(ContentHint::Text, 1920, Some(30)), (ContentHint::Motion, 1280, None)] {
        let outside = Outside { capacity_kbps: 1700.0, queue_ms: 50.0, used: 1.0, ..FINE };
        let mut world = World::new(outside, with_hint(hint));
        let target = world.run(120);
        assert!((1600..=1900).contains(&target.bitrate.kbps()), "{target:?}");
        assert_eq!((target.shape.width, target.shape.max_fps), (width, max_fps), "{hint:?}");
        assert_eq!(target.limitation, Limitation::Bandwidth);
        assert!(world.changes_in(3600) <= 4);
        world.outside.capacity_kbps = 50_000.0;
        let target = world.run(120);
        assert_eq!(target.limitation, Limitation::None, "{target:?}");
        assert_eq!(target.bitrate.kbps(), 8000);
    }
}

#[test]
fn a_link_that_is_only_just_too_narrow_is_not_probed_again_and_again() {
    // The queue of one that is short of 0.3 % takes 80 s until frames are late.
    let outside = Outside { capacity_kbps: 6304.0, queue_ms: 1500.0, used: 0.789, ..FINE };
    let mut world = World::new(outside, LIMITS);
    world.run(3600);
    let changes = world.changes_in(3600);
    assert!(changes <= 36, "{changes} changes in the second hour");
}

#[test]
fn an_estimate_is_followed_at_once_and_its_end_lifts_it() {
    let outside = Outside { capacity_kbps: 3000.0, estimates: true, ..FINE };
    let mut world = World::new(outside, LIMITS);
    let target = world.run(1);
    assert_eq!((target.bitrate.kbps(), target.limitation), (2850, Limitation::Bandwidth));
    for _ in 0..4 * 6 {
        world.now += QUARTER;
        world.adaptation.observe(&Observation::default(), world.now);
    }
    let target = world.adaptation.target();
    assert_eq!((target.bitrate.kbps(), target.limitation), (8000, Limitation::None));
}

#[test]
fn a_queue_that_never_loses_is_seen_by_its_delay() {
    let outside = Outside { capacity_kbps: 3000.0, queue_ms: 5000.0, used: 1.0, ..FINE };
    let mut world = World::new(outside, LIMITS);
    world.run(60);
    assert!(world.durations().latency > 50.0);
    world.run(240);
    // Back to what the link carries, and below the limit nearly all of the time.
    let (mut late, mut kbps) = (0, 0);
    for _ in 0..3600 {
        let target = world.run(1);
        late += u32::from(world.latency_ms() > 100.0);
        kbps += target.bitrate.kbps();
    }
    assert!(late < 360, "late for {late} s of an hour");
    assert!(kbps / 3600 > 1500, "{} kbit/s on average", kbps / 3600);
}

#[test]
fn a_consumer_on_the_other_side_of_the_world_gets_the_full_picture() {
    let mut world = World::new(Outside { round_trip_ms: 400.0, ..FINE }, LIMITS);
    let target = world.run(3600);
    assert_eq!((target.limitation, world.shapes), (Limitation::None, 0));
    assert!(world.adaptation.latency() < Some(Duration::from_millis(50)));
}

#[test]
fn other_frames_begin_at_full_size_and_keep_what_is_known_of_rate_and_load() {
    let outside = Outside { capacity_kbps: 1000.0, estimates: true, other_cpu: 0.9, used: 0.1, ..FINE };
    let mut world = World::new(outside, LIMITS);
    world.run(10);
    let smaller = Source { width: 1281, height: 721, ..SOURCE };
    let before = world.adaptation.resolution_changes();
    world.adaptation.set_source(smaller, world.now);
    let target = world.adaptation.target();
    assert_eq!((target.shape.width, target.shape.height), (1280, 720));
    assert_eq!((target.bitrate.kbps(), target.shape.max_fps), (950, Some(30)));
    assert_eq!(world.adaptation.resolution_changes(), before);
    world.run(10);
    let target = world.adaptation.target();
    world.adaptation.set_source(smaller, world.now);
    assert_eq!(world.adaptation.target(), target, "the same again is nothing new");
}

#[test]
fn the_operators_word_counts_at_once() {
    let mut world = World::new(FINE, LIMITS);
    world.run(10);
    let rate = Request { target: Bitrate::from_kbps(12_000), max: Bitrate::from_kbps(3000), ..LIMITS.rate };
    world.adaptation.set_limits(Limits { rate, ..LIMITS }, world.now);
    assert_eq!(world.adaptation.target().bitrate.kbps(), 3000);
    assert_eq!(world.adaptation.target().limitation, Limitation::None, "it is what was asked for");
}

#[test]
fn fewer_frames_that_were_asked_for_are_no_limitation_and_cpu_may_take_more() {
    let mut world = World::new(FINE, Limits { max_framerate: Some(45), ..LIMITS });
    assert_eq!(world.adaptation.target().shape.max_fps, Some(45), "from the first frame on");
    let target = world.run(10);
    assert_eq!((target.shape.max_fps, target.limitation), (Some(45), Limitation::None));
    world.outside.other_cpu = 0.7;
    let target = world.run(5);
    assert_eq!((target.shape.max_fps, target.limitation), (Some(30), Limitation::Cpu));
    let few = Limits { max_framerate: Some(15), ..LIMITS };
    world.adaptation.set_limits(few, world.now);
    assert_eq!(world.adaptation.target().shape.max_fps, Some(15));
    world.outside.other_cpu = 0.0;
    world.adaptation.set_limits(Limits { max_framerate: Some(120), ..LIMITS }, world.now);
    assert_eq!(world.run(20).shape.max_fps, None, "more than come in is no limit");
}

fn outside() -> impl Strategy<Value = Outside> {
    let network = (300.0..20_000.0, 20.0..3000.0, 1.0..300.0, 20.0..150.0);
    let machine = (0.0..0.9, 0.05..0.9, 0.05..1.0, any::<bool>());
    (network, machine).prop_map(|(network, machine)| Outside {
        capacity_kbps: network.0,
        queue_ms: network.1,
        round_trip_ms: network.2,
        latency_ms: network.3,
        other_cpu: machine.0,
        our_cpu: machine.1,
        used: machine.2,
        estimates: machine.3,
        noise: 0.0,
    })
}

fn hint() -> impl Strategy<Value = ContentHint> {
    prop::sample::select(vec![ContentHint::Auto, ContentHint::Motion, ContentHint::Text])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// A limit that lies between two steps is probed every five minutes, and down and up again is six changes at most.
    #[test]
    fn it_does_not_oscillate_in_a_constant_world(outside in outside(), hint in hint()) {
        let mut world = World::new(outside, with_hint(hint));
        world.run(3600);
        let changes = world.changes_in(3600);
        prop_assert!(changes <= 72, "{changes} changes in the second hour");
    }

    #[test]
    fn it_does_not_oscillate_in_a_noisy_world(outside in outside(), hint in hint(), noise in 0.0..0.15) {
        let mut world = World::new(Outside { noise, ..outside }, with_hint(hint));
        world.run(3600);
        let changes = world.changes_in(3600);
        prop_assert!(changes <= 72, "{changes} changes in the second hour");
    }

    /// A lower estimate, more load and more latency never make a better picture, nor the other way round.
    #[test]
    fn it_is_monotone(
        text: bool,
        worse: bool,
        mut kbps in prop::collection::vec(100_u32..30_000, 8),
        mut latency_ms in prop::collection::vec(1_u64..400, 8),
        mut cpu in prop::collection::vec(0.0..1.0, 8),
    ) {
        kbps.sort_unstable();
        latency_ms.sort_unstable();
        cpu.sort_by(f64::total_cmp);
        if worse {
            kbps.reverse();
        } else {
            latency_ms.reverse();
            cpu.reverse();
        }
        let hint = if text { ContentHint::Text } else { ContentHint::Motion };
        let mut adaptation = Adaptation::new(SOURCE, with_hint(hint), Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut before: Option<(Bitrate, u64)> = None;
        for step in 0..8 {
            for second in 0..120 {
                adaptation.feedback(&Feedback {
                    estimated_bitrate: Some(Bitrate::from_kbps(kbps[step])),
                    latency: Some(Duration::from_millis(latency_ms[step])),
                    ..Feedback::default()
                }, now);
                for _ in 0..4 {
                    let observation = Observation { cpu: Some(cpu[step]), ..Observation::default() };
                    adaptation.observe(&observation, now);
                    now += QUARTER;
                    let Target { bitrate, shape, .. } = adaptation.target();
                    let fps = shape.max_fps.unwrap_or(60).min(60);
                    let pixels = u64::from(shape.width) * u64::from(shape.height) * u64::from(fps);
                    if let Some((bitrate_before, pixels_before)) = before {
                        let ok = if worse {
                            bitrate <= bitrate_before && pixels <= pixels_before
                        } else {
                            // It begins with the full picture and first finds out how bad things are.
                            step == 0 || bitrate >= bitrate_before && pixels >= pixels_before
                        };
                        prop_assert!(ok, "step {step}, second {second}: {bitrate:?} {shape:?}");
                    }
                    before = Some((bitrate, pixels));
                }
            }
        }
    }

    /// Whatever anybody says, the operator's bounds hold, and the size is one of the ladder's.
    #[test]
    fn bounds_are_kept_whatever_is_said(
        says in prop::collection::vec(
            (any::<u32>(), any::<u64>(), 0.0..1.0, any::<u64>(), any::<f64>(), any::<u64>()), 1..200,
        ),
        min in 1_u32..5000, max in 1_u32..50_000, goal in 1_u32..50_000,
        width in 2_u32..5000, height in 2_u32..5000,
    ) {
        let [target, min, max] = [goal, min, max].map(Bitrate::from_kbps);
        let rate = Request { target, min, max };
        let source = Source { width, height, ..SOURCE };
        let mut adaptation = Adaptation::new(source, Limits { rate, ..LIMITS }, Duration::ZERO);
        for (i, (kbps, ns, loss, encode_ns, cpu, bytes_out)) in says.into_iter().enumerate() {
            let now = QUARTER * i as u32;
            adaptation.feedback(&Feedback {
                is_sole: false,
                consumer: (kbps % 3).to_string(),
                estimated_bitrate: Some(Bitrate::from_kbps(kbps)),
                round_trip_time: Some(Duration::from_nanos(ns)),
                queue_delay: None,
                packet_loss: Some(loss),
                latency: Some(Duration::from_nanos(ns.rotate_left(7))),
                frames_per_second: Some(cpu),
            }, now);
            let encode_time = Some(Duration::from_nanos(encode_ns));
            adaptation.observe(&Observation { bytes_out, encode_time, cpu: Some(cpu), ..Observation::default() }, now);
            let Target { bitrate, shape, .. } = adaptation.target();
            prop_assert!(bitrate <= max && (bitrate >= min || min > max), "{bitrate:?}");
            prop_assert!(shape.width <= width && shape.height <= height);
            prop_assert!(shape.width % 2 == 0 && shape.height % 2 == 0 && shape.width > 0);
            prop_assert!(shape.max_fps.is_none_or(|fps| (10..=30).contains(&fps)));
        }
    }
}
