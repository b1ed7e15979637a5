//! Shell: consumers that do not decode what is sent. The application is asked whether it changes the codec for them; then their
//! offer waits for that, since nobody can be offered what is not there yet.

use super::{
    consumer::{Consumer, plan::Plan},
    hub::{Hub, lock},
    imp::CAT,
    payload::Kind,
};
use gst::prelude::*;
use std::time::Duration;

/// Longest wait for another codec: finding an encoder of it that works takes a few seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);

impl Hub {
    /// The application is told what a consumer decodes, if that says so. Returns whether the video has got a codec because of it: what
    /// was planned is out of date then.
    pub async fn decodable_follows(&self, consumer: &Consumer, plan: &Plan) -> bool {
        let Some(codecs) = consumer.decodes.get().filter(|codecs| !codecs.is_empty()) else { return false };
        let wants_video = consumer.visit.part.kind != Some(Kind::Audio);
        let video = plan.streams.iter().find(|(_, row, _)| row.kind == Kind::Video);
        let Some((producer, row, _)) = video.filter(|_| wants_video) else { return false };
        let Some(element) = self.element() else { return false };
        let changes: bool = element.emit_by_name("consumer-decodes", &[&consumer.id, codecs]);
        let decodes = |name: &str| codecs.iter().any(|codec| codec.eq_ignore_ascii_case(name));
        if !changes || decodes(row.encoding_name) {
            return false;
        }
        gst::debug!(CAT, "consumer {} waits for a codec that it decodes: {codecs:?}", consumer.id);
        // Time is left for the offer and its answer.
        let patience = PATIENCE.min(self.settings().negotiation_timeout / 2);
        let mut watch = producer.watch();
        let decodable =
            watch.wait_for(|stream| stream.payload().is_some_and(|row| decodes(row.encoding_name)));
        tokio::select! {
            followed = tokio::time::timeout(patience, decodable) => matches!(followed, Ok(Ok(_))),
            () = consumer.unheld.notified() => false,
        }
    }

    /// A consumer's offer waits for no other codec any more; false when there is no such consumer.
    pub fn offer_now(&self, id: &str) -> bool {
        let consumers = lock(&self.consumers);
        let all = consumers.places.living().filter(|consumer| consumer.id == id);
        all.inspect(|consumer| consumer.unheld.notify_one()).count() > 0
    }
}
