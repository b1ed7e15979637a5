//! Decision: how the histograms of frames' ways stand among the metrics. They are counted in the sink; here they are only
//! written down.

use crate::latency::told::Histogram;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};
use std::fmt;

/// Writes histograms as they are.
#[derive(Debug)]
pub struct Histograms(pub Vec<Histogram>);

impl Collector for Histograms {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let legs = self.0.iter().filter_map(|one| Some((one, Some(("stage", one.leg?.as_str())))));
        write(
            &mut encoder,
            "vdi_latency_stage_seconds",
            "Time that frames took on a leg of their way; up to send those that were sent, from network on those that were shown",
            legs,
        )?;
        let wholes = self.0.iter().filter(|one| one.leg.is_none()).map(|one| (one, None));
        write(
            &mut encoder,
            "vdi_glass_to_glass_latency_seconds",
            "Time from a change on the X display to its presentation in a page, as measured there",
            wholes,
        )
    }
}

fn write<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    histograms: impl Iterator<Item = (&'a Histogram, Option<(&'static str, &'a str)>)>,
) -> fmt::Result {
    let mut histograms = histograms.peekable();
    if histograms.peek().is_none() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (histogram, stage) in histograms {
        let labels: Vec<_> = stage.into_iter().chain([("codec", histogram.codec.as_str())]).collect();
        family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
            histogram.sum_seconds,
            histogram.count,
            &histogram.buckets,
            None,
        )?;
    }
    Ok(())
}
