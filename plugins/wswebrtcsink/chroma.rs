//! Shell: tells the encoder in which chroma format all consumers take its pictures. A consumer says in its hello which
//! codecs it decodes in 4:4:4; those that do not say it (WHEP players, Selkies clients) take 4:2:0 only.

use super::{
    consumer::Consumer,
    hub::{Hub, lock},
    payload::{Kind, Payload},
};
use crate::adaptiveencbin::{ChromaFormat, taken};
use std::sync::atomic::Ordering;

/// Whether a stream of this codec and profile keeps a colour for every pixel.
pub fn is_full(row: &Payload, profile: Option<&str>) -> bool {
    matches!((row.encoding_name, profile), ("H264", Some("high-4:4:4")) | ("VP9", Some("1")))
}

/// Whether a consumer may be sent such a stream. One that has said nothing yet is no hindrance; one whose offer was made before
/// the stream was ever so has a decoder for less.
fn takes_full(consumer: &Consumer, encoding_name: &str) -> bool {
    let has_picture = consumer.visit.part.kind != Some(Kind::Audio);
    let taken = consumer.full_chroma.get();
    let decodes = taken.is_none_or(|codecs| codecs.iter().any(|codec| codec == encoding_name));
    !has_picture || decodes && !consumer.offered_less.load(Ordering::Relaxed)
}

impl Hub {
    /// Consumers have come or gone, or the codec has changed: the encoders are told if that changes what all take.
    pub fn chroma_changed(&self) {
        for producer in self.producers().iter().filter(|producer| producer.kind() == Kind::Video) {
            let Some(row) = producer.stream().payload() else { continue };
            // Held until the encoder is told, so that it is told in order. It only takes note.
            let mut told = lock(producer.taken());
            let all = lock(&self.consumers).places.living().all(|one| takes_full(one, row.encoding_name));
            let taken = if all { ChromaFormat::Full } else { ChromaFormat::Half };
            if std::mem::replace(&mut *told, taken) != taken {
                producer.send_upstream(taken::event(taken));
            }
        }
    }
}
