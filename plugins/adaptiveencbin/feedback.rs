//! Wire: the upstream event that tells the encoder what a consumer sees. Refuses values that cannot be true: they come
//! from browsers, and browsers belong to others.

use super::rate::Bitrate;
use std::time::Duration;

/// Name of the structure in the `CustomUpstream` event.
pub const NAME: &str = "application/x-vdi-feedback";

/// The most that a network is believed to carry.
const MAX_BITRATE_BPS: f64 = 10e9;

/// Delays above this are no live video's.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The most frames a second that a screen shows.
const MAX_FRAMES_PER_SECOND: f64 = 1000.0;

/// Names of consumers are cut after so many bytes.
const MAX_NAME_BYTES: usize = 256;

/// What a consumer sees. Every value may be unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Feedback {
    /// Its name; several without one are taken for one.
    pub consumer: String,
    /// What others have said does not count any more.
    pub is_sole: bool,
    /// What its network is believed to carry.
    pub estimated_bitrate: Option<Bitrate>,
    /// To it and back.
    pub round_trip_time: Option<Duration>,
    /// Time that packets stand in a queue of its network.
    pub queue_delay: Option<Duration>,
    /// Share of packets lost since its last report, 0 to 1.
    pub packet_loss: Option<f64>,
    /// From capture to presentation.
    pub latency: Option<Duration>,
    /// Frames that it shows.
    pub frames_per_second: Option<f64>,
}

impl Feedback {
    /// Reads an event's structure; `None` if it is no feedback.
    pub fn from_structure(structure: &gst::StructureRef) -> Option<Self> {
        if structure.name() != NAME {
            return None;
        }
        let within = |name, range: std::ops::RangeInclusive<f64>| {
            number(structure, name).filter(|value| range.contains(value))
        };
        let delay =
            |name| within(name, 1.0..=MAX_DELAY.as_nanos() as f64).map(|ns| Duration::from_nanos(ns as u64));
        let mut consumer = structure.get::<String>("consumer").unwrap_or_default();
        consumer.truncate(consumer.floor_char_boundary(MAX_NAME_BYTES));
        Some(Self {
            consumer,
            is_sole: structure.get("sole").unwrap_or(false),
            // Below one kbit/s there is no network.
            estimated_bitrate: within("estimated-bitrate", 1000.0..=MAX_BITRATE_BPS)
                .map(|bps| Bitrate::from_kbps((bps / 1000.0) as u32)),
            round_trip_time: delay("round-trip-time"),
            // No queue at all is worth knowing, unlike a round trip of no time.
            queue_delay: within("queue-delay", 0.0..=MAX_DELAY.as_nanos() as f64)
                .map(|ns| Duration::from_nanos(ns as u64)),
            packet_loss: within("packet-loss", 0.0..=1.0),
            latency: delay("latency"),
            frames_per_second: within("frames-per-second", 0.0..=MAX_FRAMES_PER_SECOND),
        })
    }

    /// Writes an event's structure.
    pub fn to_structure(&self) -> gst::Structure {
        let ns = |delay: Duration| u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        gst::Structure::builder(NAME)
            .field("consumer", &self.consumer)
            .field_if("sole", self.is_sole, self.is_sole)
            .field_if_some(
                "estimated-bitrate",
                self.estimated_bitrate.map(|rate| u64::from(rate.kbps()) * 1000),
            )
            .field_if_some("round-trip-time", self.round_trip_time.map(ns))
            .field_if_some("queue-delay", self.queue_delay.map(ns))
            .field_if_some("packet-loss", self.packet_loss)
            .field_if_some("latency", self.latency.map(ns))
            .field_if_some("frames-per-second", self.frames_per_second)
            .build()
    }
}

/// A number of whatever type: applications in C and Python write what comes easily.
fn number(structure: &gst::StructureRef, name: &str) -> Option<f64> {
    let value = structure.value(name).ok()?;
    (value.get::<u64>().map(|n| n as f64))
        .or_else(|_| value.get::<i64>().map(|n| n as f64))
        .or_else(|_| value.get::<u32>().map(f64::from))
        .or_else(|_| value.get::<i32>().map(f64::from))
        .or_else(|_| value.get::<f64>())
        .or_else(|_| value.get::<f32>().map(f64::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        gst::init().unwrap();
        let all = Feedback {
            consumer: "c1".into(),
            is_sole: true,
            estimated_bitrate: Some(Bitrate::from_kbps(3500)),
            round_trip_time: Some(Duration::from_micros(12_345)),
            queue_delay: Some(Duration::from_millis(3)),
            packet_loss: Some(0.25),
            latency: Some(Duration::from_millis(42)),
            frames_per_second: Some(59.5),
        };
        let structure = all.to_structure();
        assert_eq!(structure.get::<u64>("estimated-bitrate"), Ok(3_500_000));
        assert_eq!(structure.get::<u64>("latency"), Ok(42_000_000));
        assert_eq!(Feedback::from_structure(&structure), Some(all));

        let nothing = Feedback::default();
        assert_eq!(nothing.to_structure().n_fields(), 1);
        assert_eq!(Feedback::from_structure(&nothing.to_structure()), Some(nothing));
        assert_eq!(Feedback::from_structure(&gst::Structure::new_empty("other")), None);
    }

    #[test]
    fn numbers_of_any_type_are_understood() {
        gst::init().unwrap();
        let structure = gst::Structure::builder(NAME)
            .field("estimated-bitrate", 2_000_000_i32)
            .field("packet-loss", 0.5_f32)
            .field("latency", 40_000_000_i64)
            .build();
        let feedback = Feedback::from_structure(&structure).unwrap();
        assert_eq!(feedback.estimated_bitrate, Some(Bitrate::from_kbps(2000)));
        assert_eq!(feedback.packet_loss, Some(0.5));
        assert_eq!(feedback.latency, Some(Duration::from_millis(40)));
    }

    #[test]
    fn what_cannot_be_true_is_ignored() {
        gst::init().unwrap();
        for rate in [0, 999, 10_000_000_001, u64::MAX] {
            let structure = gst::Structure::builder(NAME).field("estimated-bitrate", rate).build();
            assert_eq!(Feedback::from_structure(&structure), Some(Feedback::default()), "{rate} bit/s");
        }
        for number in [f64::NAN, f64::INFINITY, -0.1, 1.1e12] {
            let structure = gst::Structure::builder(NAME)
                .field("packet-loss", number)
                .field("frames-per-second", number)
                .field("latency", number)
                .field("round-trip-time", "soon")
                .build();
            assert_eq!(Feedback::from_structure(&structure), Some(Feedback::default()), "{number}");
        }
        let structure = gst::Structure::builder(NAME).field("consumer", "ä".repeat(1000)).build();
        assert_eq!(Feedback::from_structure(&structure).unwrap().consumer.len(), 256);
    }
}
