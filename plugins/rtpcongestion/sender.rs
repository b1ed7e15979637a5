//! Decision: what leaves when. It joins the controller, which knows the link, with the pacer, which holds packets, and with the
//! bursts that ask for more. Packets are of whatever type the shell has; time is an argument, always of the clock by which the
//! RTP session stamps what it sends.
//!
//! ```text
//! push ─▶ pacer ─▶ turn ─▶ packets that leave now          reports ─▶ controller ─┬─▶ pacing rate
//!            ▲        ├──▶ packets to ask for again (a burst, a lossy wire)       ├─▶ estimate ─▶ news
//!            │        └──▶ a key frame, instead of much that was lost             │
//!            └── what was asked for ◀── push                                      └─▶ burst wanted
//! ```

use super::{
    packet::{Header, on_the_wire},
    probing::{Ask, Probing},
    shares::Shares,
    twice::Twice,
};
use std::{collections::VecDeque, time::Duration};
use vdi_congestion::{
    Bitrate, Bounds, Class, Controller, DataSize, Next, Output, Pacer, Probe, Report, State,
};

/// Packets that leave at one turn at most, so that other events get theirs.
const MAX_BATCH: usize = 64;

/// How often the controller is asked what it wants, while packets flow.
const POLL: Duration = Duration::from_millis(25);

/// And how often when none have for [`AWAKE`].
const POLL_ASLEEP: Duration = Duration::from_millis(250);

/// For so long after the last packet feedback may come and bursts may be wanted.
const AWAKE: Duration = Duration::from_secs(2);

/// News of the estimate are told at most so often.
const NEWS: Duration = Duration::from_millis(50);

/// Bytes that wait at most. Whoever fills this element holds frames back long before: it is 2 s at 16 Mbit/s.
const MAX_QUEUED: DataSize = DataSize::from_bytes(4 * 1024 * 1024);

/// Retransmissions that would wait for longer are dropped: the other end asks again for what it still misses.
const MAX_RETRANSMISSIONS: Duration = Duration::from_millis(250);

/// What waits is to have left after so long, beside what comes, for which no more of the rate is taken than this.
const DRAINED_IN: Duration = Duration::from_millis(500);
const MOST_FOR_WAITING: f64 = 0.4;

/// A key frame that is to replace what waits comes within so long, or not at all. Who does not count waits three seconds for one.
const KEY_FRAME_COMES: Duration = Duration::from_secs(4);

/// For so long packets may be asked for that a key frame has replaced.
const REPLACED: Duration = Duration::from_secs(3);

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Sent before; the number that it had then.
    Retransmission(u16),
}

/// A packet that is to leave.
#[derive(Debug, Clone)]
pub struct Packet<T> {
    /// What it is.
    pub kind: Kind,
    /// Where it belongs.
    pub header: Header,
    /// RTP header and payload.
    pub bytes: usize,
    /// The packet itself.
    pub item: T,
}

impl<T> Packet<T> {
    fn size(&self) -> DataSize {
        on_the_wire(self.bytes)
    }
}

/// What to do now.
#[derive(Debug)]
pub struct Turn<T> {
    /// These leave, in this order.
    pub send: Vec<Packet<T>>,
    /// These are asked for.
    pub ask: Vec<Ask>,
    /// So much was lost that a key frame is quicker than sending it again.
    pub key_frame: bool,
    /// Estimate or target have changed.
    pub news: bool,
    /// When to look again, if nothing comes before.
    pub again: Duration,
}

impl<T> Turn<T> {
    /// There is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.send.is_empty() && self.ask.is_empty() && !self.key_frame && !self.news
    }
}

/// Counters since the start, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bursts.
    pub probes: u64,
    /// What they took beyond pictures.
    pub padding: DataSize,
    /// Packets that found no room.
    pub dropped: u64,
    /// Packets that a key frame has replaced before they left.
    pub replaced: u64,
    /// What waits.
    pub queued: DataSize,
}

/// Holds packets until it is their time.
#[derive(Debug)]
pub struct Sender<T> {
    controller: Controller,
    pacer: Pacer<Packet<T>>,
    probing: Probing<Packet<T>>,
    shares: Shares,
    /// Numbers of retransmissions that wait.
    repeats: VecDeque<(u16, DataSize)>,
    /// The number of the newest picture packet that a key frame replaces, and until when that is worth knowing.
    replaced: Option<(u16, Duration)>,
    /// One was asked for and has not come.
    is_key_frame_wanted: bool,
    /// Until this time no picture leaves before it.
    none_before: Option<Duration>,
    /// The number of the newest picture packet that has come.
    newest: Option<u16>,
    /// Requests that have not been handed out.
    ask: Vec<Ask>,
    twice: Twice,
    poll_at: Duration,
    active_at: Duration,
    /// Estimate and target that were told last, and when.
    told: ([Bitrate; 2], Duration),
    /// Length of the last picture packet's header.
    header_bytes: usize,
    dropped: u64,
    /// A picture's packet found no room: the other end cannot go on without a key frame.
    has_hole: bool,
    replaced_packets: u64,
    padding: DataSize,
}

impl<T> Sender<T> {
    /// Nothing is known of the link yet.
    pub fn new(bounds: Bounds, start: Bitrate, now: Duration) -> Self {
        let controller = Controller::new(bounds, start, now);
        let output = controller.output();
        Self {
            pacer: Pacer::new(output.pacing_rate),
            controller,
            probing: Probing::default(),
            shares: Shares::default(),
            repeats: VecDeque::new(),
            replaced: None,
            is_key_frame_wanted: false,
            none_before: None,
            newest: None,
            ask: Vec::new(),
            twice: Twice::default(),
            poll_at: now,
            active_at: now,
            told: ([output.estimate, output.target], now),
            header_bytes: 0,
            dropped: 0,
            has_hole: false,
            replaced_packets: 0,
            padding: DataSize::ZERO,
        }
    }

    /// Other bounds.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.controller.set_bounds(bounds);
    }

    /// A packet comes. False if there is no room for it.
    pub fn push(&mut self, packet: Packet<T>, now: Duration) -> bool {
        self.active_at = now;
        self.poll_at = self.poll_at.min(now.saturating_add(POLL));
        let size = packet.size();
        let class = match packet.kind {
            Kind::Audio => Class::Audio,
            Kind::Video => Class::Video,
            Kind::Retransmission(original) if self.probing.is_asked(original, now) => {
                self.probing.keep(size, packet);
                return true;
            }
            // It is before a key frame that replaces it.
            Kind::Retransmission(original) if self.is_replaced(original, now) => return true,
            // A second request for what waits is answered with it.
            Kind::Retransmission(original) if self.repeats.iter().any(|(known, _)| *known == original) => {
                return true;
            }
            Kind::Retransmission(original) => {
                let waiting = self.repeats.iter().fold(size, |sum, (_, size)| sum + *size);
                if waiting.at(self.controller.output().pacing_rate) > MAX_RETRANSMISSIONS {
                    self.dropped += 1;
                    return false;
                }
                self.repeats.push_back((original, size));
                Class::Retransmission
            }
        };
        if class == Class::Video && self.pacer.queued() + size > MAX_QUEUED {
            self.dropped += 1;
            self.has_hole = true;
            return false;
        }
        if class == Class::Video {
            self.newest = Some(packet.header.sequence);
        }
        if matches!(class, Class::Video | Class::Retransmission) && self.is_awaiting_key_frame(now) {
            self.replaced_packets += 1;
            return true;
        }
        self.pacer.push(class, size, packet);
        true
    }

    /// Whether a packet is as old as those that a key frame has replaced. Numbers wrap; half of them are older.
    fn is_replaced(&self, original: u16, now: Duration) -> bool {
        self.replaced.is_some_and(|(newest, until)| now < until && newest.wrapping_sub(original) < 1 << 15)
    }

    /// A key frame comes next: where one was wanted, it replaces all that came before.
    pub fn key_frame_comes(&mut self, now: Duration) {
        if !self.controller.key_frame_comes(now) {
            return;
        }
        self.none_before = None;
        if std::mem::take(&mut self.is_key_frame_wanted) {
            self.replaced = self.newest.map(|newest| (newest, now.saturating_add(REPLACED)));
        }
    }

    /// Whether no picture leaves before a key frame.
    fn is_awaiting_key_frame(&self, now: Duration) -> bool {
        self.none_before.is_some_and(|until| now < until)
    }

    fn key_frame(&mut self, now: Duration) -> bool {
        if self.controller.is_replacing() && !self.is_awaiting_key_frame(now) {
            self.none_before = Some(now.saturating_add(KEY_FRAME_COMES));
            self.is_key_frame_wanted = true;
            let dropped = self.pacer.drop_all(Class::Video) + self.pacer.drop_all(Class::Retransmission);
            self.replaced_packets += dropped as u64;
            self.replaced = self.newest.map(|newest| (newest, now.saturating_add(KEY_FRAME_COMES)));
            self.repeats.clear();
            self.twice.clear();
        }
        let is_new_hole = std::mem::take(&mut self.has_hole) && !self.is_key_frame_wanted;
        let wanted = self.controller.wants_key_frame(now) || is_new_hole;
        self.is_key_frame_wanted |= wanted;
        wanted
    }

    /// What feedback says. It is for the caller to take the next turn soon.
    pub fn feedback(&mut self, reports: &[Report], now: Duration) {
        self.active_at = now;
        self.controller.feedback(reports, now);
    }

    /// The other end asks for a packet that it lacks.
    pub fn requested(&mut self, ask: Ask, now: Duration) {
        self.twice.requested(ask, &self.controller.output(), self.pacer.delay(), now);
    }

    /// What to do now.
    pub fn turn(&mut self, now: Duration) -> Turn<T> {
        self.poll(now);
        let key_frame = self.key_frame(now);
        self.ask.extend(self.twice.take(now));
        self.pacer.set_rate(self.controller.output().pacing_rate);
        let mut send = Vec::new();
        let next = loop {
            match self.pacer.next(now) {
                Next::Send(class, size, packet) => {
                    self.leaves(class, size, &packet, now);
                    send.push(packet);
                    if send.len() >= MAX_BATCH {
                        break now;
                    }
                }
                Next::At(at) => break at,
                Next::Empty => match self.probing.fill(now) {
                    Some((size, packet)) => self.pacer.push(Class::Padding, size, packet),
                    None => break Duration::MAX,
                },
            }
        };
        let (news, news_at) = self.news(now);
        Turn {
            send,
            ask: std::mem::take(&mut self.ask),
            key_frame,
            news,
            again: next.min(self.poll_at).min(news_at).min(self.twice.next()),
        }
    }

    fn poll(&mut self, now: Duration) {
        if now < self.poll_at {
            return;
        }
        let asleep = now.saturating_sub(self.active_at) > AWAKE;
        self.poll_at = now.saturating_add(if asleep { POLL_ASLEEP } else { POLL });
        if let Some(probe) = self.controller.poll(now) {
            self.begin(probe, now);
        }
    }

    fn begin(&mut self, probe: Probe, now: Duration) {
        self.ask = self.probing.begin(probe, self.pacer.queued(), now);
        self.pacer.probe(probe, now);
    }

    fn leaves(&mut self, class: Class, size: DataSize, packet: &Packet<T>, now: Duration) {
        if packet.header.is_numbered {
            self.controller.sent(size, now);
        } else if class == Class::Video {
            self.controller.nobody_tells();
        }
        self.probing.left(size);
        let payload = DataSize::from_bytes(packet.bytes.saturating_sub(packet.header.bytes) as u64);
        self.shares.sent(class, size, payload, now);
        match class {
            Class::Video => {
                self.header_bytes = packet.header.bytes;
                let Header { ssrc, sequence, .. } = packet.header;
                self.probing.note(Ask { ssrc, sequence }, size);
            }
            // They leave in the order in which they came.
            Class::Retransmission => drop(self.repeats.pop_front()),
            Class::Padding => self.padding += size,
            Class::Audio => {}
        }
    }

    /// Whether the rates are to be told, and when they will be.
    fn news(&mut self, now: Duration) -> (bool, Duration) {
        let output = self.controller.output();
        let rates = [output.estimate, output.target];
        let (told, at) = self.told;
        if rates == told {
            return (false, Duration::MAX);
        }
        let due = at.saturating_add(NEWS);
        if now < due {
            return (false, due);
        }
        self.told = (rates, now);
        (true, Duration::MAX)
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.pacer.clear();
        self.repeats.clear();
        self.twice.clear();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pacer.queued() == DataSize::ZERO
    }

    /// How long a packet that comes now will wait.
    pub fn delay(&self) -> Duration {
        self.pacer.delay()
    }

    /// Length of the headers of the packets that feedback tells of.
    pub fn header_bytes(&self) -> usize {
        self.header_bytes
    }

    /// What is known of the link.
    pub fn output(&self) -> Output {
        self.controller.output()
    }

    /// What holds the estimate where it is.
    pub fn state(&self) -> State {
        self.controller.state()
    }

    /// What an encoder may make.
    pub fn for_video(&mut self, now: Duration) -> Bitrate {
        // What waits here has to leave as well.
        let waiting = (self.pacer.delay().as_secs_f64() / DRAINED_IN.as_secs_f64()).min(MOST_FOR_WAITING);
        self.shares.for_video(self.controller.output().target.scaled(1.0 - waiting), now)
    }

    /// Counters.
    pub fn totals(&self) -> Totals {
        Totals {
            probes: self.probing.begun(),
            padding: self.padding,
            dropped: self.dropped,
            replaced: self.replaced_packets,
            queued: self.pacer.queued(),
        }
    }
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
