//! Wire: the stamps that a frame carries through a pipeline: when it was damaged, captured, converted, encoded. They are
//! GStreamer's own `GstReferenceTimestampMeta`, which elements copy from their input to their output, so that any element
//! may add one and any may read them. Refuses to read a clock: the time is an argument.
//!
//! A stamp's reference is `timestamp/x-vdi-latency, stage=(string)captured`; its time is that of the pipeline's clock.

use once_cell::sync::Lazy;

/// A point on a frame's way from the X server to the screen, in the order of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The X server told that the picture has changed.
    Damage,
    /// The pixels have been fetched.
    Captured,
    /// They have the encoder's format.
    Converted,
    /// The encoder has given the access unit.
    Encoded,
    /// The last RTP packet has been made.
    Packetised,
    /// It has been given to the network.
    Sent,
    /// The browser has it.
    Received,
    /// The browser has decoded the frame.
    Decoded,
    /// The browser has put it on the screen.
    Presented,
}

impl Stage {
    /// All, in the order of the way.
    pub const ALL: [Self; 9] = [
        Self::Damage,
        Self::Captured,
        Self::Converted,
        Self::Encoded,
        Self::Packetised,
        Self::Sent,
        Self::Received,
        Self::Decoded,
        Self::Presented,
    ];

    /// Name of the point, as in the stamp.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Captured => "captured",
            Self::Converted => "converted",
            Self::Encoded => "encoded",
            Self::Packetised => "packetised",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Decoded => "decoded",
            Self::Presented => "presented",
        }
    }

    /// Name of the way from the point before to this one, as in statistics and metrics; none leads to the first.
    pub const fn leg(self) -> Option<&'static str> {
        match self {
            Self::Damage => None,
            Self::Captured => Some("capture"),
            Self::Converted => Some("convert"),
            Self::Encoded => Some("encode"),
            Self::Packetised => Some("packetise"),
            Self::Sent => Some("send"),
            Self::Received => Some("network"),
            Self::Decoded => Some("decode"),
            Self::Presented => Some("present"),
        }
    }

    /// The point of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

const REFERENCE: &str = "timestamp/x-vdi-latency";

static REFERENCES: Lazy<[gst::Caps; Stage::ALL.len()]> =
    Lazy::new(|| Stage::ALL.map(|stage| gst::Caps::builder(REFERENCE).field("stage", stage.name()).build()));

/// When a frame was at each point, as far as that is known. Times are those of the pipeline's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps([Option<gst::ClockTime>; Stage::ALL.len()]);

impl Stamps {
    /// What a buffer carries.
    pub fn of(buffer: &gst::BufferRef) -> Self {
        let mut stamps = Self::default();
        for meta in buffer.iter_meta::<gst::ReferenceTimestampMeta>() {
            let structure = meta.reference().structure(0).filter(|found| found.name() == REFERENCE);
            let stage =
                structure.and_then(|found| found.get::<&str>("stage").ok()).and_then(Stage::from_name);
            if let Some(stage) = stage {
                stamps.set(stage, meta.timestamp());
            }
        }
        stamps
    }

    /// When it was at this point.
    pub fn get(&self, stage: Stage) -> Option<gst::ClockTime> {
        self.0[stage.index()]
    }

    /// It was at this point then.
    pub fn set(&mut self, stage: Stage, at: gst::ClockTime) {
        self.0[stage.index()] = Some(at);
    }

    /// Those that are known, in the order of the way.
    pub fn known(&self) -> impl Iterator<Item = (Stage, gst::ClockTime)> + '_ {
        Stage::ALL.into_iter().filter_map(|stage| Some((stage, self.get(stage)?)))
    }
}

/// Adds a stamp to a buffer. A stage that the buffer has been at before keeps its first time.
pub fn stamp(buffer: &mut gst::BufferRef, stage: Stage, at: gst::ClockTime) {
    let reference = &REFERENCES[stage.index()];
    let is_known =
        buffer.iter_meta::<gst::ReferenceTimestampMeta>().any(|meta| meta.reference() == reference.as_ref());
    if !is_known {
        gst::ReferenceTimestampMeta::add(buffer, reference, at, gst::ClockTime::NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(ms)
    }

    #[test]
    fn a_buffer_carries_its_stamps_and_its_copies_do() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        let writable = buffer.get_mut().unwrap();
        stamp(writable, Stage::Captured, ms(12));
        stamp(writable, Stage::Damage, ms(10));
        stamp(writable, Stage::Captured, ms(99));
        // What others stamp is not ours.
        let ntp = gst::Caps::builder("timestamp/x-ntp").build();
        gst::ReferenceTimestampMeta::add(writable, &ntp, ms(7), gst::ClockTime::NONE);
        let known: Vec<_> = Stamps::of(&buffer.copy()).known().collect();
        assert_eq!(known, [(Stage::Damage, ms(10)), (Stage::Captured, ms(12))]);
    }

    #[test]
    fn names_lead_back_to_their_stages() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_name(stage.name()), Some(stage));
        }
        assert_eq!(Stage::from_name("capture"), None);
        assert_eq!(Stage::ALL.iter().filter(|stage| stage.leg().is_none()).count(), 1);
    }
}
