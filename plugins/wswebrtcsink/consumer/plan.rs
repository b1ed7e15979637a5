//! Setup: what a consumer's pipeline is built from.

use super::{congestion, offered::Offered, terms::Part};
use crate::wswebrtcsink::{
    direct::DirectPaths,
    frames::{SharedTotals, Watch},
    payload::{Kind, Payload},
    producer::Producer,
    surround,
};
use gst_webrtc::WebRTCICETransportPolicy;
use std::{sync::Arc, time::Duration};

/// What a consumer may send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receives {
    /// Sound.
    pub audio: bool,
    /// Pictures.
    pub video: bool,
}

/// What a consumer's pipeline is built from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The consumer's name.
    pub consumer: String,
    /// The streams, in the order of the offer.
    pub streams: Vec<(Producer, &'static Payload, gst::Caps)>,
    /// The sink's clock and base time.
    pub clock: Option<(gst::Clock, gst::ClockTime)>,
    /// `stun://…` for webrtcbin.
    pub stun_server: Option<String>,
    /// `turn://…` for webrtcbin.
    pub turn_servers: Vec<String>,
    /// Any candidate, or relayed ones only.
    pub ice_transport_policy: WebRTCICETransportPolicy,
    /// Which direct paths are offered.
    pub direct: DirectPaths,
    /// Bounds of the playout delay.
    pub playout_delay: (Duration, Duration),
    /// Where the ways of frames are counted.
    pub totals: SharedTotals,
    /// What estimates the network.
    pub congestion: congestion::Terms,
    /// The offer to answer, if the consumer has made one.
    pub offered: Option<Arc<Offered>>,
    /// What the consumer may send.
    pub receives: Receives,
    /// The one data channel that the consumer gets in place of ours.
    pub channel: Option<String>,
    /// Whether pictures are offered that may be 4:4:4.
    pub full: bool,
}

impl Plan {
    /// Only this part of it.
    pub fn of(mut self, part: &Part) -> Self {
        self.streams.retain(|(_, row, _)| part.kind.is_none_or(|kind| kind == row.kind));
        let receives = if *part == Part::default() { self.receives } else { Receives::default() };
        Self { channel: part.channel.clone(), receives, ..self }
    }

    /// One stream of sound of those that there may be: all channels for a consumer that takes them.
    pub fn hearing(mut self, takes_surround: bool) -> Self {
        let rows: Vec<_> = self.streams.iter().map(|(_, row, _)| *row).collect();
        self.streams.retain(|(_, row, _)| surround::is_for(row, takes_surround, &rows));
        self
    }

    /// Answers this offer, if there is one, with the streams that it takes.
    pub fn answering(mut self, offered: Option<Arc<Offered>>) -> Self {
        if let Some(offered) = &offered {
            self.streams.retain(|(_, row, _)| {
                offered.section(row.kind).is_some_and(|section| section.encoding_name == row.encoding_name)
            });
        }
        let receives = if offered.is_none() { self.receives } else { Receives::default() };
        Self { receives, offered, ..self }
    }

    /// The payload type of each stream.
    pub fn payload_types(&self) -> Vec<(Kind, i32)> {
        let number = |row: &Payload| {
            let section = self.offered.as_ref().and_then(|offered| offered.section(row.kind));
            section.map_or(row.payload_type, |section| section.payload_type)
        };
        self.streams.iter().map(|(_, row, _)| (row.kind, number(row))).collect()
    }

    /// For a consumer that decodes 4:4:4 in these codecs: it is offered where the pictures have ever been that.
    pub fn decoding(mut self, full_chroma: &[String]) -> Self {
        let mut pictures = self.streams.iter().filter(|(_, row, _)| row.kind == Kind::Video);
        self.full = pictures.all(|(producer, row, _)| {
            full_chroma.iter().any(|codec| codec == row.encoding_name) && producer.stream().may_be_full
        });
        self
    }

    /// Follows the frames of the first video; without a clock nothing can be said of them.
    pub fn watch(&self) -> Option<Arc<Watch>> {
        let (producer, row, _) = self.streams.iter().find(|(_, row, _)| row.kind == Kind::Video)?;
        let clock = self.clock.clone()?;
        Some(Watch::new(clock, row.encoding_name, producer.damage_is_told(), self.totals.clone()))
    }
}
