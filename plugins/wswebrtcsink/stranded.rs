//! Shell: what becomes of consumers when the codec changes. What was negotiated holds for a connection's whole life, so each
//! needs another one. A page makes it by itself, and keeps its last picture until the first of the new codec is there; whoever
//! does not is told good-bye.

use super::{
    consumer::{Consumer, Part, negotiation::Input},
    hub::{Hub, lock},
    payload::Kind,
    producer::Producer,
    runtime::runtime,
};
use std::{sync::Arc, time::Duration};
use vdi_protocol::signalling::ErrorCode;

/// Time that a consumer has for another connection: what one takes that gets through at all.
const GRACE: Duration = Duration::from_secs(15);

const WORDS: &str = "the video has another codec from now on, which takes another connection";

/// Whether it waits for video that does not come any more.
fn is_stranded(consumer: &Consumer, video: &Producer) -> bool {
    let now = video.stream().payload().map(|row| row.media_type);
    let negotiated = consumer.video.get();
    !consumer.is_replaced() && negotiated.zip(now).is_some_and(|(negotiated, now)| now != *negotiated)
}

/// Whether it may make another connection in its own name. Neither one that has made the offer itself can be told of another, nor
/// one that takes a part of what there is, as clients do that have a connection for each.
fn may_follow(consumer: &Consumer) -> bool {
    consumer.visit.offered.is_none() && consumer.visit.part == Part::default()
}

impl Hub {
    fn video(&self) -> Option<Producer> {
        // Of several, an offer has the first in its first section.
        self.producers().into_iter().find(|producer| producer.kind() == Kind::Video)
    }

    /// What the way of a successor to this one is known to carry: the same, if it comes for another codec. Whoever comes for any
    /// other reason comes over another way.
    pub(super) fn known_bitrate(&self, present: &Consumer) -> Option<vdi_congestion::Bitrate> {
        let video = self.video()?;
        is_stranded(present, &video).then(|| present.available_bitrate())?
    }

    /// The caps have changed, or a consumer has been made for those before.
    pub fn close_stranded(&self) {
        let Some(video) = self.video() else { return };
        let stranded: Vec<Arc<Consumer>> =
            lock(&self.consumers).places.living().filter(|one| is_stranded(one, &video)).cloned().collect();
        let (told, others): (Vec<_>, Vec<_>) =
            stranded.into_iter().partition(|consumer| may_follow(consumer));
        others.iter().for_each(|consumer| consumer.input(Input::Stop(WORDS.into())));
        if told.is_empty() {
            return;
        }
        runtime().spawn(async move {
            tokio::time::sleep(GRACE).await;
            for consumer in told.iter().filter(|consumer| is_stranded(consumer, &video)) {
                // No good-bye, which would be the end: whoever was only slow begins anew.
                consumer.input(Input::PipelineFailed { code: ErrorCode::NoMedia, message: WORDS.into() });
            }
        });
    }
}
