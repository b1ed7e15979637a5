//! The browser: it tells when packets came (transport-wide feedback), asks for those that are missing, and shows frames in
//! order, each once it and all before it are complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Chromium tells of packets so often at most and at least, and spends a twentieth of the bits on it.
const LEAST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_millis(250);
/// Resolution of times in the feedback.
const TICK: Duration = Duration::from_micros(250);
/// A packet is asked for so often.
const MOST_ASKED: u32 = 10;

/// A packet on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Packet {
    /// Transport-wide number, without wrap.
    pub number: u64,
    /// Bytes.
    pub size: u64,
    /// When it left.
    pub sent: Duration,
    /// The frame that it is of, which of its packets, and of how many; `None` for sound and probes.
    pub of: Option<(u64, u16, u16)>,
}

/// What a frame needs.
#[derive(Debug)]
struct Frame {
    missing: BTreeSet<u16>,
    is_key: bool,
    captured: Duration,
    complete: Option<Duration>,
}

/// What the browser sends back.
#[derive(Debug, Clone)]
pub enum Back {
    /// Numbers, when they came, if they did.
    Feedback(Vec<(u64, Option<Duration>)>),
    /// Frame and packet to be sent again.
    Nack(Vec<(u64, u16)>),
    /// The picture cannot go on without a key frame.
    KeyFrame,
}

/// A frame that was shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// When.
    pub at: Duration,
    /// When it was captured.
    pub captured: Duration,
}

/// The browser.
#[derive(Debug)]
pub struct Receiver {
    offset: Duration,
    arrived: BTreeMap<u64, Duration>,
    told: Option<u64>,
    highest: Option<u64>,
    next_feedback: Duration,
    bytes: u64,
    frames: BTreeMap<u64, Frame>,
    asked: BTreeMap<(u64, u16), (u32, Duration)>,
    next_shown: u64,
    wants_key: Option<Duration>,
    /// What was shown.
    pub shown: Vec<Shown>,
}

impl Receiver {
    /// Its clock differs from the sender's by so much.
    pub fn new(offset: Duration) -> Self {
        Self {
            offset,
            arrived: BTreeMap::new(),
            told: None,
            highest: None,
            next_feedback: Duration::ZERO,
            bytes: 0,
            frames: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_shown: 0,
            wants_key: None,
            shown: Vec::new(),
        }
    }

    /// The encoder has made a frame of so many packets. (Only the simulation knows before they come.)
    pub fn expect(&mut self, frame: u64, packets: u16, is_key: bool, captured: Duration) {
        let missing = (0..packets).collect();
        self.frames.insert(frame, Frame { missing, is_key, captured, complete: None });
    }

    /// A packet comes.
    pub fn receive(&mut self, packet: &Packet, now: Duration) {
        self.bytes += packet.size;
        let at = now + self.offset;
        let ticks = at.as_nanos() / TICK.as_nanos();
        self.arrived.insert(packet.number, TICK * u32::try_from(ticks).unwrap());
        self.highest = self.highest.max(Some(packet.number));
        if let Some((number, index, _)) = packet.of
            && let Some(frame) = self.frames.get_mut(&number)
        {
            frame.missing.remove(&index);
            self.asked.remove(&(number, index));
            if frame.missing.is_empty() && frame.complete.is_none() {
                frame.complete = Some(now);
            }
            // What of older frames is missing has been overtaken. Nobody needs what comes before the key frame that is waited for.
            let first = match self.wants_key {
                None => self.next_shown,
                Some(_) => self.key_frame().unwrap_or(u64::MAX),
            };
            for (other, frame) in self.frames.range(first.min(number)..number) {
                for index in &frame.missing {
                    self.asked.entry((*other, *index)).or_insert((0, now));
                }
            }
            if let Some(frame) = self.frames.get(&number).filter(|_| number >= first) {
                for index in frame.missing.range(..index) {
                    self.asked.entry((number, *index)).or_insert((0, now));
                }
            }
        }
        self.show(now);
    }

    fn key_frame(&self) -> Option<u64> {
        self.frames.range(self.next_shown..).rfind(|(_, frame)| frame.is_key).map(|(number, _)| *number)
    }

    fn show(&mut self, now: Duration) {
        // A whole key frame is shown whatever is missing before it.
        let key = self
            .frames
            .range(self.next_shown..)
            .rfind(|(_, frame)| frame.is_key && frame.complete.is_some())
            .map(|(number, _)| *number);
        if let Some(key) = key {
            self.frames = self.frames.split_off(&key);
            self.asked.retain(|(number, _), _| *number >= key);
            (self.next_shown, self.wants_key) = (key, None);
        } else if self.wants_key.is_some() {
            return;
        }
        while let Some(frame) = self.frames.get(&self.next_shown).filter(|frame| frame.complete.is_some()) {
            self.shown.push(Shown { at: now, captured: frame.captured });
            self.frames.remove(&self.next_shown);
            self.next_shown += 1;
        }
    }

    /// Frames that were never made or given up before they were sent do not hold the picture up.
    pub fn skip_to(&mut self, frame: u64) {
        if self.next_shown < frame {
            self.wants_key.get_or_insert(Duration::MAX);
        }
    }

    /// What it sends back now.
    pub fn poll(&mut self, round_trip: Duration, now: Duration) -> Vec<Back> {
        let mut back = Vec::new();
        let again = round_trip + Duration::from_millis(10);
        let mut nack = Vec::new();
        let mut lost = false;
        for (packet, (times, at)) in &mut self.asked {
            if now < *at {
                continue;
            }
            lost |= *times >= MOST_ASKED;
            *times += 1;
            *at = now + again;
            nack.push(*packet);
        }
        if lost && self.wants_key.is_none() {
            self.wants_key = Some(now);
        }
        if self.wants_key.is_some_and(|at| now >= at) {
            back.push(Back::KeyFrame);
            self.wants_key = Some(now + again + Duration::from_millis(300));
            self.next_shown = self.frames.keys().next_back().map_or(self.next_shown, |last| last + 1);
            self.asked.clear();
            nack.clear();
        }
        if !nack.is_empty() {
            back.push(Back::Nack(nack));
        }
        if now >= self.next_feedback
            && let Some(highest) = self.highest.filter(|highest| self.told.is_none_or(|told| *highest > told))
        {
            let first = self.told.map_or(0, |told| told + 1);
            let told = (first..=highest).map(|number| (number, self.arrived.remove(&number))).collect();
            self.told = Some(highest);
            back.push(Back::Feedback(told));
            // A message has some 68 bytes.
            let rate = self.bytes as f64 / 0.25;
            let wait = if rate > 0.0 { 68.0 / (0.05 * rate) } else { 1.0 };
            self.next_feedback = now + Duration::from_secs_f64(wait).clamp(LEAST, MOST);
            self.bytes = (self.bytes as f64 * 0.5) as u64;
        }
        back
    }
}
