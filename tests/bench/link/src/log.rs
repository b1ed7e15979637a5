//! Shell: a file with a line for each packet: commas between the fields, and their names in the first line. Times are
//! microseconds of CLOCK_MONOTONIC.

use crate::{
    head::Head,
    link::{Fate, Outcome},
    relay::Load,
    sockets::Direction,
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::Duration,
};

const FIELDS: &str =
    "direction,fate,arrivedUs,startedUs,dueUs,lateUs,bytes,kind,payloadType,marker,sequence,timestamp,ssrc";

/// The file.
#[derive(Debug)]
pub struct Log(BufWriter<File>);

impl Log {
    /// In the place of what was there.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        writeln!(file, "{FIELDS}")?;
        Ok(Self(file))
    }

    /// A packet has ended.
    pub fn write(&mut self, direction: Direction, outcome: &Outcome<Load>, late: Duration) -> io::Result<()> {
        let direction = match direction {
            Direction::Down => "down",
            Direction::Up => "up",
        };
        let fate = match outcome.fate {
            Fate::Delivered => "delivered",
            Fate::QueueFull => "full",
            Fate::Codel => "codel",
            Fate::Lost => "lost",
        };
        let [arrived, started, due] =
            [outcome.packet.arrived, outcome.started, outcome.due].map(|time| time.as_micros());
        let (late, bytes) = (late.as_micros(), outcome.packet.bytes);
        let (head, kind) = match &outcome.packet.load {
            Load::Datagram { bytes, .. } => (Head::of(bytes), Head::of(bytes).name()),
            Load::Rival(_) => (Head::Other, "rival"),
        };
        write!(self.0, "{direction},{fate},{arrived},{started},{due},{late},{bytes},{kind}")?;
        if let Head::Rtp { payload_type, marker, sequence, timestamp, ssrc } = head {
            writeln!(self.0, ",{payload_type},{},{sequence},{timestamp},{ssrc}", u8::from(marker))
        } else {
            writeln!(self.0, ",,,,,")
        }
    }

    /// Everything so far is in the file.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
