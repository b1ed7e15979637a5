//! Decision: what can be said of the latency of one consumer: measured to its screen where its page tells of frames, else
//! put together from what the server knows and what the page's statistics say. Refuses to read a clock.

use crate::{
    latency::{
        figures::Figures,
        recent::{Recent, Summary},
        way::Way,
    },
    stage::Stage,
};
use std::time::Duration;
use vdi_protocol::{
    control::PageStats,
    latency::{Latency, Leg, Percentiles, StageLatency},
};

/// The longest delay that is believed of a single stage at the page or on the way to it.
const MAX_STAGE_MS: f64 = 10_000.0;

/// Half of the round trip to a page and what frames wait there, as its statistics tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beyond {
    /// From here to the page; `None` before its first ping was answered.
    pub network: Option<Duration>,
    /// Jitter buffer and decoding.
    pub decode: Duration,
}

impl Beyond {
    /// What the page says, held to what can be.
    pub fn of(stats: &PageStats) -> Self {
        let round_trip = Some(delay(stats.round_trip_ms)).filter(|time| !time.is_zero());
        Self {
            network: round_trip.map(|time| time / 2),
            decode: delay(stats.jitter_buffer_delay_ms) + delay(stats.decode_ms),
        }
    }
}

/// A delay that a page tells; nothing for what is no time.
fn delay(ms: f64) -> Duration {
    let ms = if ms > 0.0 { ms.min(MAX_STAGE_MS) } else { 0.0 };
    Duration::from_secs_f64(ms / 1000.0)
}

/// What is known of the ways of one consumer's last frames.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// As far as the network.
    sent: Recent,
    /// To the screen.
    shown: Recent,
    /// How wrong the last report may have been.
    uncertainty: Duration,
}

/// What can be said of the latency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Not measured to the screen.
    pub estimated: bool,
    /// How wrong legs that cross the network may be.
    pub uncertainty: Duration,
    /// The figures.
    pub summary: Summary,
}

impl Sight {
    /// A frame was given to the network.
    pub fn sent(&mut self, way: Way, now: Duration) {
        self.sent.record(way, now);
    }

    /// Frames came to the screen.
    pub fn shown(&mut self, ways: impl Iterator<Item = Way>, uncertainty: Duration, now: Duration) {
        self.uncertainty = uncertainty;
        for way in ways {
            self.shown.record(way, now);
        }
    }

    /// What can be said of the last `window`; `None` without frames.
    pub fn view(&self, beyond: Beyond, window: Duration, now: Duration) -> Option<View> {
        let shown = self.shown.summary(window, now);
        if shown.total.count > 0 {
            return Some(View { estimated: false, uncertainty: self.uncertainty, summary: shown });
        }
        let sent = self.sent.summary(window, now);
        (sent.total.count > 0).then(|| View {
            estimated: true,
            uncertainty: Duration::ZERO,
            summary: estimate(sent, beyond),
        })
    }
}

/// The way to the screen, out of the way to the network and the means of what lies beyond.
fn estimate(sent: Summary, beyond: Beyond) -> Summary {
    let count = sent.total.count;
    let network = beyond.network.map(|time| (Stage::Received, time));
    let beyond = network.into_iter().chain([(Stage::Decoded, beyond.decode)]);
    beyond.fold(sent, |mut summary, (stage, time)| {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        summary.total = summary.total.plus(ns);
        summary.legs.push((stage, Figures { count, ..Figures::default().plus(ns) }));
        summary
    })
}

impl View {
    /// What half of the frames did not exceed.
    pub fn median(&self) -> Duration {
        Duration::from_nanos(self.summary.total.p50_ns)
    }

    /// The message for the page.
    pub fn message(&self, codec: &str) -> Latency {
        let us = |ns: u64| ns / 1000;
        let total = &self.summary.total;
        let leg = |(stage, figures): &(Stage, Figures)| {
            Some(StageLatency {
                stage: Leg::from_name(stage.leg()?)?,
                p50_us: us(figures.p50_ns),
                p95_us: us(figures.p95_ns),
            })
        };
        Latency {
            codec: codec.to_owned(),
            estimated: self.estimated,
            frames: total.count,
            uncertainty_us: u64::try_from(self.uncertainty.as_micros()).unwrap_or(u64::MAX),
            glass_to_glass: Percentiles { p50_us: us(total.p50_ns), p95_us: us(total.p95_ns) },
            stages: self.summary.legs.iter().filter_map(leg).collect(),
        }
    }

    /// The field `latency` of a consumer in `stats`.
    pub fn structure(&self) -> gst::Structure {
        let uncertainty = u64::try_from(self.uncertainty.as_nanos()).unwrap_or(u64::MAX);
        let mut structure = gst::Structure::builder("application/x-vdi-latency")
            .field("estimated", self.estimated)
            .field("uncertainty", uncertainty)
            .field(crate::latency::totals::WHOLE, self.summary.total.structure("figures"));
        for (stage, figures) in &self.summary.legs {
            if let Some(leg) = stage.leg() {
                structure = structure.field(leg, figures.structure("figures"));
            }
        }
        structure.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stamps;

    const SECOND: Duration = Duration::from_secs(1);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn way(points: &[(Stage, u64)]) -> Way {
        let mut stamps = Stamps::default();
        points.iter().for_each(|(stage, ms)| stamps.set(*stage, gst::ClockTime::from_mseconds(*ms)));
        Way::of(&stamps).unwrap()
    }

    fn page() -> PageStats {
        PageStats { round_trip_ms: 30.0, jitter_buffer_delay_ms: 6.0, decode_ms: 2.5, ..PageStats::default() }
    }

    #[test]
    fn a_page_that_tells_of_no_frames_gets_an_estimate() {
        let mut sight = Sight::default();
        let beyond = Beyond::of(&page());
        assert_eq!(sight.view(beyond, SECOND, ms(100)), None, "no frames, no latency");
        sight.sent(way(&[(Stage::Captured, 0), (Stage::Encoded, 18), (Stage::Sent, 20)]), ms(100));
        let view = sight.view(beyond, SECOND, ms(200)).unwrap();
        assert!(view.estimated);
        assert_eq!(view.median(), Duration::from_micros(20_000 + 15_000 + 6000 + 2500));
        let message = view.message("VP8");
        let legs: Vec<_> = message.stages.iter().map(|leg| (leg.stage.as_str(), leg.p50_us)).collect();
        assert_eq!(legs, [("encode", 18_000), ("send", 2_000), ("network", 15_000), ("decode", 8_500)]);
        assert_eq!((message.frames, message.glass_to_glass.p95_us), (1, 43_500));
    }

    #[test]
    fn what_the_page_has_seen_is_believed_before_any_estimate() {
        gst::init().unwrap();
        let mut sight = Sight::default();
        sight.sent(way(&[(Stage::Captured, 0), (Stage::Sent, 20)]), ms(100));
        let shown = way(&[(Stage::Captured, 0), (Stage::Sent, 20), (Stage::Presented, 31)]);
        sight.shown([shown].into_iter(), Duration::from_micros(900), ms(300));
        let view = sight.view(Beyond::of(&page()), SECOND, ms(300)).unwrap();
        assert_eq!(
            (view.estimated, view.median(), view.uncertainty),
            (false, ms(31), Duration::from_micros(900))
        );
        let structure = view.structure();
        let whole = structure.get::<gst::Structure>("glass-to-glass").unwrap();
        assert_eq!((whole.get::<u64>("count"), whole.get::<u64>("p95")), (Ok(1), Ok(31_000_000)));
        assert_eq!(structure.get::<gst::Structure>("present").unwrap().get::<u64>("max"), Ok(11_000_000));
        // Its tab is hidden: nothing comes to the screen any more.
        sight.sent(way(&[(Stage::Captured, 1400), (Stage::Sent, 1420)]), ms(1420));
        assert!(sight.view(Beyond::of(&page()), SECOND, ms(1500)).unwrap().estimated);
    }

    #[test]
    fn a_page_that_has_no_answer_to_its_ping_yet_has_no_network_leg() {
        let mut sight = Sight::default();
        sight.sent(way(&[(Stage::Captured, 0), (Stage::Sent, 20)]), ms(100));
        let view = sight.view(Beyond::of(&PageStats::default()), SECOND, ms(100)).unwrap();
        assert_eq!(view.median(), ms(20));
        assert!(view.summary.legs.iter().all(|(stage, _)| *stage != Stage::Received));
    }

    #[test]
    fn lies_are_held_to_what_can_be() {
        let stats = PageStats {
            round_trip_ms: f64::INFINITY,
            jitter_buffer_delay_ms: -1e300,
            decode_ms: f64::NAN,
            ..PageStats::default()
        };
        let beyond = Beyond::of(&stats);
        assert_eq!(beyond, Beyond { network: Some(Duration::from_secs(5)), decode: Duration::ZERO });
    }
}
