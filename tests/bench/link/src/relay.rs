//! Shell: sockets, two links and what is told of them. The time of each call is an argument; sending is all that it does
//! with the world.

use crate::{
    link::{Fate, Link, Packet, Shape},
    log::Log,
    rival::{self, Rival},
    sockets::{Direction, Sockets},
    tally::{Tally, Told},
    words,
};
use serde::Serialize;
use std::{
    collections::VecDeque,
    fs, io,
    net::{IpAddr, SocketAddr},
    os::fd::BorrowedFd,
    path::Path,
    time::Duration,
};

/// IPv4 and UDP headers, which are on the wire too.
const HEADER_BYTES: u32 = 28;
/// How often it is told what happened.
const PERIOD: Duration = Duration::from_secs(1);
/// The largest trace that is read.
const MAX_TRACE_BYTES: u64 = 64 << 20;

/// What a link carries here.
#[derive(Debug)]
pub enum Load {
    /// Somebody's.
    Datagram {
        /// Between whom.
        flow: usize,
        /// What it is.
        bytes: Vec<u8>,
    },
    /// A numbered packet of the rival, which goes nowhere.
    Rival(u64),
}

/// A line of standard output.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Line {
    /// A path has been opened.
    Path {
        /// Where it begins.
        address: SocketAddr,
    },
    /// A link is something else now.
    #[serde(rename_all = "camelCase")]
    Changed {
        /// Since when.
        at_ms: f64,
    },
    /// A command means nothing.
    Refused {
        /// Why.
        message: String,
    },
    /// What a direction has done.
    #[serde(rename_all = "camelCase")]
    Second {
        /// Which.
        direction: &'static str,
        /// When it ended.
        at_ms: f64,
        /// How long it was.
        seconds: f64,
        /// Bytes in the queue at its end.
        queued_bytes: u64,
        /// The rest.
        #[serde(flatten)]
        told: Told,
    },
}

#[derive(Debug)]
struct Way {
    name: &'static str,
    direction: Direction,
    link: Link<Load>,
    tally: Tally,
}

/// A flow that competes on the way to the page, and what is on its way back to it: when it is there, which packet it
/// acknowledges and when that was sent.
#[derive(Debug)]
struct Competition {
    rival: Rival,
    acknowledgements: VecDeque<(Duration, u64, Duration)>,
}

/// The relay.
#[derive(Debug)]
pub struct Relay {
    near: IpAddr,
    sockets: Sockets,
    down: Way,
    up: Way,
    competition: Option<Competition>,
    log: Option<Log>,
    /// When it is time to tell, and when it was told.
    tell_at: Duration,
    told_at: Duration,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn read_trace(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_TRACE_BYTES {
        return Err(io::Error::other("the file is too large for a trace"));
    }
    fs::read_to_string(path)
}

impl Relay {
    /// With these words for its two links.
    pub fn new(
        down: &str,
        up: &str,
        seed: u64,
        packets: Option<&Path>,
        near: IpAddr,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let now = crate::sockets::now();
        let way = |name, direction, text, seed| -> Result<Way, words::WordsError> {
            let shape = words::shape(&Shape::default(), text, now, read_trace)?;
            Ok(Way { name, direction, link: Link::new(shape, seed), tally: Tally::default() })
        };
        Ok(Self {
            near,
            sockets: Sockets::default(),
            down: way("down", Direction::Down, down, seed)?,
            // Chance of its own.
            up: way("up", Direction::Up, up, !seed)?,
            competition: None,
            log: packets.map(Log::create).transpose()?,
            tell_at: now + PERIOD,
            told_at: now,
        })
    }

    /// What to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.fds()
    }

    /// Until when at most.
    pub fn next(&self) -> Duration {
        let competition = self.competition.as_ref().map(|Competition { rival, acknowledgements }| {
            acknowledgements.front().map_or(rival.timeout(), |(due, ..)| rival.timeout().min(*due))
        });
        let times = [self.down.link.next(), self.up.link.next(), competition];
        times.into_iter().flatten().fold(self.tell_at, Duration::min)
    }

    /// What has come goes onto its link.
    pub fn receive(&mut self) {
        for datagram in self.sockets.receive() {
            let way = match datagram.direction {
                Direction::Down => &mut self.down,
                Direction::Up => &mut self.up,
            };
            let bytes = datagram.bytes.len() as u32 + HEADER_BYTES;
            way.tally.offered(bytes);
            let load = Load::Datagram { flow: datagram.flow, bytes: datagram.bytes };
            way.link.offer(Packet { load, bytes, arrived: datagram.arrived });
        }
    }

    /// What is due goes out. Tells of the time that has passed when it is time for that.
    pub fn pass(&mut self, now: Duration) -> io::Result<Vec<Line>> {
        self.compete(now);
        let Self { sockets, log, down, up, competition, .. } = self;
        let returns = up.link.shape().delay;
        for Way { direction, link, tally, .. } in [&mut *down, &mut *up] {
            while let Some(outcome) = link.take(now) {
                // Of each the time anew: what was sent before it took time too.
                let late = crate::sockets::now().saturating_sub(outcome.due);
                let is_delivered = outcome.fate == Fate::Delivered;
                match (&outcome.packet.load, &mut *competition) {
                    (Load::Datagram { flow, bytes }, _) => {
                        if is_delivered {
                            sockets.send(*direction, *flow, bytes);
                        }
                        tally.ended(&outcome, late);
                    }
                    (Load::Rival(number), Some(Competition { acknowledgements, .. })) if is_delivered => {
                        acknowledgements.push_back((outcome.due + returns, *number, outcome.packet.arrived));
                    }
                    (Load::Rival(_), _) => {}
                }
                if let Some(log) = log {
                    log.write(*direction, &outcome, late)?;
                }
            }
        }
        if now < self.tell_at {
            return Ok(Vec::new());
        }
        let seconds = now.saturating_sub(self.told_at).as_secs_f64();
        self.told_at = now;
        // What was missed is told with the next.
        while self.tell_at <= now {
            self.tell_at += PERIOD;
        }
        if let Some(log) = &mut self.log {
            log.flush()?;
        }
        let second = |way: &mut Way| Line::Second {
            direction: way.name,
            at_ms: milliseconds(now),
            seconds,
            queued_bytes: way.link.queued_bytes(),
            told: way.tally.tell(),
        };
        Ok(vec![second(&mut self.down), second(&mut self.up)])
    }

    /// The rival hears what has come back, and sends what it may.
    fn compete(&mut self, now: Duration) {
        let Some(Competition { rival, acknowledgements }) = &mut self.competition else { return };
        while let Some(&(due, number, sent)) = acknowledgements.front()
            && due <= now
        {
            rival.acknowledged(number, due.saturating_sub(sent), now);
            acknowledgements.pop_front();
        }
        for number in rival.go(now) {
            let load = Load::Rival(number);
            self.down.link.offer(Packet { load, bytes: rival::PACKET_BYTES, arrived: now });
        }
    }

    /// Does what a line of standard input says.
    pub fn command(&mut self, line: &str, now: Duration) -> Line {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let done = match command {
            "path" => self.path(rest),
            "down" => change(&mut self.down, rest, now),
            "up" => change(&mut self.up, rest, now),
            "rival" => self.rival(rest, now),
            _ => Err(format!("what is \"{command}\"? known are path, down, up and rival")),
        };
        done.unwrap_or_else(|message| Line::Refused { message })
    }

    /// Everything that is known is in the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.log.as_mut().map_or(Ok(()), Log::flush)
    }

    fn rival(&mut self, text: &str, now: Duration) -> Result<Line, String> {
        self.competition = match text {
            "on" => Some(Competition { rival: Rival::new(now), acknowledgements: VecDeque::new() }),
            "off" => None,
            _ => return Err(format!("rival \"{text}\": expected on or off")),
        };
        Ok(Line::Changed { at_ms: milliseconds(now) })
    }

    fn path(&mut self, target: &str) -> Result<Line, String> {
        let target = target.parse().map_err(|error| format!("\"{target}\": {error}"))?;
        let address = self.sockets.path(self.near, target).map_err(|error| error.to_string())?;
        Ok(Line::Path { address })
    }
}

fn change(way: &mut Way, text: &str, now: Duration) -> Result<Line, String> {
    let shape = words::shape(way.link.shape(), text, now, read_trace).map_err(|error| error.to_string())?;
    way.link.change(shape, now);
    Ok(Line::Changed { at_ms: milliseconds(now) })
}
