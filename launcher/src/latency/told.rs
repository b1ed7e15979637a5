//! Decision: what `wswebrtcsink` tells of pages and of the ways of frames, read out of its `stats`: the page that is worst
//! off, the histograms, the media that reach each page, and failed connections. A field that is missing or of another type reads as unknown.

use std::collections::BTreeMap;
use vdi_protocol::{
    connection::ConnectionFailure,
    latency::Leg,
    status::{ConsumerMedia, ConsumerNetwork, LatencyFigures, LatencyStatus, StageLatencyStatus},
};

/// The ways of frames to all pages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ways {
    /// Of the page whose frames take the longest; `None` while none are shown.
    pub worst: Option<LatencyStatus>,
    /// Since the start.
    pub histograms: Vec<Histogram>,
    /// What reaches each page, of those that have told it.
    pub media: BTreeMap<String, ConsumerMedia>,
    /// What is known of the way to each page.
    pub networks: BTreeMap<String, ConsumerNetwork>,
    /// Connections that did not come up or were lost, since the start.
    pub failures: BTreeMap<ConnectionFailure, u64>,
}

/// How long one leg of the ways took, or the whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// The leg; `None` is the whole.
    pub leg: Option<Leg>,
    /// `H264`, `VP8`, … as in SDP.
    pub codec: String,
    /// Frames.
    pub count: u64,
    /// Their sum.
    pub sum_seconds: f64,
    /// Upper bounds of the buckets in seconds, the last of which has none, and the values of each.
    pub buckets: Vec<(f64, u64)>,
}

/// The whole way among the legs.
const WHOLE: &str = "glass-to-glass";

/// Reads the property `stats`.
pub fn ways(stats: &gst::StructureRef) -> Ways {
    let array = |field| stats.get::<gst::Array>(field).ok();
    let structures = |array: Option<gst::Array>| -> Vec<gst::Structure> {
        array.iter().flat_map(|array| array.iter()).filter_map(|value| value.get().ok()).collect()
    };
    let consumers = structures(array("consumers"));
    let p50 = |status: &LatencyStatus| status.glass_to_glass.p50_seconds;
    Ways {
        worst: consumers.iter().filter_map(|one| latency(one)).max_by(|a, b| p50(a).total_cmp(&p50(b))),
        histograms: structures(array("latency-histograms")).iter().filter_map(|one| histogram(one)).collect(),
        media: consumers.iter().filter_map(|one| Some((one.get("id").ok()?, media(one)?))).collect(),
        networks: consumers.iter().filter_map(|one| Some((one.get("id").ok()?, network(one)?))).collect(),
        failures: stats.get::<gst::Structure>("failures").map(|all| failures(&all)).unwrap_or_default(),
    }
}

fn media(consumer: &gst::StructureRef) -> Option<ConsumerMedia> {
    let milliseconds = |field| consumer.get::<f64>(field).unwrap_or_default() / 1e3;
    Some(ConsumerMedia {
        frames_decoded: consumer.get("frames-decoded").ok()?,
        frames_per_second: consumer.get("frames-per-second").unwrap_or_default(),
        jitter_seconds: milliseconds("jitter-ms"),
        packets_received: consumer.get("packets-received").unwrap_or_default(),
        packets_lost: consumer.get("packets-lost").unwrap_or_default(),
        round_trip_seconds: milliseconds("round-trip-ms"),
    })
}

fn network(consumer: &gst::StructureRef) -> Option<ConsumerNetwork> {
    let stats = consumer.get::<gst::Structure>("congestion").ok()?;
    let time = |field| stats.has_field(field).then(|| seconds(&stats, field));
    Some(ConsumerNetwork {
        available_outgoing_bitrate_bps: stats.get("available-outgoing-bitrate").ok()?,
        video_bitrate_bps: stats.get("available-video-bitrate").unwrap_or_default(),
        queue_delay_seconds: time("queue-delay"),
        round_trip_seconds: time("round-trip-time"),
        packet_loss: stats.get("packet-loss").unwrap_or_default(),
        pacer_delay_seconds: seconds(&stats, "pacer-delay"),
        state: stats.get("state").unwrap_or_default(),
    })
}

fn failures(structure: &gst::StructureRef) -> BTreeMap<ConnectionFailure, u64> {
    let one = |(name, count): (&gst::glib::GStr, &gst::glib::SendValue)| {
        Some((ConnectionFailure::from_name(name)?, count.get().ok()?))
    };
    structure.iter().filter_map(one).collect()
}

fn latency(consumer: &gst::StructureRef) -> Option<LatencyStatus> {
    let latency = consumer.get::<gst::Structure>("latency").ok()?;
    let whole = latency.get::<gst::Structure>(WHOLE).ok()?;
    let stage = |leg: Leg| {
        let one = latency.get::<gst::Structure>(leg.as_str()).ok()?;
        Some(StageLatencyStatus { stage: leg, figures: figures(&one) })
    };
    Some(LatencyStatus {
        consumer: consumer.get("id").unwrap_or_default(),
        estimated: latency.get("estimated").unwrap_or_default(),
        frames: whole.get("count").unwrap_or_default(),
        uncertainty_seconds: seconds(&latency, "uncertainty"),
        glass_to_glass: figures(&whole),
        stages: Leg::ALL.into_iter().filter_map(stage).collect(),
    })
}

fn figures(structure: &gst::StructureRef) -> LatencyFigures {
    LatencyFigures {
        p50_seconds: seconds(structure, "p50"),
        p95_seconds: seconds(structure, "p95"),
        p99_seconds: seconds(structure, "p99"),
    }
}

/// A number of nanoseconds.
fn seconds(structure: &gst::StructureRef, field: &str) -> f64 {
    structure.get::<u64>(field).unwrap_or_default() as f64 / 1e9
}

fn histogram(structure: &gst::StructureRef) -> Option<Histogram> {
    let numbers = |field| -> Option<Vec<u64>> {
        structure.get::<gst::Array>(field).ok()?.iter().map(|value| value.get().ok()).collect()
    };
    let (bounds, counts) = (numbers("bounds")?, numbers("counts")?);
    let stage = structure.get::<String>("stage").ok()?;
    let leg = Leg::from_name(&stage);
    // The exposition needs the bucket without a bound, and a leg that is not known has no place in it.
    if counts.len() != bounds.len() + 1 || (leg.is_none() && stage != WHOLE) {
        return None;
    }
    let bounds = bounds.into_iter().map(|ns| ns as f64 / 1e9).chain([f64::INFINITY]);
    Some(Histogram {
        leg,
        codec: structure.get("codec").unwrap_or_default(),
        count: structure.get("count").ok()?,
        sum_seconds: seconds(structure, "sum"),
        buckets: bounds.zip(counts).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::*;

    fn consumer(id: &str, p50_ns: u64) -> gst::glib::SendValue {
        let figures = |ns: u64| {
            gst::Structure::builder("figures")
                .field("count", 60_u64)
                .field("p50", ns)
                .field("p95", 2 * ns)
                .field("p99", 3 * ns)
                .build()
        };
        let latency = gst::Structure::builder("latency")
            .field("estimated", false)
            .field("uncertainty", 900_000_u64)
            .field("glass-to-glass", figures(p50_ns))
            .field("encode", figures(6_000_000))
            .field("network", figures(1_000_000))
            .build();
        gst::Structure::builder("consumer").field("id", id).field("latency", latency).build().to_send_value()
    }

    fn histogram(stage: &str, counts: &[u64]) -> gst::glib::SendValue {
        gst::Structure::builder("histogram")
            .field("stage", stage)
            .field("codec", "H264")
            .field("count", counts.iter().sum::<u64>())
            .field("sum", 42_000_000_u64)
            .field("bounds", gst::Array::new([1_000_000_u64, 7_500_000]))
            .field("counts", gst::Array::new(counts))
            .build()
            .to_send_value()
    }

    #[test]
    fn the_page_that_is_worst_off_is_shown() {
        gst::init().unwrap();
        assert_eq!(ways(&gst::Structure::new_empty("stats")), Ways::default());
        let silent = gst::Structure::builder("consumer").field("id", "c0").build().to_send_value();
        let consumers = [silent, consumer("c1", 20_000_000), consumer("c2", 80_000_000), consumer("c3", 9)];
        let stats =
            gst::Structure::builder("stats").field("consumers", gst::Array::from_values(consumers)).build();
        let worst = ways(&stats).worst.unwrap();
        assert_eq!((worst.consumer.as_str(), worst.frames, worst.uncertainty_seconds), ("c2", 60, 0.0009));
        assert_eq!(worst.glass_to_glass.p95_seconds, 0.16);
        let legs: Vec<_> = worst.stages.iter().map(|leg| (leg.stage, leg.figures.p50_seconds)).collect();
        assert_eq!(legs, [(Leg::Encode, 0.006), (Leg::Network, 0.001)]);
    }

    #[test]
    fn histograms_are_read_in_seconds_and_what_is_none_is_left_out() {
        gst::init().unwrap();
        let all = [
            histogram("encode", &[1, 5, 0]),
            histogram("glass-to-glass", &[0, 0, 6]),
            histogram("dance", &[0, 0, 6]),
            histogram("send", &[0, 6]),
        ];
        let stats = gst::Structure::builder("stats")
            .field("latency-histograms", gst::Array::from_values(all))
            .build();
        let read = ways(&stats).histograms;
        assert_eq!(read.iter().map(|one| one.leg).collect::<Vec<_>>(), [Some(Leg::Encode), None]);
        assert_eq!(read[0].buckets, [(0.001, 1), (0.0075, 5), (f64::INFINITY, 0)]);
        assert_eq!((read[0].count, read[0].sum_seconds, read[0].codec.as_str()), (6, 0.042, "H264"));
    }

    #[test]
    fn what_is_known_of_the_way_to_a_page_is_read_and_the_rest_is_unknown() {
        gst::init().unwrap();
        let ours = gst::Structure::builder("congestion")
            .field("available-outgoing-bitrate", 8_000_000_u64)
            .field("available-video-bitrate", 7_500_000_u64)
            .field("queue-delay", 4_000_000_u64)
            .field("packet-loss", 0.02)
            .field("pacer-delay", 1_000_000_u64)
            .field("state", "hold")
            .build();
        let googles =
            gst::Structure::builder("congestion").field("available-outgoing-bitrate", 1000_u64).build();
        let consumer = |id: &str, congestion: gst::Structure| {
            let one = gst::Structure::builder("consumer").field("id", id).field("congestion", congestion);
            one.build().to_send_value()
        };
        let consumers = [consumer("c1", ours), consumer("c2", googles)];
        let stats =
            gst::Structure::builder("stats").field("consumers", gst::Array::from_values(consumers)).build();
        let networks = ways(&stats).networks;
        let expected = ConsumerNetwork {
            available_outgoing_bitrate_bps: 8_000_000,
            video_bitrate_bps: 7_500_000,
            queue_delay_seconds: Some(0.004),
            round_trip_seconds: None,
            packet_loss: 0.02,
            pacer_delay_seconds: 0.001,
            state: "hold".into(),
        };
        assert_eq!(networks["c1"], expected);
        let available =
            ConsumerNetwork { available_outgoing_bitrate_bps: 1000, ..ConsumerNetwork::default() };
        assert_eq!(networks["c2"], available);
    }

    #[test]
    fn media_of_pages_that_report_and_failures_by_reason_are_read() {
        gst::init().unwrap();
        let reports = gst::Structure::builder("consumer")
            .field("id", "c1")
            .field("frames-decoded", 300_u64)
            .field("frames-per-second", 29.5)
            .field("jitter-ms", 3.5)
            .field("packets-received", 4000_u64)
            .field("packets-lost", -2_i64)
            .field("round-trip-ms", 1.5)
            .build();
        let silent = gst::Structure::builder("consumer").field("id", "c2").build();
        let failures = gst::Structure::builder("failures")
            .field("pathBlocked", 2_u64)
            .field("fromTheFuture", 1_u64)
            .build();
        let consumers = [reports.to_send_value(), silent.to_send_value()];
        let stats = gst::Structure::builder("stats")
            .field("consumers", gst::Array::from_values(consumers))
            .field("failures", failures)
            .build();
        let read = ways(&stats);
        let media = ConsumerMedia {
            frames_decoded: 300,
            frames_per_second: 29.5,
            jitter_seconds: 0.0035,
            packets_received: 4000,
            packets_lost: -2,
            round_trip_seconds: 0.0015,
        };
        assert_eq!(read.media, BTreeMap::from([("c1".to_owned(), media)]));
        assert_eq!(read.failures, BTreeMap::from([(ConnectionFailure::PathBlocked, 2)]));
    }
}
