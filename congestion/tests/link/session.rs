//! A session on a link: encoder, pacer, the controller under test, the way there and back, and the browser.

use super::{
    figures::{Figures, Sample},
    path::{Fate, Path, Wire},
    receiver::{Back, Packet, Receiver},
    rival::{self, Rival},
    source::{self, Content, Source},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};
use vdi_congestion::{Bitrate, Bounds, Class, DataSize, Next, Output, Pacer, Probe, Report};

const TICK: Duration = Duration::from_micros(500);
/// Figures are of so long each.
pub const BIN: Duration = Duration::from_millis(100);
/// Sound: a packet of 128 kbit/s each 20 ms.
const SOUND: DataSize = DataSize::from_bytes(320 + source::OVERHEAD);
/// With so much in the pacer no frame is made.
const HOLD: Duration = Duration::from_millis(100);

/// A controller under test.
pub trait Candidate {
    /// A packet has left.
    fn sent(&mut self, size: DataSize, at: Duration);
    /// Feedback has come.
    fn feedback(&mut self, reports: &[Report], now: Duration);
    /// Time passes.
    fn poll(&mut self, now: Duration) -> Option<Probe>;
    /// Whether a key frame is better than sending again what was lost.
    fn wants_key_frame(&mut self, _now: Duration) -> bool {
        false
    }
    /// Whether what waits is worth nothing any more.
    fn is_replacing(&self) -> bool {
        false
    }
    /// What it has come to.
    fn output(&self) -> Output;
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The way to the browser.
    pub there: Path,
    /// Time of the way back.
    pub back: Duration,
    /// Share of what is lost on it.
    pub back_loss: f64,
    /// Between these times nothing comes back at all.
    pub back_gap: Option<(Duration, Duration)>,
    /// What is on the screen.
    pub content: Content,
    /// Frames a second.
    pub fps: u32,
    /// Sound, without which nothing at all is sent while the screen rests.
    pub has_sound: bool,
    /// What the encoder may use at most.
    pub bounds: Bounds,
    /// Where the estimate begins.
    pub start: Bitrate,
    /// Somebody else on the link, between these seconds.
    pub rival: Option<(f64, f64)>,
    /// For how long.
    pub length: Duration,
    /// Of everything random.
    pub seed: u64,
}

enum Event {
    Arrival(Packet),
    Back(Back),
}

struct Queued {
    of: Option<(u64, u16, u16)>,
}

/// Plays it.
pub fn play(setup: &Setup, candidate: &mut dyn Candidate) -> Figures {
    let mut random = fastrand::Rng::with_seed(setup.seed ^ 0x5eed);
    let mut wire = Wire::new(setup.there.clone(), setup.seed);
    let mut source = Source::new(setup.content, setup.fps, setup.seed + 1);
    let mut receiver = Receiver::new(Duration::from_secs(random.u64(1..100_000)));
    let seconds = Duration::from_secs_f64;
    let mut rival = setup.rival.map(|(from, to)| Rival::new(seconds(from), seconds(to)));
    let mut pacer: Pacer<Queued> = Pacer::new(candidate.output().pacing_rate);
    let mut events: BinaryHeap<Reverse<(Duration, u64)>> = BinaryHeap::new();
    let mut bodies: BTreeMap<u64, Event> = BTreeMap::new();
    let mut ids = 0_u64..;
    let mut sent: BTreeMap<u64, (Duration, DataSize, bool)> = BTreeMap::new();
    let mut frames: BTreeMap<u64, Vec<DataSize>> = BTreeMap::new();
    let (mut number, mut frame, mut oldest_wanted) = (0_u64, 0_u64, 0_u64);
    let mut next_sound = Duration::ZERO;
    let mut figures = Figures::new(setup.there.trace.clone(), setup.bounds.max);
    let mut sample = Sample::default();
    let mut now = Duration::ZERO;
    while now < setup.length {
        let round_trip = setup.there.delay + setup.back + wire.waiting(now);
        // What comes.
        while let Some(Reverse((_, id))) = events.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            events.pop();
            match bodies.remove(&id).unwrap() {
                Event::Arrival(packet) => {
                    sample.delivered += packet.size;
                    receiver.receive(&packet, now);
                }
                Event::Back(Back::Feedback(told)) => {
                    let reports: Vec<_> = told
                        .into_iter()
                        .filter_map(|(number, arrived)| {
                            let (at, size, is_picture) = *sent.get(&number)?;
                            Some(Report { sequence: number as u16, sent: at, arrived, size, is_picture })
                        })
                        .collect();
                    candidate.feedback(&reports, now);
                    if candidate.is_replacing() {
                        pacer.drop_all(Class::Video);
                        pacer.drop_all(Class::Retransmission);
                        source.wait_for_key_frame();
                        oldest_wanted = frame;
                    }
                    if candidate.wants_key_frame(now) {
                        source.key_frame();
                        oldest_wanted = frame;
                    }
                }
                Event::Back(Back::Nack(packets)) => {
                    for (frame, index) in packets {
                        let Some(sizes) =
                            frames.get(&frame).filter(|_| pacer.delay() < HOLD && frame >= oldest_wanted)
                        else {
                            continue;
                        };
                        let of = Some((frame, index, sizes.len() as u16));
                        pacer.push(Class::Retransmission, sizes[usize::from(index)], Queued { of });
                    }
                }
                Event::Back(Back::KeyFrame) => source.key_frame(),
            }
        }
        let back = receiver.poll(round_trip, now);
        for message in back {
            let is_cut = setup.back_gap.is_some_and(|(from, to)| (from..to).contains(&now));
            if random.f64() >= setup.back_loss && !is_cut {
                let id = ids.next().unwrap();
                events.push(Reverse((now + setup.back, id)));
                bodies.insert(id, Event::Back(message));
            }
        }
        // What is made.
        let output = candidate.output();
        pacer.set_rate(output.pacing_rate);
        let net = source::PAYLOAD as f64 / (source::PAYLOAD + source::OVERHEAD) as f64;
        let target = output.target.less(Bitrate::from_kbps(150)).min(setup.bounds.max).scaled(net);
        let held = pacer.delay() > HOLD;
        if let Some(made) = source.make(target, held, now) {
            let sizes: Vec<_> = source::packets(made.bytes).collect();
            let count = sizes.len() as u16;
            receiver.expect(frame, count, made.is_key, now);
            for (index, size) in sizes.iter().enumerate() {
                pacer.push(Class::Video, *size, Queued { of: Some((frame, index as u16, count)) });
            }
            frames.insert(frame, sizes);
            frames.remove(&frame.wrapping_sub(600));
            frame += 1;
        }
        if setup.has_sound && now >= next_sound {
            next_sound += Duration::from_millis(20);
            pacer.push(Class::Audio, SOUND, Queued { of: None });
        }
        if candidate.wants_key_frame(now) {
            source.key_frame();
            oldest_wanted = frame;
        }
        if let Some(probe) = candidate.poll(now) {
            let size = DataSize::from_bytes(source::PAYLOAD + source::OVERHEAD);
            for _ in 0..probe.size.bytes().div_ceil(size.bytes()) {
                pacer.push(Class::Padding, size, Queued { of: None });
            }
            sample.probes += 1;
            pacer.probe(probe, now);
        }
        // What leaves.
        while let Next::Send(class, size, queued) = pacer.next(now) {
            candidate.sent(size, now);
            sample.sent += size.bytes();
            sent.insert(number, (now, size, class == Class::Video));
            sent.remove(&number.wrapping_sub(20_000));
            let packet = Packet { number, size: size.bytes(), sent: now, of: queued.of };
            number += 1;
            match wire.send(size, now) {
                Fate::Arrives { at, waited } => {
                    sample.waited.push(waited);
                    let id = ids.next().unwrap();
                    events.push(Reverse((at, id)));
                    bodies.insert(id, Event::Arrival(packet));
                }
                Fate::Lost => sample.lost += 1,
            }
        }
        if let Some(rival) = &mut rival {
            rival.poll(round_trip, now);
            while rival.sends(now) {
                match wire.send(rival::SEGMENT, now) {
                    Fate::Arrives { at, .. } => {
                        sample.rival += rival::SEGMENT.bytes();
                        rival.sent(at + setup.back, false);
                    }
                    Fate::Lost => {
                        rival.sent(now + round_trip, true);
                        break;
                    }
                }
            }
        }
        now += TICK;
        if now.as_nanos().is_multiple_of(BIN.as_nanos()) {
            sample.output = Some(candidate.output());
            sample.pacer = pacer.delay();
            figures.add(now, std::mem::take(&mut sample));
        }
    }
    figures.shown = receiver.shown;
    figures
}
